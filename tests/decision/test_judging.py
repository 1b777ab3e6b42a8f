"""What gates say of numbers, and the decision that follows."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from llmbench.decision import (
    Gate,
    GateResult,
    Measured,
    Subject,
    adjust_fails,
    decide,
    find_source,
    judge_gate,
)
from llmbench.decision.metrics import metric_named
from llmbench.results import Decision
from tests.decision.left import MATRIX, Leave

TODAY = date(2026, 11, 28)
SUBJECT = Subject("gpt-4o", "mixtral-8x7b")


def _gate(metric: str = "score_difference", threshold: float = -0.03, **changed: Any) -> Gate:
    fields = {
        "name": "q",
        "stage": "offline",
        "metric": metric_named(metric),
        "threshold": threshold,
        "at_least": True,
    }
    return Gate(**{**fields, **changed})


def _judged(leave: Leave, gate: Gate, data: dict[str, Any] | None = None, **options: Any) -> GateResult:
    reports = leave(gate.metric.source, data)
    return _again(reports, gate, **options)


def _again(reports: Path, gate: Gate, **options: Any) -> GateResult:
    return judge_gate(gate, find_source(reports, gate.metric.source, SUBJECT), TODAY, **options)


@pytest.mark.parametrize(
    ("threshold", "at_least", "state"),
    [
        (-0.03, True, "pass"),
        (-0.025, True, "pass"),
        (-0.02, True, "insufficient"),
        (0.005, True, "insufficient"),
        (0.01, True, "fail"),
        (0.01, False, "pass"),
        (0.005, False, "pass"),
        (0.0, False, "insufficient"),
        (-0.025, False, "insufficient"),
        (-0.03, False, "fail"),
    ],
)
def test_an_interval_passes_fails_or_cannot_tell(
    leave: Leave, threshold: float, at_least: bool, state: str
) -> None:
    found = _judged(leave, _gate(threshold=threshold, at_least=at_least))
    assert (found.state, found.measured) == (state, Measured(-0.01, -0.025, 0.005, 400))


def test_too_few_are_no_evidence_whatever_they_say(leave: Leave) -> None:
    found = _judged(leave, _gate(threshold=-0.5, minimum_n=401))
    assert (found.state, found.reason) == ("insufficient", "n is 400, and 401 are needed")


def test_a_number_that_was_drawn_needs_its_interval(leave: Leave) -> None:
    comparison = {**MATRIX["comparisons"][0], "ci": None}
    found = _judged(leave, _gate(threshold=-0.5), {**MATRIX, "comparisons": [comparison]})
    assert (found.state, found.reason) == ("insufficient", "it has no interval on both sides")


def test_a_probability_counts_as_it_is(leave: Leave) -> None:
    data = {"srm": {"p_value": 0.2}}
    assert _judged(leave, _gate("split_p_value", 0.001), data).state == "pass"


@pytest.mark.parametrize(
    ("threshold", "at_least", "chance", "state"),
    [
        (0.9, True, 0.95, "pass"),
        (0.9, True, 0.6, "insufficient"),
        (0.9, True, 0.09, "fail"),
        (0.5, True, 0.49, "fail"),
        (0.2, False, 0.1, "pass"),
        (0.2, False, 0.5, "insufficient"),
        (0.2, False, 0.9, "fail"),
    ],
)
def test_a_chance_is_refuted_only_by_its_opposite(
    leave: Leave, threshold: float, at_least: bool, chance: float, state: str
) -> None:
    data = {"monte_carlo": [{"probability_cheaper": chance}]}
    gate = _gate("self_hosting_probability", threshold, at_least=at_least)
    assert _judged(leave, gate, data).state == state


def test_the_range_of_a_saving_is_stretched_to_the_confidence_of_gates(leave: Leave) -> None:
    data = {"monte_carlo": [{"p10": 100.0, "p50": 1000.0, "p90": 1900.0}]}
    found = _judged(leave, _gate("self_hosting_saving", 0.0), data)
    assert found.state == "insufficient"
    assert "95% instead of 80%: -376 to 2.38e+03" in found.reason
    assert found.measured[:3] == (1000.0, 100.0, 1900.0)


def test_missing_answers_are_bounded(leave: Leave) -> None:
    comparison = {**MATRIX["comparisons"][0], "worst_case_low": -0.035, "best_case_high": 0.015}
    reports = leave("model_matrix", {**MATRIX, "comparisons": [comparison]})
    found = _again(reports, _gate())
    assert found.state == "insufficient"
    assert "with missing answers: -0.035 to 0.015" in found.reason
    assert _again(reports, _gate(threshold=0.01)).state == "insufficient"
    assert _again(reports, _gate(threshold=-0.035)).state == "pass"
    assert _again(reports, _gate(threshold=0.016)).state == "fail"


def test_the_best_of_several_candidates_needs_more(leave: Leave) -> None:
    """As the matrix itself adjusts its verdicts, and not its intervals."""
    row = MATRIX["comparisons"][0]
    rivals = [{**row, "candidate": f"c{i}"} for i in range(4)]
    other = [{**row, "baseline": "another", "candidate": "c9"}]
    found = _judged(leave, _gate(threshold=-0.028), {**MATRIX, "comparisons": [row, *rivals, *other]})
    assert found.state == "insufficient"
    assert "5 candidates" in found.reason


def test_old_data_are_no_evidence_unless_somebody_says_why(leave: Leave) -> None:
    reports = leave()
    source = find_source(reports, "model_matrix", SUBJECT)
    gate = _gate(stale_after_days=7)
    found = judge_gate(gate, source, TODAY)
    assert (found.state, found.reason) == ("insufficient", "its data are 8 days old, and 7 are allowed")
    accepted = judge_gate(gate, source, TODAY, accept_stale="nothing has changed")
    assert (accepted.state, accepted.accepted_stale) == ("pass", True)
    assert judge_gate(_gate(stale_after_days=8), source, TODAY).accepted_stale is False


def test_what_is_missing_or_strange_is_no_evidence(leave: Leave) -> None:
    reports = leave(data={"comparisons": "none", "models": [1, None]})
    source = find_source(reports, "model_matrix", SUBJECT)
    for metric in ("score_difference", "score", "missing_share", "latency_p95_ms"):
        assert judge_gate(_gate(metric), source, TODAY).state == "insufficient"
    assert judge_gate(_gate(), None, TODAY).reason == "there is no result of model_matrix"


def _results(*states: tuple[str, bool]) -> list[GateResult]:
    return [
        GateResult(_gate(name=f"g{i}", required=required), state, Measured(None), "so it is")  # type: ignore[arg-type]
        for i, (state, required) in enumerate(states)
    ]


@pytest.mark.parametrize(
    ("states", "decision"),
    [
        ([("pass", True), ("pass", True)], Decision.GO),
        ([("pass", True), ("insufficient", True)], Decision.HOLD),
        ([("fail", True), ("insufficient", True)], Decision.NO_GO),
        ([("pass", True), ("fail", False)], Decision.GO_WITH_CONDITIONS),
        ([("pass", True), ("insufficient", False)], Decision.GO_WITH_CONDITIONS),
        ([("pass", False)], Decision.HOLD),
        ([], Decision.HOLD),
    ],
)
def test_the_decision(states: list[tuple[str, bool]], decision: Decision) -> None:
    verdict = decide(_results(*states), stage="canary-1", candidate="mixtral-8x7b")
    assert verdict.decision is decision
    assert "canary-1" in verdict.summary


def _failed(p: float | None, number: int, *, required: bool = True) -> GateResult:
    gate = _gate(name=f"f{number}", required=required)
    return GateResult(gate, "fail", Measured(-0.1), "its interval lies wholly beyond", fail_p=p)


def _passed(count: int) -> list[GateResult]:
    return [GateResult(_gate(name=f"p{i}"), "pass", Measured(0.0), "so", fail_p=0.9) for i in range(count)]


@pytest.mark.parametrize(
    ("others", "p", "decision"),
    [
        (0, 0.024, Decision.NO_GO),
        (1, 0.024, Decision.HOLD),
        (5, 0.0042, Decision.HOLD),
        (5, 0.0041, Decision.NO_GO),
        (5, None, Decision.NO_GO),
    ],
)
def test_one_of_many_fails_counts_only_beyond_chance(
    others: int, p: float | None, decision: Decision
) -> None:
    """Bonferroni for the first: .025 over six is .00417."""
    results = [_failed(p, 0), *_passed(others)]
    assert decide(results, stage="full", candidate="c").decision is decision
    adjusted = adjust_fails(results)
    assert (adjusted[0].state == "fail") is (decision is Decision.NO_GO)
    assert adjust_fails(adjusted) == adjusted


def test_fails_step_down_as_holm_has_it() -> None:
    results = [_failed(0.001, 0), _failed(0.012, 1), *_passed(1)]
    assert [r.state for r in adjust_fails(results)] == ["fail", "fail", "pass"]
    results = [_failed(0.012, 1), *_passed(2)]
    assert [r.state for r in adjust_fails(results)] == ["insufficient", "pass", "pass"]


def test_gates_that_are_not_required_neither_count_nor_change() -> None:
    results = [_failed(0.02, 0), *(_failed(0.02, i, required=False) for i in range(1, 4))]
    assert adjust_fails(results) == tuple(results)


def test_the_p_of_a_fail_is_at_the_level_where_its_interval_ends(leave: Leave) -> None:
    reports = leave()
    assert _again(reports, _gate(threshold=0.005)).fail_p == pytest.approx(0.025)
    assert _again(reports, _gate(threshold=0.01)).fail_p == pytest.approx(0.004484, rel=1e-3)
    assert _again(reports, _gate(threshold=-0.025, at_least=False)).fail_p == pytest.approx(0.025)
    assert _again(reports, _gate(minimum_n=500)).fail_p is None


def test_stale_data_set_a_condition() -> None:
    found = [GateResult(_gate(), "pass", Measured(0.0), "it does", accepted_stale=True)]
    verdict = decide(found, stage="full", candidate="mixtral-8x7b")
    assert verdict.decision is Decision.GO_WITH_CONDITIONS
    assert any("too old" in reason for reason in verdict.reasons)
