from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from llmbench.ledger import Ledger
from llmbench.matrix import Dataset, Matrix, MatrixResults
from llmbench.providers.fake import FakeProvider
from llmbench.results import Decision
from llmbench.stats import mean_interval, wilson_interval
from llmbench.types import RawAnswer, Usage

Write = Callable[..., Path]


def answers(right: int, wrong: int) -> list[str]:
    return ["1"] * right + ["0"] * wrong


def test_score_interval_is_wilson_for_single_binary_answers(recorded: Callable[..., MatrixResults]) -> None:
    cell = recorded({"a": answers(45, 15)}).cells[0]
    assert (cell.n, cell.score) == (60, 0.75)
    assert cell.score_ci == wilson_interval(45, 60)
    assert recorded({"a": answers(20, 0)}).cells[0].score_ci == wilson_interval(20, 20)


def test_score_interval_is_clustered_where_clusters_repeat(recorded: Callable[..., MatrixResults]) -> None:
    clusters = [f"c{k // 6}" for k in range(60)]
    cell = recorded({"a": answers(45, 15)}, {"cluster": clusters}).cells[0]
    low, high = mean_interval([1.0] * 45 + [0.0] * 15, clusters)
    assert high > 1
    assert cell.score_ci == (low, 1.0)
    alone = recorded({"a": answers(45, 15)}, {"cluster": [f"c{k}" for k in range(60)]}).cells[0]
    assert alone.score_ci == wilson_interval(45, 60)


def test_cost_and_latency_by_hand(recorded: Callable[..., MatrixResults]) -> None:
    n = 250
    costs = [0.001 * (1 + k % 5) for k in range(n)]
    latencies = [100 + k for k in range(n)]
    cell = recorded({"a": answers(200, 50)}, {"a_usd": costs, "a_ms": latencies}).cells[0]
    assert cell.cost_usd == pytest.approx(sum(costs))
    assert cell.cost_per_1k_calls == pytest.approx(1000 * np.mean(costs))
    low, high = mean_interval(costs)
    assert cell.cost_per_1k_calls_ci == pytest.approx((1000 * low, 1000 * high))
    assert cell.cost_per_correct == pytest.approx(sum(costs) / 200)
    assert cell.latency_p50_ms == pytest.approx(224.5)
    assert cell.latency_p50_ci is not None
    assert cell.latency_p50_ci.low < 224.5 < cell.latency_p50_ci.high
    assert cell.latency_p95_ms == pytest.approx(np.quantile(latencies, 0.95))
    assert cell.latency_p95_ci is not None
    assert cell.latency_p95_ci.low < cell.latency_p95_ms < cell.latency_p95_ci.high
    assert cell.priced == n


def test_p95_needs_two_hundred_answers(recorded: Callable[..., MatrixResults]) -> None:
    cell = recorded({"a": answers(199, 0)}, {"a_ms": [5.0] * 199}).cells[0]
    assert cell.latency_p95_ms is None
    assert cell.latency_p95_ci is None
    assert cell.latency_p50_ms == 5


def test_one_unknown_cost_makes_the_total_unknown(recorded: Callable[..., MatrixResults]) -> None:
    results = recorded({"a": answers(3, 1)}, {"a_usd": [0.1, None, 0.1, 0.1]})
    cell = results.cells[0]
    assert (cell.cost_usd, cell.cost_per_1k_calls, cell.cost_per_correct, cell.priced) == (
        None,
        None,
        None,
        3,
    )
    assert any(
        "cost unknown (3 of its answers have a price)" in r
        for r in recorded({"a": answers(3, 1), "b": answers(4, 0)}, {"a_usd": [0.1, None, 0.1, 0.1]})
        .verdict()
        .reasons
    )


def test_nothing_right_has_no_cost_per_correct(recorded: Callable[..., MatrixResults]) -> None:
    cell = recorded({"a": answers(0, 4)}, {"a_usd": [0.1] * 4}).cells[0]
    assert cell.cost_per_correct is None
    assert cell.cost_per_1k_calls == pytest.approx(100)


