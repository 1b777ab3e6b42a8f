from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import betaln

from llmbench.errors import UsageError
from llmbench.stats import expected_loss, probability_best, probability_ratio_above

arms = st.lists(
    st.integers(0, 3000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), min_size=2, max_size=4
)


def test_published_probability(validation: Path) -> None:
    found = json.loads((validation / "abtest" / "cases.json").read_text(encoding="utf-8"))["cases"]
    case = next(each for each in found if each["id"] == "bt-3arm-prob")
    given_ = case["inputs"]
    best = probability_best(given_["successes"], given_["totals"], tuple(given_["prior"]))
    assert best.tolist() == pytest.approx(case["expected"]["prob_best"], abs=case["tolerance"])
    # That source drew samples; the file has the exact values beside.
    assert best.tolist() == pytest.approx(case["recomputed"]["prob_best"], abs=1e-9)


def beats(a1: int, b1: int, a2: int, b2: int) -> float:
    """P(first > second) of two betas with whole parameters: Miller (2014), a finite sum."""
    return math.fsum(
        math.exp(betaln(a2 + i, b1 + b2) - math.log(b1 + i) - betaln(1 + i, b1) - betaln(a2, b2))
        for i in range(a1)
    )


@pytest.mark.parametrize(
    ("x1", "n1", "x2", "n2"),
    [
        (49, 100, 51, 100),
        (2, 10, 4, 103),
        (0, 30, 0, 4000),
        (270, 9000, 30, 1000),
        (9, 9, 3, 4),
        (500, 10**6, 3, 9),
    ],
)
def test_two_arms_have_a_closed_form(x1: int, n1: int, x2: int, n2: int) -> None:
    expected = beats(x1 + 1, n1 - x1 + 1, x2 + 1, n2 - x2 + 1)
    assert probability_best([x1, x2], [n1, n2], (1, 1))[0] == pytest.approx(expected, abs=1e-11)
    assert probability_ratio_above([x1, x2], [n1, n2], 1.0, (1, 1)) == pytest.approx(expected, abs=1e-11)


@pytest.mark.parametrize(
    ("successes", "totals"),
    [
        ([0, 0], [10, 200]),
        ([30, 36], [1000, 9000]),
        ([1, 2, 3, 4, 5], [100] * 5),
        ([3, 300_000], [10, 10**7]),
        ([10**7, 10**7 - 3], [10**7, 10**7]),
        ([0, 0, 1], [0, 10, 10]),
    ],
)
def test_integrals_are_those_of_drawn_rates(successes: list[int], totals: list[int]) -> None:
    x, n = np.array(successes), np.array(totals)
    drawn = np.random.default_rng(20250123).beta(x + 0.5, n - x + 0.5, size=(200_000, len(x)))
    wins = np.bincount(drawn.argmax(axis=1), minlength=len(x)) / len(drawn)
    assert probability_best(successes, totals).tolist() == pytest.approx(wins.tolist(), abs=0.005)
    losses = drawn.max(axis=1, keepdims=True) - drawn
    error = 5 * losses.std(axis=0) / math.sqrt(len(drawn)) + 1e-12
    assert (np.abs(expected_loss(successes, totals) - losses.mean(axis=0)) < error).all()
    if len(x) == 2:
        for ratio in (0.5, 0.9, 1.1, 3.0):
            assert probability_ratio_above(successes, totals, ratio) == pytest.approx(
                np.mean(drawn[:, 0] > ratio * drawn[:, 1]), abs=0.005
            )


@settings(deadline=None, max_examples=60)
@given(arms)
def test_what_must_hold_of_any_arms(counts: list[tuple[int, int]]) -> None:
    x, n = np.array(counts).T
    best, loss = probability_best(x, n), expected_loss(x, n)
    assert best.sum() == pytest.approx(1.0)
    assert (best >= 0).all()
    assert (loss >= 0).all()
    # The losses differ by the posterior means, whatever the best rate is.
    means = (x + 0.5) / (n + 1)
    assert (loss - loss[0]).tolist() == pytest.approx((means[0] - means).tolist(), abs=1e-10)
    order = np.argsort(n, kind="stable")
    assert probability_best(x[order], n[order]).tolist() == pytest.approx(best[order].tolist(), abs=1e-10)
    if len(x) == 2:
        assert probability_ratio_above(x, n) == pytest.approx(best[0], abs=1e-9)


def test_equal_arms_of_any_size_are_even() -> None:
    for x, n in [(0, 0), (0, 5), (30, 10**7), (5 * 10**6, 10**7), (10**7, 10**7)]:
        assert probability_best([x, x], [n, n]).tolist() == pytest.approx([0.5, 0.5], abs=1e-10)
        assert probability_ratio_above([x, x], [n, n]) == pytest.approx(0.5, abs=1e-9)


def test_large_counts_are_normal() -> None:
    x, n = np.array([300_000, 301_500]), np.array([10**7, 10**7])
    p = x / n
    spread = math.sqrt((p * (1 - p) / n).sum())
    z = (p[0] - p[1]) / spread
    normal = 0.5 * math.erfc(-z / math.sqrt(2))
    assert probability_best(x, n)[0] == pytest.approx(normal, abs=2e-4)
    density = math.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)
    assert expected_loss(x, n)[1] == pytest.approx(spread * (density + z * normal), rel=0.01)


def test_ratio_falls_from_one_to_zero() -> None:
    ratios = [1e-9, 0.3, 0.8, 0.9, 1.0, 1.2, 2.0, 1e9]
    found = [probability_ratio_above([30, 270], [1000, 9000], ratio) for ratio in ratios]
    assert found == sorted(found, reverse=True)
    assert found[0] == pytest.approx(1.0)
    assert found[-1] == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"successes": [1]}, "one per arm"),
        ({"successes": [1], "totals": [2]}, "two arms or more"),
        ({"successes": [11, 1]}, "between 0 and totals"),
        ({"successes": [0.5, 1]}, "whole numbers"),
        ({"successes": [-1, 1]}, "between 0 and totals"),
        ({"prior": (0, 1)}, "above 0"),
        ({"prior": 0.5}, "a pair of numbers"),
    ],
)
def test_bad_input_is_refused(change: dict[str, Any], message: str) -> None:
    for function in (probability_best, expected_loss, probability_ratio_above):
        with pytest.raises(UsageError, match=message):
            function(**{"successes": [1, 2], "totals": [10, 10], **change})


def test_bad_ratio_is_refused() -> None:
    with pytest.raises(UsageError, match="ratio must be above 0"):
        probability_ratio_above([1, 2], [10, 10], 0.0)
    with pytest.raises(UsageError, match="two arms"):
        probability_ratio_above([1, 2, 3], [10, 10, 10])
