"""The rollback rule, against simulated weeks and the sequential test it is made of."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from llmbench.decision.rollback import RollbackTrigger, rollback_trigger
from llmbench.errors import UsageError
from llmbench.stats import reply_share_e_process

CANARY = rollback_trigger(0.03, 3300, 0.25)
FULL = rollback_trigger(0.03, 1000, 1.0)


def _first_days(found: RollbackTrigger, ratio: float, runs: int, seed: int = 5) -> np.ndarray[Any, Any]:
    """The day of the rollback of simulated canaries, each held against the bound at its own total."""
    random = np.random.default_rng(seed)
    sent = found.messages_per_day * np.array([found.share, 1 - found.share])
    bound: dict[int, int | None] = {}
    days = np.full(runs, np.inf)
    for run in range(runs):
        own = total = 0
        for day in range(1, found.days + 1):
            own_today = random.binomial(round(sent[0]), found.reply_rate * ratio)
            own += own_today
            total += own_today + random.binomial(round(sent[1]), found.reply_rate)
            at = total if found.has_control else day * round(found.messages_per_day)
            if at not in bound:
                bound[at] = found.at_most(at)
            limit = bound[at]
            if limit is not None and own <= limit:
                days[run] = day
                break
    return days


@pytest.mark.parametrize("found", [CANARY, FULL])
def test_losses_are_found_as_soon_as_is_told(found: RollbackTrigger) -> None:
    days = _first_days(found, 0.7, 600)
    assert np.isfinite(days).mean() == pytest.approx(found.detected(0.7), abs=0.03)
    assert np.isfinite(days[days <= 7]).sum() / 600 == pytest.approx(found.detected(0.7, 7), abs=0.07)
    assert np.minimum(days, 29).mean() == pytest.approx(found.days_to_detect(0.7), abs=0.8)


@pytest.mark.parametrize("found", [CANARY, FULL])
def test_false_alarms_stay_below_their_rate(found: RollbackTrigger) -> None:
    """At the margin itself, where they are most frequent."""
    alarms = np.isfinite(_first_days(found, 0.9, 200)).mean()
    assert alarms <= 0.025 + 3 * math.sqrt(0.025 * 0.975 / 200)
    assert found.false_alarm <= 0.025
    assert found.detected(1.0) < found.false_alarm
    assert found.detected(0.9, 365) <= 0.025


@pytest.mark.parametrize("total", [0, 40, 99, 693, 2772])
def test_bound_is_where_the_sequential_test_passes(total: int) -> None:
    bound = CANARY.at_most(total)
    near = range(total + 1) if total < 100 else range(0, total + 1, 50)
    counts = sorted({*near, *range(max(0, (bound or 0) - 2), min(total, (bound or 0) + 2) + 1)})
    p_values = [
        reply_share_e_process([own], [total - own], 0.25, ratio=0.9, alternative="less").p_value
        for own in counts
    ]
    passed = [own for own, p in zip(counts, p_values, strict=True) if p <= 0.025]
    assert bound == (max(passed) if passed else None)
    assert passed == counts[: len(passed)]


def test_bounds_are_of_what_is_expected() -> None:
    row = CANARY.bounds[13]
    assert (row.day, row.total, row.expected) == (14, 1386, pytest.approx(346.5))
    assert row.at_most == CANARY.at_most(1386)
    # Without a control the totals are messages.
    assert FULL.bounds[6].total == 7000
    assert FULL.bounds[6].expected == pytest.approx(210)
    assert FULL.bounds[6].at_most is not None
    assert FULL.bounds[6].at_most < 0.9 * 210


def test_greater_losses_are_found_sooner() -> None:
    days = [CANARY.days_to_detect(ratio) for ratio in (0.4, 0.6, 0.8, 0.9)]
    assert days == sorted(days)
    assert days[-1] > 0.97 * 365  # a loss within the margin goes on
    assert CANARY.days_to_rollback(0.6) == pytest.approx(days[1] + 14)


def test_little_traffic_says_so() -> None:
    found = rollback_trigger(0.03, 30, 0.05)
    assert {row.at_most for row in found.bounds} == {None}
    assert "more traffic" in found.sentence()
    assert found.to_pandas()["at_most"].isna().all()


def test_days_may_come_as_a_float() -> None:
    assert rollback_trigger(0.03, 3300, 0.25, days=28.0) == CANARY  # type: ignore[arg-type]


def test_rule_in_words() -> None:
    assert "9 of 99 replies of both models after 1 day (25 expected)" in CANARY.sentence()
    assert "messages after 28 days" in FULL.sentence()
    assert "back at or below" in CANARY._repr_html_()


@pytest.mark.parametrize(
    ("what", "options"),
    [
        ("reply_rate", {"reply_rate": 0}),
        ("reply_rate", {"reply_rate": 1.0}),
        ("messages_per_day", {"messages_per_day": -1}),
        ("messages_per_day", {"messages_per_day": math.nan}),
        ("share", {"share": 0}),
        ("share", {"share": 1.2}),
        ("margin", {"margin": -0.9}),
        ("margin", {"reply_rate": 0.6, "margin": 2}),
        ("true_ratio", {"true_ratio": 0.95}),
        ("alpha", {"alpha": 1}),
        ("days", {"days": 0}),
        ("days", {"days": 400}),
        ("reply_window_days", {"reply_window_days": -1}),
    ],
)
def test_rule_that_cannot_be_meant(what: str, options: dict[str, Any]) -> None:
    given: dict[str, Any] = {"reply_rate": 0.03, "messages_per_day": 100, "share": 0.5}
    with pytest.raises(UsageError, match=what):
        rollback_trigger(**{**given, **options})


def test_questions_that_cannot_be_meant() -> None:
    with pytest.raises(UsageError, match="within_days"):
        CANARY.detected(0.7, 0)
    with pytest.raises(UsageError, match="true_ratio"):
        CANARY.days_to_detect(40)
    with pytest.raises(UsageError, match="total"):
        CANARY.at_most(1.5)  # type: ignore[arg-type]
