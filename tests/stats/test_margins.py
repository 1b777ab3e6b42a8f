from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from llmbench.errors import UsageError
from llmbench.stats import equality_test, margin_test
from llmbench.stats.score_arrays import difference_parts_of, ratio_parts_of, score_statistics

METHODS = ("miettinen-nurminen", "farrington-manning", "chan-exact", "scas")
NULLS: list[tuple[float, Any]] = [
    (0.5, "ratio"), (0.9, "ratio"), (1.0, "ratio"), (1.3, "ratio"), (-0.2, "difference"), (0.05, "difference")
]  # fmt: skip
arms = st.integers(1, 12).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@pytest.mark.parametrize(
    ("counts", "margin", "method", "expected", "digits"),
    [
        # Farrington and Manning's test of 20/35 against 30/55: R, as quoted by a port of it. A formula
        # that confuses counts and sizes in the cubic gives .000714.
        ((20, 35, 30, 55), -0.3, "farrington-manning", (3.1546, 0.0008037), (4, 7)),
        # Rodary et al. (1989), as analysed by Chan (1998).
        ((83, 88, 69, 76), -0.1, "chan-exact", (2.957, 0.0017), (3, 4)),
        # The documentation of the R package ratesci: REPROVE, and Newcombe's example d.
        ((245, 356, 270, 370), -0.125, "scas", (2.47516, 0.00666), (5, 5)),
        ((5, 56, 0, 29), 0.0, "scas", (1.739213, 0.04099865), (6, 8)),
    ],
)
def test_published_differences(
    counts: Any, margin: float, method: Any, expected: tuple[float, float], digits: tuple[int, int]
) -> None:
    found = margin_test(*counts, margin, "difference", method=method)
    for value, wanted, places in zip(found, expected, digits, strict=True):
        assert value == pytest.approx(wanted, abs=0.6 * 10**-places)


@pytest.mark.parametrize("method", ["miettinen-nurminen", "farrington-manning"])
def test_no_margin_is_the_test_of_equality(method: Any) -> None:
    equality = "score" if method == "miettinen-nurminen" else "pooled-z"
    for counts in ((7, 34, 1, 34), (0, 20, 3, 180), (300, 9000, 30, 1000), (10, 10, 9, 11)):
        for alternative in ("greater", "less"):
            expected = equality_test(*counts, alternative=alternative, method=equality)  # type: ignore[arg-type]
            for null, scale in ((1.0, "ratio"), (0.0, "difference")):
                found = margin_test(*counts, null, scale, alternative, method)  # type: ignore[arg-type]
                assert found == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("margin", "scale"), [(0.8, "ratio"), (-0.1, "difference")])
def test_exchanging_the_arms_mirrors(method: Any, margin: float, scale: Any) -> None:
    for counts in ((8, 15, 4, 12), (0, 9, 3, 14), (14, 14, 2, 6)):
        other = 1 / margin if scale == "ratio" else -margin
        found = margin_test(*counts, margin, scale, "greater", method)
        mirrored = margin_test(*counts[2:], *counts[:2], other, scale, "less", method)
        assert found.statistic == pytest.approx(-mirrored.statistic, rel=1e-9, abs=1e-12)
        assert found.p_value == pytest.approx(mirrored.p_value, rel=1e-9)


@settings(max_examples=25, deadline=None)
@given(arms, arms, st.sampled_from(NULLS))
def test_chan_by_full_enumeration(
    first: tuple[int, int], second: tuple[int, int], null: tuple[float, Any]
) -> None:
    """The largest chance, on a fine grid of rates, of the outcomes with a statistic as large."""
    margin, scale = null
    n1, n2 = first[1], second[1]
    x1, x2 = np.meshgrid(np.arange(n1 + 1.0), np.arange(n2 + 1.0), indexing="ij")
    parts_of = ratio_parts_of if scale == "ratio" else difference_parts_of
    score, variance, _ = parts_of(x1, np.full_like(x1, n1), x2, np.full_like(x1, n2), margin, unbiased=False)
    statistics = score_statistics(score, variance)
    observed = statistics[first[0], second[0]]
    extreme = statistics >= observed - 1e-9 * (1 + abs(observed)) if math.isfinite(observed) else (
        statistics >= observed
    )  # fmt: skip
    low, high = (0.0, min(1.0, 1 / margin)) if scale == "ratio" else (max(0.0, -margin), min(1.0, 1 - margin))
    largest = 0.0
    for p2 in np.linspace(low, high, 301):
        p1 = min(1.0, max(0.0, p2 * margin if scale == "ratio" else p2 + margin))
        chances = np.outer(binom.pmf(np.arange(n1 + 1), n1, p1), binom.pmf(np.arange(n2 + 1), n2, p2))
        largest = max(largest, float(chances[extreme].sum()))
    found = margin_test(*first, *second, margin, scale, method="chan-exact")
    assert found.statistic == pytest.approx(observed)
    assert largest - 1e-9 <= found.p_value <= largest + 1e-3


