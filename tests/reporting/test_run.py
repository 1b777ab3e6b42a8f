from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import nbformat
import pytest

import llmbench
from llmbench.errors import ReportError, UsageError
from llmbench.reporting.execute import failed_outcome
from llmbench.reporting.failure import failed_run
from llmbench.reporting.finish import finish_run
from llmbench.reporting.folder import ReportFolder
from llmbench.reporting.process import Job
from llmbench.reporting.report import Report
from llmbench.reporting.run import (
    ReportRun,
    available_notebooks,
    resolve_notebooks,
    run_report,
)
from llmbench.results import Decision, Spend, Verdict
from tests.reporting.processes import wait_until_gone

LONG_CELLS = [
    'marker: str = ""  # file that tells that the cell runs',
    """\
import os, pathlib, time
pathlib.Path(marker).write_text(str(os.getpid()))
time.sleep(120)""",
]
SECRET = "correct horse battery"
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")


class _Page(HTMLParser):
    """What a browser would load or run."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.scripts: list[str] = []
        self.sources: list[str] = []
        self.links: list[str] = []
        self.policy = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if ("http-equiv", "Content-Security-Policy") in attrs:
            self.policy = str(dict(attrs)["content"])
        for name, value in attrs:
            if name.startswith("on"):
                self.scripts.append(f"{tag} {name}")
            if name in {"src", "data", "action"}:
                self.sources.append(value or "")
            if name == "href":
                (self.links if tag == "a" else self.sources).append(value or "")
        if tag in {"script", "iframe", "object", "embed", "link", "base"}:
            self.scripts.append(tag)


def _snapshot(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_report_is_published_whole_in_both_places(good_run: ReportRun) -> None:
    for folder in (good_run.folder, good_run.path.parent):
        manifest = json.loads((folder / "manifest.json").read_text())
        assert set(manifest) == {
            *("report.html", "report.md", "executed.ipynb", "result.json", "tables/answers.csv"),
            *("figures/one.svg", "figures/one.csv", "figures/two.svg", "figures/two.csv"),
        }
        for name, digest in manifest.items():
            assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest
    assert {p.name for p in good_run.folder.iterdir()} == {
        *("report.html", "report.md", "executed.ipynb", "result.json", "manifest.json", "tables", "figures")
    }
    assert good_run.folder.parent.name == "runs"
    assert [p.name for p in good_run.folder.parent.iterdir()] == [good_run.run_id]


def test_run_tells_what_came_of_it(good_run: ReportRun, reports_project: Any) -> None:
    assert good_run.decision is Decision.NO_GO
    assert good_run.spent_usd == 0.01
    assert good_run.path == reports_project.root / "reports" / "small" / "report.html"
    assert good_run.index.is_file()
    shown = reports_project.lines.getvalue()
    assert "small: 2 of 2 calls: 1 made, 1 replayed, 0 failed, $0.010 spent" in shown


def test_result_is_strict_json(good_run: ReportRun) -> None:
    def refuse(constant: str) -> None:
        pytest.fail(f"{constant} is not JSON")

    result = json.loads((good_run.folder / "result.json").read_text(), parse_constant=refuse)
    assert result["data"] == {"score": None, "n": 3, "ci": [0.5, None]}
    assert result["parameters"]["repeat"] == 3
    assert result["parameters"]["share"] == 1.0
    assert result["verdict"]["decision"] == "NO_GO"


def test_page_runs_nothing_and_asks_for_nothing(good_run: ReportRun, hostile: str) -> None:
    for path in (good_run.path, good_run.index):
        text = path.read_text(encoding="utf-8")
        page = _Page(text)
        assert page.scripts == []
        assert all(source.startswith("data:image/") for source in page.sources)
        assert not any("script" in link for link in page.links)
        assert page.policy.startswith("default-src 'none'; img-src data:;")
        assert text.count("</style>") == 1
        assert not re.search(r"https?://", re.sub(r"base64,[^\"]*", "", text))
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text  # shown, as the text that it is


def test_page_shows_no_code_and_the_parameters_last(good_run: ReportRun) -> None:
    text = good_run.path.read_text(encoding="utf-8")
    assert "import pandas" not in text
    assert "injected" not in text
    places = [
        text.index(part)
        for part in ("<h1", 'class="verdict"', "<table", "<figure", "Appendix", "what is said")
    ]
    assert places == sorted(places)
    assert 'class="outputs pair"' in text


def test_no_file_names_this_machine(good_run: ReportRun, reports_project: Any) -> None:
    names = {str(reports_project.root), str(Path.home()), sys.prefix, str(Path(llmbench.__file__).parents[1])}
    for path in good_run.folder.rglob("*"):
        if path.is_file():
            text = path.read_text(encoding="utf-8")
            assert not [name for name in names if name in text], path.name
    executed = nbformat.read(good_run.folder / "executed.ipynb", as_version=4)
    assert executed.metadata.papermill.input_path == "small.ipynb"
    assert executed.metadata.papermill.output_path == "executed.ipynb"
    assert "made in ./data by" in json.dumps(executed.cells)


def test_parameters_are_checked_before_anything_runs(reports_project: Any, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="small has no parameter 'repeats': did you mean 'repeat'"):
        run_report("small", {"repeats": 3}, out=tmp_path)
    with pytest.raises(UsageError, match="There is no notebook 'smal': did you mean 'small'"):
        run_report("smal", out=tmp_path)
    with pytest.raises(UsageError, match=r"no notebook gone\.ipynb"):
        run_report("gone.ipynb", out=tmp_path)
    with pytest.raises(UsageError, match=r"There is no notebook '\.\./notebooks/small'"):
        run_report("../notebooks/small", out=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_filter_by_a_redacted_column_leaves_nothing(reports_project: Any, tmp_path: Path) -> None:
    lines = "where: dict = {}  # items\nredact_columns: list = ['email']  # what must not be shown\n"
    reports_project.notebook("filtered", [lines, "raise SystemExit('run')"], {0: ["parameters"]})
    with pytest.raises(UsageError, match=r"where filters by 'email', .* write the rows that are wanted"):
        run_report("filtered", {"where": {"email": ["u1@corp.example"]}}, tmp_path)
    assert not list(tmp_path.rglob("*"))


def test_notebooks_are_found_by_name_and_all(reports_project: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = reports_project.root / "notebooks"
    assert "small" in available_notebooks()
    assert resolve_notebooks(["small", "all"])[0] == "small"
    assert sorted(resolve_notebooks(["all"])) == sorted(path.stem for path in folder.glob("*.ipynb"))
    (folder / "start.ipynb").write_text("{}")  # the desk, which is none of them
    assert "start" not in resolve_notebooks(["all"])
    with pytest.raises(UsageError, match="is the desk, not a report; open it with `llmbench lab`"):
        resolve_notebooks(["start"])
    (folder / "start.ipynb").unlink()
    with pytest.raises(UsageError, match="did you mean 'small'"):
        resolve_notebooks(["smal"])


def test_a_failing_notebook_ends_in_its_own_sentence(good_run: ReportRun, reports_project: Any) -> None:
    before = _snapshot(good_run.folder.parent)
    reports_project.notebook(
        "small_fails",
        [
            'note: str = ""  # anything',
            "# Quote\n\nWhat it will cost.",
            """\
