"""Gates of calibrated routing: how often it errs over draws, on real outcomes.

The fast ones are a subset; those marked `statistics` take minutes.
"""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import norm

from llmbench.routing.calibrated import Status
from llmbench.routing.calibration import calibrate, candidate_thresholds, choices_at
from llmbench.routing.drift import DriftMonitor, drift_reference
from llmbench.routing.guarantee import betting_p_values, excess_losses, fixed_sequence
from llmbench.routing.outcomes import Outcomes
from llmbench.routing.success_models import fit_success, texts_of
from tests.routing.gsm8k import gsm8k
from tests.statistics.draws import errs_at_most, errs_more_than

pytest.importorskip("sklearn")

FAST = 6
NULL_RUNS = [pytest.param(FAST, id="fast"), pytest.param(1000, marks=pytest.mark.statistics, id="1000")]
LARGEST_CLAIM = 0.065
TOLERANCE = LEVEL = 0.05


def shuffled(known: Outcomes, rng: np.random.Generator) -> Outcomes:
    """The same prompts and the same pairs of outcomes, without a connection."""
    order = rng.permutation(len(known.prompts))
    return Outcomes(known.prompts, known.models, known.scores[order], known.costs)


@pytest.mark.parametrize("runs", NULL_RUNS)
def test_shuffled_outcomes_claim_a_gain_rarely(runs: int) -> None:
    known = gsm8k()
    rng = np.random.default_rng(20250123)
    claims = sum(
        calibrate(shuffled(known, rng), penalty=0.3, seed=run).status in {Status.ROUTE, Status.CHEAPEST}
        for run in range(runs)
    )
    print(f"{claims} claims in {runs} runs")
    if runs > FAST:
        assert errs_at_most(LARGEST_CLAIM, claims, runs)
    else:
        assert claims <= 2


def excess(
    known: Outcomes, chances: NDArray[np.float64], thresholds: NDArray[np.float64]
) -> NDArray[np.float64]:
    routed = np.take_along_axis(known.scores, choices_at(chances, thresholds), axis=1)
    return excess_losses(known.scores[:, -1], routed, TOLERANCE)


def violations(trainings: int, resplits: int) -> tuple[int, int, int]:
    """Of real outcomes: certified thresholds that lose too much on a third that had no part in it (by its
    own mean, so with its own noise), those that do by the truth of a population drawn from, and all.
    """
    known = gsm8k()
    texts = texts_of(known.prompts)
    n = len(known.prompts)
    on_a_third = in_truth = 0
    for training in range(trainings):
        rng = np.random.default_rng(training)
        order = rng.permutation(n)
        train, rest = order[: n // 3], order[n // 3 :]
        fitted = fit_success(
            texts.take(train), known.scores[train], known.models, np.arange(len(train)), penalty=0.3
        )
        chances = np.array([fitted.scorer.success(known.prompts[i]) for i in rest])
        kept = Outcomes(tuple(known.prompts[i] for i in rest), known.models, known.scores[rest])
        losses = excess(kept, chances, candidate_thresholds(fitted.unseen))
        truth = losses.mean(axis=0)
        for _ in range(resplits):
            drawn = rng.permutation(len(rest))
            calibration, test = drawn[: len(rest) // 2], drawn[len(rest) // 2 :]
            passed = certified(losses[calibration])
            on_a_third += passed > 0 and losses[test, passed - 1].mean() > 0
            passed = certified(losses[rng.integers(len(rest), size=len(rest) // 2)])
            in_truth += passed > 0 and truth[passed - 1] > 0
    return on_a_third, in_truth, trainings * resplits


def certified(losses: NDArray[np.float64]) -> int:
    return fixed_sequence(betting_p_values(losses, -1.0, 1 - TOLERANCE), LEVEL).steps


@pytest.mark.parametrize(
    ("trainings", "resplits"),
    [pytest.param(1, 40, id="fast"), pytest.param(20, 50, marks=pytest.mark.statistics, id="1000")],
)
def test_resplits_lose_more_than_the_tolerance_rarely(trainings: int, resplits: int) -> None:
    on_a_third, in_truth, runs = violations(trainings, resplits)
    print(f"{on_a_third} by the other third's own mean, {in_truth} in truth, of {runs}")
    assert not errs_more_than(LEVEL, on_a_third, runs)
    assert not errs_more_than(LEVEL, in_truth, runs)


NULLS = {
    "only losses and wins": ([0.95, -1.0], [1 / 1.95, 0.95 / 1.95]),
    "mostly small gains": ([0.95, -0.05], [0.05, 0.95]),
    "rare large losses": ([0.95, -0.01], [0.01 / 0.96, 0.95 / 0.96]),
    "as on GSM8K": ([0.95, -1.0, -0.05, 0.0], [0.0705, 0.04, 0.539, 0.3505]),
    "graded": ([0.4, -0.1, -0.35], [0.3, 0.15, 0.3]),
}


@pytest.mark.parametrize("null", NULLS)
@pytest.mark.parametrize(
    ("n", "runs"),
    [(30, 2000), (300, 1000), pytest.param(300, 40_000, marks=pytest.mark.statistics),
     pytest.param(2000, 10_000, marks=pytest.mark.statistics)],
)  # fmt: skip
def test_the_bet_against_a_true_null_wins_rarely(null: str, n: int, runs: int) -> None:
    values, weights = (np.array(each) for each in NULLS[null])
    weights = weights / weights.sum()
    assert weights @ values >= -1e-3
    values = values - weights @ values  # exactly on the null
    rng = np.random.default_rng(1)
    found = 0
    for start in range(0, runs, 500):
        drawn = rng.choice(values, p=weights, size=(n, min(500, runs - start)))
        found += int((betting_p_values(drawn, -1.01, 0.96) <= LEVEL).sum())
    assert not errs_more_than(LEVEL, found, runs)


def test_the_gate_fails_a_plain_z_test() -> None:
    """A gate that everything passes shows nothing: rare large losses are what a z test does not see."""
    values, weights = NULLS["rare large losses"]
    drawn = np.random.default_rng(1).choice(values, p=weights, size=(100, 2000))
    with np.errstate(divide="ignore"):
        z = drawn.mean(axis=0) / drawn.std(axis=0, ddof=1) * 10
    found = int((norm.cdf(z) <= LEVEL).sum())
    assert errs_more_than(LEVEL, found, 2000)


@pytest.mark.parametrize(
    "windows", [pytest.param(100, id="fast"), pytest.param(20_000, marks=pytest.mark.statistics, id="20000")]
)
def test_the_drift_monitor_raises_few_false_alarms(windows: int) -> None:
    """Each window beside a reference of its own: three numbers, one of few values."""
    rng = np.random.default_rng(2)
    alarms = 0
    for _ in range(windows):
        draws = rng.normal(size=(3, 936))
        draws[2] = np.round(draws[2])
        reference = drift_reference({str(place): row[:436].tolist() for place, row in enumerate(draws)})
        monitor = DriftMonitor(reference)
        for values in draws[:, 436:].T.tolist():
            monitor.observe(values)
        alarms += monitor.alarm is not None
    print(f"{alarms} alarms in {windows} windows")
    assert not errs_more_than(0.001, alarms, windows)
