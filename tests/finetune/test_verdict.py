"""The rule by which a tuned model takes over, or does not."""

from __future__ import annotations

from typing import Any

import pytest

from llmbench.finetune.payback import RequestCost, payback
from llmbench.finetune.verdict import Gain, TuningEvidence, tuning_verdict
from llmbench.results import Decision
from llmbench.stats import Interval

BASE = RequestCost("few-shot", 0.002)
CHEAPER = payback(RequestCost("tuned", 0.001, 0.0, 1.0), BASE, 10_000)
DEARER = payback(RequestCost("tuned", 0.003, 0.0, 1.0), BASE, 10_000)
LATE = payback(RequestCost("tuned", 0.001, 0.0, 6000.0), BASE, 10_000)
UNKNOWN = payback(RequestCost("tuned", None, 0.0, 1.0), BASE, 10_000)


def _gain(verdict: Any = "better", low: float = 0.05, high: float = 0.15, **changed: Any) -> Gain:
    return Gain("tuned", "few-shot", (low + high) / 2, Interval(low, high), 144, verdict, 0.03, **changed)


GENERAL = _gain("not worse", -0.02, 0.02)


def _decided(gain: Gain, **changed: Any) -> Any:
    fields: dict[str, Any] = {
        "least_gain": 0.03,
        "money": CHEAPER,
        "value_per_answer_usd": 0.0,
        "general": GENERAL,
    }
    return tuning_verdict(TuningEvidence(gain, **{**fields, **changed}))


@pytest.mark.parametrize(
    ("gain", "changed", "decision", "words"),
    [
        (
            _gain(),
            {},
            Decision.GO,
            "better than few-shot (+10.0 points, +5.0 to +15.0, n = 144), and its training",
        ),
        (_gain("not worse", -0.02, 0.02), {}, Decision.GO, "as good as, and cheaper than, few-shot"),
        (_gain("not worse", -0.02, 0.06), {"money": DEARER}, Decision.HOLD, "neither better nor cheaper"),
        (
            _gain("worse", -0.2, -0.1),
            {},
            Decision.NO_GO,
            "is worse than few-shot (−15.0 points, −20.0 to −10.0",
        ),
        (_gain("cannot tell", -0.2, 0.02), {}, Decision.NO_GO, "gains less than 3 points"),
        (_gain("cannot tell", -0.2, 0.2), {}, Decision.HOLD, "cannot be told"),
        (_gain("cannot tell", -0.2, 0.2, items_needed=310), {}, Decision.HOLD, "about 310 more items"),
        (_gain("better", 0.005, 0.02), {}, Decision.NO_GO, "gains less than 3 points"),
        (_gain(), {"seen_in_training": 2}, Decision.HOLD, "2 lines of the training file hold items of"),
        (_gain(), {"seen_in_training": 1}, Decision.HOLD, "a line of the training file holds an item of"),
        (_gain(), {"seen_in_training": None}, Decision.GO_WITH_CONDITIONS, "nobody looked whether"),
        # A training that is earned after 50 years is not earned.
        (_gain("not worse", -0.02, 0.06), {"money": LATE}, Decision.HOLD, "come back within 24 months"),
        (_gain("not worse", -0.02, 0.02), {"money": LATE}, Decision.NO_GO, "gains less than 3 points"),
        (_gain(), {"money": LATE}, Decision.GO_WITH_CONDITIONS, "each further right answer costs $0.24"),
        (_gain(), {"money": LATE, "value_per_answer_usd": 0.5}, Decision.GO, "(+10.0 points"),
        (_gain(), {"money": LATE, "horizon_months": 1000.0}, Decision.GO, "and its training of $6,000"),
        (_gain(), {"money": UNKNOWN}, Decision.GO_WITH_CONDITIONS, "what it costs is not known"),
        (_gain(), {"money": DEARER}, Decision.GO_WITH_CONDITIONS, "each further right answer costs $0.010"),
        (
            _gain(),
            {"money": DEARER, "value_per_answer_usd": 0.005},
            Decision.GO_WITH_CONDITIONS,
            "is worth $0.005",
        ),
        (_gain(), {"money": DEARER, "value_per_answer_usd": 0.05}, Decision.GO, "better than"),
        (_gain(), {"general": None}, Decision.GO_WITH_CONDITIONS, "was not looked at"),
        (_gain(), {"general": _gain("worse", -0.3, -0.1)}, Decision.GO_WITH_CONDITIONS, "has lost"),
        (
            _gain(),
            {"general": _gain("cannot tell", -0.3, 0.1)},
            Decision.GO_WITH_CONDITIONS,
            "cannot be told, so",
        ),
    ],
)
def test_the_rule(gain: Gain, changed: dict[str, Any], decision: Decision, words: str) -> None:
    verdict = _decided(gain, **changed)
    assert (verdict.decision, words in verdict.summary) == (decision, True), verdict.summary
    assert len(verdict.reasons) >= 2


def test_the_gain_is_told_in_right_answers_and_money() -> None:
    said = _decided(_gain()).reasons[1]
    assert said.startswith("At 10,000 requests a month that is +1,000 right answers (+500 to +1,500); nobody")
    said = _decided(_gain("worse", -0.2, -0.1), value_per_answer_usd=0.5).reasons[1]
    assert said.endswith(
        "−1,500 right answers (−2,000 to −1,000), worth −$750.00 (−$1,000.00 to −$500.00) at $0.50 each."
    )
