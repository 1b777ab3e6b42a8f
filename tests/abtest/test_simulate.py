from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.stats import binomtest

from llmbench.abtest.simulate import simulate
from llmbench.abtest.simulation_holm import holm_decisions
from llmbench.abtest.simulation_plan import SimulationPlan
from llmbench.abtest.simulation_result import DECISIONS
from llmbench.errors import UsageError
from llmbench.shown import AS_IT_IS
from llmbench.stats import (
    alpha_spending_bounds,
    crossing_probabilities,
    reply_share_e_process,
    sample_size,
)

BASE: dict[str, Any] = {"control_rate": 0.05, "units_per_day": 1000, "margin": 0.8, "runs": 4000}


def plan(**changes: Any) -> SimulationPlan:
    return SimulationPlan(**{**BASE, **changes})


def agrees(share: float, expected: float, runs: int = BASE["runs"]) -> bool:
    return bool(binomtest(round(share * runs), runs, expected).pvalue > 0.001)


@pytest.mark.parametrize("split", [0.5, 0.9])
@pytest.mark.parametrize("scale", ["ratio", "difference"])
@pytest.mark.parametrize("rule", ["fixed", "group-sequential"])
def test_power_and_errors_are_those_planned(rule: Any, scale: Any, split: float) -> None:
    found = simulate(
        plan(stopping_rule=rule, scale=scale, split=split, margin=0.8 if scale == "ratio" else -0.01)
    )
    assert found.power == pytest.approx(0.8, abs=0.03)
    assert found.false_not_worse == pytest.approx(0.025, abs=0.009)
    assert found.false_worse == pytest.approx(0.025, abs=0.009)
    assert found.false_better <= 0.034


def test_fixed_test_is_as_large_as_the_formula_says() -> None:
    found = simulate(plan(stopping_rule="fixed", split=0.9, runs=100))
    expected = sample_size(0.05, 0.05, 0.8, allocation=1 / 9)
    assert found.planned_units == pytest.approx(expected, abs=1)
    assert len(found.looks) == 1
    assert found.looks[0].critical_value == pytest.approx(1.959964, abs=1e-6)


def test_looks_stop_as_often_as_brownian_motion_crosses() -> None:
    found = simulate(plan(planned_units=40_000, runs=20_000))
    fractions = [0.25, 0.5, 0.75, 1.0]
    bounds = alpha_spending_bounds(fractions, 0.025, 1)
    assert [look.critical_value for look in found.looks] == pytest.approx(bounds.tolist())
    # At equal rates the drift is that of the power which the fixed test of so many units has.
    stops = np.array(found[1.0].stops)[:, : DECISIONS.index("worse")].sum(axis=1) / 20_000
    drift = 2.801585 * np.sqrt(40_000 / sample_size(0.05, 0.05, 0.8))
    expected = crossing_probabilities(bounds, fractions, float(drift), 1).upper
    assert stops.tolist() == pytest.approx(list(expected), abs=0.025)


def test_days_count_the_window_and_units_those_sent_to_meanwhile() -> None:
    found = simulate(plan(planned_units=20_000, looks=2, window_days=7))
    assert [look.day for look in found.looks] == [17.0, 27.0]
    first, last = (sum(row) for row in found[1.0].stops)
    runs = found[1.0].runs
    assert first + last == runs
    assert found[1.0].mean_day == pytest.approx((17 * first + 27 * last) / runs)
    # Until day 17 there were 17,000; no more than planned are ever sent to.
    assert found[1.0].mean_units == pytest.approx((17_000 * first + 20_000 * last) / runs)
    assert found.days_to_the_end == 27.0


def test_no_look_before_ten_replies_are_expected_in_the_smaller_arm() -> None:
    found = simulate(plan(planned_units=4_000, split=0.9, runs=100))
    assert [look.fraction for look in found.looks] == [0.5, 0.75, 1.0]
    assert [look.fraction for look in simulate(plan(planned_units=100, runs=100)).looks] == [1.0]


def test_anytime_is_the_packages_e_process() -> None:
    found = simulate(plan(stopping_rule="anytime", planned_units=12_000, runs=200))
    assert len(found.looks) == 12
    assert found.looks[0].critical_value == pytest.approx(np.log(40))
    last = found.looks[-1]
    assert last.not_worse_from is not None
    # At the edge that the picture shows, the e-process has just the evidence asked for.
    replies = [round(6_000 * 0.05 * last.not_worse_from), 300]
    evidence = reply_share_e_process(
        [replies[0]], [replies[1]], 0.5, ratio=0.8, alternative="greater"
    ).log_e_values[0]
    assert evidence == pytest.approx(np.log(40), abs=0.1)


