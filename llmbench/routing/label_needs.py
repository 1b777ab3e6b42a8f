"""What learning is worth: chances of unseen prompts, and how many labelled prompts it takes.

Nested cross-validation: whoever is scored was in none of the fits, and in none of the choices (of penalty
and calibration), which are made within the other folds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from llmbench.errors import UsageError
from llmbench.routing.outcomes import Outcomes, outcomes_of
from llmbench.routing.resampling import Draws, percentile_interval
from llmbench.routing.success_models import Texts, fit_success, grouped_folds, texts_of
from llmbench.routing.two_models import TwoModels, two_models
from llmbench.stats.checks import check_confidence, check_count
from llmbench.stats.intervals import Interval

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["BudgetPoint", "label_budget", "unseen_chances"]


class BudgetPoint(NamedTuple):
    """One size of the learning curve."""

    labels: int
    """Prompts with outcomes of both models that each fit learned from."""
    apgr: float
    """Of unseen prompts; mean over `repeats`."""
    length_apgr: float
    """Of the prompt's length alone."""
    difference: float
    interval: Interval
    """Of the difference: paired bootstrap over clusters of prompts, of the mean over repeats."""
    clear: bool
    """Whether the interval lies above 0."""


def unseen_chances(
    results: Any,
    *,
    folds: int = 5,
    labels: int | None = None,
    penalty: float | None = None,
    seed: int = 20250123,
) -> NDArray[np.float64]:
    """The chance of each model on each prompt (rows as in `outcomes_of(results)`), by models fitted without
    the prompt's fold, on at most `labels` prompts drawn from the others. Raises UsageError.
    """
    known = outcomes_of(results)
    check_count("folds", folds, least=2)
    if labels is not None:
        check_count("labels", labels, least=10)
    return _unseen(known, texts_of(known.prompts), folds, labels, penalty, seed)


def label_budget(
    results: Any,
    weak: str,
    strong: str,
    *,
    sizes: Sequence[int] = (100, 200, 400, 800),
    repeats: int = 3,
    folds: int = 5,
    penalty: float | None = None,
    bootstraps: int = 2000,
    confidence: float = 0.95,
    seed: int = 20250123,
) -> list[BudgetPoint]:
    """How APGR, above that of the prompt's length, grows with the number of labelled prompts.

    For each size the whole nested cross-validation is repeated with other folds and other labels. The
    smallest size that is `clear` is the label budget. Sizes beyond what the folds leave are cut to that,
    once. APGR is NaN where the strong model is not better. Raises UsageError for models without results.
    """
    check_confidence(confidence)
    known = outcomes_of(results).of((weak, strong))
    for name, value, least in (("repeats", repeats, 1), ("folds", folds, 2), ("bootstraps", bootstraps, 100)):
        check_count(name, value, least=least)
    whole = np.flatnonzero(~np.isnan(known.scores).any(axis=1))
    if len(whole) < 10 * folds:
        raise UsageError(
            f"{len(whole)} prompts have a score of both {weak} and {strong}; a learning curve needs "
            f"{10 * folds}."
        )
    texts = texts_of(known.prompts)
    largest = len(whole) - math.ceil(len(whole) / folds)
    lengths = np.array([len(known.prompts[i]) for i in whole], dtype=float)
    groups = known.groups()[whole]
    quality = known.scores[whole]
    sides = two_models(quality[:, 0], quality[:, 1], None, groups.tolist(), n=len(whole))
    draws = Draws(sides.n, sides.codes, bootstraps, seed)
    alone = _replicates([lengths], sides, draws)
    points = []
    for size in sorted({min(check_count("sizes", each, least=10), largest) for each in sizes}):
        scores = []
        for repeat in range(repeats):
            chances = _unseen(known, texts, folds, size, penalty, seed + 1 + repeat)[whole]
            scores.append(chances[:, 1] - chances[:, 0])
        found = _replicates(scores, sides, draws)
        difference = found - alone
        interval = percentile_interval(difference[1:], confidence)
        points.append(
            BudgetPoint(
                size, float(found[0]), float(alone[0]), float(difference[0]), interval, interval.low > 0
            )
        )  # fmt: skip
    return points


def _unseen(
    known: Outcomes, texts: Texts, folds: int, labels: int | None, penalty: float | None, seed: int
) -> NDArray[np.float64]:
    groups = known.groups()
    fold_of = grouped_folds(groups, folds, seed)
    random = np.random.default_rng(seed)
    found = np.full(known.scores.shape, np.nan)
    for fold in range(folds):
        seen, held = np.flatnonzero(fold_of != fold), np.flatnonzero(fold_of == fold)
        if labels is not None:
            seen = seen[~np.isnan(known.scores[seen]).all(axis=1)]
            seen = np.sort(random.permutation(seen)[:labels])
        if not len(held) or not len(seen):
            continue
        fitted = fit_success(
            texts.take(seen), known.scores[seen], known.models,
            np.unique(groups[seen], return_inverse=True)[1], penalty=penalty, seed=seed,
        )  # fmt: skip
        found[held] = [fitted.scorer.success(known.prompts[i]) for i in held]
    return found


def _replicates(scores: Sequence[NDArray[np.float64]], sides: TwoModels, draws: Draws) -> NDArray[np.float64]:
    """Mean APGR of several scorings of the same prompts: of the prompts as they are, then of each draw."""
    sweeps = [sides.sweep(each) for each in scores]
    found = [[sweep.curve().apgr for sweep in sweeps]]
    found += [[sweep.curve(weights).apgr for sweep in sweeps] for weights in draws]
    return np.asarray(np.mean(found, axis=1))
