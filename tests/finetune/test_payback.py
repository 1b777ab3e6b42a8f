"""When a training is earned."""

from __future__ import annotations

import math

import pytest

from llmbench.errors import UsageError
from llmbench.finetune.payback import RequestCost, payback


def test_break_even_by_hand() -> None:
    found = payback(RequestCost("tuned", 0.001, 10.0, 100.0), RequestCost("base", 0.002), 50_000)
    assert found.saving_per_month == pytest.approx(50 - 10)
    assert found.break_even_months == pytest.approx(2.5)
    assert found.break_even_requests == pytest.approx(125_000)
    assert found.known
    # The definition: after so many requests both have cost the same.
    months = found.break_even_months or 0
    assert 100 + months * 10 + 125_000 * 0.001 == pytest.approx(125_000 * 0.002)


def test_hosting_that_eats_the_saving_names_the_volume_from_which_it_pays() -> None:
    found = payback(RequestCost("tuned", 0.001, 100.0, 5.0), RequestCost("base", 0.002), 50_000)
    assert found.break_even_requests is None
    assert found.saving_per_month == pytest.approx(-50)
    assert "100,000 requests a month" in found.reason


def test_a_dearer_request_is_never_earned() -> None:
    found = payback(RequestCost("tuned", 0.003, 0.0, 5.0), RequestCost("base", 0.002), 50_000)
    assert found.break_even_months is None
    assert "never earned" in found.reason


@pytest.mark.parametrize(
    ("tuned", "words"),
    [
        (RequestCost("tuned", None, 0.0, 5.0), "not known of tuned"),
        (RequestCost("tuned", 0.001, 0.0, None), "training of tuned costs is not known"),
    ],
)
def test_an_unknown_price_is_no_zero(tuned: RequestCost, words: str) -> None:
    found = payback(tuned, RequestCost("base", 0.002), 1000)
    assert found.break_even_requests is None
    assert not found.known
    assert words in found.reason


def test_no_requests_earn_nothing() -> None:
    assert "nothing is earned" in payback(RequestCost("t", 0.1, 0, 1), RequestCost("b", 0.2), 0).reason


def test_free_training_is_earned_at_once() -> None:
    found = payback(RequestCost("t", 0.1, 0, 0.0), RequestCost("b", 0.2), 100)
    assert found.break_even_requests == 0
    assert "less than three days" in found.reason


@pytest.mark.parametrize("bad", [-1.0, math.nan, math.inf])
def test_bad_amounts_are_named(bad: float) -> None:
    with pytest.raises(UsageError, match="usd_per_request of 't'"):
        payback(RequestCost("t", bad), RequestCost("b", 0.2), 100)
    with pytest.raises(UsageError, match="requests_per_month"):
        payback(RequestCost("t", 0.1), RequestCost("b", 0.2), bad)