import pathlib
from llmbench.errors import DatasetError
raise DatasetError(f"data/a.csv line 3: no id in {pathlib.Path.cwd()}; add one.")""",
        ],
        {0: ["parameters"]},
    )
    with pytest.raises(ReportError) as caught:
        run_report("small_fails", {"note": "given"}, console=reports_project.console)
    message = str(caught.value)
    kept = re.fullmatch(
        r'small_fails failed in cell 3 \("Quote"\): data/a\.csv line 3: no id in \.; add one\. '
        r"\(The notebook as far as it came: (small_fails/failed/[^/]+/failed\.ipynb)\)",
        message,
    )
    assert kept, message
    text = (reports_project.root / "reports" / kept[1]).read_text()
    assert "DatasetError" in text
    assert str(reports_project.root) not in text
    assert _snapshot(good_run.folder.parent) == before
    assert list((reports_project.root / "reports" / "small_fails" / "runs").iterdir()) == []


def test_a_secret_is_never_kept(
    reports_project: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VENDOR_API_KEY", SECRET)
    reports_project.notebook(
        "leaks",
        [
            "note: str = ''  # anything",
            """\
import base64, os
from llmbench.reporting import Report
from llmbench.results import Decision, Spend, Verdict
coded = base64.b64encode(f"user:{os.environ['VENDOR_API_KEY']}".encode()).decode()
Report("leaks", "T").finish(verdict=Verdict(Decision.GO, coded), data={},
    price_book="x", seed=1, spend=Spend(None, None))""",
        ],
        {0: ["parameters"]},
    )
    with pytest.raises(ReportError, match="contains the value of VENDOR_API_KEY") as caught:
        run_report("leaks", out=tmp_path, console=reports_project.console)
    assert SECRET not in str(caught.value)
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == []


@pytest.fixture
def job(reports_project: Any, tmp_path: Path) -> Job:
    """A run whose notebook has been executed, to its end or not."""
    notebook = reports_project.notebook("made", ["note: str = ''  # anything", "f()"], {0: ["parameters"]})
    staging = tmp_path / "made" / "runs" / ".staging-1"
    staging.mkdir(parents=True)
    executed = nbformat.read(notebook, as_version=4)
    executed.metadata["papermill"] = {}
    nbformat.write(executed, staging / "executed.ipynb")
    return Job(notebook, reports_project.root, {}, "1", staging, fresh=False)


def test_a_notebook_that_never_finishes_its_report_is_refused(job: Job) -> None:
    with pytest.raises(ReportError, match=r"made ran to its end without a result; its last cell must call"):
        finish_run(job)


@pytest.mark.parametrize(
    ("error", "message", "expected"),
    [
        ("DatasetError", "a.csv has no rows; add one.", "made failed in cell 2: a.csv has no rows; add one."),
        ("ValueError", "first\nsecond", "made failed in cell 2: ValueError: first"),
        ("DeadKernelError", "", "made failed in cell 2: its kernel died, most often for want of memory; "),
        ("CellTimeoutError", "", "made failed in cell 2: what it printed did not arrive in time; print less"),
        ("MemoryError", "", "made failed in cell 2: it needs more memory than there is; use a smaller model"),
        (
            "_ArrayMemoryError",
            "Unable to allocate",
            "made failed in cell 2: it needs more memory than there is",
        ),
        ("", "Traceback\nMemoryError", "made failed in cell 2: the process ended: MemoryError"),
    ],
)
def test_every_failure_is_one_sentence(
    job: Job, tmp_path: Path, error: str, message: str, expected: str
) -> None:
    _fail_in_second_cell(job, "boom")
    outcome = {"status": "failed", "error": error, "message": message, "cell": 1}
    raised = failed_run(job, outcome, ReportFolder(tmp_path, "made"))
    assert isinstance(raised, ReportError)
    assert str(raised).startswith(expected)
    assert str(raised).endswith(" (The notebook as far as it came: made/failed/1/failed.ipynb)")
    assert "boom" in (tmp_path / "made" / "failed" / "1" / "failed.ipynb").read_text()


def test_an_output_that_does_not_arrive_is_a_failure_of_the_notebook() -> None:
    """nbclient ends its sentence with a line of dashes, which was all that was told."""
    from nbclient.exceptions import CellTimeoutError

    cell = nbformat.v4.new_code_cell("print(1)")
    error = CellTimeoutError.error_from_timeout_and_cell("Timeout waiting for IOPub output", 300, cell)
    outcome = failed_outcome(error)
    assert outcome is not None
    assert outcome["error"] == "CellTimeoutError"


def test_a_failure_that_holds_a_secret_is_not_kept(
    job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VENDOR_API_KEY", SECRET)
    _fail_in_second_cell(job, f"refused {SECRET}")
    outcome = {"status": "failed", "error": "ValueError", "message": f"refused {SECRET}", "cell": 1}
    assert str(failed_run(job, outcome, ReportFolder(tmp_path, "made"))) == (
        "made failed in cell 2: ValueError: its message is not shown because it contains a secret. "
        "(The executed notebook was not kept: it contains a secret.)"
    )
    assert not (tmp_path / "made" / "failed").exists()


def _fail_in_second_cell(job: Job, traceback: str) -> None:
    executed = nbformat.read(job.staging / "executed.ipynb", as_version=4)
    executed.cells[1].outputs = [
        nbformat.v4.new_output("error", ename="E", evalue=traceback, traceback=[traceback])
    ]
    nbformat.write(executed, job.staging / "executed.ipynb")


def _start(project: Any, marker: Path) -> tuple[subprocess.Popen[str], int]:
    """A run of the long notebook in a process of its own, once its cell runs; and its kernel's pid."""
    project.notebook("long", LONG_CELLS, {0: ["parameters"]})
    code = (
        "import signal, sys\nfrom llmbench.reporting import run_report\n"
        # A shell's background job, as of CI, is born deaf to it.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "try:\n    run_report('long', {'marker': sys.argv[1]})\n"
        "except KeyboardInterrupt as error:\n    sys.exit(f'130 {error}')"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(marker)],
        cwd=project.root,
        env={**os.environ, "PYTHONPATH": str(Path(llmbench.__file__).parents[1])},
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 60
    while not (marker.is_file() and marker.read_text()):
        assert process.poll() is None, process.stderr.read() if process.stderr else ""
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return process, int(marker.read_text())


