from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.stats import binom, norm

from llmbench.abtest.margin_scores import margin_z
from llmbench.stats import margin_test, sample_size

VALIDATION = Path(__file__).resolve().parents[3] / "shared" / "validation"

TABLES = [
    (20, 35, 30, 55),
    (1, 40, 3, 60),
    (0, 30, 4, 50),
    (5, 9, 0, 12),
    (270, 9000, 22, 1000),
    (9, 9, 3, 4),
]


def by_definition(x1: int, n1: int, x2: int, n2: int, margin: float, scale: str) -> tuple[float, float]:
    """z and its bend for skewness, with the likeliest rates found numerically."""

    def first(p2: float) -> float:
        return min(1.0, max(0.0, p2 * margin if scale == "ratio" else p2 + margin))

    def lost(p2: float) -> float:
        return -float(binom.logpmf(x1, n1, first(p2)) + binom.logpmf(x2, n2, p2))

    least, most = (
        (0.0, min(1.0, 1 / margin)) if scale == "ratio" else (max(0.0, -margin), min(1.0, 1 - margin))
    )
    p2 = minimize_scalar(lost, bounds=(least, most), method="bounded", options={"xatol": 1e-13}).x
    p1, weight = first(p2), margin if scale == "ratio" else 1.0
    inflation = (n1 + n2) / (n1 + n2 - 1)
    variance = (p1 * (1 - p1) / n1 + weight**2 * p2 * (1 - p2) / n2) * inflation
    third = p1 * (1 - p1) * (1 - 2 * p1) / n1**2 - weight**3 * p2 * (1 - p2) * (1 - 2 * p2) / n2**2
    score = x1 / n1 - weight * x2 / n2 - (0.0 if scale == "ratio" else margin)
    return score / math.sqrt(variance), third / variance**1.5 / 6


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize(
    ("margin", "scale"),
    [(0.8, "ratio"), (1.0, "ratio"), (1.25, "ratio"), (-0.1, "difference"), (0.0, "difference")],
)
def test_statistic_is_that_of_the_constrained_likelihood(
    table: tuple[int, int, int, int], margin: float, scale: str
) -> None:
    z, bend = by_definition(*table, margin, scale)
    assert float(margin_z(*table, margin, scale)) == pytest.approx(z, rel=1e-4, abs=1e-5)
    corrected = float(margin_z(*table, margin, scale, skewness=True))
    if 1 + 4 * bend * (z + bend) > 0:
        assert corrected + bend * (corrected**2 - 1) == pytest.approx(z, rel=1e-4, abs=1e-5)


def test_published_farrington_manning_tests() -> None:
    if not VALIDATION.is_dir():
        pytest.skip("the folder of published numbers (../shared/validation) is absent")
    cases = json.loads((VALIDATION / "abtest" / "cases.json").read_text(encoding="utf-8"))["cases"]
    found = [case for case in cases if case["method"] == "test_diff_margin.farrington_manning"]
    assert found
    for case in found:
        given, sign = case["inputs"], 1 if case["inputs"]["alternative"] == "greater" else -1
        total = given["n1"] + given["n2"]
        z = margin_z(given["x1"], given["n1"], given["x2"], given["n2"], given["delta0"], "difference")
        # Theirs is without Miettinen and Nurminen's factor on the variance.
        p = norm.sf(sign * float(z) * math.sqrt(total / (total - 1)))
        assert p == pytest.approx(case["expected"]["p"], abs=case["tolerance"])


def test_units_needed_give_the_power_asked_for() -> None:
    rng = np.random.default_rng(20250123)
    for margin, scale, share in ((0.7, "ratio", 0.5), (-0.015, "difference", 0.8)):
        units = sample_size(0.06, 0.06, margin, scale, allocation=(1 - share) / share)
        n1, n2 = round(units * share), round(units * (1 - share))
        x1, x2 = rng.binomial(n1, 0.06, 20_000), rng.binomial(n2, 0.06, 20_000)
        power = (margin_z(x1, n1, x2, n2, margin, scale) >= norm.ppf(0.975)).mean()
        assert power == pytest.approx(0.8, abs=0.03)


def test_tables_that_say_nothing_are_zero() -> None:
    for scale, margin in (("ratio", 0.9), ("difference", 0.0)):
        found: Any = margin_z([0, 0, 3], [50, 0, 10], [0, 2, 0], [50, 40, 0], margin, scale)
        assert found.tolist() == [0.0, 0.0, 0.0]


def test_correction_takes_away_the_tilt_of_a_lopsided_split() -> None:
    # Exact: every table of 1,800 and 200 units at 3%, the small arm tested to be above 80% of the large one.
    x1, x2 = np.arange(60)[:, None], np.arange(250)[None, :]
    chance = binom.pmf(x1, 200, 0.024) * binom.pmf(x2, 1800, 0.03)
    tails = {}
    for skewness in (False, True):
        z = margin_z(x1, 200, x2, 1800, 0.8, skewness=skewness)
        tails[skewness] = float(chance[z >= norm.ppf(0.975)].sum())
    assert tails[False] > 0.033
    assert tails[True] < 0.028


def test_is_the_margin_test_of_the_package() -> None:
    for method, skewness in (("miettinen-nurminen", False), ("scas", True)):
        for scale, margin in (("ratio", 0.8), ("difference", -0.02)):
            for table in TABLES:
                expected = margin_test(*table, margin, scale, method=method).statistic
                found = float(margin_z(*table, margin, scale, skewness=skewness))
                assert found == pytest.approx(expected, rel=1e-9)
