from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from llmbench.abtest import Plan
from llmbench.abtest.looks import Look, deviations, look_now, standing

DAY = datetime(2026, 11, 1, tzinfo=UTC)


def plan(**changes: Any) -> Plan:
    return Plan("mail-7", control="gpt-4o", **changes)


def seen(number: int, information: float, verdict: str = "cannot tell", day: int | None = None) -> Look:
    shown = [{"treatment": "mixtral", "verdict": verdict, "ratio": 1.0}]
    at = DAY + timedelta(days=number if day is None else day)
    return Look(number, at, 1000, information, shown, at)


def test_a_look_waits_for_its_fraction() -> None:
    waiting = look_now(plan(), 0.24, 100, DAY, [])
    assert (waiting.kind, waiting.next_fraction, waiting.shows_effect) == ("waiting", 0.25, False)
    taken = look_now(plan(), 0.31, 100, DAY, [])
    assert (taken.kind, taken.fractions, taken.next_fraction) == ("look", (0.31,), 0.5)


def test_fractions_that_were_passed_are_no_looks_of_their_own() -> None:
    taken = look_now(plan(), 0.6, 100, DAY + timedelta(days=9), [seen(1, 0.26)])
    assert (taken.kind, taken.fractions, taken.next_fraction) == ("look", (0.26, 0.6), 0.75)


@pytest.mark.parametrize("reached", [0.49995, 0.4999999, 0.4992])
def test_two_looks_are_never_so_close_that_no_bound_can_be_made(reached: float) -> None:
    from llmbench.stats import alpha_spending_bounds

    before = [seen(1, reached)]
    taken = look_now(plan(), 0.5001, 100, DAY + timedelta(days=9), before)
    assert (taken.kind, taken.next_fraction) == ("waiting", 0.75)
    later = look_now(plan(), 0.76, 100, DAY + timedelta(days=9), before)
    assert later.kind == "look"
    alpha_spending_bounds(later.fractions, alpha=0.025, sides=1)
    over = look_now(plan(), 1.1, 100, DAY + timedelta(days=9), [seen(1, 0.99995)])
    assert over.kind == "over"


def test_the_last_look_is_at_one_and_the_plan_is_over_after_it() -> None:
    last = look_now(plan(), 1.2, 100, DAY + timedelta(days=9), [seen(1, 0.26)])
    assert (last.kind, last.fractions, last.next_fraction) == ("look", (0.26, 1.0), None)
    after = look_now(plan(), 1.4, 100, DAY + timedelta(days=10), [seen(1, 0.26), seen(2, 1.0, day=9)])
    assert after.kind == "over"
    assert "stands" in after.why


def test_the_same_cut_off_is_the_same_look() -> None:
    looks = [seen(1, 0.26), seen(2, 0.55)]
    again = look_now(plan(), 0.26, 100, looks[0].cut_off, looks)
    assert (again.kind, again.fractions) == ("again", (0.26,))
    newest = look_now(plan(), 0.55, 100, looks[1].cut_off, looks)
    assert (newest.kind, newest.fractions, newest.next_fraction) == ("again", (0.26, 0.55), 0.75)


def test_data_that_end_before_a_look_are_none() -> None:
    back = look_now(plan(), 0.3, 100, DAY, [seen(1, 0.26)])
    assert back.kind == "waiting"
    assert "before look 1" in back.why


def test_few_expected_replies_are_no_look() -> None:
    assert look_now(plan(), 0.3, 9.9, DAY, []).kind == "waiting"
    assert look_now(plan(), 0.3, 10, DAY, []).kind == "look"


def test_a_fixed_plan_is_read_once() -> None:
    fixed = plan(stopping_rule="fixed")
    assert look_now(fixed, 0.99, 100, DAY, []).kind == "waiting"
    assert look_now(fixed, 1.0, 100, DAY, []).kind == "look"
    assert look_now(fixed, 1.2, 100, DAY + timedelta(days=9), [seen(1, 1.0)]).kind == "over"


def test_anytime_every_run_is_a_look() -> None:
    anytime = plan(stopping_rule="anytime")
    assert look_now(anytime, 0.01, 100, DAY, []).kind == "look"
    assert look_now(anytime, 1.5, 100, DAY + timedelta(days=9), [seen(1, 1.2)]).kind == "look"


def test_what_was_decided_first_stands() -> None:
    looks = [seen(1, 0.25), seen(2, 0.5, "not worse"), seen(3, 0.75, "worse")]
    found = standing(looks)
    assert found["mixtral"][0].number == 2
    assert standing(looks[:1]) == {}


@pytest.mark.parametrize("name", ["margin", "alpha", "looks"])
def test_a_change_after_the_first_look_is_told(name: str) -> None:
    frozen = plan().frozen() | {"planned_units": 250_000}
    assert deviations(frozen, plan()) == []
    changed = {"margin": 0.8, "alpha": 0.05, "looks": 8}[name]
    (told,) = deviations(frozen, plan(**{name: changed}))
    assert told.startswith(f"{name} is {changed} now and was")
