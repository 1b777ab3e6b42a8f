"""The budget, against one that is added up by hand, month by month."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from datetime import date
from typing import Any

import numpy as np
import pytest
from scipy import stats

from llmbench.decision.budget import twelve_month_budget
from llmbench.decision.budget_parts import (
    BudgetUncertainty,
    Commitment,
    OneOffCosts,
    Payback,
    months_until,
)
from llmbench.decision.effects import ReplyEffect
from llmbench.decision.ramp import RampMonth
from llmbench.economics import Range
from llmbench.errors import UsageError

SURE = BudgetUncertainty(*(Range(1, 1, 1),) * 6)
RAMP = (
    RampMonth(0.0, doubled=0.1),
    RampMonth(0.25),
    RampMonth(1.0, old_on=0.5, both_on=0.5),
    RampMonth(1.0, old_on=0.0, both_on=0.0),
)
ONCE = OneOffCosts(10, 700, 500, 1500, dual_running_usd=200, decommission_usd=900)


def test_months_are_those_added_up_by_hand() -> None:
    """Volume, ramp, prices, rents, a contract and what is spent once, each with a loop of its own."""
    found = twelve_month_budget(
        100_000,
        0.004,
        0.001,
        growth_per_month=0.05,
        ramp=RAMP,
        one_off=ONCE,
        baseline_hosting_usd=[300, 310],
        candidate_hosting_usd=400,
        commitments=[Commitment("spend", 350, 6)],
        baseline_fall_per_year=2,
        candidate_fall_per_year=3,
        hosting_fall_per_year=1.5,
        uncertainty=SURE,
        draws=100,
    )
    before, after = [0.0], [10 * 700 + 500 + 1500.0]
    for t in range(12):
        step = RAMP[min(t, 3)]
        volume = 100_000 * 1.05**t
        old, new, rent = 0.004 * 2 ** (-t / 12), 0.001 * 3 ** (-t / 12), 1.5 ** (-t / 12)
        due = 350 if t < 6 else 0
        own = (300 if t == 0 else 310) * rent
        before.append(max(volume * old, due) + own)
        after.append(
            max(volume * old * (1 - step.moved), due)
            + volume * new * (step.moved + step.doubled)
            + own * step.old_on
            + 400 * rent
            + 200 * step.both_on
            + (900 if t == 2 else 0)
        )
    assert [row.before_usd for row in found.rows] == pytest.approx(before)
    assert [row.after_usd for row in found.rows] == pytest.approx(after)
    saving = [b - a for b, a in zip(before, after, strict=True)]
    assert found.totals.saving_usd == pytest.approx(sum(saving))
    assert found.totals.npv_usd == pytest.approx(sum(s * 1.1 ** (-m / 12) for m, s in enumerate(saving)))
    # Without anything unknown every draw is the stated one.
    assert found.total_saving == pytest.approx((sum(saving),) * 3)
    assert found.npv == pytest.approx((found.totals.npv_usd,) * 3)
    assert found.saving_per_month == pytest.approx((sum(saving) / 12 + (9000 + 900) / 12,) * 3)
    parts = ("api_usd", "hosting_usd", "idle_usd", "dual_usd", "one_off_usd", "quality_usd")
    for row in found.rows:
        assert math.fsum(getattr(row, part) for part in parts) == pytest.approx(row.after_usd)
    last = 100_000 * 1.05**11 * (0.004 * 2 ** (-11 / 12) - 0.001 * 3 ** (-11 / 12))
    assert found.full_saving_per_month.p50 == pytest.approx(last + (310 - 400) * 1.5 ** (-11 / 12))


def _by_loop(saving: list[float]) -> int | None:
    for month in range(len(saving)):
        if all(sum(saving[: later + 1]) >= -1e-9 for later in range(month, len(saving))):
            return month
    return None


@pytest.mark.parametrize(("days", "month"), [(0, 0), (1, 1), (2.5, 2), (25, 20), (30, 24), (31, None)])
def test_payback_is_the_month_from_which_on_nothing_is_owed(days: float, month: int | None) -> None:
    found = twelve_month_budget(
        100_000, 0.011, 0.001, ramp=[1.0], one_off=OneOffCosts(days, 800), uncertainty=SURE, draws=100
    )
    assert found.payback.stated == month == _by_loop([-800 * days] + [1000.0] * 24)
    assert found.payback[1:4] == (month,) * 3
    assert found.payback.within(24) == (0.0 if month is None else 1.0)


def test_loss_after_payback_undoes_it() -> None:
    """Machines that grow dearer: what was paid back is lost again."""
    found = twelve_month_budget(
        100_000,
        0.011,
        0.001,
        ramp=[1.0],
        candidate_hosting_usd=[0.0] * 6 + [5000.0],
        one_off=OneOffCosts(1),
        uncertainty=SURE,
        draws=100,
    )
    assert found.payback.stated is None
    assert found.payback.words() == "never (p10 never, p90 never); 100% never within 24 months"


def test_dearer_candidate_never_pays_even_without_investment() -> None:
    found = twelve_month_budget(1000, 0.001, 0.002, draws=200)
    assert (found.payback.stated, found.payback.p10, found.probability_saving) == (None, None, 0.0)


def test_draws_follow_the_ranges() -> None:
    """One thing unknown at a time: the quantiles of a triangle, in closed form."""
    only = BudgetUncertainty(Range(0.5, 1.0, 2.1), *(Range(1, 1, 1),) * 5)
    found = twelve_month_budget(100_000, 0.002, 0.001, ramp=[1.0], uncertainty=only, draws=40_000)
    low = 0.5 + math.sqrt(0.1 * 1.6 * 0.5)
    high = 2.1 - math.sqrt(0.1 * 1.6 * 1.1)
    assert found.rows[1].p10 == pytest.approx(100 * low, rel=0.01)
    assert found.rows[1].p90 == pytest.approx(100 * high, rel=0.01)
    assert found.total_saving.p90 == pytest.approx(1200 * high, rel=0.01)


def test_payback_quantiles_count_the_draws() -> None:
    """A project that costs between 1,000 and 9,000 against $500 a month, both drawn again here."""
    unknown = BudgetUncertainty(*(Range(1, 1, 1),) * 5, one_off=Range(0.2, 1.0, 2.6))
    found = twelve_month_budget(
        50_000, 0.011, 0.001, ramp=[1.0], one_off=OneOffCosts(10, 500), uncertainty=unknown, draws=20_000
    )
    cost = 5000 * np.random.default_rng(0).triangular(0.2, 1.0, 2.6, 200_000)
    months = np.ceil(cost / 500)
    assert found.payback.within(12) == pytest.approx((months <= 12).mean(), abs=0.01)
    wanted = [int(np.quantile(months, level, method="inverted_cdf")) for level in (0.1, 0.5, 0.9)]
    assert list(found.payback[1:4]) == wanted
    assert found.payback.within(24) == pytest.approx((months <= 24).mean(), abs=0.01)


def test_cost_may_be_a_range_or_a_function() -> None:
    """Those are taken as they are: no range of prices or lengths on top."""
    for cost in (Range(0.001, 0.001, 0.001), lambda random, n: np.full(n, 0.001)):
        found = twelve_month_budget(
            100_000,
            cost,  # type: ignore[arg-type]
            0.0,
            ramp=[1.0],
            uncertainty=BudgetUncertainty(Range(1, 1, 1)),
            draws=500,
        )
        assert found.rows[5].before_usd == pytest.approx(100)
        assert (found.rows[5].p10, found.rows[5].p90) == pytest.approx((100, 100))


def test_replies_count_where_asked_for() -> None:
    effect = ReplyEffect(0.03, 0.9, 0.8, 1.0125)
    options: dict[str, Any] = {"ramp": [0.5, 1.0], "uncertainty": SURE, "draws": 40_000}
    plain = twelve_month_budget(10_000, 0.01, 0.001, **options)
    found = twelve_month_budget(10_000, 0.01, 0.001, effect=effect, value_per_reply=20, **options)
    assert [row.quality_usd for row in plain.rows] == [0.0] * 13
    assert found.rows[1].quality_usd == pytest.approx(0.5 * 10_000 * 0.003 * 20)
    assert found.rows[2].after_usd - plain.rows[2].after_usd == pytest.approx(600)
    assert plain.rows[2].p50 - found.rows[2].p50 == pytest.approx(600, rel=0.02)
    assert found.rows[2].p90 - found.rows[2].p10 > 300


def test_contract_is_ended_where_the_penalty_is_less() -> None:
    """$500 a month for ten months: nothing of it is used from month 2 on, so $4,500 are at stake."""
    for penalty, once, idle in ((1000.0, 1000.0, 0.0), (5000.0, 0.0, 4500.0), (None, 0.0, 4500.0)):
        found = twelve_month_budget(
            100_000,
            0.005,
            0.001,
            ramp=[0.0, 1.0],
            commitments=[Commitment("reserved", 500, 10, penalty_usd=penalty)],
            uncertainty=SURE,
            draws=100,
        )
        assert found.totals.one_off_usd == pytest.approx(once)
        assert found.totals.idle_usd == pytest.approx(idle)


def test_contract_binds_without_the_migration_too() -> None:
    found = twelve_month_budget(
        100, 0.005, 0.001, commitments=[Commitment("a", 30, 24), Commitment("b", 20, 2)],
        uncertainty=SURE, draws=100,
    )  # fmt: skip
    assert [row.before_usd for row in found.rows[1:4]] == pytest.approx([50, 50, 30])


def test_new_contract_belongs_to_the_candidate_alone() -> None:
    found = twelve_month_budget(
        100, 0.005, 0.001, commitments=[Commitment("gpu", 700, 24, "candidate-hosting")],
        uncertainty=SURE, draws=100,
    )  # fmt: skip
    assert found.rows[12].before_usd == pytest.approx(0.5)
    assert found.rows[12].idle_usd == pytest.approx(700)


def test_draws_repeat_by_their_seed() -> None:
    def run(seed: int) -> tuple[float, ...]:
        return twelve_month_budget(100_000, 0.004, 0.001, one_off=ONCE, seed=seed, draws=300).total_saving

    assert run(1) == run(1) != run(2)


def test_result_shows_itself() -> None:
    found = twelve_month_budget(100_000, 0.004, 0.001, one_off=ONCE, draws=300)
    frame = found.to_pandas()
    assert list(frame["month"]) == list(range(13))
    assert (frame.saving_usd == frame.before_usd - frame.after_usd).all()
    assert "today" in found._repr_html_()
    assert "payback" in str(found)


def test_ten_thousand_draws_take_less_than_a_second() -> None:
    begin = time.process_time()
    twelve_month_budget(100_000, 0.004, 0.001, one_off=ONCE)
    assert time.process_time() - begin < 1


def test_months_of_a_contract_count_what_has_begun() -> None:
    today = date(2026, 11, 28)
    ends = {date(2026, 11, 27): 0, today: 0, date(2026, 11, 29): 1, date(2027, 11, 28): 12}
    assert {end: months_until(today, end) for end in ends} == ends


def test_payback_beyond_the_horizon_is_not_known() -> None:
    with pytest.raises(UsageError, match="horizon"):
        Payback(1, 1, 1, 1, (0.0, 1.0)).within(2)


@pytest.mark.parametrize(
    ("what", "options"),
    [
        ("messages_per_month", {"messages_per_month": -1}),
        ("messages_per_month", {"messages_per_month": math.nan}),
        ("baseline_usd", {"baseline_usd": -0.1}),
        ("baseline_usd", {"baseline_usd": Range(3, 2, 1)}),
        ("candidate_usd", {"candidate_usd": lambda random, n: np.full(n, -1.0)}),
        ("candidate_usd", {"candidate_usd": lambda random, n: np.ones(3)}),
        ("months", {"months": 0}),
        ("months", {"months": 1.5}),
        ("draws", {"draws": 10}),
        ("seed", {"seed": -1}),
        ("growth_per_month", {"growth_per_month": -1}),
        ("growth_per_month", {"growth_per_month": 2}),
        ("discount_per_year", {"discount_per_year": -1}),
        ("value_per_reply", {"value_per_reply": math.inf}),
        ("baseline_fall_per_year", {"baseline_fall_per_year": 0.5}),
        ("candidate_hosting_usd", {"candidate_hosting_usd": []}),
        ("candidate_hosting_usd", {"candidate_hosting_usd": [100, -1]}),
        ("ramp", {"ramp": []}),
    ],
)
def test_budget_that_cannot_be_meant(what: str, options: dict[str, Any]) -> None:
    given: dict[str, Any] = {"messages_per_month": 1000, "baseline_usd": 0.01, "candidate_usd": 0.001}
    with pytest.raises(UsageError, match=what):
        twelve_month_budget(**{**given, **options})


@pytest.mark.parametrize(
    "make",
    [
        lambda: OneOffCosts(engineering_days=-1),
        lambda: Commitment("a", -1, 3),
        lambda: Commitment("a", 1, 1.5),  # type: ignore[arg-type]
        lambda: Commitment("a", 1, 3, "rent"),  # type: ignore[arg-type]
        lambda: Commitment("a", 1, 3, penalty_usd=math.nan),
        lambda: BudgetUncertainty(Range(2, 1, 3)),
        lambda: BudgetUncertainty(Range(-1, 1, 3)),
    ],
)
def test_parts_that_cannot_be_meant(make: Callable[[], object]) -> None:
    with pytest.raises(UsageError):
        make()


def test_whole_numbers_may_come_as_floats() -> None:
    """As parameters of notebooks and of TOML do."""
    one = twelve_month_budget(1000, 0.01, 0.001, months=6, draws=200, seed=3)
    other = twelve_month_budget(1000, 0.01, 0.001, months=6.0, draws=200.0, seed=3.0)  # type: ignore[arg-type]
    assert one == other


def test_price_that_is_not_known_is_not_free() -> None:
    with pytest.raises(UsageError, match="candidate_usd must be a number; it is None"):
        twelve_month_budget(1000, 0.01, None)  # type: ignore[arg-type]


def test_volume_and_lengths_that_rise_together_widen_the_saving_and_nothing_else() -> None:
    """Against draws of its own: triangles of normal scores that are part common, part their own."""
    wide = Range(0.7, 1.0, 1.5)
    rng = np.random.default_rng(5)
    for correlation in (0.0, 0.5):
        unknown = BudgetUncertainty(wide, wide, *(Range(1, 1, 1),) * 4, correlation=correlation)
        found = twelve_month_budget(
            100_000, 0.002, 0.001, ramp=[1.0], months=1, uncertainty=unknown, draws=40_000
        ).rows[1]
        scores = math.sqrt(correlation) * rng.standard_normal((100_000, 1)) + math.sqrt(
            1 - correlation
        ) * rng.standard_normal((100_000, 2))
        law = stats.triang(c=0.3 / 0.8, loc=0.7, scale=0.8)
        product = 100 * law.ppf(stats.norm.cdf(scores)).prod(axis=1)
        assert [found.p10, found.p50, found.p90] == pytest.approx(
            np.quantile(product, [0.1, 0.5, 0.9]), rel=0.01
        )
        assert found.saving_usd == pytest.approx(100)


def test_a_correlation_of_volume_and_lengths_lies_below_1() -> None:
    with pytest.raises(UsageError, match="correlation of messages and lengths must lie from 0"):
        BudgetUncertainty(correlation=1.0)
