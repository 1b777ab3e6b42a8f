"""A run at or after a look shows everything as of that look, or says what is not."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from typing import Any

import pytest

from llmbench.abtest import AbResult, Counts, Plan, analyse
from llmbench.ledger import Ledger
from llmbench.results import Decision
from tests.abtest.made import counted, units_of

COSTS = {"gpt-4o": 0.004, "mixtral": 0.0006}
HALF = ({"gpt-4o": 0.5, "mixtral": 0.5},)
NOW = datetime(2026, 12, 1, tzinfo=UTC)


def plan(**changes: Any) -> Plan:
    return Plan(
        "mail-7", **{"control": "gpt-4o", "planned_units": 12_000, "value_per_reply_usd": 20.0, **changes}
    )


@pytest.fixture(scope="module")
def worse() -> list[dict[str, Any]]:
    return units_of({"gpt-4o": 0.06, "mixtral": 0.02}, 12_000, weights=HALF, costs=COSTS)


@pytest.fixture(scope="module")
def equal() -> list[dict[str, Any]]:
    return units_of({"gpt-4o": 0.05, "mixtral": 0.05}, 12_000, weights=HALF, costs=COSTS)


class _Reader:
    """Reads the source anew as of an earlier day, as the report does."""

    def __init__(self, units: list[dict[str, Any]]) -> None:
        self.units = units
        self.asked: list[datetime] = []

    def __call__(self, as_of: datetime) -> Counts:
        self.asked.append(as_of)
        first = counted(self.units, as_of=1)
        return counted(self.units, as_of=1 + (as_of - first.as_of).days)


def shown(result: AbResult) -> tuple[Any, ...]:
    return result.arms, result.comparisons, result.segments, result.money, result.other_analyses


def test_after_the_decision_all_is_of_the_look_that_decided(
    worse: list[dict[str, Any]], ledger: Ledger
) -> None:
    first = analyse(counted(worse, as_of=44), plan(), ledger, NOW)
    assert first.comparisons[0].verdict == "worse"
    read = _Reader(worse)
    later = analyse(counted(worse, as_of=70), plan(), ledger, NOW, counts_at=read)
    assert read.asked == [first.counts.as_of]
    assert later.occasion.kind == "over"
    assert later.counts.as_of == first.counts.as_of
    assert shown(later)[:4] == shown(first)[:4]
    # Unwanted events are watched on, and say of which day they are.
    assert later.as_of == counted(worse, as_of=70).as_of
    assert later.guardrails[0].units > first.guardrails[0].units
    assert later.verdict().decision is Decision.NO_GO
    (told,) = later.cut_off_notes
    assert told == (
        "Everything shown is of data up to 2026-10-15, as of look 1; only unwanted events and what is still "
        "needed are of data up to 2026-11-10."
    )
    assert told in later.verdict().reasons


def test_where_the_source_cannot_be_read_again_it_is_marked(
    worse: list[dict[str, Any]], ledger: Ledger
) -> None:
    analyse(counted(worse, as_of=44), plan(), ledger, NOW)
    later = analyse(counted(worse, as_of=70), plan(), ledger, NOW)
    assert later.counts.as_of == later.as_of
    (told,) = later.cut_off_notes
    assert told == (
        "The effect is of look 1, of data up to 2026-10-15; leads, replies, costs, segments and money are of "
        "data up to 2026-11-10."
    )


def test_the_last_of_all_looks_is_shown_after_it(equal: list[dict[str, Any]], ledger: Ledger) -> None:
    given = plan(stopping_rule="fixed", planned_units=6000)
    first = analyse(counted(equal, as_of=46), given, ledger, NOW)
    assert first.occasion.kind == "look"
    later = analyse(counted(equal, as_of=70), given, ledger, NOW, counts_at=_Reader(equal))
    assert later.occasion.kind == "over"
    assert shown(later)[:4] == shown(first)[:4]
    assert "This test has ended" in later.verdict().summary or later.comparisons[0].verdict != "cannot tell"


def test_rows_that_came_since_a_look_are_told_beside_the_arms(
    equal: list[dict[str, Any]], ledger: Ledger
) -> None:
    analyse(counted(equal, as_of=44), plan(), ledger, NOW)
    same = analyse(counted(equal, as_of=44), plan(), ledger, NOW)
    assert same.cut_off_notes == ()
    counts = counted(equal, as_of=44)
    more = tuple(each._replace(replied=each.replied + 9) for each in counts.arms)
    again = analyse(dataclasses.replace(counts, arms=more), plan(), ledger, NOW)
    assert again.occasion.kind == "again"
    (told,) = again.cut_off_notes
    assert told == (
        "Rows came or changed since look 1: the effect is as the look showed it, and leads, replies, costs, "
        "segments and money are of the rows as they are now."
    )


def test_rows_that_leave_the_replies_alone_are_told_too(equal: list[dict[str, Any]], ledger: Ledger) -> None:
    analyse(counted(equal, as_of=44), plan(), ledger, NOW)
    counts = counted(equal, as_of=44)
    less = tuple(each._replace(units=each.units - 1) for each in counts.arms)
    again = analyse(dataclasses.replace(counts, arms=less), plan(), ledger, NOW)
    assert len(again.cut_off_notes) == 1


def test_later_looks_have_not_happened_yet(equal: list[dict[str, Any]], ledger: Ledger) -> None:
    for day in (30, 44, 60):
        assert analyse(counted(equal, as_of=day), plan(), ledger, NOW).occasion.kind == "look"
    back = analyse(counted(equal, as_of=44), plan(), ledger, NOW)
    assert [look.number for look in back.looks] == [1, 2]
    assert [each["look"] for each in back.data()["looks"]] == [1, 2]
    between = analyse(counted(equal, as_of=50), plan(), ledger, NOW)
    assert between.occasion.kind == "waiting"
    assert [look.number for look in between.looks] == [1, 2]
    summary = between.verdict().summary
    assert "give an as_of of a look" in summary
    assert "Keep the test running" not in summary
    before = analyse(counted(equal, as_of=25), plan(), ledger, NOW)
    assert before.looks == ()
    assert before.data()["looks"] == []
    assert "too early to read" not in before.verdict().summary


def test_an_arm_decided_earlier_says_of_which_look_it_is(ledger: Ledger) -> None:
    weights = ({"gpt-4o": 0.4, "mixtral": 0.3, "llama": 0.3},)
    units = units_of({"gpt-4o": 0.06, "mixtral": 0.058, "llama": 0.01}, 20_000, weights=weights)
    given = plan(planned_units=20_000)
    first = analyse(counted(units, as_of=44), given, ledger, NOW)
    later = analyse(counted(units, as_of=74), given, ledger, NOW)
    assert {c.treatment: c.look for c in later.comparisons} == {"llama": 1, "mixtral": 2}
    assert later.cut_off_notes == (
        f"llama was decided at look 1: its effect is of data up to {first.counts.as_of:%Y-%m-%d}.",
    )
