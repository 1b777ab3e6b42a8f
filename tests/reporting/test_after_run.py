"""The webhook is a server on this machine; the command runs over a stand-in of the notebook's run."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import llmbench.reporting.run
from llmbench.cli import cli
from llmbench.errors import ConfigError
from llmbench.reporting.after_run import follow_up, remove_old_runs
from llmbench.reporting.folder import ReportFolder
from llmbench.reporting.run import ReportRun
from llmbench.reporting.webhook import webhook_address
from llmbench.results import Decision
from tests.reporting.runs import keep_run, model


@dataclass
class _Server:
    address: str = ""
    status: int = 200
    got: list[dict[str, Any]] = field(default_factory=list)


@pytest.fixture
def server() -> Iterator[_Server]:
    state = _Server()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            state.got.append({"path": self.path, "type": self.headers["Content-Type"], **json.loads(body)})
            self.send_response(state.status)
            if state.status == 302:
                self.send_header("Location", "/elsewhere")
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Handler) as http:
        state.address = f"http://127.0.0.1:{http.server_port}/hook?token=quiet"
        thread = threading.Thread(target=http.serve_forever)
        thread.start()
        yield state
        http.shutdown()
        thread.join()


def _run(out: Path, folder: Path, decision: Decision) -> ReportRun:
    return ReportRun(
        notebook="model_matrix", run_id=folder.name, path=out / "model_matrix/report.html", folder=folder,
        index=out / "index.html", decision=decision, summary="It\nis so.", spent_usd=None,
    )  # fmt: skip


def _second(out: Path, decision: Decision) -> ReportRun:
    keep_run(out, "20250101-a", [model("a", 0.7)])
    return _run(out, keep_run(out, "20250102-b", [model("a", 0.7)], decision, sha256="1" * 64), decision)


def test_a_changed_decision_is_told_without_parameters_or_data(tmp_path: Path, server: _Server) -> None:
    after = follow_up(_second(tmp_path, Decision.HOLD), server.address)
    assert after == ("model_matrix 20250102-b: HOLD, was GO; spent unknown; It is so.", "", ())
    assert server.got == [
        {
            "path": "/hook?token=quiet", "type": "application/json", "notebook": "model_matrix",
            "run_id": "20250102-b", "before": "GO", "decision": "HOLD", "summary": "It\nis so.",
        }
    ]  # fmt: skip


def test_the_same_decision_and_a_first_run_are_not_told(tmp_path: Path, server: _Server) -> None:
    second = _second(tmp_path, Decision.GO)
    assert ": GO, as before; " in follow_up(second, server.address).line
    first = _run(tmp_path, second.folder.parent / "20250101-a", Decision.GO)
    assert ": GO; " in follow_up(first, server.address).line
    assert server.got == []


@pytest.mark.parametrize("status", [302, 500])
def test_a_webhook_that_fails_is_a_warning_and_no_redirect_is_followed(
    tmp_path: Path, server: _Server, status: int
) -> None:
    server.status = status
    after = follow_up(_second(tmp_path, Decision.NO_GO), server.address)
    assert after.warnings == (f"model_matrix: the webhook was not told of NO_GO: it answered {status}.",)
    assert len(server.got) == 1


def test_nobody_there_is_a_warning_without_the_address(tmp_path: Path) -> None:
    after = follow_up(_second(tmp_path, Decision.NO_GO), "http://127.0.0.1:9/secret-path")
    assert "ConnectionRefusedError" in after.warnings[0]
    assert "secret-path" not in after.warnings[0]


@pytest.mark.parametrize(
    "address",
    [
        "", "http://example.com/x", "ftp://127.0.0.1/x", "file:///etc/passwd", "https://", "https://a:b@c/x",
        "https://example.com/a\nb", "https://example.com:port/", "http://127.0.0.1.example.com/", "//x",
    ],
)  # fmt: skip
def test_an_address_that_no_webhook_may_have(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOK", address)
    with pytest.raises(ConfigError, match=r"^HOOK ") as caught:
        webhook_address("HOOK")
    assert address not in str(caught.value) or not address


@pytest.mark.parametrize("address", ["https://example.com/x", "http://[::1]:8080/", "http://localhost/x"])
def test_an_address_that_a_webhook_may_have(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOK", f" {address} ")
    assert webhook_address("HOOK") == address


@pytest.fixture
def ran(project: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[str, float, Decision]]]:
    """Runs to come, as (id, score, decision): the command publishes the next of them."""
    (project / "notebooks").mkdir()
    (project / "notebooks" / "model_matrix.ipynb").write_text("{}")
    coming: list[tuple[str, float, Decision]] = []

    def stand_in(*_: object, out: Path, **_more: object) -> ReportRun:
        run_id, score, decision = coming.pop(0)
        return _run(out, keep_run(out, run_id, [model("a", score)], decision), decision)

    monkeypatch.setattr(llmbench.reporting, "run_report", stand_in)  # first: it is loaded from the next
    monkeypatch.setattr(llmbench.reporting.run, "run_report", stand_in)
    yield coming
    assert not coming


def test_the_command_fails_on_a_regression_and_says_which(
    ran: list[tuple[str, float, Decision]], tmp_path: Path
) -> None:
    words = ["report", "model_matrix", "--out", str(tmp_path / "reports")]
    ran += [("20250101-a", 0.7, Decision.GO), ("20250102-b", 0.5, Decision.NO_GO)]
    assert CliRunner().invoke(cli, [*words, "--fail-on-regression"], catch_exceptions=False).exit_code == 0
    failed = CliRunner().invoke(
        cli, [*words, "--fail-on-regression", "--fail-on-no-go"], catch_exceptions=False
    )
    assert failed.exit_code == 4
    assert "model_matrix got worse: NO_GO, was GO; a scores 0.5 (0.45 to 0.55)" in failed.stderr
    assert failed.stdout.splitlines()[0].startswith("model_matrix 20250102-b: NO_GO, was GO; spent unknown; ")
    assert failed.stdout.splitlines()[1].endswith("index.html")
    ran += [("20250103-c", 0.1, Decision.NO_GO)]
    assert CliRunner().invoke(cli, words, catch_exceptions=False).exit_code == 0


def test_the_command_keeps_the_newest_and_lists_no_other(
    ran: list[tuple[str, float, Decision]], tmp_path: Path
) -> None:
    out = tmp_path / "reports"
    ids = [f"2025010{day}T000000Z-00000{day}" for day in (1, 2, 3)]
    ran += [(run_id, 0.7, Decision.GO) for run_id in ids]
    for _ in ids:
        words = ["report", "model_matrix", "--out", str(out), "--keep", "1"]
        assert CliRunner().invoke(cli, words, catch_exceptions=False).exit_code == 0
    # Without a manifest none of these is whole, so the newest alone is kept.
    assert [p.name for p in (out / "model_matrix" / "runs").iterdir()] == ids[-1:]
    page = (out / "index.html").read_text()
    assert "1 run, newest first" in page
    assert CliRunner().invoke(cli, ["report", "model_matrix", "--keep", "0"]).exit_code == 2


def test_runs_that_cannot_be_removed_are_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*_: object) -> list[str]:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(ReportFolder, "keep_newest", denied)
    run = _second(tmp_path, Decision.GO)
    assert remove_old_runs(run, 1) == ("model_matrix: old runs are not all removed: Permission denied.",)


def test_a_run_that_another_one_removed_is_not_compared(tmp_path: Path) -> None:
    run = _second(tmp_path, Decision.NO_GO)
    (run.folder / "result.json").unlink()
    after = follow_up(run)
    assert after.line.startswith("model_matrix 20250102-b: NO_GO; ")
    assert "is not compared with the one before" in after.warnings[0]


def test_the_command_asks_for_the_address_before_it_runs(
    ran: list[tuple[str, float, Decision]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HOOK", raising=False)
    with pytest.raises(ConfigError, match="HOOK is not set"):
        CliRunner().invoke(cli, ["report", "model_matrix", "--webhook-env", "HOOK"], catch_exceptions=False)