def _parent(pid: int) -> int:
    return int(re.search(r"PPid:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[1])  # type: ignore[index]


@POSIX
def test_ctrl_c_stops_the_kernel_and_says_how_to_go_on(reports_project: Any, tmp_path: Path) -> None:
    process, kernel = _start(reports_project, tmp_path / "marker")
    with process:
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=30)
    assert "130 long was interrupted and left no report; the last one is untouched" in stderr
    assert "Traceback" not in stderr
    wait_until_gone(kernel)
    assert list((reports_project.root / "reports" / "long" / "runs").iterdir()) == []


@POSIX
def test_kill_9_of_the_run_ends_child_and_kernel(reports_project: Any, tmp_path: Path) -> None:
    process, kernel = _start(reports_project, tmp_path / "marker")
    child = _parent(kernel) if Path("/proc").is_dir() else process.pid
    with process:
        process.kill()
        process.communicate(timeout=30)
    wait_until_gone(kernel, child)
    assert list((reports_project.root / "reports" / "long" / "runs").iterdir()) == []


def _result_of(job: Job, console: object, follower: object = None) -> dict[str, Any]:
    """In place of a kernel: a run that ends at once, well."""
    executed = nbformat.read(job.notebook, as_version=4)
    executed.cells[1].outputs = [nbformat.v4.new_output("stream", text="half \ud800")]
    (job.staging / "executed.ipynb").write_text(json.dumps(executed))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LLMBENCH_RUN_DIR", str(job.staging))
        Report("made", "T").finish(
            verdict=Verdict(Decision.GO, "Yes \ud800."),
            data={},
            price_book="x",
            seed=1,
            spend=Spend(None, None),
        )
    return {"status": "ok"}


@pytest.fixture
def made(reports_project: Any, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, bool]]:
    """Runs of the notebook `made`, each as its id and whether it was fresh."""
    reports_project.notebook("made", ["note: str = ''  # anything", "f()"], {0: ["parameters"]})
    runs: list[tuple[str, bool]] = []

    def instead(job: Job, console: object, follower: object = None) -> dict[str, Any]:
        runs.append((job.run_id, job.fresh))
        return _result_of(job, console)

    monkeypatch.setattr("llmbench.reporting.run.execute", instead)
    return runs


