from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import multinomial, norm

from llmbench.errors import UsageError
from llmbench.stats import Interval, tango_interval, tango_statistic

tables = st.integers(2, 300).flatmap(
    lambda n: st.tuples(st.integers(0, n), st.just(n)).flatmap(
        lambda t: st.tuples(st.just(t[0]), st.integers(0, t[1] - t[0]), st.just(t[1]))
    )
)


@pytest.mark.parametrize(
    ("b", "c", "n", "confidence", "expected", "tolerance"),
    [
        # Cavo (2012), complete response: Fagerland, Lydersen and Laake (2017), chapter 8.
        (6, 16, 161, 0.95, (-0.1240, -0.0054), 6e-5),
        # Bentur (2009), airway hyper-responsiveness: same book, printed to three digits.
        (1, 7, 21, 0.95, (-0.517, -0.026), 6e-4),
        # R's PropCIs, scoreci.mp(25, 28, 618), which takes second minus first.
        (28, 25, 618, 0.90, (-0.0148, 0.0247), 6e-5),
    ],
)
def test_published_intervals(
    b: int, c: int, n: int, confidence: float, expected: tuple[float, float], tolerance: float
) -> None:
    assert tango_interval(b, c, n, confidence) == pytest.approx(expected, abs=tolerance)


def _statistic_by_definition(b: int, c: int, n: int, difference: float) -> float:
    """The score statistic with the probability q of "only the second" found on nested grids."""

    def log_likelihood(q: Any) -> Any:
        with np.errstate(divide="ignore", invalid="ignore"):
            terms = [(b, q + difference), (c, q), (n - b - c, 1 - 2 * q - difference)]
            return sum(
                np.where(count == 0, 0.0, count * np.log(np.maximum(share, 0))) for count, share in terms
            )

    low, high = max(0.0, -difference), (1 - difference) / 2
    for _ in range(12):
        grid = np.linspace(low, high, 201)
        best = int(np.argmax(log_likelihood(grid)))
        low, high = grid[max(0, best - 1)], grid[min(200, best + 1)]
    q = (low + high) / 2
    return float((b - c - n * difference) / math.sqrt(n * (2 * q + difference - difference**2)))


@pytest.mark.parametrize(
    ("b", "c", "n"),
    [(6, 16, 161), (1, 7, 21), (0, 5, 40), (9, 0, 50), (12, 12, 24), (3, 30, 33), (2, 1, 900)],
)
def test_statistic_is_that_of_the_constrained_likelihood(b: int, c: int, n: int) -> None:
    for difference in (-0.9, -0.4, -0.05, -0.001, 0.002, 0.03, 0.3, 0.8):
        assert tango_statistic(b, c, n, difference) == pytest.approx(
            _statistic_by_definition(b, c, n, difference), rel=1e-5, abs=1e-5
        )


@pytest.mark.parametrize(
    ("b", "c", "n"), [(6, 16, 161), (1, 7, 21), (0, 0, 30), (0, 5, 5), (4, 0, 4), (12, 12, 24), (1, 0, 2)]
)
def test_interval_is_the_score_test_inverted_on_a_fine_grid(b: int, c: int, n: int) -> None:
    z = norm.ppf(0.975)
    accepted = [d for d in np.linspace(-1, 1, 20001) if abs(tango_statistic(b, c, n, d)) <= z]
    low, high = tango_interval(b, c, n)
    assert low == pytest.approx(min(accepted), abs=1.01e-4)
    assert high == pytest.approx(max(accepted), abs=1.01e-4)
    assert len(accepted) == pytest.approx((high - low) * 1e4, abs=2)


