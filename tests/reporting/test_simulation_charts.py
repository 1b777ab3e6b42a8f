from __future__ import annotations

from typing import Any

import pytest

from llmbench.abtest.simulate import simulate
from llmbench.abtest.simulation_plan import SimulationPlan
from llmbench.abtest.simulation_result import AbSimulation
from llmbench.reporting.figures import figure_svg
from llmbench.reporting.simulation_charts import boundary_figure, power_figure, stopping_figure


def simulation(**changes: Any) -> AbSimulation:
    given: dict[str, Any] = {"control_rate": 0.05, "units_per_day": 1000, "margin": 0.8, "runs": 200}
    return simulate(SimulationPlan(**{**given, **changes}))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"stopping_rule": "fixed"},
        {"stopping_rule": "anytime"},
        {"stopping_rule": "anytime", "units_per_day": 20, "planned_units": 400},
        {"scale": "difference", "margin": -0.01, "split": 0.9},
    ],
)
def test_every_rule_can_be_drawn(changes: dict[str, Any]) -> None:
    found = simulation(**changes)
    for draw in (power_figure, stopping_figure, boundary_figure):
        plot = draw(found)
        plot.figure.draw_without_rendering()
        assert len(plot.frame)
        assert plot.caption.endswith((".", '"cannot tell".'))


def test_same_numbers_same_bytes() -> None:
    found = simulation()
    for draw in (power_figure, stopping_figure, boundary_figure):
        assert figure_svg(draw(found).figure) == figure_svg(draw(found).figure)


def test_numbers_are_those_of_the_simulation() -> None:
    found = simulation()
    power = power_figure(found).frame
    at_plan = power[power["units"] == found.planned_units]
    assert at_plan["power"].tolist() == pytest.approx([found.power])
    assert at_plan["day"].tolist() == [found.days_to_the_end]
    stops = stopping_figure(found).frame
    last = stops[(stops["day"] == found.days_to_the_end) & (stops["true_ratio"] == 1.0)]
    assert dict(zip(last["decision"], last["share_by_then"], strict=True)) == pytest.approx(
        dict(found[1.0].shares)
    )
    assert boundary_figure(found).frame["critical_value"].tolist() == [
        look.critical_value for look in found.looks
    ]
