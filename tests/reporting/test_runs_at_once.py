"""Several processes that publish runs of one notebook into one folder at once, and a reader meanwhile."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from llmbench.errors import ReportError
from llmbench.reporting.folder import ReportFolder
from llmbench.result_files import changed_files, read_envelope

WRITERS, RUNS = 5, 6
_PAGE = 200_000

# Each run has files that say which run they are of, long enough that a write of one takes a while.
PUBLISH = f"""\
import sys
from pathlib import Path
from llmbench.reporting.envelope import write_envelope
from llmbench.reporting.folder import ReportFolder, new_run_id, write_manifest
from llmbench.reporting.index import write_index
from llmbench.results import Decision, ResultEnvelope, Spend, Verdict
out, count = Path(sys.argv[1]), int(sys.argv[2])
report = ReportFolder(out, "small")
for _ in range(count):
    run_id = new_run_id()
    with report.staging(run_id) as staged:
        write_envelope(staged / "result.json", ResultEnvelope(
            report="small", title="So?", verdict=Verdict(Decision.GO, run_id), parameters={{}}, inputs=(),
            workload_sha256=None, baseline=None, candidate=None, price_book="current",
            generated_at="2025-01-23T00:00:00+00:00", data_until=None, llmbench_version="0", git_commit=None,
            seed=1, spend=Spend(None, None)))
        (staged / "report.html").write_text((run_id + " ") * {_PAGE // 24} + "end")
        (staged / "tables").mkdir()
        (staged / "tables" / "one.csv").write_text((run_id + ",") * 2000 + "end")
        (staged / "tables" / f"own-{{run_id.lower()}}.csv").write_text(run_id)
        write_manifest(staged)
        report.publish(staged, run_id)
    write_index(out)
print("published", flush=True)
"""


def _start(out: Path, count: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", PUBLISH, str(out), str(count)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def _look(out: Path) -> Iterator[str]:
    """What a reader of the newest path must never see."""
    newest = out / "small"
    for name, end in (("report.html", "end"), ("tables/one.csv", "end"), ("result.json", "}\n")):
        if not (newest / name).exists():
            continue
        text = (newest / name).read_text()
        if (
            not text.endswith(end)
            or len({word for word in text.replace(",", " ").split() if "Z-" in word}) > 2
        ):
            yield f"{name} is not whole"
    if (out / "index.html").exists() and not (out / "index.html").read_text().rstrip().endswith("</html>"):
        yield "index.html is not whole"


@pytest.mark.skipif(sys.platform == "win32", reason="a kill of POSIX")
def test_five_at_once_and_one_of_them_killed(tmp_path: Path) -> None:
    writers = [_start(tmp_path, RUNS) for _ in range(WRITERS)]
    victim = _start(tmp_path, 500)
    seen: set[str] = set()
    looks = 0
    end = time.monotonic() + 60
    while any(writer.poll() is None for writer in writers) and time.monotonic() < end:
        seen.update(_look(tmp_path))
        looks += 1
        if looks > 20 and (tmp_path / "small" / "manifest.json").exists() and victim.poll() is None:
            victim.send_signal(signal.SIGKILL)
    victim.kill()
    victim.communicate()
    for writer in writers:
        said, problem = writer.communicate(timeout=60)
        assert (writer.returncode, said) == (0, b"published\n"), problem.decode()
    assert seen == set()
    assert looks > 20
    report = ReportFolder(tmp_path, "small")
    kept = report.run_ids()
    assert len(kept) >= WRITERS * RUNS
    for run_id in kept:
        assert changed_files(report.runs / run_id) == ()
    # The next run puts right what the killed one may have left half done.
    last = _start(tmp_path, 1)
    assert last.communicate(timeout=60) == (b"published\n", b"")
    newest = report.run_ids()[0]
    assert changed_files(report.path) == ()
    assert json.loads((report.path / "result.json").read_text())["verdict"]["summary"] == newest
    names = sorted(p.name for p in (report.path / "tables").iterdir())
    assert names == ["one.csv", f"own-{newest.lower()}.csv"]
    assert [p.name for p in report.path.iterdir() if p.name.endswith(".new")] == []
    page = (tmp_path / "index.html").read_text()
    assert f"small: {len(report.run_ids())} runs, newest first" in page


def test_a_half_changed_newest_path_is_told_by_its_manifest(tmp_path: Path) -> None:
    assert _start(tmp_path, 1).communicate(timeout=60)[0] == b"published\n"
    newest = tmp_path / "small"
    (newest / "report.html").write_text("of another run")
    assert changed_files(newest) == ("report.html",)
    assert read_envelope(newest / "result.json").report == "small"
    (newest / "manifest.json").unlink()
    with pytest.raises(ReportError, match=r"has no manifest\.json"):
        changed_files(newest)
