from __future__ import annotations

import numpy as np
import pytest

from llmbench.abtest import always, by_table, cheapest_arm, evaluate_policy, unit_cost_variances
from llmbench.abtest.counts import ContextCounts
from llmbench.errors import UsageError
from tests.abtest.made import counted, units_of

COSTS = {"gpt-4o": 0.004, "mixtral": 0.0006}
RATES = {"gpt-4o": 0.06, "mixtral": 0.05}


def log(n: int = 12_000, **changes: object) -> tuple[ContextCounts, ...]:
    given = {"weights": ({"gpt-4o": 0.3, "mixtral": 0.7},), "costs": COSTS, "seed": 3, **changes}
    return counted(units_of(RATES, n, **given)).contexts  # type: ignore[arg-type]


def test_the_estimates_are_those_of_the_units() -> None:
    """Unit by unit, by the definitions."""
    units = units_of(RATES, 6000, weights=({"gpt-4o": 0.3, "mixtral": 0.7},), costs=COSTS, seed=5)
    table = {"saas": "gpt-4o", "retail": "mixtral"}
    found = evaluate_policy(
        "table", counted(units).contexts, by_table("industry", table, "mixtral"), draws=100
    )
    target = [table.get(u["segment"], "mixtral") for u in units]
    w = np.array([float(u["arm"] == t) / u["probability"] for u, t in zip(units, target, strict=True)])
    y = np.array([float(u["replied"]) for u in units])
    assert found.rate_ipw == pytest.approx((w @ y) / w.sum())
    assert found.effective_units == pytest.approx(w.sum() ** 2 / (w @ w))
    assert found.weighted_replies == pytest.approx((w @ y) ** 2 / (w**2 @ y))

    def model(segment: str, arm: str, fold: int) -> float:
        arms = [u for u in units if u["fold"] != fold and u["arm"] == arm]
        mine = [u["replied"] for u in arms if u["segment"] == segment]
        mean = sum(u["replied"] for u in arms) / len(arms)
        return (sum(mine) + 50 * mean) / (len(mine) + 50)

    cells = {(u["segment"], u["arm"], u["fold"]) for u in units}
    cells |= {(u["segment"], t, u["fold"]) for u, t in zip(units, target, strict=True)}
    q = {cell: model(*cell) for cell in cells}
    expected = np.mean(
        [
            q[u["segment"], t, u["fold"]] + wi * (yi - q[u["segment"], u["arm"], u["fold"]])
            for u, t, wi, yi in zip(units, target, w, y, strict=True)
        ]
    )
    assert found.rate == pytest.approx(expected)
    cost = np.array([u["cost"] for u in units])
    assert found.cost_per_1000_ipw == pytest.approx(1000 * (w @ cost) / w.sum())


def test_a_policy_is_valued_near_the_truth() -> None:
    counts = counted(units_of(RATES, 60_000, weights=({"gpt-4o": 0.3, "mixtral": 0.7},), costs=COSTS, seed=3))
    variances = unit_cost_variances(counts.arms)
    found = evaluate_policy("p", counts.contexts, always("gpt-4o"), draws=300, cost_variances=variances)
    assert evaluate_policy("p", counts.contexts, always("gpt-4o"), draws=300).cost_per_1000_ci is None
    assert found.refused is None
    assert found.rate_ci is not None
    assert found.cost_per_1000_ci is not None
    assert found.rate_ci.low < 0.06 < found.rate_ci.high
    truth = 1000 * 0.004 * 2 * float(np.exp(0.2**2 / 2))
    assert found.cost_per_1000_ci.low < truth < found.cost_per_1000_ci.high


def test_an_arm_that_was_open_to_a_part_of_the_units_is_refused() -> None:
    """Llama came in a second epoch: in the first its probability was 0, which the log tells by its sums."""
    epochs = (
        {"gpt-4o": 0.3, "mixtral": 0.7, "llama": 0.0},
        {"gpt-4o": 0.2, "mixtral": 0.4, "llama": 0.4},
    )
    rates = {**RATES, "llama": 0.05}
    units = units_of(rates, 20_000, weights=epochs, costs={**COSTS, "llama": 0.0001}, seed=3)
    contexts = counted(units).contexts
    found = evaluate_policy("llama", contexts, always("llama"), draws=100)
    assert found.refused is not None
    assert found.refused.startswith("llama has logged probability 0 for a part of the units")
    assert "about 5" in found.refused
    for arm in ("gpt-4o", "mixtral"):
        assert evaluate_policy(arm, contexts, always(arm), draws=100).refused is None
    some = evaluate_policy("t", contexts, by_table("industry", {"saas": "llama"}, "mixtral"), draws=100)
    assert some.refused is not None


