from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmbench.errors import UsageError
from llmbench.stats import mean_and_standard_error, ratio_of_totals

units = st.lists(st.tuples(st.floats(-5, 5), st.floats(0.1, 5), st.integers(0, 4)), min_size=2, max_size=25)


def _units_with_moments(arm: dict[str, float]) -> tuple[Any, Any]:
    """Numerators and denominators with exactly the given sample means, variances and covariance."""
    signs = np.random.default_rng(20250123).choice([-1.0, 1.0], size=(int(arm["n"]), 2))
    signs -= signs.mean(axis=0)
    white = signs @ np.linalg.inv(np.linalg.cholesky(np.cov(signs.T))).T
    wanted = np.linalg.cholesky([[arm["var_den"], arm["cov"]], [arm["cov"], arm["var_num"]]])
    denominators, numerators = (white @ wanted.T + [arm["mean_den"], arm["mean_num"]]).T
    return numerators, denominators


def test_published_comparison_of_two_ratios(validation: Path) -> None:
    """tea-tasting compares two ratios by t, pooling the variance per unit of both arms."""
    cases = json.loads((validation / "abtest" / "cases.json").read_text(encoding="utf-8"))["cases"]
    (case,) = [c for c in cases if c["id"] == "tt-ratio-delta"]
    sizes, ratios, variances = [], [], []
    for name in ("treatment", "control"):
        arm = case["inputs"][name]
        ratio, standard_error = ratio_of_totals(*_units_with_moments(arm))
        assert ratio == pytest.approx(case["expected"][name], abs=case["tolerance"])
        sizes.append(int(arm["n"]))
        ratios.append(ratio)
        variances.append(standard_error**2 * arm["n"])
    pooled = sum((n - 1) * v for n, v in zip(sizes, variances, strict=True)) / (sum(sizes) - 2)
    t = (ratios[0] - ratios[1]) / math.sqrt(pooled * sum(1 / n for n in sizes))
    assert t == pytest.approx(case["expected"]["t"], abs=case["tolerance"])


@pytest.mark.parametrize(("cluster_column", "published"), [(None, 0.0284), (0, 0.0506), (1, 0.0334)])
def test_published_clustered_standard_errors(
    validation: Path, cluster_column: int | None, published: float
) -> None:
    """Petersen's panel: a slope is a ratio of totals, of centred x times centred y over centred x squared."""
    panel = np.loadtxt(validation / "clustered" / "test_data.txt")
    x, y = panel[:, 2] - panel[:, 2].mean(), panel[:, 3] - panel[:, 3].mean()
    clusters = None if cluster_column is None else panel[:, cluster_column].tolist()
    slope, standard_error = ratio_of_totals(x * y, x * x, clusters)
    assert slope == pytest.approx(1.0348, abs=6e-5)
    # The published values count the two coefficients: (n - 1) / (n - 2).
    assert standard_error * math.sqrt(4999 / 4998) == pytest.approx(published, abs=6e-5)


@settings(max_examples=50, deadline=None)
@given(units)
def test_delta_method_by_its_formula(rows: list[tuple[float, float, int]]) -> None:
    x, y = np.array([(a, b) for a, b, _ in rows]).T
    n = len(rows)
    ratio, standard_error = ratio_of_totals(x, y)
    assert ratio == pytest.approx(x.sum() / y.sum())
    ((var_x, cov), (_, var_y)) = np.cov(x, y)
    variance = (var_x - 2 * ratio * cov + ratio**2 * var_y) / (n * y.mean() ** 2)
    assert standard_error == pytest.approx(math.sqrt(max(0.0, variance)), rel=1e-6, abs=1e-6)


@settings(max_examples=30, deadline=None)
@given(units)
def test_clusters_are_the_totals_of_each_cluster(rows: list[tuple[float, float, int]]) -> None:
    labels = sorted({label for _, _, label in rows})
    totals = [[sum(r[k] for r in rows if r[2] == label) for label in labels] for k in (0, 1)]
    result = ratio_of_totals([r[0] for r in rows], [r[1] for r in rows], [r[2] for r in rows])
    assert result == pytest.approx(ratio_of_totals(*totals), abs=1e-9, nan_ok=True)


def test_a_ratio_over_counts_of_one_is_a_mean() -> None:
    costs = [0.002, 0.004, 0.0035, 0.001]
    assert ratio_of_totals(costs, [1] * 4) == pytest.approx(mean_and_standard_error(costs))


def test_cost_per_correct_answer_covers_the_truth() -> None:
    random = np.random.default_rng(20250123)
    covered = 0
    for _ in range(1000):
        correct = random.random(300) < 0.6
        cost = random.gamma(4, 0.0005 * (1 + 0.5 * correct))
        ratio, standard_error = ratio_of_totals(cost, correct)
        covered += abs(ratio - 0.0005 * 4 * 1.3 / 0.6) <= 1.96 * standard_error
    assert 0.93 <= covered / 1000 <= 0.97


def test_nothing_right_has_no_cost_per_right_answer() -> None:
    assert all(math.isnan(value) for value in ratio_of_totals([0.1, 0.2], [0, 0]))
    assert all(math.isnan(value) for value in ratio_of_totals([], []))


def test_one_unit_has_no_standard_error() -> None:
    ratio, standard_error = ratio_of_totals([0.1], [2])
    assert ratio == 0.05
    assert math.isnan(standard_error)


@pytest.mark.parametrize(
    ("arguments", "parameter"),
    [
        (([1, 2], [1]), "numerators has 2"),
        (([1, math.nan], [1, 1]), "numerators"),
        (([1, 2], [1, None]), "denominators"),
        (([1, 2], [1, -1]), "denominators"),
        (([1, 2], [1, 1], ["x"]), "clusters"),
    ],
)
def test_bad_input_names_the_parameter(arguments: tuple[Any, ...], parameter: str) -> None:
    with pytest.raises(UsageError, match=f"^{parameter}"):
        ratio_of_totals(*arguments)
