"""What gates say of numbers, and the decision that follows."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from llmbench.decision import Gate, GateResult, Measured, Subject, decide, find_source, judge_gate
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


def test_stale_data_set_a_condition() -> None:
    found = [GateResult(_gate(), "pass", Measured(0.0), "it does", accepted_stale=True)]
    verdict = decide(found, stage="full", candidate="mixtral-8x7b")
    assert verdict.decision is Decision.GO_WITH_CONDITIONS
    assert any("too old" in reason for reason in verdict.reasons)
