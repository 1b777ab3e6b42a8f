from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import binomtest, chisquare, dirichlet_multinomial, multinomial

from llmbench.errors import UsageError
from llmbench.stats import sample_ratio_mismatch, sequential_sample_ratio_mismatch


def case(validation: Path, name: str) -> dict[str, Any]:
    found = json.loads((validation / "abtest" / "cases.json").read_text(encoding="utf-8"))["cases"]
    return next(each for each in found if each["id"] == name)


def test_published_chi_square(validation: Path) -> None:
    found = case(validation, "srm-wiki")
    p = sample_ratio_mismatch(found["inputs"]["counts"], found["inputs"]["ratio"]).p_value
    assert p == pytest.approx(found["expected"]["p"], abs=found["tolerance"])


def test_published_exact_test(validation: Path) -> None:
    found = case(validation, "srm-tt-binom")
    p = sample_ratio_mismatch(found["inputs"]["counts"], found["inputs"]["ratio"], "exact").p_value
    assert p == pytest.approx(found["expected"]["p"], abs=found["tolerance"])


def test_cookie_cats() -> None:
    # The split of the public Cookie Cats experiment: fires at .01, not at .001.
    assert sample_ratio_mismatch([44_700, 45_489], [1, 1]).p_value == pytest.approx(0.0086, abs=5e-5)


def test_published_sequential_evidence(validation: Path) -> None:
    found = case(validation, "ssrm-sequence")
    given, expected = found["inputs"], found["expected"]
    result = sequential_sample_ratio_mismatch(
        given["rows"], given["null_probabilities"], prior=given["alpha0"]
    )
    logs = np.subtract(expected["log_ml_alt"], expected["log_ml_null"])
    assert list(result.log_e_values) == pytest.approx(logs.tolist(), abs=found["tolerance"])
    running = np.minimum(1.0, np.minimum.accumulate(np.exp(-logs)))
    assert list(result.p_values) == pytest.approx(running.tolist())


def test_weights_need_not_sum_to_one() -> None:
    counts = [812, 95, 101]
    expected = chisquare(counts, np.array([0.8, 0.1, 0.1]) * sum(counts))
    for weights in ([0.8, 0.1, 0.1], [8, 1, 1]):
        assert sample_ratio_mismatch(counts, weights) == pytest.approx(tuple(expected))


def test_strata_add_up() -> None:
    first = sample_ratio_mismatch([520, 480], [1, 1])
    second = sample_ratio_mismatch([880, 120], [9, 1])
    both = sample_ratio_mismatch([[520, 480], [880, 120]], [[1, 1], [9, 1]])
    assert both.statistic == pytest.approx(first.statistic + second.statistic)
    assert both.p_value == pytest.approx(math.exp(-both.statistic / 2))  # chi-square of two degrees
    # Both epochs are as meant, but their totals are no split at all.
    assert sample_ratio_mismatch([[500, 500], [900, 100]], [[1, 1], [9, 1]]).p_value == 1
    assert sample_ratio_mismatch([1400, 600], [1, 1]).p_value < 1e-60


def test_arm_that_is_not_open() -> None:
    assert sample_ratio_mismatch([60, 40, 1], [1, 1, 0]) == (math.inf, 0.0)
    closed = sample_ratio_mismatch([[60, 40, 0], [30, 30, 40]], [[1, 1, 0], [1, 1, 1]])
    assert closed.statistic == pytest.approx(4 + 2.0)
    assert sequential_sample_ratio_mismatch([[5, 5], [4, 1]], [[1, 1], [1, 0]]).p_value == 0.0


def test_nothing_to_be_told() -> None:
    assert all(map(math.isnan, sample_ratio_mismatch([0, 0], [1, 1])))
    assert all(map(math.isnan, sample_ratio_mismatch([7], [1])))
    assert math.isnan(sample_ratio_mismatch([0, 0], [1, 1], "exact").p_value)
    assert sequential_sample_ratio_mismatch([[0, 0]], [1, 1]).p_value == 1.0


def test_evidence_is_a_ratio_of_two_distributions() -> None:
    counts, weights, k = [70, 20, 40], np.array([0.5, 0.2, 0.3]), 30.0
    expected = dirichlet_multinomial(k * weights, 130).logpmf(counts) - multinomial(130, weights).logpmf(
        counts
    )
    for looks in ([counts], [[40, 10, 20], [30, 10, 20]]):
        found = sequential_sample_ratio_mismatch(looks, weights, concentration=k)
        assert found.log_e_values[-1] == pytest.approx(expected)


def test_evidence_is_one_on_average() -> None:
    n, share = 40, 0.9
    logs = [
        sequential_sample_ratio_mismatch([[x, n - x]], [share, 1 - share], concentration=20).log_e_values[0]
        for x in range(n + 1)
    ]
    chances = [multinomial(n, [share, 1 - share]).pmf([x, n - x]) for x in range(n + 1)]
    assert np.dot(np.exp(logs), chances) == pytest.approx(1.0)


def test_epochs_multiply() -> None:
    first = sequential_sample_ratio_mismatch([[260, 240]], [1, 1])
    second = sequential_sample_ratio_mismatch([[440, 60], [455, 45]], [9, 1])
    both = sequential_sample_ratio_mismatch([[260, 240], [440, 60], [455, 45]], [[1, 1], [9, 1], [9, 1]])
    assert both.log_e_values[-1] == pytest.approx(first.log_e_values[-1] + second.log_e_values[-1])


def test_daily_looks_alarm_once_in_a_thousand_at_most() -> None:
    rng = np.random.default_rng(20250123)
    alarms = naive = 0
    for _ in range(400):
        days = rng.multinomial(200, [0.9, 0.1], size=28)
        alarms += sequential_sample_ratio_mismatch(days, [0.9, 0.1]).p_value < 0.05
        totals = days.cumsum(axis=0)
        z = (totals[:, 1] - 0.1 * totals.sum(axis=1)) / np.sqrt(totals.sum(axis=1) * 0.09)
        naive += (np.abs(z) > 1.96).any()
    assert binomtest(alarms, 400, 0.05, "greater").pvalue > 0.01
    assert naive / 400 > 0.15


@pytest.mark.parametrize(
    ("counts", "weights", "message"),
    [
        ([], [], "counts is empty"),
        ([10, 20.5], [1, 1], "whole numbers"),
        ([10, -2], [1, 1], "none of them negative"),
        ([10, 20], [1, 1, 1], "one per arm"),
        ([[10, 20], [10, 20]], [[1, 1]] * 3, "one per arm"),
        ([10, 20], [0, 0], "positive"),
        ([10, 20], [-1, 2], "positive"),
        ([10, math.nan], [1, 1], r"counts\[1\] is missing"),
    ],
)
def test_bad_input_is_refused(counts: Any, weights: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        sample_ratio_mismatch(counts, weights)
    with pytest.raises(UsageError, match=message):
        sequential_sample_ratio_mismatch(counts, weights)


def test_bad_settings_are_refused() -> None:
    with pytest.raises(UsageError, match="two arms and one stratum"):
        sample_ratio_mismatch([1, 2, 3], [1, 1, 1], "exact")
    with pytest.raises(UsageError, match="method must be one of"):
        sample_ratio_mismatch([1, 2], [1, 1], "g-test")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="concentration"):
        sequential_sample_ratio_mismatch([[1, 2]], [1, 1], concentration=0)
    with pytest.raises(UsageError, match="prior"):
        sequential_sample_ratio_mismatch([[1, 2]], [1, 1], prior=[1])
