"""Petersen's panel of 500 firms and 10 years, whose clustered standard errors are published."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from llmbench.stats import mean_and_standard_error

# Petersen (2009), "Estimating Standard Errors in Finance Panel Data Sets": slope, intercept.
PUBLISHED = {
    "white": (0.0284, 0.0284),
    "firm": (0.0506, 0.0670),
    "year": (0.0334, 0.0234),
    "both": (0.0536, 0.0651),
}


@pytest.fixture
def panel(validation: Path) -> dict[str, Any]:
    firm, year, x, y = np.loadtxt(validation / "clustered" / "test_data.txt").T
    return {"firm": firm, "year": year, "x": x, "y": y}


def meat(design: Any, residuals: Any, clusters: Any) -> Any:
    """Sum over clusters of the outer product of their scores, with Petersen's small-sample factor."""
    scores = design * residuals[:, None]
    labels, codes = np.unique(clusters, return_inverse=True)
    totals = np.zeros((len(labels), design.shape[1]))
    np.add.at(totals, codes, scores)
    n, k = design.shape
    groups = len(labels)
    factor = groups / (groups - 1) * (n - 1) / (n - k) if groups < n else n / (n - k)
    return factor * totals.T @ totals


def regression(panel: dict[str, Any], design: Any) -> tuple[Any, dict[str, Any]]:
    """Coefficients, and their standard errors of each kind."""
    n = len(panel["y"])
    inverse = np.linalg.inv(design.T @ design)
    coefficients = inverse @ design.T @ panel["y"]
    residuals = panel["y"] - design @ coefficients
    each = np.arange(n)
    middle = {
        "white": meat(design, residuals, each),
        "firm": meat(design, residuals, panel["firm"]),
        "year": meat(design, residuals, panel["year"]),
    }
    middle["both"] = middle["firm"] + middle["year"] - middle["white"]
    return coefficients, {kind: np.sqrt(np.diag(inverse @ found @ inverse)) for kind, found in middle.items()}


def test_the_printed_errors_of_the_regression(panel: dict[str, Any]) -> None:
    design = np.column_stack([np.ones_like(panel["x"]), panel["x"]])
    (intercept, slope), errors = regression(panel, design)
    assert (intercept, slope) == pytest.approx((0.0297, 1.0348), abs=5e-5)
    for kind, (of_slope, of_intercept) in PUBLISHED.items():
        assert errors[kind] == pytest.approx([of_intercept, of_slope], abs=6e-5), kind


@pytest.mark.parametrize("kind", ["firm", "year"])
@pytest.mark.parametrize("column", ["x", "y"])
def test_our_clustered_mean_is_the_intercept_of_the_same_data(
    panel: dict[str, Any], kind: str, column: str
) -> None:
    data = {**panel, "y": panel[column]}
    (mean,), errors = regression(data, np.ones((len(data["y"]), 1)))
    ours = mean_and_standard_error(data["y"], data[kind])
    groups, n = len(np.unique(data[kind])), len(data["y"])
    # Undo the regression's factor, and put ours, C / (C - 1), in its place.
    plain = errors[kind][0] / np.sqrt(groups / (groups - 1) * (n - 1) / (n - 1))
    assert ours.mean == pytest.approx(mean, rel=1e-12)
    assert ours.standard_error == pytest.approx(plain * np.sqrt(groups / (groups - 1)), rel=1e-12)


def test_our_unclustered_mean_is_the_textbook_intercept(panel: dict[str, Any]) -> None:
    (mean,), errors = regression(panel, np.ones((len(panel["y"]), 1)))
    ours = mean_and_standard_error(panel["y"])
    assert ours == pytest.approx((mean, errors["white"][0]), rel=1e-12)
