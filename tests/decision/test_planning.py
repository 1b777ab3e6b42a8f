"""The size of all gates together, against the sample sizes of one and the definition of joint power."""

from __future__ import annotations

import math
from typing import Any

import pytest
from scipy.stats import binom

from llmbench.decision import MeanGate, PlannedGate, RatesGate, ShareGate, SureGate, plan_gates
from llmbench.errors import UsageError
from llmbench.stats import items_needed, sample_size, wilson_interval

QUALITY = MeanGate("quality", 0.0, -0.03, 0.35)
MISSING = ShareGate("missing", 0.005, 0.02)
REPLIES = RatesGate("replies", 0.05, 0.05, 0.9, design_effect=1.3)
VALUE = MeanGate("value", 150.0, 0.0, 9000.0, sample="leads")


def test_one_gate_is_sized_as_statistics_size_it() -> None:
    assert plan_gates([QUALITY]).units == {"items": math.ceil(items_needed(0.03, 0.35))}
    assert plan_gates([REPLIES], 0.9).units == {
        "leads": math.ceil(sample_size(0.05, 0.05, 0.9, power=0.9, design_effect=1.3))
    }


def test_a_share_has_the_power_of_its_interval() -> None:
    """Every count of missing answers, by its binomial chance."""
    n = plan_gates([MISSING], 0.9).units["items"]
    exact = sum(binom.pmf(x, n, 0.005) for x in range(n // 20) if wilson_interval(x, n).high <= 0.02)
    assert exact == pytest.approx(0.9, abs=0.03)


def test_six_gates_of_eighty_percent_pass_with_twenty_six() -> None:
    six = [MeanGate(f"g{i}", 0.0, -0.03, 0.35, sample=f"s{i}") for i in range(6)]
    plan = plan_gates(six)
    assert plan.power_one_by_one == pytest.approx(0.8**6, abs=0.002)
    assert plan.power == pytest.approx(0.8, abs=0.001)
    assert plan.power >= 0.8
    assert all(need.power == pytest.approx(0.8 ** (1 / 6), abs=1e-3) for need in plan.gates)
    assert all(need.units is not None and need.units > (need.alone or 0) for need in plan.gates)


def test_gates_of_one_sample_are_taken_for_as_dependent_as_they_may_be() -> None:
    plan = plan_gates([QUALITY, MISSING, REPLIES, VALUE, SureGate("saving", 0.97)], 0.85)
    misses = {each.gate: 1 - each.power for each in plan.gates}
    by_hand = (1 - misses["quality"] - misses["missing"]) * (1 - misses["replies"] - misses["value"]) * 0.97
    assert plan.power == pytest.approx(by_hand)
    assert 0.85 <= plan.power < 0.851


@pytest.mark.parametrize("usd", [{"items": 0.02, "leads": 0.5}, {"items": 30.0, "leads": 0.01}])
def test_prices_make_the_same_power_cheaper(usd: dict[str, float]) -> None:
    gates: list[PlannedGate] = [QUALITY, MISSING, REPLIES, VALUE]
    equal, priced = plan_gates(gates), plan_gates(gates, usd_per_unit=usd)
    assert equal.usd is None
    assert priced.usd is not None
    assert priced.power >= 0.8
    spent = sum(n * usd[sample] for sample, n in equal.units.items())
    assert priced.usd < spent
    # No trade between the two samples that keeps the power is cheaper.
    for factor in (0.97, 1.03):
        items = priced.units["items"] * factor
        wanted = 0.8 / (1 - sum(1 - each.power(items) for each in gates[:2]))
        if wanted >= 1:  # too few items for any number of leads
            continue
        leads = plan_gates(gates[2:], wanted).units["leads"]
        assert items * usd["items"] + leads * usd["leads"] > priced.usd * 0.9999


def test_many_candidates_and_missing_answers_cost_items() -> None:
    one = plan_gates([QUALITY]).units["items"]
    assert plan_gates([MeanGate("q", 0.0, -0.03, 0.35, among=5)]).units["items"] == math.ceil(
        items_needed(0.03, 0.35, alpha=0.05 / 5)
    )
    missing = plan_gates([MeanGate("q", 0.0, -0.03, 0.35, missing=0.01)]).units["items"]
    assert missing == pytest.approx(one * (3 / 2) ** 2, rel=0.001)


def test_the_table_has_a_row_a_gate() -> None:
    frame = plan_gates([QUALITY, SureGate("saving", 0.9)], 0.8).to_pandas()
    assert list(frame["gate"]) == ["quality", "saving"]
    assert frame["units"].isna().tolist() == [False, True]


@pytest.mark.parametrize(
    ("gates", "options", "words"),
    [
        ([], {}, "nothing to plan"),
        ([SureGate("s", 0.9)], {}, "nothing to plan"),
        ([QUALITY, QUALITY], {}, "'quality' is planned twice"),
        ([QUALITY, SureGate("saving", 0.7)], {}, "saving pass with chance 0.70 by themselves"),
        ([QUALITY], {"power": 1.0}, "power is a chance"),
        ([QUALITY, REPLIES], {"usd_per_unit": {"items": 1.0}}, r"usd_per_unit\['leads'\]"),
    ],
)
def test_a_plan_that_cannot_be_is_refused(gates: list[Any], options: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        plan_gates(gates, **options)


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (lambda: MeanGate("q", -0.03, -0.03, 0.3), "nothing left"),
        (lambda: MeanGate("q", 0.0, -0.03, 0.3, missing=0.04), "nothing left"),
        (lambda: MeanGate("q", math.nan, -0.03, 0.3), "expected of gate 'q'"),
        (lambda: MeanGate("q", 0.0, -0.03, 0.0), "spread of gate 'q'"),
        (lambda: MeanGate("q", 0.0, -0.03, 0.3, among=0), "among at least 1"),
        (lambda: RatesGate("r", 0.25, 0.5, 0.5), "exactly on the margin"),
        (lambda: ShareGate("m", 0.0, 0.02), "strictly between 0 and 1"),
        (lambda: ShareGate("m", 0.02, 0.02), "nothing left"),
        (lambda: SureGate("s", 1.2), "chance of gate 's'"),
    ],
)
def test_a_gate_that_cannot_be_planned_is_refused(made: Any, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        made()
