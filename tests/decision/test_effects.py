"""What a model does to replies, against integrals and draws."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import integrate, stats

from llmbench.decision.effects import ReplyEffect, Spread, check_amount, check_whole, spread_of
from llmbench.errors import UsageError

RATIO = ReplyEffect(0.03, 0.97, 0.88, 1.07)
DIFFERENCE = ReplyEffect(0.03, -0.001, -0.004, 0.002, scale="difference")


@pytest.mark.parametrize("below", [0.8, 0.9, 1.0, 1.05])
def test_loss_of_a_ratio_is_the_integral_over_the_lognormal(below: float) -> None:
    law = stats.lognorm(RATIO.spread, scale=RATIO.value)
    wanted, _ = integrate.quad(lambda x: -RATIO.change(x) * law.pdf(x), 0.5, below, limit=200)
    assert RATIO.loss_below(below) == pytest.approx(wanted, abs=1e-10)
    assert RATIO.probability_below(below) == pytest.approx(law.cdf(below))


@pytest.mark.parametrize("below", [-0.002, 0.0, 0.001])
def test_loss_of_a_difference_is_the_integral_over_the_normal(below: float) -> None:
    law = stats.norm(DIFFERENCE.value, DIFFERENCE.spread)
    wanted, _ = integrate.quad(lambda x: -x * law.pdf(x), -0.02, below, limit=200)
    assert DIFFERENCE.loss_below(below) == pytest.approx(wanted, abs=1e-10)
    assert DIFFERENCE.probability_below(below) == pytest.approx(law.cdf(below))


@pytest.mark.parametrize("effect", [RATIO, DIFFERENCE])
def test_draws_agree_with_the_closed_forms(effect: ReplyEffect) -> None:
    change = effect.draw(np.random.default_rng(1).standard_normal(400_000))
    assert change.mean() == pytest.approx(effect.expected_change, abs=4 * change.std() / 632)
    lost = np.maximum(0, -change)
    assert lost.mean() == pytest.approx(effect.expected_loss, abs=4 * lost.std() / 632)
    assert (change < 0).mean() == pytest.approx(effect.probability_below(effect.no_change), abs=0.004)


def test_interval_of_the_distribution_is_the_one_given() -> None:
    """As wide as it was, about the value."""
    change = RATIO.draw(np.array([-1.959964, 0, 1.959964])) / 0.03 + 1
    assert change[1] == pytest.approx(0.97)
    assert change[2] / change[0] == pytest.approx(1.07 / 0.88)


def test_effect_that_is_known_has_no_spread() -> None:
    sure = ReplyEffect(0.03, 0.9, 0.9, 0.9)
    assert (sure.spread, sure.probability_below(1.0), sure.probability_below(0.9)) == (0.0, 1.0, 0.0)
    assert sure.expected_loss == pytest.approx(0.003)
    sure = ReplyEffect(0.03, 0.002, 0.002, 0.002, scale="difference")
    assert sure.expected_loss == 0.0


def test_spread_holds_the_quantiles() -> None:
    assert spread_of(np.arange(101.0)) == Spread(10, 50, 90)


@pytest.mark.parametrize(
    "changed",
    [
        {"reply_rate": 0.0},
        {"reply_rate": 1.0},
        {"low": 0.0},
        {"low": 0.98},
        {"high": float("inf")},
        {"value": float("nan")},
        {"scale": "odds"},
        {"confidence": 95},
    ],
)
def test_effect_that_cannot_be_meant(changed: dict[str, float]) -> None:
    fields = {"reply_rate": 0.03, "value": 0.97, "low": 0.88, "high": 1.07}
    with pytest.raises(UsageError):
        ReplyEffect(**{**fields, **changed})  # type: ignore[arg-type]


def test_amounts_may_be_of_numpy() -> None:
    assert check_amount("n", np.int64(3)) == 3.0
    with pytest.raises(UsageError, match="n must be a number"):
        check_amount("n", True)
    with pytest.raises(UsageError, match="n must be above 0"):
        check_amount("n", 0, above=True)


def test_whole_numbers_may_come_as_floats() -> None:
    assert check_whole("n", 3.0) == 3
    for value in (2.5, -1, float("nan"), "3", None):
        with pytest.raises(UsageError, match="n must be"):
            check_whole("n", value)
