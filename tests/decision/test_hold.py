"""What a wrong decision and a late one cost, against draws and sums by hand."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from llmbench.decision.effects import ReplyEffect, Spread
from llmbench.decision.hold import cost_of_hold, revenue_at_risk
from llmbench.decision.rollback import rollback_trigger
from llmbench.errors import UsageError

EFFECT = ReplyEffect(0.03, 0.97, 0.88, 1.07)
DIFFERENCE = ReplyEffect(0.03, -0.001, -0.004, 0.002, scale="difference")


def _changes(effect: ReplyEffect) -> Any:
    """Replies per message, drawn with another generator."""
    normal = np.random.default_rng(7).normal(size=1_000_000)
    if effect.scale == "difference":
        return effect.value + 0.006 / (2 * 1.959964) * normal
    sd = math.log(1.07 / 0.88) / (2 * 1.959964)
    return 0.03 * (np.exp(math.log(0.97) + sd * normal) - 1)


@pytest.mark.parametrize(
    ("effect", "below", "limit"), [(EFFECT, 0.95, -0.0015), (DIFFERENCE, -0.002, -0.002)]
)
def test_risk_is_the_mean_of_what_is_lost(effect: ReplyEffect, below: float, limit: float) -> None:
    found = revenue_at_risk(effect, 20, 100_000, share=0.5, wrong_below=below)
    change = _changes(effect)
    usd = 100_000 * 0.5 * 20
    assert found.expected_usd == pytest.approx(usd * np.maximum(0, -change).mean(), rel=0.01)
    assert found.probability_wrong == pytest.approx((change < limit).mean(), abs=0.002)
    assert found.if_wrong_usd == pytest.approx(-usd * change[change < limit].mean(), rel=0.01)


def test_bad_end_is_that_of_the_interval() -> None:
    found = revenue_at_risk(EFFECT, 20, 100_000, days_to_trigger=365 / 12)
    assert found.worst_usd == pytest.approx(100_000 * 0.03 * 0.12 * 20)
    assert found.worst_until_trigger_usd == pytest.approx(found.worst_usd)
    assert found.expected_until_trigger_usd == pytest.approx(found.expected_usd)
    assert revenue_at_risk(DIFFERENCE, 20, 1000).worst_usd == pytest.approx(80)


def test_each_loss_goes_on_for_its_own_time() -> None:
    """The greater the loss, the sooner it is found: the mean over the distribution, drawn here."""

    def days(ratio: float) -> float:
        return 10 + 100 * ratio**4

    found = revenue_at_risk(EFFECT, 20, 100_000, wrong_below=0.95, days_to_trigger=days)
    ratio = _changes(EFFECT) / 0.03 + 1
    lost = 60_000 * (1 - ratio) * (10 + 100 * ratio**4) * 12 / 365
    assert found.expected_until_trigger_usd == pytest.approx(np.where(ratio < 1, lost, 0).mean(), rel=0.01)
    assert found.if_wrong_until_trigger_usd == pytest.approx(lost[ratio < 0.95].mean(), rel=0.01)
    assert found.worst_until_trigger_usd == pytest.approx(7200 * days(0.88) * 12 / 365)
    assert found.days_at_worst == days(0.88)


def test_rollback_rule_tells_how_long() -> None:
    rule = rollback_trigger(0.03, 3300, 0.25)
    found = revenue_at_risk(EFFECT, 20, 3300 * 365 / 12, share=0.25, days_to_trigger=rule.days_to_rollback)
    assert found.days_at_worst == rule.days_to_rollback(0.88)
    assert found.expected_until_trigger_usd is not None
    assert found.expected_until_trigger_usd > found.expected_usd  # small losses go on for months


def test_nothing_is_at_risk_where_replies_are_won_for_sure() -> None:
    found = revenue_at_risk(ReplyEffect(0.03, 1.1, 1.1, 1.1), 20, 100_000)
    assert (found.expected_usd, found.if_wrong_usd, found.worst_usd) == (0.0, None, 0.0)
    assert found.expected_until_trigger_usd is None
    assert found.to_pandas().isna().to_numpy().sum() == 4
    assert "unknown" in found._repr_html_()


def test_week_of_hold_is_saving_less_risk() -> None:
    found = cost_of_hold(EFFECT, 20, 100_000, Spread(1000, 2000, 4000), weeks=2, draws=200_000)
    time = 14 / (365 / 12)
    normal = np.random.default_rng(3).normal(size=1_000_000)
    saving = 2000 + np.where(normal < 0, 1000, 2000) * normal / 1.2815516
    cost = time * (saving + 2_000_000 * _changes(EFFECT))
    assert list(found.net) == pytest.approx(np.quantile(cost, [0.1, 0.5, 0.9]), rel=0.02, abs=20)
    assert found.saving_usd == pytest.approx(time * saving.mean(), rel=0.01)
    assert found.mean_usd == pytest.approx(cost.mean(), abs=15)
    assert found.probability_costs == pytest.approx((cost > 0).mean(), abs=0.005)


def test_spread_of_the_saving_has_the_quantiles_it_was_given() -> None:
    """Without replies at stake only the saving is drawn."""
    found = cost_of_hold(EFFECT, 0, 100_000, Spread(-100, 50, 400), weeks=365 / 84, draws=200_000)
    assert list(found.net) == pytest.approx([-100, 50, 400], abs=4)


def test_hold_that_pays_says_so() -> None:
    found = cost_of_hold(ReplyEffect(0.03, 0.8, 0.75, 0.85), 20, 100_000, 500.0)
    assert found.mean_usd < 0
    assert str(found).startswith("a week of HOLD spares")
    assert "of replies not lost" in str(found)
    won = cost_of_hold(ReplyEffect(0.03, 1.2, 1.1, 1.3), 20, 100_000, 500.0)
    assert "of replies not won" in str(won)
    assert found.to_pandas().loc[0, "p10"] == found.net.p10
    assert "HOLD" in found._repr_html_()


def test_draws_repeat_by_their_seed() -> None:
    def run(seed: int) -> Spread:
        return cost_of_hold(EFFECT, 20, 1000, 100.0, seed=seed).net

    assert run(1) == run(1) != run(2)


@pytest.mark.parametrize(
    ("what", "options"),
    [
        ("messages_per_month", {"messages_per_month": -1}),
        ("value_per_reply", {"value_per_reply": math.nan}),
        ("share", {"share": 1.5}),
        ("days_to_trigger", {"days_to_trigger": -1}),
        ("wrong_below", {"wrong_below": math.inf}),
    ],
)
def test_risk_that_cannot_be_meant(what: str, options: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=what):
        revenue_at_risk(**{"effect": EFFECT, "value_per_reply": 1, "messages_per_month": 1, **options})


@pytest.mark.parametrize(
    ("what", "options"),
    [
        ("messages_per_month", {"messages_per_month": math.nan}),
        ("value_per_reply", {"value_per_reply": -1}),
        ("weeks", {"weeks": 0}),
        ("share", {"share": -0.5}),
        ("draws", {"draws": 3}),
        ("seed", {"seed": 1.5}),
        ("saving_per_month", {"saving_per_month": Spread(3, 2, 1)}),
        ("saving_per_month", {"saving_per_month": math.nan}),
    ],
)
def test_hold_that_cannot_be_meant(what: str, options: dict[str, Any]) -> None:
    given = {"effect": EFFECT, "value_per_reply": 1, "messages_per_month": 1, "saving_per_month": 1.0}
    with pytest.raises(UsageError, match=what):
        cost_of_hold(**{**given, **options})  # type: ignore[arg-type]