@pytest.mark.parametrize("share", [0.02, 0.1, 0.5])
def test_an_arm_that_all_could_get_is_not_refused_by_chance(share: float) -> None:
    for seed in range(5):
        units = units_of(RATES, 6000, weights=({"gpt-4o": share, "mixtral": 1 - share},), seed=seed)
        why = evaluate_policy("p", counted(units).contexts, always("gpt-4o"), draws=100).refused
        assert why is None or "part of the units" not in why


def test_the_logged_policy_itself_is_the_mean() -> None:
    contexts = log()
    found = evaluate_policy("as it was", contexts, lambda _: {"gpt-4o": 0.3, "mixtral": 0.7}, draws=100)
    replied = sum(row.units for row in contexts if row.replied) / sum(row.units for row in contexts)
    assert found.rate_ipw == pytest.approx(replied)
    assert found.effective_units == pytest.approx(12_000)


def test_the_same_seed_gives_the_same_interval() -> None:
    contexts = log(5000)
    one, two, other = (
        evaluate_policy("p", contexts, always("mixtral"), draws=200, seed=seed).rate_ci for seed in (1, 1, 2)
    )
    assert one == two
    assert one != other


def test_an_arm_that_was_never_logged_is_refused() -> None:
    found = evaluate_policy("always llama", log(3000), always("llama"))
    assert found.refused == "llama has logged probability 0: no unit of the log was ever given to it."
    assert found.rate is None


def test_traffic_with_probability_one_is_refused() -> None:
    rows = [
        *log(),
        ContextCounts({"industry": "bank"}, "gpt-4o", 1.0, 0, False, 500, 900, 2.0),
    ]
    found = evaluate_policy("always mixtral", rows, always("mixtral"))
    assert found.refused is not None
    assert "where industry is bank: that traffic went to gpt-4o with probability 1" in found.refused
    # The same traffic under the arm that it had is no matter.
    assert evaluate_policy("gpt-4o", rows, always("gpt-4o"), draws=100).refused is None


def test_an_arm_missing_in_one_context_is_refused() -> None:
    rows = [row for row in log() if (row.context["industry"], row.arm) != ("retail", "mixtral")]
    found = evaluate_policy("always mixtral", rows, always("mixtral"))
    assert (
        found.refused
        == "mixtral has logged probability 0 where industry is retail: no such unit was given to it."
    )


def test_too_few_effective_units_and_replies_are_refused() -> None:
    found = evaluate_policy("always gpt-4o", log(1500), always("gpt-4o"))
    assert found.refused is not None
    assert "and 1,000 are needed" in found.refused
    quiet = [
        ContextCounts({}, arm, 0.5, fold, replied, units, units, 1.0)
        for arm in ("a", "b")
        for fold in range(2)
        for replied, units in ((False, 2000), (True, 5))
    ]
    found = evaluate_policy("always a", quiet, always("a"))
    assert found.refused == "10.0 weighted replies bear on this policy, and 20 are needed."


def test_without_probabilities_or_units_it_is_refused() -> None:
    rows = [row._replace(probability=None) for row in log(2000)]
    assert "with which probability" in str(evaluate_policy("p", rows, always("mixtral")).refused)
    assert "no unit" in str(evaluate_policy("p", [], always("mixtral")).refused)


def test_unknown_costs_leave_the_cost_unknown() -> None:
    rows = [row._replace(cost_usd=None) for row in log()]
    found = evaluate_policy("p", rows, always("mixtral"), draws=100)
    assert found.rate is not None
    assert found.cost_per_1000 is None
    with pytest.raises(UsageError, match="which is the cheapest"):
        cheapest_arm(rows)


def test_the_cheapest_arm_is_that_of_the_messages() -> None:
    assert cheapest_arm(log(2000)) == "mixtral"


def test_policies_that_cannot_be_meant() -> None:
    with pytest.raises(UsageError, match="add up to 1"):
        evaluate_policy("p", log(2000), lambda _: {"mixtral": 0.5})
    with pytest.raises(UsageError, match="context columns industry"):
        evaluate_policy("p", log(2000), by_table("country", {}, "mixtral"))
