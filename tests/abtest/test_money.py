from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from llmbench.abtest import Plan
from llmbench.abtest.cells import paired_cells
from llmbench.abtest.look_scale import look_scale
from llmbench.abtest.money import arm_cost, compare_money, draw_units
from tests.abtest.made import counted, units_of

COSTS = {"gpt-4o": 0.004, "mixtral": 0.0006}
EPOCHS = ({"gpt-4o": 0.5, "mixtral": 0.5}, {"gpt-4o": 0.1, "mixtral": 0.9})
PLAN = Plan("mail-7", control="gpt-4o", value_per_reply_usd=20.0)


def made(n: int = 8000, **changes: object):  # type: ignore[no-untyped-def]
    given = {"costs": COSTS, "messages": 1, **changes}
    units = units_of({"gpt-4o": 0.05, "mixtral": 0.05}, n, **given)  # type: ignore[arg-type]
    counts = counted(units)
    cells = paired_cells(counts.arms, "mixtral", "gpt-4o")
    costs = {a: arm_cost([s for s in counts.arms if s.arm == a], 0.0, 0.95) for a in ("mixtral", "gpt-4o")}
    return units, counts, cells, costs


def test_cost_of_an_arm_is_that_of_the_units() -> None:
    units, _, _, costs = made()
    mine = [u for u in units if u["arm"] == "gpt-4o"]
    total = sum(u["cost"] for u in mine)
    assert costs["gpt-4o"].cost_usd == pytest.approx(total)
    assert costs["gpt-4o"].per_reply == pytest.approx(total / sum(u["replied"] for u in mine))
    assert costs["gpt-4o"].per_message == pytest.approx(total / len(mine))


def test_fieller_is_about_the_bootstrap() -> None:
    units, _, _, costs = made()
    mine = [u for u in units if u["arm"] == "mixtral"]
    cost = np.array([u["cost"] for u in mine])
    replied = np.array([u["replied"] for u in mine], dtype=float)
    rng = np.random.default_rng(1)
    drawn = [
        cost[i].sum() / replied[i].sum()
        for i in (rng.integers(len(mine), size=len(mine)) for _ in range(1000))
    ]
    interval = costs["mixtral"].per_reply_ci
    assert interval is not None
    assert interval.low == pytest.approx(np.quantile(drawn, 0.025), rel=0.02)
    assert interval.high == pytest.approx(np.quantile(drawn, 0.975), rel=0.02)


def test_cost_per_reply_without_replies_has_no_upper_limit() -> None:
    counts = counted(units_of({"gpt-4o": 0.0, "mixtral": 0.05}, 2000, costs=COSTS))
    found = arm_cost([s for s in counts.arms if s.arm == "gpt-4o"], 0.0, 0.95)
    assert found.per_reply is None
    assert found.per_reply_ci is None or math.isinf(found.per_reply_ci.high)


def test_fixed_costs_count_for_each_unit() -> None:
    _, counts, _, costs = made()
    dear = arm_cost([s for s in counts.arms if s.arm == "mixtral"], 0.01, 0.95)
    assert dear.per_unit == pytest.approx((costs["mixtral"].per_unit or 0) + 0.01)


@pytest.mark.parametrize("price", [0.01, 0.001, 0.1 / 3])
@pytest.mark.parametrize("n", [997, 6000])
def test_one_price_for_all_leads_leaves_the_uncertainty_of_the_rate(price: float, n: int) -> None:
    row = counted(units_of({"gpt-4o": 0.05, "mixtral": 0.05}, n)).arms[0]
    # Sums as a database makes them, one lead after another.
    cost = squared = with_reply = 0.0
    for i in range(row.units):
        cost, squared = cost + price, squared + price * price
        with_reply += price if i < row.replied else 0.0
    flat = row._replace(
        costed_units=row.units, costed_replied=row.replied, cost_usd=cost, cost_usd_squared=squared,
        cost_usd_replied=with_reply,
    )  # fmt: skip
    found = arm_cost([flat], 0.0, 0.95).per_reply_ci
    assert found is not None
    rate = row.replied / row.units
    half = 1.959964 * math.sqrt(rate * (1 - rate) / (row.units - 1))
    assert tuple(found) == pytest.approx((price / (rate + half), price / (rate - half)), rel=1e-4)


def test_unknown_costs_are_unknown() -> None:
    counts = counted(units_of({"gpt-4o": 0.05, "mixtral": 0.05}, 1000))
    found = arm_cost([s for s in counts.arms if s.arm == "gpt-4o"], 0.0, 0.95)
    assert found.cost_usd is None
    cells = paired_cells(counts.arms, "mixtral", "gpt-4o")
    assert compare_money(PLAN, cells, {"gpt-4o": found, "mixtral": found}, {}) is None


def test_the_economic_margin_is_where_saving_and_loss_are_equal() -> None:
    _, counts, cells, costs = made()
    money = compare_money(PLAN, cells, costs, draw_units(counts, PLAN, {}))
    assert money is not None
    assert money.economic_margin is not None
    saving = (costs["gpt-4o"].per_message or 0) - (costs["mixtral"].per_message or 0)
    assert money.saving_per_message == pytest.approx(saving)
    # One message a lead: the formula of the plan, 1 - saving per message / (control rate x value).
    assert money.economic_margin == pytest.approx(1 - saving / (cells.rates[1] * 20.0))
    assert 0.995 < money.economic_margin < 0.998


