from __future__ import annotations

import dataclasses
from datetime import timedelta

import pytest

from llmbench.abtest import Plan, analyse
from llmbench.abtest.counts import DayCounts
from llmbench.abtest.needed import daily_units, days_until
from tests.abtest.made import START, counted, units_of

PLAN = Plan("mail-7", control="gpt-4o")
HALF = ({"gpt-4o": 0.5, "mixtral": 0.5},)
RATES = {"gpt-4o": 0.05, "mixtral": 0.05}


def test_the_rate_is_that_of_the_last_days_of_sending() -> None:
    counts = counted(units_of(RATES, 6000, weights=HALF))
    assert daily_units(counts) == pytest.approx(100)
    late = DayCounts("mixtral", "", START + timedelta(days=68), 0, 0, 0, 0.0, 3)
    assert daily_units(dataclasses.replace(counts, days=(*counts.days, late))) == pytest.approx(100)
    assert daily_units(dataclasses.replace(counts, days=())) is None


def test_days_include_what_was_sent_and_the_window() -> None:
    counts = counted(units_of(RATES, 6000, weights=HALF), as_of=40)
    mature = sum(each.units for each in counts.arms)
    assert mature == 2700
    assert days_until(counts, PLAN, 2000, 100.0) == 0
    # The 3,000th was sent to on day 29, and is mature at the end of day 43.
    assert days_until(counts, PLAN, 3000, 100.0) == pytest.approx(4)
    assert days_until(counts, PLAN, 5000, 100.0) == pytest.approx(10 + 14)
    assert days_until(counts, PLAN, 5000, None) is None


def test_what_is_needed_goes_by_the_replies_that_came() -> None:
    counts = counted(units_of({"gpt-4o": 0.02, "mixtral": 0.02}, 12_000, weights=HALF), as_of=50)
    hoped = dataclasses.replace(PLAN, expected_rate=0.05, planned_units=90_000)
    plain = dataclasses.replace(PLAN, planned_units=90_000)
    one, two = analyse(counts, hoped), analyse(counts, plain)
    # The plan stays with the rate that was expected; what is still needed does not.
    assert one.planning_rate == 0.05
    assert one.needed == two.needed
    assert one.power == two.power
    assert one.planned_power == two.planned_power
    assert one.plan_is_short
    few = analyse(counted(units_of({"gpt-4o": 0.02, "mixtral": 0.02}, 400, weights=HALF)), hoped)
    assert few.power.units_needed is not None
    assert one.power.units_needed is not None
    assert few.power.units_needed < one.power.units_needed / 2


def test_goals_and_their_splits() -> None:
    units = units_of(RATES, 6000)
    result = analyse(counted(units, as_of=50), dataclasses.replace(PLAN, planned_units=60_000))
    goals = {each.goal: each for each in result.needed}
    assert list(goals) == [
        "next look", "end of the plan", "planned power at this reply rate",
        "the same in a new test with equal arms",
    ]  # fmt: skip
    assert goals["end of the plan"].units == pytest.approx(60_000, rel=0.01)
    assert goals["end of the plan"].more == pytest.approx(60_000 - 5000, rel=0.01)
    assert goals["end of the plan"].days == pytest.approx(55_000 / 100 + 14, rel=0.01)
    assert goals["next look"].split == "90 / 10"
    equal = goals["the same in a new test with equal arms"]
    assert equal.split == "50 / 50"
    power = goals["planned power at this reply rate"]
    assert equal.units is not None
    assert power.units is not None
    assert 2.4 < power.units / equal.units < 2.9
