"""Trends over the runs of a report."""

from __future__ import annotations

from pathlib import Path

import pytest

from llmbench.errors import UsageError
from llmbench.reporting import run_history
from llmbench.reporting.index import write_index
from llmbench.results import Decision
from tests.reporting.runs import keep_run, model


@pytest.fixture
def out(tmp_path: Path) -> Path:
    keep_run(tmp_path, "20250103-c", [model("a", 0.7), model("b", None)], made=0, replayed=100)
    keep_run(tmp_path, "20250101-a", [model("a", 0.5)], Decision.HOLD)
    keep_run(tmp_path, "20250102-b", [model("a", 0.6, prompt="p", params="hot")], made=99, replayed=1)
    return tmp_path


def test_runs_come_oldest_first_and_scores_of_every_run_count(out: Path) -> None:
    found = run_history(out, "model_matrix")
    assert [run.run_id for run in found.runs] == ["20250101-a", "20250102-b", "20250103-c"]
    assert found.models() == ("a", "a[p]{hot}", "b")
    assert found.trend("a").values == (0.5, None, 0.7)
    assert found.trend("b").words() == "not known of any run"
    assert found.runs[0].models[0].score_low == pytest.approx(0.45)


def test_cost_latency_and_price_are_of_fresh_runs_only(out: Path) -> None:
    found = run_history(out, "model_matrix")
    assert [run.fresh for run in found.runs] == [True, False, False]
    assert found.trend("a", "cost_per_1k_calls").values == (20.0, None, None)
    assert found.trend("a", "latency_p50_ms").values == (100.0, None, None)
    assert found.trend("a", "usd_per_million_tokens").values == (5.0, None, None)  # $2 of 400,000 tokens
    assert found.trend("a[p]{hot}", "latency_p50_ms").values == (None, None, None)
    with pytest.raises(UsageError, match="There is no trend of 'speed'"):
        found.trend("a", "speed")


def test_history_is_a_frame_and_a_table(out: Path) -> None:
    keep_run(out, "20250104-d", [model("<script>", 0.5, tokens={"input": None, "output": 3}, cost_usd=None)])
    found = run_history(out, "model_matrix")
    frame = found.to_pandas()
    assert list(frame["score"].fillna(-1)) == [0.5, 0.6, 0.7, -1, 0.5]
    assert list(frame["fresh"]) == [True, False, False, False, True]
    assert frame["usd_per_million_tokens"].isna().tolist() == [False, True, True, True, True]
    markup = found._repr_html_()
    assert "<script>" not in markup
    assert "from 0.5 to 0.7 over 2 of 4 runs" in markup


def test_a_report_without_models_and_a_broken_run(tmp_path: Path) -> None:
    keep_run(tmp_path, "20250101-a", notebook="break_even")
    broken = keep_run(tmp_path, "20250102-b", notebook="break_even")
    (broken / "result.json").write_text("{")
    found = run_history(tmp_path, "break_even")
    assert (found.models(), found.unreadable, len(found.to_pandas())) == ((), ("20250102-b",), 1)
    assert found.runs[0].made is None
    assert "GO" in found._repr_html_()
    for name in ("ab_test", "", "..", "break_even/runs"):
        with pytest.raises(UsageError, match="There is no run of"):
            run_history(tmp_path, name)


def test_odd_data_of_a_result_are_unknown_and_not_numbers(tmp_path: Path) -> None:
    odd = {"model": "a", "score": "high", "score_ci": 3, "latency_ms": [], "tokens": {}, "n": True}
    keep_run(tmp_path, "20250101-a", [odd, {"score": 1}, model("b", float("inf"), half=0)])
    found = run_history(tmp_path, "model_matrix").runs[0].models
    assert found[0][1:7] == (None,) * 6
    assert [point.model for point in found] == ["a", "b"]
    assert found[1].score is None


def test_the_index_shows_the_trend_beside_its_words(out: Path) -> None:
    page = write_index(out).read_text()
    assert "Verdicts over 3 runs, oldest first: HOLD; GO; GO" in page
    assert "Trends of 3 models" in page
    assert page.count("<svg aria-hidden") == 1 + 2 + 1 + 1 + 1  # the verdict's; a: 4, a[p]{hot}: 1, b: none
    single = keep_run(out, "20250101-z", notebook="break_even")
    assert "Verdicts over 1" not in write_index(out).read_text()
    assert single.is_dir()
