from __future__ import annotations

import math

import numpy as np
import pytest

from llmbench.abtest import Plan, planned_units
from llmbench.abtest.planned_power import planned_power

HALF = {"gpt-4o": 0.5, "mixtral": 0.5}
THREE = {"gpt-4o": 0.1, "mixtral": 0.6, "llama": 0.3}


def plan(**changes: object) -> Plan:
    return Plan("mail-7", control="gpt-4o", **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("rule", ["fixed", "group-sequential"])
@pytest.mark.parametrize("shares", [HALF, THREE])
@pytest.mark.parametrize("design", [1.0, 1.7])
def test_units_of_the_plan_have_its_power(rule: str, shares: dict[str, float], design: float) -> None:
    given = plan(stopping_rule=rule)
    units = planned_units(given, 0.03, shares, design)
    assert planned_power(given, 0.03, shares, units, design) == pytest.approx(0.8, abs=2e-3)


def test_fewer_units_have_less_power() -> None:
    given = plan()
    found = [planned_power(given, 0.03, HALF, units) for units in (2000, 20_000, 60_000, 93_311)]
    assert found == sorted(found)  # type: ignore[type-var]
    assert found[0] == pytest.approx(0.06, abs=0.01)


def test_it_is_that_of_four_looks_simulated() -> None:
    from llmbench.abtest.simulate import simulate
    from llmbench.abtest.simulation_plan import SimulationPlan

    found = simulate(SimulationPlan(0.03, 2000, planned_units=40_000, runs=4000))
    expected = planned_power(plan(), 0.03, HALF, 40_000)
    assert found.power == pytest.approx(expected, abs=4 * np.sqrt(0.25 / 4000))


def test_there_is_none_without_an_end_or_a_rate() -> None:
    assert planned_power(plan(stopping_rule="anytime"), 0.03, HALF, 1000) is None
    assert planned_power(plan(), None, HALF, 1000) is None
    assert planned_power(plan(), 0.03, HALF, math.inf) is None
    assert planned_power(plan(), 0.03, {"gpt-4o": 1.0}, 1000) is None
