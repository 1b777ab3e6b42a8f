"""Learning from a finished matrix which model suffices for a prompt, and certifying it."""

from __future__ import annotations

import math
import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from llmbench.errors import UsageError
from llmbench.numbers import nan_as_none
from llmbench.routing.calibrated import (
    CalibratedRouting,
    Certificate,
    Expected,
    GainFound,
    Provenance,
    Status,
)
from llmbench.routing.calibration_words import summary_of
from llmbench.routing.drift import DriftReference, drift_reference
from llmbench.routing.guarantee import betting_p_values, excess_losses, fixed_sequence
from llmbench.routing.outcomes import Outcomes, outcomes_of
from llmbench.routing.routing_gain import Gain, gain_over_a_coin
from llmbench.routing.success_models import FittedSuccess, fit_success, texts_of
from llmbench.stats.checks import check_count, check_number, check_open_unit
from llmbench.stats.means import mean_interval

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from llmbench.stats.intervals import Interval

__all__ = ["LEAST_PROMPTS", "calibrate", "candidate_thresholds", "choices_at", "split_prompts"]

LEAST_PROMPTS = 300
"""Independent calibration prompts without which nothing is certified."""
_FEWEST = 10
_CONFIDENCE = 0.95


def calibrate(
    results: Any,
    *,
    strong: str | None = None,
    models: Sequence[str] | None = None,
    names: Mapping[str, str] | None = None,
    tolerance: float = 0.05,
    level: float = 0.05,
    gain_level: float = 0.025,
    calibration_share: float = 1 / 3,
    least_prompts: int = LEAST_PROMPTS,
    penalty: float | None = None,
    seed: int = 20250123,
) -> CalibratedRouting:
    """Learn from `results` which model suffices for a prompt, and certify a threshold.

    The prompts are split by cluster. Two thirds train one model of success per language model, and give the
    thresholds to be tried. The last third trains nothing: on it the thresholds are tested in a fixed
    sequence, and what passes is what is returned, not a refit. The guarantee: over draws of that third, the
    chance that routing loses more than `tolerance` (5%) of the strong model's quality is at most `level`
    (5%), for prompts from the same source.

    Args:
        results: of `Matrix(...).results()`, a table, a mapping, or `Outcomes`; see `outcomes_of`.
        strong: the model that quality is measured against; default: the best mean score in training.
        models: which of the results' models to use; default: all.
        names: {model of the results: model as the router is to ask for it}.
        tolerance: share of the strong model's quality that may be lost.
        level: of the guarantee.
        gain_level: one-sided, of the claim that the choices are better than a coin's.
        calibration_share: of the prompts, for the certificate.
        least_prompts: independent calibration prompts below which nothing is certified.
        penalty: scikit-learn's C; default: chosen for each model by cross-validation within training.
        seed: of the split and the folds.

    Raises UsageError for results that cannot be used, ConfigError where scikit-learn is missing.
    """
    check_open_unit("tolerance", tolerance)
    check_open_unit("level", level)
    check_open_unit("gain_level", gain_level)
    check_open_unit("calibration_share", calibration_share)
    check_count("least_prompts", least_prompts, least=1)
    check_count("seed", seed)
    if penalty is not None and check_number("penalty", penalty) <= 0:
        raise UsageError(f"penalty is {penalty:g}; it must be above 0.")
    known = outcomes_of(results)
    known = known.of(models) if models is not None else known
    if names is not None:
        renamed = tuple(names.get(model, model) for model in known.models)
        known = Outcomes(known.prompts, renamed, known.scores, known.costs, known.clusters)
        strong = names.get(strong, strong) if strong is not None else None
    if len(known.prompts) < _FEWEST:
        raise UsageError(
            f"There are {len(known.prompts)} prompts; a router is learned from several hundred, and a "
            f"guarantee needs about {math.ceil(least_prompts / calibration_share):,}."
        )
    if strong is not None and strong not in known.models:
        raise UsageError(f"strong is {strong!r}, which has no results; there are {', '.join(known.models)}.")
    groups = known.groups()
    train, held = split_prompts(groups, calibration_share, seed)
    everything = _Task(known, groups, train, held)
    best, order = _order(known, train, strong)
    fitted = fit_success(
        texts_of([known.prompts[i] for i in train]),
        known.scores[train][:, order],
        [known.models[i] for i in order],
        _renumbered(groups[train]),
        penalty=penalty,
        seed=seed,
    )
    tested = _certify(everything, fitted, order, tolerance, level, gain_level)
    status, step = _status(tested, len(order), gain_level, least_prompts)
    threshold = None if step is None else float(tested.thresholds[step])
    expected = _expected(everything, tested, order, step)
    names_of = [known.models[i] for i in order]
    quality = sorted(order, key=lambda i: -_mean(known.scores[train, i]))
    gain = tested.gain
    certificate = Certificate(
        tolerance=tolerance,
        level=level,
        n=len(tested.rows),
        units=tested.units,
        left_out=len(held) - len(tested.rows),
        tested=len(tested.thresholds),
        passed=tested.passed,
        p_value=float(tested.p_values[tested.passed - 1]) if tested.passed else None,
        holds_if_missing_are_worst=tested.worst_holds,
    )
    found = GainFound(
        nan_as_none(gain.difference), _pair(gain.interval), nan_as_none(gain.p_value), gain_level
    )
    return CalibratedRouting(
        name="calibrated routing",
        models=tuple(names_of),
        strong=known.models[best],
        status=status,
        summary=summary_of(status, known.models[best], names_of, certificate, found, expected, least_prompts),
        threshold=threshold,
        scorer=fitted.scorer,
        quality=tuple(known.models[i] for i in quality),
        certificate=certificate,
        gain=found,
        expected=expected,
        drift=_reference(everything, tested.held_chances),
        provenance=Provenance(
            data_sha256=known.sha256,
            prompts=len(known.prompts),
            trained_prompts=len(train),
            missing=known.missing,
            penalties=dict(zip(names_of, fitted.penalties, strict=True)),
            seed=seed,
            made_on=datetime.now(UTC).date().isoformat(),
            versions={
                "llmbench": version("llmbench"),
                "scikit-learn": version("scikit-learn"),
                "numpy": np.__version__,
                "python": platform.python_version(),
            },
        ),
        trained_on=tuple(map(int, train)),
        certified_on=tuple(map(int, tested.rows)),
    )


