from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, chi2_contingency, fisher_exact, hypergeom

from llmbench.errors import UsageError
from llmbench.stats import equality_test

METHODS = ("score", "pooled-z", "fisher", "fisher-midp", "boschloo", "barnard")
ALTERNATIVES = ("two-sided", "greater", "less")
arms = st.integers(1, 40).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@pytest.mark.parametrize(
    ("method", "counts", "p_value", "digits"),
    [
        # 7/34 against 1/34: the N - 1 test as in ratesci's documentation.
        ("score", (7, 34, 1, 34), 0.025, 3),
        # Fagerland, Lydersen and Laake (2017), chapter 4: Ritland et al., and the lady tasting tea.
        ("fisher", (0, 16, 15, 72), 0.06287, 5),
        ("fisher-midp", (0, 16, 15, 72), 0.04466, 5),
        ("pooled-z", (3, 4, 1, 4), 0.15730, 5),
        # Suissa and Shuster's there is Barnard's plus the γ = .0001 of Berger and Boos.
        ("barnard", (3, 4, 1, 4), 0.28916 - 0.0001, 5),
    ],
)
def test_published(method: Any, counts: Any, p_value: float, digits: int) -> None:
    assert equality_test(*counts, method=method).p_value == pytest.approx(p_value, abs=0.6 * 10**-digits)


def test_published_one_sided() -> None:
    """The examples of scipy's documentation, of Boschloo (satisfaction) and Barnard (a vaccine)."""
    boschloo = equality_test(74, 117, 31, 63, "greater", "boschloo")
    assert boschloo == pytest.approx((0.0483, 0.0355), abs=1e-4)
    barnard = equality_test(7, 15, 12, 15, "less", "barnard")
    assert barnard == pytest.approx((-1.894, 0.03407), abs=6e-4)
    assert equality_test(7, 15, 12, 15, "less", "fisher").p_value == pytest.approx(0.0640, abs=1e-4)


@settings(max_examples=80, deadline=None)
@given(arms, arms)
def test_pooled_z_is_pearson_and_score_has_one_unit_less(
    first: tuple[int, int], second: tuple[int, int]
) -> None:
    (x1, n1), (x2, n2) = first, second
    if 0 < x1 + x2 < n1 + n2:
        pearson = chi2_contingency([[x1, x2], [n1 - x1, n2 - x2]], correction=False)
        z = equality_test(*first, *second, method="pooled-z")
        assert z.statistic**2 == pytest.approx(float(pearson.statistic), abs=1e-9)
        assert z.p_value == pytest.approx(float(pearson.pvalue))
        score = equality_test(*first, *second)
        assert score.statistic**2 == pytest.approx(z.statistic**2 * (1 - 1 / (n1 + n2)), abs=1e-9)


@settings(max_examples=60, deadline=None)
@given(arms, arms, st.sampled_from(ALTERNATIVES))
def test_fisher_is_scipys(first: tuple[int, int], second: tuple[int, int], alternative: Any) -> None:
    (x1, n1), (x2, n2) = first, second
    expected = fisher_exact([[x1, x2], [n1 - x1, n2 - x2]], alternative=alternative)
    found = equality_test(*first, *second, alternative, "fisher")
    assert found.p_value == pytest.approx(float(expected.pvalue), rel=1e-6)
    if not math.isnan(found.statistic):
        assert found.statistic == pytest.approx(float(expected.statistic))


@settings(max_examples=60, deadline=None)
@given(arms, arms)
def test_mid_p_by_enumeration(first: tuple[int, int], second: tuple[int, int]) -> None:
    (x1, n1), (x2, n2) = first, second
    chances = [float(hypergeom.pmf(k, n1 + n2, x1 + x2, n1)) for k in range(n1 + 1)]
    below = sum(c for c in chances if c < chances[x1] * (1 - 1e-7))
    equal = sum(c for c in chances if chances[x1] * (1 - 1e-7) <= c <= chances[x1] * (1 + 1e-7))
    assert equality_test(*first, *second, method="fisher-midp").p_value == pytest.approx(below + equal / 2)
    upper = sum(chances[x1 + 1 :]) + chances[x1] / 2
    greater = equality_test(*first, *second, "greater", "fisher-midp")
    assert greater.p_value == pytest.approx(upper, abs=1e-12)
    assert equality_test(*first, *second, "less", "fisher-midp").p_value == pytest.approx(
        1 - upper, abs=1e-12
    )


@pytest.mark.parametrize("method", ["boschloo", "barnard"])
@pytest.mark.parametrize("counts", [(3, 6, 1, 5), (0, 4, 3, 5)])
def test_unconditional_by_enumeration(method: Any, counts: tuple[int, int, int, int]) -> None:
    """Largest chance over all common rates of an outcome as extreme, one-sided."""
    x1, n1, x2, n2 = counts

    def extremeness(k1: int, k2: int) -> float:
        if method == "barnard":
            return equality_test(k1, n1, k2, n2, "greater", "pooled-z").statistic
        return -equality_test(k1, n1, k2, n2, "greater", "fisher").p_value

    observed = extremeness(x1, x2)
    extreme = [
        (k1, k2) for k1 in range(n1 + 1) for k2 in range(n2 + 1) if extremeness(k1, k2) >= observed - 1e-9
    ]
    largest = max(
        sum(binom.pmf(k1, n1, p) * binom.pmf(k2, n2, p) for k1, k2 in extreme) for p in np.linspace(0, 1, 401)
    )
    found = equality_test(*counts, "greater", method)
    assert found.p_value == pytest.approx(largest, abs=2e-4)


@pytest.mark.parametrize("method", METHODS)
def test_directions_and_edges(method: Any) -> None:
    greater = equality_test(9, 20, 2, 30, "greater", method)
    less = equality_test(9, 20, 2, 30, "less", method)
    both = equality_test(9, 20, 2, 30, method=method)
    assert greater.p_value < 0.01 < 0.9 < less.p_value
    assert greater.p_value <= both.p_value <= 3 * greater.p_value
    for x1, x2 in ((0, 0), (10, 12)):
        for alternative in ALTERNATIVES:
            assert equality_test(x1, 10, x2, 12, alternative, method).p_value >= 0.5  # type: ignore[arg-type]
    assert all(math.isnan(value) for value in equality_test(0, 0, 1, 2, method=method))


def test_huge_counts_do_not_overflow() -> None:
    counts = 10**5, 10**8, 99_000, 10**8
    expected = equality_test(*counts).p_value
    for method in ("fisher", "fisher-midp"):
        assert equality_test(*counts, method=method).p_value == pytest.approx(expected, rel=0.01)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("arguments", "parameter"),
    [
        ((3, 2, 1, 2), "x1"),
        ((1, 2, 1, 2, "smaller"), "alternative"),
        ((1, 2, 1, 2, "less", "wald"), "method"),
        ((1, 5000, 1, 5000, "less", "boschloo"), "n1"),
    ],
)
def test_bad_input_names_the_parameter(arguments: tuple[Any, ...], parameter: str) -> None:
    with pytest.raises(UsageError, match=f"^{parameter}"):
        equality_test(*arguments)
