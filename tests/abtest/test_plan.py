from __future__ import annotations

import math
from typing import Any

import pytest

from llmbench.abtest import Plan, planned_units
from llmbench.abtest.anytime_plan import ANYTIME_LOOKS, anytime_effect_shown, anytime_power, anytime_units
from llmbench.errors import UsageError
from tests.stats.sizes import UNITS_AT_REPLY_RATES

SPLIT = {"mixtral": 0.9, "gpt-4o": 0.1}


def plan(**changes: Any) -> Plan:
    return Plan("mail-7", **{"control": "gpt-4o", **changes})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"margin": 1.1}, "above the control's own rate"),
        ({"margin": 1.0}, "lets nothing be lost"),
        ({"margin": -0.003}, "set scale to 'difference'"),
        ({"margin": 0.003, "scale": "difference"}, "with its sign"),
        ({"margin": -0.003, "scale": "difference", "stopping_rule": "anytime"}, "tests the ratio"),
        (
            {"margin": -0.03, "scale": "difference", "expected_rate": 0.03},
            "an arm without a reply would pass",
        ),
        ({"margin": float("nan")}, "margin must be a number"),
        ({"scale": "odds"}, "scale must be one of"),
        ({"stopping_rule": "peek"}, "stopping_rule must be one of"),
        ({"alpha": 0.5}, "alpha is 0.5"),
        ({"confidence": 95}, "confidence is 95"),
        ({"looks": 0}, "looks must be a whole number"),
        ({"looks": 2.5}, "looks must be a whole number"),
        ({"planned_units": 1}, "planned_units"),
        ({"expected_rate": 3}, "expected_rate is 3"),
        ({"value_per_reply_usd": 0}, "must be above 0"),
        ({"window_days": -1}, "window_days is -1"),
        ({"design_effect": 0.5}, "1 or more"),
        ({"guardrails": {"complaints": 0.9}}, "margin above 1"),
        ({"split": {"mixtral": 1.0}}, "no share to the control"),
        ({"split": {"mixtral": -1.0, "gpt-4o": 1.0}}, "0 or more"),
        ({"fixed_costs_usd": {"mixtral": -5}}, "a cost is 0 or more"),
        ({"control": ""}, "control must be a name"),
    ],
)
def test_a_plan_that_cannot_be_meant(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message) as raised:
        plan(**changes)
    assert str(raised.value).endswith(".")


@pytest.mark.parametrize(
    ("rate", "margin", "lopsided", "equal"),
    UNITS_AT_REPLY_RATES,
)
def test_planned_units_are_those_of_one_look(rate: float, margin: float, lopsided: int, equal: int) -> None:
    fixed = plan(margin=margin, stopping_rule="fixed")
    assert planned_units(fixed, rate, SPLIT) == pytest.approx(lopsided, abs=1)
    assert planned_units(fixed, rate, {"mixtral": 1, "gpt-4o": 1}) == pytest.approx(equal, abs=1)


def test_planned_units_grow_by_looks_clusters_and_treatments() -> None:
    fixed = planned_units(plan(stopping_rule="fixed"), 0.03, SPLIT)
    assert planned_units(plan(), 0.03, SPLIT) / fixed == pytest.approx(1.0196, abs=1e-3)
    clustered = plan(stopping_rule="fixed", design_effect=1.5)
    assert planned_units(clustered, 0.03, SPLIT) == pytest.approx(1.5 * fixed)
    assert planned_units(plan(stopping_rule="fixed"), 0.03, SPLIT, 2.0) == pytest.approx(2 * fixed)
    three = planned_units(plan(stopping_rule="fixed"), 0.03, {"mixtral": 0.45, "llama": 0.45, "gpt-4o": 0.1})
    assert three > fixed


@pytest.mark.parametrize("rate", [0.0, 1.0])
def test_planned_units_without_a_rate(rate: float) -> None:
    assert math.isinf(planned_units(plan(), rate, SPLIT))
    assert math.isinf(planned_units(plan(), 0.03, {"mixtral": 1.0}))


def test_anytime_takes_about_twice_the_units_of_one_look() -> None:
    shares = {"gpt-4o": 0.5, "mixtral": 0.5}
    once, always = (
        planned_units(Plan("e", control="gpt-4o", stopping_rule=rule), 0.03, shares)
        for rule in ("fixed", "anytime")
    )
    assert 2.0 < always / once < 2.3


def test_anytime_plans_with_its_own_numbers() -> None:
    """Not with those of one look times a constant: how much it costs depends on what is asked."""
    ratios = []
    for margin, power in ((0.9, 0.8), (0.9, 0.95), (0.6, 0.8)):
        once, always = (
            planned_units(plan(margin=margin, power=power, stopping_rule=rule), 0.03, SPLIT)
            for rule in ("fixed", "anytime")
        )
        ratios.append(always / once)
    assert max(ratios) / min(ratios) > 1.1
    # The concentration of the mixture counts, and so do several treatments and clusters.
    sharp = planned_units(plan(stopping_rule="anytime", concentration=2000.0), 0.03, SPLIT)
    usual = planned_units(plan(stopping_rule="anytime"), 0.03, SPLIT)
    assert sharp != pytest.approx(usual, rel=0.02)
    assert planned_units(plan(stopping_rule="anytime"), 0.03, SPLIT, 2.0) == pytest.approx(2 * usual)
    assert (
        planned_units(plan(stopping_rule="anytime"), 0.03, {"mixtral": 0.45, "llama": 0.45, "gpt-4o": 0.1})
        > usual
    )


def test_units_power_and_effect_of_anytime_go_together() -> None:
    units = anytime_units(0.03, 0.9, 0.5, 0.025, 0.8)
    ends = [units * (look + 1) / ANYTIME_LOOKS for look in range(ANYTIME_LOOKS)]
    assert anytime_power(0.03, 0.9, 0.5, ends, 0.025)[-1] == pytest.approx(0.8, abs=0.004)
    shown = anytime_effect_shown(0.03, 0.5, units, 0.025, 0.8)
    assert anytime_power(0.03, 1.0, 0.5, ends, 0.025, 50.0, shown)[-1] == pytest.approx(0.8, abs=0.004)
    assert 1.08 < shown < 1.13
    assert math.isnan(anytime_effect_shown(0.5, 0.5, 10, 0.025, 0.8))
    assert math.isnan(anytime_effect_shown(0.5, 0.5, 0, 0.025, 0.8))
