from __future__ import annotations

import pytest

from llmbench.economics import cash_flow, net_present_value, payback_month
from llmbench.errors import UsageError


def test_net_present_value_is_that_of_numpy_financial() -> None:
    """numpy_financial.npv(0.08, ...) of its own documentation; its rate is of one period, ours of a year."""
    cash = [-40_000, 5_000, 8_000, 12_000, 30_000]
    assert net_present_value(cash, 1.08**12 - 1) == pytest.approx(3065.2226681795255, rel=1e-12)
    # numpy_financial.npv(0.281, [-100, 39, 59, 55, 20]) == -0.00847859...
    assert net_present_value([-100, 39, 59, 55, 20], 1.281**12 - 1) == pytest.approx(-0.0084785916384548798)


def test_a_year_discounts_by_the_yearly_rate() -> None:
    assert net_present_value([0.0] * 12 + [110.0], 0.10) == pytest.approx(100)


def test_payback_counts_months() -> None:
    assert payback_month([-100, 40, 40, 40]) == 3
    assert payback_month([-100, 40]) is None


def test_prices_fall_each_at_its_own_rate() -> None:
    flow = cash_flow(
        lambda messages: messages * 0.01,
        lambda messages, rent: 200 * rent + 50,
        100_000,
        months=13,
        api_fall_per_year=10,
        gpu_fall_per_year=2,
    )
    assert flow.api_usd[0] == pytest.approx(1000)
    assert flow.api_usd[12] == pytest.approx(100)
    assert flow.self_usd[12] == pytest.approx(150)


def test_growth_is_compounded() -> None:
    flow = cash_flow(lambda m: m, lambda m, rent: 0.0, 100, months=3, growth_per_month=0.1)
    assert flow.api_usd == pytest.approx((100, 110, 121))


def test_a_loss_without_investment_is_no_payback() -> None:
    flow = cash_flow(lambda m: 10.0, lambda m, rent: 20.0, 1, months=24)
    assert flow.payback_month is None
    assert flow.npv < 0
    assert flow.cumulative[-1] == pytest.approx(-240)
    assert list(flow.to_pandas()["month"]) == list(range(25))


def test_what_cannot_be_meant() -> None:
    with pytest.raises(UsageError, match="api_fall_per_year"):
        cash_flow(lambda m: m, lambda m, rent: m, 1, api_fall_per_year=0.5)
    with pytest.raises(UsageError, match="months"):
        cash_flow(lambda m: m, lambda m, rent: m, 1, months=0)
    with pytest.raises(UsageError, match="migration_usd"):
        cash_flow(lambda m: m, lambda m, rent: m, 1, migration_usd=-1)
    with pytest.raises(UsageError, match="discount_per_year"):
        net_present_value([1.0], -1)