def test_half_a_character_does_not_keep_a_report_from_being_published(made: object, tmp_path: Path) -> None:
    run = run_report("made", out=tmp_path)
    assert "half \\ud800" in run.path.read_text(encoding="utf-8")
    assert run.summary == "Yes \\ud800."
    nbformat.read(run.folder / "executed.ipynb", as_version=4)


def test_a_fresh_run_that_was_killed_is_gone_on_with(
    made: list[tuple[str, bool]], reports_project: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:

        def killed(job: Job, console: object, follower: object = None) -> dict[str, Any]:
            made.append((job.run_id, job.fresh))
            raise KeyboardInterrupt

        patch.setattr("llmbench.reporting.run.execute", killed)
        with pytest.raises(KeyboardInterrupt):
            run_report("made", out=tmp_path, fresh=True, console=reports_project.console)
    run = run_report("made", out=tmp_path, fresh=True, console=reports_project.console)
    assert made == [(run.run_id, True)] * 2
    assert f"made: going on with the fresh run {run.run_id}, begun 20" in reports_project.lines.getvalue()
    assert not list((tmp_path / "made").glob(".fresh-*"))
    assert run_report("made", out=tmp_path, fresh=True).run_id != run.run_id


def test_a_fresh_run_with_a_secret_in_it_is_not_gone_on_with(
    made: list[tuple[str, bool]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VENDOR_API_KEY", "half \\ud800")
    for _ in range(2):
        with pytest.raises(ReportError, match="--fresh"):
            run_report("made", out=tmp_path, fresh=True)
    assert made[0][0] != made[1][0]


@POSIX
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS])
def test_a_disk_that_cannot_be_written_is_named_whatever_else_fails(
    job: Job, tmp_path: Path, number: int
) -> None:
    (job.staging / "executed.ipynb").write_text("")  # as a full disk leaves it
    outcome = {"status": "failed", "error": "OSError", "message": os.strerror(number), "errno": number}
    message = str(failed_run(job, outcome, ReportFolder(tmp_path, "made")))
    assert message.startswith(
        "No space is left on the disk of " if number == errno.ENOSPC else "The report f"
    )


def test_what_cannot_be_kept_does_not_hide_the_failure(
    job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _fail_in_second_cell(job, "boom")
    outcome = {"status": "failed", "error": "ValueError", "message": "first", "cell": 1}
    with monkeypatch.context() as patch:
        patch.setattr("llmbench.reporting.failure.write_notebook", _no_space)
        message = str(failed_run(job, outcome, ReportFolder(tmp_path, "made")))
    assert message == "made failed in cell 2: ValueError: first"
    (job.staging / "executed.ipynb").write_text("")
    assert str(failed_run(job, outcome, ReportFolder(tmp_path, "made"))) == "made failed: ValueError: first"


def test_a_disk_that_is_full_from_the_start_is_one_sentence(
    reports_project: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("llmbench.reporting.run.execute", _no_space)
    with pytest.raises(ReportError, match=r"No space is left on the disk of .*: free some, nothing that was"):
        run_report("small", out=tmp_path, fresh=True)


def _no_space(*_: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")