@pytest.mark.parametrize("weights", [EPOCHS[1:], EPOCHS], ids=["one epoch", "two epochs"])
def test_net_value_is_that_of_the_units(weights: tuple[dict[str, float], ...]) -> None:
    units, counts, cells, costs = made(weights=weights)
    money = compare_money(PLAN, cells, costs, draw_units(counts, PLAN, {}))
    assert money is not None
    assert money.net_value_per_1000 is not None
    expected = 0.0
    for stratum, weight in zip(cells.strata, cells.weights, strict=True):
        for arm, sign in (("mixtral", 1), ("gpt-4o", -1)):
            values = [
                20 * u["replied"] - u["cost"] for u in units if (u["arm"], u["stratum"]) == (arm, stratum)
            ]
            expected += 1000 * sign * weight / cells.information * float(np.mean(values))
    net = money.net_value_per_1000
    assert net.estimate == pytest.approx(expected)
    by_arm = money.arm_net_value_per_1000
    assert by_arm["mixtral"].estimate - by_arm["gpt-4o"].estimate == pytest.approx(net.estimate)
    assert net.ci.low < net.estimate < net.ci.high
    again = compare_money(PLAN, cells, costs, draw_units(counts, PLAN, {}))
    assert again is not None
    assert again.net_value_per_1000 == net


def test_the_interval_of_the_net_value_is_that_of_the_bootstrap() -> None:
    units, counts, cells, costs = made()
    money = compare_money(PLAN, cells, costs, draw_units(counts, PLAN, {}))
    assert money is not None
    assert money.net_value_per_1000 is not None
    ci = money.net_value_per_1000.ci
    parts = []
    for arm in ("mixtral", "gpt-4o"):
        values = np.array([20 * u["replied"] - u["cost"] for u in units if u["arm"] == arm])
        parts.append(values.var() / len(values))
    half = 1.96 * 1000 * math.sqrt(sum(parts))
    assert (ci.high - ci.low) / 2 == pytest.approx(half, rel=0.06)
    wider = compare_money(PLAN, cells, costs, draw_units(counts, PLAN, {}), widen=2.0)
    assert wider is not None
    assert wider.net_value_per_1000 is not None
    assert wider.net_value_per_1000.ci.high - wider.net_value_per_1000.ci.low == pytest.approx(
        2 * (ci.high - ci.low)
    )


def test_at_a_small_value_saving_decides_and_at_a_large_one_replies() -> None:
    _, counts, cells, costs = made()
    money = compare_money(PLAN, cells, costs, draw_units(counts, PLAN, {}))
    assert money is not None
    cheap = compare_money(
        Plan("mail-7", control="gpt-4o", value_per_reply_usd=0.01), cells, costs, draw_units(counts, PLAN, {})
    )
    assert cheap is not None
    assert cheap.net_value_per_1000 is not None
    assert cheap.net_value_per_1000.probability_positive > 0.999
    values = [value for value, _ in money.acceptability]
    assert values == sorted(values)
    assert values[0] < 20 < values[-1]
    assert money.acceptability[0][1] != money.acceptability[-1][1]


def test_without_a_value_there_is_a_saving_and_no_net_value() -> None:
    plan = Plan("mail-7", control="gpt-4o")
    _, counts, cells, costs = made()
    money = compare_money(plan, cells, costs, draw_units(counts, plan, {}))
    assert money is not None
    assert money.saving_per_message > 0
    assert (money.economic_margin, money.net_value_per_1000) == (None, None)
    assert len(money.acceptability) > 10


def test_at_a_look_of_several_only_what_is_said_against_the_control_allows_for_the_others() -> None:
    _, counts, cells, costs = made()
    plan = dataclasses.replace(PLAN, looks=4)
    draws = draw_units(counts, plan, {})
    once = compare_money(plan, cells, costs, draws)
    scale = look_scale(plan, (0.25, 0.5))
    found = compare_money(plan, cells, costs, draws, scale=scale)
    assert once is not None
    assert found is not None
    one, two = once.net_value_per_1000, found.net_value_per_1000
    assert one is not None
    assert two is not None
    assert two.estimate == one.estimate
    # 2.9631, the published bound of look 2 of 4, over 1.9600 of an only look.
    for limit in ("low", "high"):
        far = getattr(two.ci, limit) - two.estimate
        assert far == pytest.approx(2.963131 / 1.959964 * (getattr(one.ci, limit) - one.estimate), rel=0.01)
    assert two.look_confidence == pytest.approx(1 - 2 * 0.00152265, abs=1e-7)
    assert abs(two.probability_positive - 0.5) < abs(one.probability_positive - 0.5)
    assert found.arm_net_value_per_1000 == once.arm_net_value_per_1000
    assert {each.look_confidence for each in found.arm_net_value_per_1000.values()} == {0.95}
    assert [v for v, _ in found.acceptability] == [v for v, _ in once.acceptability]
    assert found.acceptability != once.acceptability