def test_anytime_errs_less_and_shows_less() -> None:
    found = simulate(plan(stopping_rule="anytime", planned_units=20_000))
    assert found.false_not_worse < 0.025
    assert found.false_worse < 0.025
    fixed = simulate(plan(stopping_rule="fixed", planned_units=20_000))
    assert found.power < fixed.power
    powers = [point.power for point in found.power_curve]
    assert powers == sorted(powers)


def test_anytime_has_the_power_that_it_is_sized_for() -> None:
    found = simulate(plan(stopping_rule="anytime", units_per_day=2500))
    assert found.power == pytest.approx(0.8, abs=0.03)
    smaller = simulate(plan(stopping_rule="anytime", units_per_day=2500, ratios=(1.1,), runs=50))
    assert smaller.planned_units < found.planned_units


def test_many_days_are_looked_at_often_enough() -> None:
    found = simulate(plan(stopping_rule="anytime", units_per_day=50, planned_units=30_000, runs=50))
    assert len(found.looks) == 200
    assert found.looks[-1].units == 30_000


def test_design_effect_makes_the_test_larger_and_keeps_the_error() -> None:
    single = simulate(plan(runs=50))
    found = simulate(plan(cluster_size=5, correlation=0.25))
    assert found.plan.design_effect == 2.0
    assert found.planned_units == pytest.approx(2 * single.planned_units, abs=2)
    assert found.power == pytest.approx(0.8, abs=0.03)
    assert found.false_not_worse == pytest.approx(0.025, abs=0.009)


def test_same_seed_same_runs() -> None:
    assert simulate(plan(runs=300)) == simulate(plan(runs=300))
    assert simulate(plan(runs=300, seed=1)) != simulate(plan(runs=300, seed=2))


def test_truths_are_each_tried_once() -> None:
    found = simulate(plan(ratios=(1.0, 0.9, 0.8), runs=50))
    assert [outcome.ratio for outcome in found.outcomes] == [1.0, 0.9, 0.8]
    found = simulate(plan(ratios=(1.1,), runs=50))
    assert [outcome.ratio for outcome in found.outcomes] == [1.1, 1.0, 0.8]
    with pytest.raises(KeyError):
        found[0.5]


def test_shares_and_stops_add_up() -> None:
    for rule in ("group-sequential", "fixed", "anytime"):
        found = simulate(plan(stopping_rule=rule, runs=400, planned_units=8_000))
        for outcome in found.outcomes:
            assert sum(outcome.shares.values()) == pytest.approx(1.0)
            assert sum(map(sum, outcome.stops)) == 400
            # Only the last look can end without a decision.
            assert not any(row[DECISIONS.index("cannot tell")] for row in outcome.stops[:-1])


def test_bounds_of_what_is_observed_close_in_on_the_margin() -> None:
    found = simulate(plan(runs=50))
    upper = [look.not_worse_from for look in found.looks if look.not_worse_from is not None]
    lower = [look.worse_up_to for look in found.looks if look.worse_up_to is not None]
    assert upper == sorted(upper, reverse=True)
    assert lower == sorted(lower)
    assert lower[-1] < 0.8 < upper[-1]


def test_a_look_too_small_to_stop_has_no_bound() -> None:
    found = simulate(plan(stopping_rule="anytime", units_per_day=20, planned_units=400, runs=20))
    assert found.looks[0].worse_up_to is None
    assert "–" in found.looks_table().html()


def test_it_shows_itself_and_turns_into_pandas() -> None:
    found = simulate(plan(ratios=(1.0, 0.9), runs=500))
    frame = found.to_pandas()
    assert frame["true_ratio"].tolist() == [1.0, 0.9, 0.8]
    assert (frame["power"] == frame["better"] + frame["not_worse"]).all()
    page = found._repr_html_()
    assert page.startswith(f'<div class="{AS_IT_IS}"><p>Simulated: ')
    for words in ("(equal)", "(the margin)", "allowed each", "look"):
        assert words in page
    assert "z" not in simulate(
        plan(stopping_rule="anytime", planned_units=3000, runs=50)
    )._repr_html_().split("<th>")


