from __future__ import annotations

from pathlib import Path

from llmbench.reporting.envelope import write_envelope
from llmbench.reporting.index import write_index
from llmbench.results import Decision, ResultEnvelope, Spend, Verdict


def _run(out: Path, notebook: str, run_id: str, decision: Decision, summary: str = "So.") -> None:
    folder = out / notebook / "runs" / run_id
    folder.mkdir(parents=True)
    envelope = ResultEnvelope(
        report=notebook,
        title=f"About {notebook}",
        verdict=Verdict(decision, summary),
        parameters={},
        inputs=(),
        workload_sha256=None,
        baseline=None,
        candidate=None,
        price_book="2025-01-23",
        generated_at=f"{run_id[:4]}-{run_id[4:6]}-{run_id[6:8]}T00:00:00+00:00",
        data_until="2025-01-23T09:30:15.123456+01:00",
        llmbench_version="0",
        git_commit=None,
        seed=1,
        spend=Spend(None, None),
    )
    write_envelope(folder / "result.json", envelope)


def test_index_lists_the_newest_first_with_its_history(tmp_path: Path) -> None:
    _run(tmp_path, "one", "20250101T000000Z-a", Decision.GO)
    _run(tmp_path, "two", "20250102T000000Z-a", Decision.HOLD)
    _run(tmp_path, "one", "20250103T000000Z-a", Decision.NO_GO)
    page = write_index(tmp_path).read_text()
    places = [page.index(text) for text in ("About one", "NO-GO", ">GO<", "About two", "HOLD")]
    assert places == sorted(places)
    assert 'href="one/report.html"' in page
    assert 'href="one/runs/20250101T000000Z-a/report.html"' in page
    assert "one: 2 runs, newest first" in page
    assert "2025-01-23 08:30 UTC" in page
    assert "unknown" in page  # a spend that is not known is not $0


def test_index_escapes_and_names_a_result_that_cannot_be_read(tmp_path: Path, hostile: str) -> None:
    _run(tmp_path, "one", "20250101T000000Z-a", Decision.GO, hostile)
    broken = tmp_path / "one" / "runs" / "20250102T000000Z-b"
    broken.mkdir()
    (broken / "result.json").write_text("{")
    (tmp_path / "examples").mkdir()
    page = write_index(tmp_path).read_text()
    assert "result.json cannot be read" in page
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "About one" in page


def test_index_of_nothing(tmp_path: Path) -> None:
    assert "No report yet." in write_index(tmp_path).read_text()


def test_a_name_does_not_turn_the_words_after_it_round(tmp_path: Path) -> None:
    _run(tmp_path, "one", "20250101T000000Z-a", Decision.HOLD, "a\u202eb is not told.")
    page = write_index(tmp_path).read_text(encoding="utf-8")
    assert "a\ufffdb is not told." in page
    assert "\u202e" not in page