@settings(max_examples=60, deadline=None)
@given(tables, st.sampled_from([0.8, 0.9, 0.95, 0.99]))
def test_interval_holds_the_estimate_and_mirrors(table: tuple[int, int, int], confidence: float) -> None:
    b, c, n = table
    low, high = tango_interval(b, c, n, confidence)
    assert -1 <= low <= (b - c) / n <= high <= 1
    assert low < high
    assert tango_interval(c, b, n, confidence) == pytest.approx((-high, -low), abs=1e-9)
    z = norm.ppf(0.5 + confidence / 2)
    if low > -1:
        assert tango_statistic(b, c, n, low) == pytest.approx(z, abs=1e-6)
    if high < 1:
        assert tango_statistic(b, c, n, high) == pytest.approx(-z, abs=1e-6)


@settings(max_examples=60, deadline=None)
@given(tables)
def test_statistic_falls_as_the_difference_grows_and_is_mcnemars_at_zero(
    table: tuple[int, int, int],
) -> None:
    b, c, n = table
    statistics = [tango_statistic(b, c, n, d) for d in np.linspace(-1, 1, 101)]
    assert all(later <= earlier + 1e-9 for earlier, later in pairwise(statistics))
    expected = (b - c) / math.sqrt(b + c) if b + c else 0.0
    assert tango_statistic(b, c, n) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("n", [1, 2, 30, 10_000])
def test_no_discordant_items_have_the_closed_form(n: int) -> None:
    z = norm.ppf(0.975)
    assert tango_interval(0, 0, n) == pytest.approx((-(z**2) / (n + z**2), z**2 / (n + z**2)))


def test_all_items_discordant_one_way() -> None:
    # Then the statistic is √n·√((1 - δ)/(1 + δ)), which equals z at (n - z²)/(n + z²).
    z2 = norm.ppf(0.975) ** 2
    assert tango_interval(40, 0, 40) == pytest.approx(((40 - z2) / (40 + z2), 1.0))
    assert tango_interval(0, 40, 40) == pytest.approx((-1.0, -(40 - z2) / (40 + z2)))


@pytest.mark.parametrize("n", [50, 120])
@pytest.mark.parametrize(
    ("discordance", "difference"),
    [(0.1, 0.0), (0.2, 0.0), (0.2, 0.1), (0.2, -0.03), (0.3, -0.15), (0.5, 0.2), (0.4, 0.3)],
)
def test_coverage_by_enumeration(n: int, discordance: float, difference: float) -> None:
    shares = [(discordance + difference) / 2, (discordance - difference) / 2, 1 - discordance]
    b, c = np.array([(b, c) for b in range(n + 1) for c in range(n + 1 - b)]).T
    chances = multinomial.pmf(np.stack([b, c, n - b - c], axis=1), n, shares)
    # What is left out cannot move the coverage by more than its own chance.
    likely = chances > 1e-7
    assert chances[likely].sum() > 0.9995
    intervals = [tango_interval(int(i), int(j), n) for i, j in zip(b[likely], c[likely], strict=True)]
    covers = np.array([low <= difference <= high for low, high in intervals])
    assert 0.93 <= chances[likely][covers].sum() <= 0.97


@pytest.mark.parametrize(
    ("arguments", "parameter"),
    [
        ((3, 3, 5), "only_first"),
        ((-1, 3, 5), "only_first"),
        ((1, 0.5, 5), "only_second"),
        ((0, 0, 0), "n"),
    ],
)
def test_bad_counts_name_the_parameter(arguments: tuple[Any, ...], parameter: str) -> None:
    for function in (tango_interval, tango_statistic):
        with pytest.raises(UsageError, match=f"^{parameter}"):
            function(*arguments)


def test_bad_difference_and_confidence_name_the_parameter() -> None:
    with pytest.raises(UsageError, match=r"^difference"):
        tango_statistic(1, 1, 5, 1.5)
    with pytest.raises(UsageError, match=r"^confidence"):
        tango_interval(1, 1, 5, 0)


def test_result_is_an_interval_of_floats() -> None:
    interval = tango_interval(1, 2, 10)
    assert isinstance(interval, Interval)
    assert all(type(limit) is float for limit in interval)
