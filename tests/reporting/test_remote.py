"""Reports behind a URL: over fsspec's memory:// here, over a real server of S3 in tests/real."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest
from click.testing import CliRunner

import llmbench.reporting
from llmbench.cli import cli
from llmbench.errors import ConfigError, ReportError, UsageError
from llmbench.reporting import run_history
from llmbench.reporting.folder import ReportFolder, write_manifest
from llmbench.reporting.remote import RemoteReports, local_folder, remote_url, reports_folder
from llmbench.reporting.run import ReportRun
from llmbench.results import Decision
from tests.reporting.conftest import Project
from tests.reporting.runs import keep_run, model

URL = "memory://bucket/reports"


@pytest.fixture
def memory() -> Iterator[Any]:
    filesystem = fsspec.filesystem("memory")
    filesystem.store.clear()
    filesystem.pseudo_dirs[:] = [""]
    yield filesystem
    filesystem.store.clear()


def _publish(reports: RemoteReports, run_id: str, score: float = 0.7, table: str = "one") -> None:
    """A run as `run_report` leaves it in the local copy."""
    aside = reports.root / "aside" / run_id
    staged = keep_run(aside, run_id, [model("a", score)])
    (staged / "report.html").write_text(f"page of {run_id}")
    (staged / "tables").mkdir()
    (staged / "tables" / f"{table}.csv").write_text(run_id)
    write_manifest(staged)
    report = ReportFolder(reports.local, "model_matrix")
    report.runs.mkdir(parents=True, exist_ok=True)
    report.publish(staged, run_id)


def _there(memory: Any) -> set[str]:
    return {path.removeprefix("/bucket/reports/") for path in memory.store}


def _text(memory: Any, name: str) -> str:
    return str(memory.cat_file(f"/bucket/reports/{name}").decode())


@pytest.mark.parametrize(
    "url",
    [
        "s3://ada:secret@bucket/reports", "s3://ada@bucket/reports", "sftp://ada:pw@host/x", "s3://bucket/x?key=1",
        "s3://bucket/x#y", "zip://x::s3://bucket/y", "s3://[bucket/x", "s3://bucket/AKIAABCDEFGHIJKLMNOP/x",
        "file://ada:pw@localhost/x",
    ],
)  # fmt: skip
def test_a_url_that_may_hold_a_secret_is_refused_without_saying_it(url: str, project: Path) -> None:
    with pytest.raises(UsageError) as caught:
        remote_url(url)
    for secret in ("secret", "pw", "key=1", "AKIA"):
        assert secret not in str(caught.value)
    with pytest.raises(UsageError):
        CliRunner().invoke(cli, ["report", "small", "--out", url], catch_exceptions=False)


def test_local_folders_are_paths_and_file_urls(tmp_path: Path) -> None:
    assert local_folder(f"file://{tmp_path}/a%20b") == tmp_path / "a b"
    assert local_folder("reports") == Path("reports")
    with pytest.raises(UsageError, match="names another machine"):
        local_folder("file://elsewhere/reports")
    with pytest.raises(UsageError, match="is no local folder"):
        local_folder(URL)
    assert remote_url("abfs://container@account/reports") == "abfs://container@account/reports"


def test_a_kind_of_url_that_cannot_be_had_is_told(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for url in ("nosuch://bucket/reports", "memory://"):
        with pytest.raises(UsageError, match=r"fsspec knows|names no folder"):
            RemoteReports(url)

    def missing(_: str) -> None:
        raise ImportError("no")

    monkeypatch.setattr(fsspec.core, "url_to_fs", missing)
    with pytest.raises(ConfigError, match=r"s3:// needs a package that is not installed \(Install s3fs"):
        RemoteReports("s3://bucket/reports")


def test_a_run_is_uploaded_with_the_newest_path_and_the_index(project: Path, memory: Any) -> None:
    reports = RemoteReports(URL)
    reports.pull()
    _publish(reports, "20250101T000000Z-00000a", table="old")
    reports.push("model_matrix")
    _publish(reports, "20250102T000000Z-00000b")
    reports.push("model_matrix")
    names = {"report.html", "result.json", "manifest.json"}
    assert _there(memory) == {
        "index.html",
        *(f"model_matrix/{name}" for name in (*names, "tables/one.csv")),
        *(f"model_matrix/runs/20250101T000000Z-00000a/{name}" for name in (*names, "tables/old.csv")),
        *(f"model_matrix/runs/20250102T000000Z-00000b/{name}" for name in (*names, "tables/one.csv")),
    }
    assert _text(memory, "model_matrix/report.html") == "page of 20250102T000000Z-00000b"
    assert "model_matrix: 2 runs" in _text(memory, "index.html")
    # Of what is uploaded, only the result stays here.
    kept = (reports.local / "model_matrix" / "runs").rglob("*")
    assert {path.name for path in kept if path.is_file()} == {"result.json"}


def test_the_manifest_of_a_run_comes_last_and_the_page_of_the_newest_before_it(
    project: Path, memory: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    reports = RemoteReports(URL)
    written: list[str] = []
    pipe = type(memory).pipe_file

    def pipe_file(self: Any, path: str, value: bytes, **options: Any) -> None:
        written.append(path.removeprefix("/bucket/reports/model_matrix/"))
        pipe(self, path, value, **options)

    monkeypatch.setattr(type(memory), "pipe_file", pipe_file)
    _publish(reports, "20250101T000000Z-00000a")
    reports.push("model_matrix")
    run = "runs/20250101T000000Z-00000a/"
    assert written == [
        run + "result.json", run + "tables/one.csv", run + "report.html", run + "manifest.json",
        "result.json", "tables/one.csv", "report.html", "manifest.json", "/bucket/reports/index.html",
    ]  # fmt: skip


def test_two_machines_see_each_others_runs(project: Path, memory: Any, tmp_path: Path) -> None:
    one = RemoteReports(URL)
    two = RemoteReports(URL, tmp_path / "two")
    _publish(two, "20250103T000000Z-00000c", score=0.9)
    two.push("model_matrix")
    _publish(one, "20250102T000000Z-00000b")  # begun before, ended after
    one.push("model_matrix")
    assert _text(memory, "model_matrix/report.html") == "page of 20250103T000000Z-00000c"
    assert "model_matrix: 2 runs" in _text(memory, "index.html")
    assert run_history(URL, "model_matrix").trend("a").values == (0.7, 0.9)
    assert reports_folder(URL) == one.local
    two.remove("model_matrix", ["20250102T000000Z-00000b"])
    assert "model_matrix: 1 run" in _text(memory, "index.html")
    assert run_history(URL, "model_matrix").trend("a").values == (0.9,)
    assert "runs/20250102T000000Z-00000b" not in str(_there(memory))


def test_what_was_not_uploaded_goes_along_with_the_next(
    project: Path, memory: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STORE_SECRET", "correct horse battery")
    reports = RemoteReports(URL)
    _publish(reports, "20250101T000000Z-00000a")
    with monkeypatch.context() as patch:

        def denied(*_: object, **__: object) -> None:
            raise RuntimeError("no right with key correct horse battery")

        patch.setattr(type(memory), "pipe_file", denied)
        with pytest.raises(ReportError) as caught:
            reports.push("model_matrix")
    assert "cannot be read or written: RuntimeError. The report itself lies in .llmbench/reports/" in str(
        caught.value
    )
    reports.pull()  # which must not take it for one that was removed
    _publish(reports, "20250102T000000Z-00000b")
    reports.push("model_matrix")
    assert "model_matrix: 2 runs" in _text(memory, "index.html")
    assert _text(memory, "model_matrix/report.html") == "page of 20250102T000000Z-00000b"


def test_half_a_run_and_names_from_elsewhere_are_not_there(project: Path, memory: Any) -> None:
    document = {"result.json": "0" * 64}
    for name in ("model_matrix/runs/20250101T000000Z-00000a/result.json",):
        memory.pipe_file(f"/bucket/reports/{name}", b"{}")
    for name in ("../runs/x", "model_matrix/runs/..", ".hidden/runs/x"):
        memory.store[f"/bucket/reports/{name}/manifest.json"] = _memory_file(memory, json.dumps(document))
    reports = RemoteReports(URL)
    reports.pull()
    assert [path for path in reports.local.rglob("*") if path.is_file()] == []
    memory.pipe_file(
        "/bucket/reports/model_matrix/runs/20250109T000000Z-00000a/manifest.json",
        b'{"../../../index.html": "0"}',
    )
    _publish(reports, "20250102T000000Z-00000b")
    with pytest.raises(ReportError, match="no manifest of a report"):
        reports.push("model_matrix")


def test_a_removal_that_was_cut_off_is_ended_by_the_next(
    project: Path, memory: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    reports = RemoteReports(URL)
    ids = [f"2025010{day}T000000Z-00000{day}" for day in (1, 2, 3)]
    for run_id in ids:
        _publish(reports, run_id)
    reports.push("model_matrix")
    with monkeypatch.context() as patch:

        def cut(*_: object, **__: object) -> None:
            raise RuntimeError("cut off")

        patch.setattr(type(memory), "rm", cut)
        with pytest.raises(ReportError, match="cut off"):
            reports.remove("model_matrix", ids[:2])
    left = {path for path in _there(memory) if ids[0] in path}
    assert f"model_matrix/runs/{ids[0]}/report.html" in left
    assert f"model_matrix/runs/{ids[0]}/manifest.json" not in left
    assert len(run_history(URL, "model_matrix").runs) == 2
    reports.remove("model_matrix", [])
    assert {path.split("/")[2] for path in _there(memory) if "/runs/" in path} == {ids[2]}
    assert "model_matrix: 1 run" in _text(memory, "index.html")


def test_what_another_machine_removes_meanwhile_is_no_error(
    project: Path, memory: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    reports = RemoteReports(URL)
    for run_id in ("20250101T000000Z-00000a", "20250102T000000Z-00000b"):
        _publish(reports, run_id)
    reports.push("model_matrix")
    remove = type(memory).rm_file
    both = ["manifest.json", "report.html"]

    def faster(self: Any, path: str) -> None:
        remove(self, path)
        if path.rsplit("/", 1)[1] in both:
            both.remove(path.rsplit("/", 1)[1])
            remove(self, path)

    monkeypatch.setattr(type(memory), "rm_file", faster)
    reports.remove("model_matrix", ["20250101T000000Z-00000a"])
    assert both == []
    assert {path.split("/")[2] for path in _there(memory) if "/runs/" in path} == {"20250102T000000Z-00000b"}


def test_of_an_upload_only_the_result_stays_here(project: Path, memory: Any) -> None:
    reports = RemoteReports(URL)
    _publish(reports, "20250101T000000Z-00000a")
    reports.push("model_matrix")
    run = reports.local / "model_matrix" / "runs" / "20250101T000000Z-00000a"
    (run / "tables" / "one.csv").write_text("left by a kill after the page was removed")
    reports.pull()
    assert [path for path in run.rglob("*") if path.is_file()] == [run / "result.json"]


def test_a_format_that_the_newest_run_was_not_made_as_goes(project: Path, memory: Any) -> None:
    reports = RemoteReports(URL)
    _publish(reports, "20250101T000000Z-00000a")
    run = reports.local / "model_matrix" / "runs" / "20250101T000000Z-00000a"
    (run / "report.pdf").write_text("pdf of the first")
    write_manifest(run)
    reports.push("model_matrix")
    assert "model_matrix/report.pdf" in _there(memory)
    _publish(reports, "20250102T000000Z-00000b")
    reports.push("model_matrix")
    assert "model_matrix/report.pdf" not in _there(memory)
    assert "model_matrix/runs/20250101T000000Z-00000a/report.pdf" in _there(memory)


def _memory_file(memory: Any, text: str) -> Any:
    memory.pipe_file("/bucket/other", text.encode())
    return memory.store.pop("/bucket/other")


def test_the_command_reports_keeps_and_compares_there(
    project: Path, memory: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [f"2025010{day}T000000Z-00000{day}" for day in (1, 2, 3)]
    coming = list(ids)

    def stand_in(name: str, parameters: Any, out: Path, **_: object) -> ReportRun:
        reports = replace_local(out)
        run_id = coming.pop(0)
        _publish(reports, run_id, score=0.7 if run_id != ids[-1] else 0.2)
        return ReportRun(
            notebook=name, run_id=run_id, path=out / name / "report.html",
            folder=out / name / "runs" / run_id, index=out / "index.html", decision=Decision.GO,
            summary="So.", spent_usd=None,
        )  # fmt: skip

    def replace_local(out: Path) -> RemoteReports:
        reports = RemoteReports(URL)
        assert reports.local == out
        return reports

    monkeypatch.setattr(llmbench.reporting, "run_report", stand_in)
    monkeypatch.setattr(llmbench.reporting, "resolve_notebooks", list)
    words = ["report", "model_matrix", "--out", URL + "/", "--keep", "2", "--fail-on-regression"]
    codes = [CliRunner().invoke(cli, words, catch_exceptions=False) for _ in ids]
    assert [done.exit_code for done in codes] == [0, 0, 4]
    assert codes[0].stdout.splitlines()[-1] == f"{URL}/index.html"
    assert sorted({path.split("/")[2] for path in _there(memory) if "/runs/" in path}) == ids[1:]
    assert "model_matrix: 2 runs" in _text(memory, "index.html")
    done = CliRunner().invoke(
        cli, ["diff", "model_matrix~1", "model_matrix", "--out", URL], catch_exceptions=False
    )
    assert done.exit_code == 0
    assert "models[a].score" in done.stdout


def test_a_real_notebook_goes_there(
    reports_project: Project, memory: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    done = CliRunner().invoke(cli, ["report", "small", "--out", URL], catch_exceptions=False)
    assert done.exit_code == 0
    assert "small/report.html" in _there(memory)
    assert json.loads(_text(memory, "small/result.json"))["report"] == "small"