def by_definition(above: Any, below: Any, better: Any, critical: Any) -> tuple[list[Any], list[Any]]:
    """Holm's procedure over looks for one run, a treatment at a time."""
    left, found = len(above), {}
    for look in range(len(above[0])):
        for arm in sorted(range(len(above)), key=lambda arm: -above[arm][look]):
            if arm in found:
                continue
            needed = critical[left - 1][look]
            if above[arm][look] >= needed:
                found[arm] = (look, "better" if better[arm][look] >= needed else "not worse")
                left = max(1, left - 1)
            elif below[arm][look] >= needed:
                found[arm] = (look, "worse")
    last = len(above[0]) - 1
    every = [found.get(arm, (last, "cannot tell")) for arm in range(len(above))]
    return [look for look, _ in every], [decision for _, decision in every]


def test_holm_over_looks_is_its_definition() -> None:
    rng = np.random.default_rng(3)
    above = rng.normal(1.5, 1.5, (3, 400, 4))
    better = above - rng.uniform(0, 2, above.shape)
    critical = np.array([[2.5, 2.3, 2.1, 1.9], [2.7, 2.5, 2.3, 2.1], [2.9, 2.7, 2.5, 2.3]])
    look, decision = holm_decisions(above, -above, better, critical)
    for run in range(400):
        looks, decisions = by_definition(above[:, run], -above[:, run], better[:, run], critical)
        assert look[:, run].tolist() == looks
        assert [DECISIONS[place] for place in decision[:, run]] == decisions


@pytest.mark.parametrize("rule", ["fixed", "group-sequential"])
def test_several_treatments_share_alpha(rule: Any) -> None:
    found = simulate(plan(split=(1 / 3, 1 / 3), stopping_rule=rule, ratios=(1.0, (0.8, 1.3))))
    assert [(o.truth, o.treatment) for o in found.outcomes] == [
        (truth, number) for truth in ((1.0, 1.0), (0.8, 1.3), (0.8, 0.8), (0.8, 1.0)) for number in (1, 2)
    ]
    # Sized for each at half of alpha; what one of them passes on makes the other's power a little higher.
    single = sample_size(0.05, 0.05, 0.8, alpha=0.0125) * 1.5
    if rule == "fixed":
        assert found.planned_units == pytest.approx(single, abs=1)
    assert found.power > 0.8
    assert agrees(found.family((0.8, 0.8)).any_false, 0.022)  # the two have a control in common
    assert agrees(found.family((0.8, 1.3)).any_false, 0.025)  # the other passes its part on
    assert found.false_not_worse <= 0.034
    assert found.family((1.0, 1.0)).all_not_worse < found.power < found.family((1.0, 1.0)).any_not_worse


def test_several_treatments_anytime_and_in_clusters() -> None:
    found = simulate(plan(split=(0.6, 0.2), stopping_rule="anytime", planned_units=20_000, runs=500))
    assert found.false_not_worse < 0.025
    assert found.looks[0].critical_value == pytest.approx(np.log(80))
    found = simulate(plan(split=(0.4, 0.3), cluster_size=5, correlation=0.25))
    assert found.false_not_worse <= 0.034
    page = found._repr_html_()
    for words in ("1 / 1: treatment 2", "split 40 / 30 / 30 with the control last", "Holm"):
        assert words in page
    assert found.to_pandas()["treatment"].tolist() == [1, 2, 1, 2, 1, 2]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"control_rate": 0}, "control_rate must be strictly between 0 and 1"),
        ({"split": 1.0}, "split must be strictly between 0 and 1"),
        ({"split": (0.6, 0.4)}, "and so must their sum"),
        ({"split": (0.2,) * 4, "ratios": ((1.0, 0.9),)}, "there are 4 treatments"),
        ({"alpha": 0.5}, "alpha"),
        ({"units_per_day": 0}, "units_per_day must be above 0"),
        ({"looks": 0}, "looks must be from 1 to 30"),
        ({"runs": 0}, "runs must be from 1"),
        ({"window_days": -1}, "window_days"),
        ({"planned_units": 0}, "planned_units must be 1 or more"),
        ({"stopping_rule": "never"}, "stopping_rule must be one of"),
        ({"margin": 1.1}, "above 0 and below 1"),
        ({"margin": 0.01, "scale": "difference"}, "below 0 and above -0.05"),
        ({"margin": -0.06, "scale": "difference"}, "below 0 and above -0.05"),
        ({"ratios": ()}, "ratios is empty"),
        ({"ratios": (21.0,)}, "a rate lies between 0 and 1"),
        ({"ratios": (0.8,)}, "No number of units"),
        ({"stopping_rule": "anytime", "scale": "difference", "margin": -0.01}, "reply independently"),
        ({"stopping_rule": "anytime", "cluster_size": 2}, "reply independently"),
    ],
)
def test_plans_that_cannot_be_meant_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        plan(**change)