def split_prompts(
    groups: NDArray[np.intp], share: float, seed: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Places that train, and places that certify: whole clusters, in an order drawn by `seed`.

    >>> train, held = split_prompts(np.arange(6), 1 / 3, 1)
    >>> sorted([*train.tolist(), *held.tolist()]), len(held)
    ([0, 1, 2, 3, 4, 5], 2)
    """
    order = np.random.default_rng(seed).permutation(int(groups.max()) + 1)
    sizes = np.bincount(groups)[order]
    target = share * len(groups)
    taken = max(1, int(np.searchsorted(np.cumsum(sizes), target + 1e-9, side="right")))
    rank = np.empty(len(order), dtype=np.intp)
    rank[order] = np.arange(len(order))
    by_rank = np.argsort(rank[groups], kind="stable")
    held = by_rank[rank[groups][by_rank] < taken]
    return np.sort(by_rank[len(held) :]), held


def candidate_thresholds(chances: NDArray[np.float64]) -> NDArray[np.float64]:
    """Thresholds to be tested, rising: hundredths of how far each cheaper model's chance lies below the
    strong one's (the last column), on prompts that trained but were unseen; last, all to the cheapest.
    """
    gaps = (chances[:, -1:] - chances[:, :-1]).ravel()
    gaps = gaps[np.isfinite(gaps)]
    if not len(gaps):
        return np.array([1.0])
    return np.unique([*np.quantile(gaps, np.arange(1, 100) / 100), 1.0])


def choices_at(chances: NDArray[np.float64], thresholds: NDArray[np.float64]) -> NDArray[np.intp]:
    """The column asked for each prompt (rows) at each threshold (columns): the first, so the cheapest,
    whose chance is at most that much below the last column's; else the last.

    >>> choices_at(np.array([[0.5, 0.7, 0.9]]), np.array([0.1, 0.25, 1.0])).tolist()
    [[2, 1, 0]]
    """
    gaps = chances[:, -1:] - chances
    within = gaps[:, :, None] <= thresholds
    within[:, -1, :] = True
    return np.asarray(within.argmax(axis=1), dtype=np.intp)


class _Task(NamedTuple):
    known: Outcomes
    groups: NDArray[np.intp]
    train: NDArray[np.intp]
    held: NDArray[np.intp]


class _Tested(NamedTuple):
    rows: NDArray[np.intp]
    """Places of the calibration prompts that have a score of every model."""
    units: int
    thresholds: NDArray[np.float64]
    choices: NDArray[np.intp]
    p_values: NDArray[np.float64]
    passed: int
    gain: Gain
    worst_holds: bool | None
    held_chances: NDArray[np.float64]
    """Of all calibration prompts, in the order of `_Task.held`."""


def _order(known: Outcomes, train: NDArray[np.intp], strong: str | None) -> tuple[int, list[int]]:
    """The strong model's column, and the columns that may be asked: cheaper ones by rising cost, then it."""
    means = [_mean(known.scores[train, i]) for i in range(len(known.models))]
    unknown = next((i for i, mean in enumerate(means) if math.isnan(mean)), None)
    if unknown is not None:
        raise UsageError(
            f"{known.models[unknown]} has no score on any training prompt; leave it out of models=."
        )
    costs = [_mean(known.costs[:, i]) for i in range(len(known.models))]
    priced = not any(map(math.isnan, costs))
    if strong is not None:
        best = known.models.index(strong)
    else:
        best = max(range(len(means)), key=lambda i: (means[i], -costs[i] if priced else 0.0))
    if priced:
        cheaper = [i for i in range(len(means)) if costs[i] < costs[best]]
        cheaper.sort(key=lambda i: (costs[i], -means[i]))
    else:  # the usual: what is worse is cheaper
        cheaper = sorted((i for i in range(len(means)) if i != best), key=lambda i: means[i])
    return best, [*cheaper, best]


def _certify(
    task: _Task,
    fitted: FittedSuccess,
    order: Sequence[int],
    tolerance: float,
    level: float,
    gain_level: float,
) -> _Tested:
    scores = task.known.scores[:, list(order)]
    whole = ~np.isnan(scores[task.held]).any(axis=1)
    rows = task.held[whole]
    units = _renumbered(task.groups[rows])
    thresholds = candidate_thresholds(fitted.unseen)
    chances = np.array([fitted.scorer.success(task.known.prompts[i]) for i in task.held])
    choices = choices_at(chances[whole], thresholds)
    routed = np.take_along_axis(scores[rows], choices, axis=1)
    losses = excess_losses(scores[rows, -1], routed, tolerance)
    p_values = betting_p_values(losses, -1.0, 1 - tolerance, units)
    passed = fixed_sequence(p_values, level).steps
    worst = None
    if passed and len(rows) < len(task.held):
        bad = scores[task.held].copy()
        bad[:, :-1] = np.nan_to_num(bad[:, :-1], nan=0.0)
        bad[:, -1] = np.nan_to_num(bad[:, -1], nan=1.0)
        last = choices_at(chances, thresholds[:passed])
        again = excess_losses(bad[:, -1], np.take_along_axis(bad, last, axis=1), tolerance)
        p_again = betting_p_values(again, -1.0, 1 - tolerance, _renumbered(task.groups[task.held]))
        worst = fixed_sequence(p_again, level).steps == passed
    gain = gain_over_a_coin(choices, scores[rows], units, gain_level)
    return _Tested(
        rows, int(units.max(initial=-1)) + 1, thresholds, choices, p_values, passed, gain, worst, chances
    )


def _status(tested: _Tested, models: int, gain_level: float, least: int) -> tuple[Status, int | None]:
    """What it came to, and the place of the threshold to use; None: all to the strong model."""
    if models == 1:
        return Status.NO_CHEAPER, None
    if tested.units < least:
        return Status.NOT_ENOUGH_DATA, None
    if not tested.passed:
        return Status.NOT_CERTIFIED, None
    if tested.passed == len(tested.thresholds):
        return Status.CHEAPEST, tested.passed - 1
    if not tested.gain.p_value <= gain_level:  # also where it is NaN
        return Status.NO_GAIN, None
    return Status.ROUTE, tested.passed - 1


def _expected(task: _Task, tested: _Tested, order: Sequence[int], step: int | None) -> Expected | None:
    if not len(tested.rows):
        return None
    scores = task.known.scores[tested.rows][:, list(order)]
    costs = task.known.costs[tested.rows][:, list(order)]
    last = len(order) - 1
    chosen = np.full(len(scores), last) if step is None else tested.choices[:, step]
    places = np.arange(len(scores))
    routed, spent = scores[places, chosen], costs[places, chosen]
    units = _renumbered(task.groups[tested.rows]).tolist()
    saved = costs[:, last] - spent
    priced = not np.isnan(saved).any()
    lost = scores[:, last] - routed
    return Expected(
        shares={task.known.models[i]: float((chosen == place).mean()) for place, i in enumerate(order)},
        quality=float(routed.mean()),
        quality_interval=_pair(mean_interval(routed, units, _CONFIDENCE, value_range=(0, 1))),
        strong_quality=float(scores[:, last].mean()),
        quality_lost=float(lost.mean()),
        quality_lost_interval=_pair(mean_interval(lost, units, _CONFIDENCE)),
        cost_usd=float(spent.mean()) if priced else None,
        strong_cost_usd=float(costs[:, last].mean()) if priced else None,
        saving_usd=float(saved.mean()) if priced else None,
        saving_interval=_pair(mean_interval(saved, units, _CONFIDENCE)) if priced else None,
        confidence=_CONFIDENCE,
    )


def _reference(task: _Task, chances: NDArray[np.float64]) -> DriftReference:
    return drift_reference(
        {
            "router_score": (chances[:, -1] - chances[:, 0]).tolist(),
            "chance_of_the_strong_model": chances[:, -1].tolist(),
            "length": [math.log1p(len(task.known.prompts[i])) for i in task.held],
        }
    )


def _renumbered(groups: NDArray[np.intp]) -> NDArray[np.intp]:
    return np.asarray(np.unique(groups, return_inverse=True)[1], dtype=np.intp)


def _mean(values: NDArray[np.float64]) -> float:
    present = values[~np.isnan(values)]
    return float(present.mean()) if len(present) else math.nan


def _pair(interval: Interval) -> tuple[float, float] | None:
    return None if math.isnan(interval.low) or math.isnan(interval.high) else (interval.low, interval.high)