def test_cost_of_repeats_and_partly_missing_items(ledger: Ledger, write: Write) -> None:
    """By hand: item a answers right, wrong; item b wrong, missing."""
    from llmbench.errors import ServerError

    replies: dict[tuple[str, int], Any] = {
        ("a", 0): RawAnswer("1", Usage(10, 10)), ("a", 1): RawAnswer("0", Usage(10, 20)),
        ("b", 0): RawAnswer("0", Usage(10, 30)), ("b", 1): ServerError("x"),
    }  # fmt: skip

    def script(messages: Sequence[Mapping[str, str]], _params: Mapping[str, Any]) -> Any:
        return replies[messages[-1]["content"], provider.requests[-1].repeat]

    provider = FakeProvider(script, prices={"m": {"input": 0, "output": 1e6}}, ledger=ledger, max_attempts=1)
    data = Dataset.load(write([{"id": k, "prompt": k, "expected": "1"} for k in "ab"]))
    results = Matrix(
        data,
        ["fake/m"],
        params={"temperature": 1, "max_tokens": 50},
        repeats=2,
        ledger=ledger,
        providers={"fake": provider},
    ).run(concurrency=1)
    (cell,) = results.cells
    assert (cell.n, cell.missing, cell.score) == (2, 1, 0.25)
    assert cell.cost_usd == pytest.approx(60)
    assert cell.cost_per_1k_calls == pytest.approx(20_000)
    assert cell.cost_per_correct == pytest.approx(60)
    assert (cell.input_tokens, cell.output_tokens) == (30, 60)


def test_verdict_go_hold_and_no_go(recorded: Callable[..., MatrixResults]) -> None:
    base = answers(120, 80)
    go = recorded(
        {"base": base, "new": answers(160, 40)}, {"base_usd": [0.01] * 200, "new_usd": [0.001] * 200}
    )
    verdict = go.verdict()
    assert verdict.decision is Decision.GO
    assert verdict.summary == (
        "new[recorded] is better than base[recorded]: 80.0% against 60.0% on 200 items, difference "
        "+20.0 points (interval +15.0 to +26.1, margin 3 points), at $1.00 against $10.00 per 1,000 calls."
    )
    assert go.items_needed is None

    hold = recorded({"base": base, "new": ["0"] * 5 + answers(120, 75)})
    assert hold.verdict().decision is Decision.HOLD
    needed = f"About {hold.items_needed:,} more items are needed, if the difference stays."
    assert needed in hold.verdict().summary

    no_go = recorded({"base": base, "new": answers(60, 140), "other": answers(50, 150)})
    assert no_go.verdict().decision is Decision.NO_GO
    assert no_go.verdict().summary.startswith(
        "Every candidate is worse than base[recorded]; the best is new[recorded] over all 200 items. On"
    )
    assert (
        recorded({"base": base, "new": answers(60, 140)})
        .verdict()
        .summary.startswith("new[recorded] is worse than")
    )

    assert recorded({"base": base}).verdict().decision is Decision.HOLD


def test_verdict_rests_on_the_best_candidate(recorded: Callable[..., MatrixResults]) -> None:
    results = recorded(
        {
            "base": answers(120, 80),
            "worse": answers(60, 140),
            "best": answers(170, 30),
            "good": answers(160, 40),
        }
    )
    verdict = results.verdict()
    assert verdict.decision is Decision.GO
    assert verdict.summary.startswith("best[recorded] is better")
    assert (
        "over all 200 items. On the 100 that had no part in picking it: 86.0% against 60.0%"
        in verdict.summary
    )
    assert "difference +26.0 points" in verdict.summary
    assert any("picked among 3 candidates on 100 items" in reason for reason in verdict.reasons)
    assert any(reason.startswith("worse[recorded]: worse") for reason in verdict.reasons)


def test_without_held_out_items_the_verdict_says_what_that_does(
    recorded: Callable[..., MatrixResults],
) -> None:
    results = recorded(
        {"base": answers(120, 80), "best": answers(170, 30), "good": answers(160, 40)}, confirmation=0
    )
    assert results.confirmation is None
    assert any("best of 2 candidates" in reason for reason in results.verdict().reasons)