def test_chan_of_nothing_failed() -> None:
    """10/10 against 10/10: at a margin of -.2 the extreme outcome is this one, at most .8^10 likely."""
    assert margin_test(10, 10, 10, 10, -0.2, "difference", method="chan-exact").p_value == pytest.approx(
        0.8**10
    )


def test_chan_keeps_its_level_where_the_score_test_does_not() -> None:
    """20 against 180 leads at 3% replies: chance of calling the margin .8 met while it is not."""
    n1, n2, p2 = 20, 180, 0.03
    chances = {
        (x1, x2): binom.pmf(x1, n1, 0.8 * p2) * binom.pmf(x2, n2, p2) for x1 in range(6) for x2 in range(20)
    }
    levels = {
        method: sum(
            chance
            for (x1, x2), chance in chances.items()
            if margin_test(x1, n1, x2, n2, 0.8, method=method).p_value <= 0.025  # type: ignore[arg-type]
        )
        for method in ("chan-exact", "scas", "miettinen-nurminen")
    }
    assert levels["chan-exact"] <= 0.025
    assert levels["scas"] <= 0.03
    assert levels["miettinen-nurminen"] > 0.03


def test_asymptotic_and_exact_agree_on_many_trials() -> None:
    exact = margin_test(120, 3000, 120, 3000, 0.8, method="chan-exact")
    scas = margin_test(120, 3000, 120, 3000, 0.8, method="scas")
    assert scas.p_value < exact.p_value < 1.2 * scas.p_value


@pytest.mark.parametrize("method", METHODS)
def test_edges(method: Any) -> None:
    for counts in ((0, 10, 0, 20), (10, 10, 20, 20), (0, 10, 20, 20), (10, 10, 0, 20), (1, 1, 0, 1)):
        for margin, scale in NULLS:
            for alternative in ("greater", "less"):
                found = margin_test(*counts, margin, scale, alternative, method)  # type: ignore[arg-type]
                assert 0 <= found.p_value <= 1
                assert not math.isnan(found.statistic)
    assert margin_test(0, 10, 0, 20, 0.9, method=method).p_value >= 0.5
    assert margin_test(10, 10, 0, 20, 0.9, method=method).p_value < 1e-4
    assert all(math.isnan(value) for value in margin_test(0, 0, 3, 10, 0.9, method=method))


@pytest.mark.parametrize(
    ("arguments", "parameter"),
    [
        ((1, 2, 1, 2, 0.0), "margin"),
        ((1, 2, 1, 2, -0.1), "margin"),
        ((1, 2, 1, 2, 1.0, "difference"), "margin"),
        ((1, 2, 1, 2, -1.5, "difference"), "margin"),
        ((1, 2, 1, 2, math.nan), "margin"),
        ((3, 2, 1, 2, 0.9), "x1"),
        ((1, 2, 1, 2, 0.9, "odds"), "scale"),
        ((1, 2, 1, 2, 0.9, "ratio", "two-sided"), "alternative"),
        ((1, 2, 1, 2, 0.9, "ratio", "greater", "wald"), "method"),
        ((1, 10**6, 1, 10**6, 0.9, "ratio", "greater", "chan-exact"), "n1"),
    ],
)
def test_bad_input_names_the_parameter(arguments: tuple[Any, ...], parameter: str) -> None:
    with pytest.raises(UsageError, match=f"^{parameter}"):
        margin_test(*arguments)


def test_a_margin_on_the_other_scale_is_explained() -> None:
    with pytest.raises(UsageError, match="scale='difference'"):
        margin_test(1, 20, 1, 20, -0.003)