def test_tables(recorded: Callable[..., MatrixResults]) -> None:
    results = recorded({"base": answers(120, 80), "new": answers(160, 40)})
    ranking = results.ranking()
    assert list(ranking["cell"]) == ["new[recorded]", "base[recorded]"]
    assert list(ranking["verdict"]) == ["better", "baseline"]
    assert ranking["difference"][0] == pytest.approx(0.2)
    assert math.isnan(ranking["difference"][1])
    table = results.comparison_table()
    assert list(table["n"]) == [200]
    assert math.isnan(table["items_needed"][0])
    assert list(recorded({"base": answers(3, 1)}).comparison_table().columns) == list(table.columns)


def test_nothing_missing_is_no_row(recorded: Callable[..., MatrixResults]) -> None:
    results = recorded({"base": answers(120, 80), "new": answers(160, 40)})
    assert results.missing() == results.data()["missing"] == []


def test_data_is_what_the_report_promises(recorded: Callable[..., MatrixResults]) -> None:
    results = recorded({"base": [None, *answers(119, 80)], "new": answers(160, 40)})
    data = json.loads(json.dumps(results.data(), allow_nan=False))
    assert set(data) == {
        "models", "comparisons", "calls", "frontier", "power", "missing", "judge", "quote", "confirmation",
        "missing_uneven", "reliability", "strengths",
    }  # fmt: skip
    assert set(data["power"]["new[recorded]"]) == {"n", "mde", "items_needed", "resolution"}
    empty = "no answer was recorded ('base' is empty in line #)"
    assert data["missing"] == [{"model": "base", "error": empty, "answers": 1}]
    assert set(data["models"][0]) == {
        "model", "prompt", "params", "n", "missing", "ungraded", "score", "score_ci", "cost_usd",
        "cost_per_1k_calls", "cost_per_1k_calls_ci", "cost_per_correct", "latency_ms", "tokens",
        "served_model",
    }  # fmt: skip
    assert (data["models"][0]["n"], data["models"][0]["missing"], data["models"][0]["cost_usd"]) == (
        199,
        1,
        None,
    )
    assert set(data["models"][0]["latency_ms"]) == {"p50", "p95", "p50_ci", "p95_ci"}
    assert set(data["models"][0]["tokens"]) == {"input", "output"}
    assert set(data["comparisons"][0]) == {
        "baseline", "candidate", "difference", "ci", "p_value", "p_adjusted", "n", "mde", "margin", "verdict",
        "only_candidate", "only_baseline", "p_mcnemar", "clusters", "p_not_worse_adjusted", "worst_case_low",
        "best_case_high", "items_needed", "reason",
    }  # fmt: skip
    (said,), (comparison,) = data["comparisons"], results.comparisons
    for name in ("p_not_worse_adjusted", "worst_case_low", "best_case_high", "items_needed", "reason"):
        assert said[name] == getattr(comparison, name)
    assert said["worst_case_low"] is not None
    assert data["calls"] == {"made": 0, "replayed": 0, "failed": 0, "retried": 0}


def test_all_missing_is_no_number(recorded: Callable[..., MatrixResults]) -> None:
    results = recorded({"base": answers(100, 50), "new": [None] * 150})
    cell = results.cell("new")
    assert (cell.n, cell.missing, cell.score, cell.score_ci, cell.latency_p50_ms) == (
        0,
        150,
        None,
        None,
        None,
    )
    assert results.verdict().decision is Decision.HOLD
    json.dumps(results.data(), allow_nan=False)
    assert results._repr_html_()


def test_hostile_answers_are_kept_graded_and_escaped(ledger: Ledger, write: Write) -> None:
    hostile = [
        "<script>alert(1)</script>",
        "\ud83d broken",
        "nul \x00 \u202e bidi",
        "x" * 1_000_000,
        "{{ 7*7 }}",
    ]
    provider = FakeProvider(hostile, self_hosted=True, ledger=ledger)
    rows = [{"id": f"<b>{k}", "prompt": f"q{k}", "expected": "1"} for k in range(5)]
    one = Matrix(Dataset.load(write(rows)), ["fake/<i>m"], ledger=ledger, providers={"fake": provider})
    results = one.run(concurrency=1)
    assert list(results.answers["answer"]) == hostile
    assert results.cells[0].score == 0
    assert "<i>" not in results._repr_html_()
    assert list(one.run().answers["answer"]) == hostile
