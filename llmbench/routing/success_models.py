"""Fitting the chance of success of each model, with scikit-learn.

One logistic regression per language model, so that a model without a score on some prompt merely does
not learn from it. How strongly it is held back (the penalty) is chosen on folds that it did not see, and so
is the calibration of its chances: Platt's, by the predictions of those folds. What comes out is a
`SuccessScorer`, which needs no scikit-learn.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from llmbench.errors import ConfigError
from llmbench.routing.success_scorer import FEATURE_LIMIT, SuccessScorer
from llmbench.routing.text_features import FEATURES, simple_features, terms_of, words_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["PENALTIES", "FittedSuccess", "Texts", "fit_success", "grouped_folds", "texts_of"]

PENALTIES = (0.03, 0.1, 0.3, 1.0, 3.0)
"""Values of scikit-learn's C that are tried: its inverse."""
MAX_TERMS = 20_000
FEATURE_WEIGHT = 1 / math.sqrt(len(FEATURES))
"""Makes the block of simple features about as long as that of the terms, whose length is 1: one penalty
suits both."""
LEAST_PROMPTS_OF_A_TERM = 2
"""A term of one prompt alone tells nothing of others."""
_LEAST_SLOPE = 1e-3
_LEAST_SPREAD = 1e-9


class Texts(NamedTuple):
    """Prompts, taken apart once for all fits."""

    terms: NDArray[np.object_]
    """Every term of any prompt."""
    counts: Any
    """Sparse: one row per prompt, one column per term."""
    features: NDArray[np.float64]
    """One row per prompt, one column per name of FEATURES."""

    def take(self, places: NDArray[np.intp]) -> Texts:
        """Those at `places`."""
        return Texts(self.terms, self.counts[places], self.features[places])


class FittedSuccess(NamedTuple):
    """What was learned, and what it said of prompts while it did not know them."""

    scorer: SuccessScorer
    unseen: NDArray[np.float64]
    """Chances, one row per prompt and one column per model, each by models fitted without its fold."""
    penalties: tuple[float, ...]
    """Chosen C, one per model."""


def texts_of(prompts: Sequence[str]) -> Texts:
    """Words, pairs and simple features of each prompt. Raises ConfigError where scikit-learn is missing."""
    try:
        from sklearn.feature_extraction.text import CountVectorizer
    except ImportError as error:
        raise ConfigError("Learning a router needs scikit-learn: pip install 'llmbench[routing]'.") from error
    words = [words_of(prompt) for prompt in prompts]
    rows = [simple_features(prompt, each) for prompt, each in zip(prompts, words, strict=True)]
    features = np.asarray(rows, dtype=float).reshape(len(words), len(FEATURES))
    counter: Any = CountVectorizer(analyzer=terms_of)
    # A mark that no prompt can hold keeps the vocabulary from being empty, which is an error there.
    counts = counter.fit_transform([*words, [""]])[:-1]
    return Texts(np.asarray(counter.get_feature_names_out(), dtype=object), counts, features)


def grouped_folds(groups: NDArray[np.intp], folds: int, seed: int) -> NDArray[np.intp]:
    """A fold per row: whole groups, drawn by `seed`, always into the smallest fold so far."""
    sizes = np.bincount(groups)
    order = np.random.default_rng(seed).permutation(len(sizes))
    filled = np.zeros(folds, dtype=np.intp)
    fold_of_group = np.empty(len(sizes), dtype=np.intp)
    for group in order:
        fold_of_group[group] = fold = int(filled.argmin())
        filled[fold] += sizes[group]
    return fold_of_group[groups]


def fit_success(
    texts: Texts,
    scores: NDArray[np.float64],
    models: Sequence[str],
    groups: NDArray[np.intp],
    *,
    penalty: float | None = None,
    folds: int = 5,
    seed: int = 20250123,
) -> FittedSuccess:
    """Fit one model of success per column of `scores` (prompts x models in 0..1; NaN: not learned from).

    A score between 0 and 1 counts as that share of a success. `groups` numbers what must stay together
    in a fold; `penalty` fixes C instead of choosing it.
    """
    fold_of = grouped_folds(groups, folds, seed)
    grid = PENALTIES if penalty is None else (penalty,)
    decisions = np.full((len(grid), *scores.shape), np.nan)
    for fold in range(folds):
        seen, held = np.flatnonzero(fold_of != fold), np.flatnonzero(fold_of == fold)
        if not len(seen) or not len(held):
            continue
        space = _Space(texts.take(seen))
        known, new = space.matrix, space.transform(texts.take(held))
        for column in range(scores.shape[1]):
            path = _logistic_path(known, scores[seen, column], grid)
            for place, (weights, intercept) in enumerate(path):
                decisions[place, held, column] = new @ weights + intercept
    space = _Space(texts)
    found = [_one_model(space, scores[:, i], decisions[:, :, i], grid) for i in range(scores.shape[1])]
    weights = np.array([each.weights for each in found]).reshape(len(found), space.width)
    scorer = SuccessScorer(
        models=tuple(models),
        terms=space.terms,
        idf=_numbers(space.idf),
        term_weights=tuple(_numbers(row[: len(space.terms)]) for row in weights),
        means=_numbers(space.means),
        scales=_numbers(space.scales),
        feature_weight=FEATURE_WEIGHT,
        feature_weights=tuple(_numbers(row[len(space.terms) :]) for row in weights),
        intercepts=tuple(each.intercept for each in found),
    )
    unseen = np.column_stack([each.unseen for each in found])
    return FittedSuccess(scorer, unseen, tuple(each.penalty for each in found))


class _One(NamedTuple):
    weights: NDArray[np.float64]
    intercept: float
    unseen: NDArray[np.float64]
    penalty: float


def _one_model(
    space: _Space, scores: NDArray[np.float64], decisions: NDArray[np.float64], grid: Sequence[float]
) -> _One:
    """The penalty of the smallest loss on unseen folds, its fit on all, and Platt's line on those folds."""
    known = ~np.isnan(scores)
    losses = [_log_loss(scores[known], row[known]) for row in decisions]
    best = int(np.argmin(losses))
    unseen = decisions[best]
    slope, offset = _platt(unseen[known], scores[known])
    [(weights, intercept)] = _logistic_path(space.matrix, scores, (grid[best],))
    if slope < _LEAST_SLOPE:  # what it learned says nothing of prompts it does not know
        slope, offset, intercept = 0.0, _log_odds_of_mean(scores[known]), 0.0
    chances = 1 / (1 + np.exp(-np.clip(slope * unseen + offset, -700, 700)))
    return _One(weights * slope, intercept * slope + offset, chances, grid[best])


class _Space:
    """Terms and simple features of some prompts, as one sparse matrix."""

    def __init__(self, texts: Texts) -> None:
        from sklearn.feature_extraction.text import TfidfTransformer

        in_prompts = np.bincount(texts.counts.indices, minlength=texts.counts.shape[1])
        kept = np.flatnonzero(in_prompts >= LEAST_PROMPTS_OF_A_TERM)
        if len(kept) > MAX_TERMS:
            often = np.asarray(texts.counts.sum(axis=0)).ravel()[kept]
            kept = np.sort(kept[np.argsort(-often, kind="stable")[:MAX_TERMS]])
        self._kept = kept
        self.terms: tuple[str, ...] = tuple(map(str, texts.terms[kept]))
        self._weighting: Any = TfidfTransformer(sublinear_tf=True)
        self.idf = np.zeros(0)
        if len(kept):
            self._weighting.fit(texts.counts[:, kept])
            self.idf = np.asarray(self._weighting.idf_, dtype=float)
        self.means = texts.features.mean(axis=0)
        spread = texts.features.std(axis=0)
        self.scales = np.where(spread > _LEAST_SPREAD, spread, 1.0)
        self.width = len(kept) + len(FEATURES)
        self.matrix = self.transform(texts)

    def transform(self, texts: Texts) -> Any:
        """Rows of these or other prompts."""
        from scipy.sparse import csr_matrix, hstack

        scaled = np.clip((texts.features - self.means) / self.scales, -FEATURE_LIMIT, FEATURE_LIMIT)
        block = csr_matrix(scaled * FEATURE_WEIGHT)
        if not len(self._kept):
            return block
        return hstack([self._weighting.transform(texts.counts[:, self._kept]), block]).tocsr()


def _logistic_path(
    matrix: Any, scores: NDArray[np.float64], strengths: Sequence[float]
) -> list[tuple[NDArray[np.float64], float]]:
    """Weights and intercept for each C of `strengths`, each begun where the one before ended; a score s is
    s of a success and 1 - s of a failure.
    """
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits

    up, down = np.flatnonzero(scores > 0), np.flatnonzero(scores < 1)
    if not len(up) or not len(down):
        known = scores[~np.isnan(scores)]
        return [(np.zeros(matrix.shape[1]), _log_odds_of_mean(known))] * len(strengths)
    rows = np.concatenate([up, down])
    target = np.concatenate([np.ones(len(up)), np.zeros(len(down))])
    shares = np.concatenate([scores[up], 1 - scores[down]])
    chosen = matrix[rows]
    model: Any = LogisticRegression(max_iter=5000, warm_start=True)
    found = []
    # The solver multiplies vectors of some 20,000 numbers, which is too little to share: threads would wait
    # for each other most of the time. And so the fit is the same on any number of cores.
    with threadpool_limits(1, user_api="blas"):
        for strength in strengths:
            model.set_params(C=strength).fit(chosen, target, sample_weight=shares)
            found.append((np.array(model.coef_[0], dtype=float), float(model.intercept_[0])))
    return found


def _platt(decisions: NDArray[np.float64], scores: NDArray[np.float64]) -> tuple[float, float]:
    """Slope and offset of the log odds; without penalty, by the targets of Platt (1999) where a class is
    rare: nothing is ever certain.
    """
    finite = np.isfinite(decisions)
    decisions, scores = decisions[finite], scores[finite]
    ups, downs = scores.sum(), (1 - scores).sum()
    if len(decisions) == 0 or np.ptp(decisions) < 1e-12:
        return 0.0, _log_odds_of_mean(scores)
    high, low = (ups + 1) / (ups + 2), 1 / (downs + 2)
    return _line(decisions, low + (high - low) * scores)


def _line(x: NDArray[np.float64], targets: NDArray[np.float64]) -> tuple[float, float]:
    """Logistic regression on one number, by Newton's method with halved steps."""
    centre, scale = x.mean(), x.std()
    design = np.column_stack([(x - centre) / scale, np.ones(len(x))])
    found = np.array([0.0, _log_odds_of_mean(targets)])

    def loss(at: NDArray[np.float64]) -> float:
        z = design @ at
        return float(np.mean(np.logaddexp(0, z) - targets * z))

    now = loss(found)
    for _ in range(50):
        chances = 1 / (1 + np.exp(-design @ found))
        gradient = design.T @ (chances - targets)
        hessian = (design * (chances * (1 - chances))[:, None]).T @ design + 1e-9 * np.eye(2)
        step = np.linalg.solve(hessian, gradient)
        size = 1.0
        while loss(found - size * step) > now and size > 1e-8:
            size /= 2
        found = found - size * step
        before, now = now, loss(found)
        if before - now < 1e-14:
            break
    slope = found[0] / scale
    return float(slope), float(found[1] - slope * centre)


def _log_loss(scores: NDArray[np.float64], decisions: NDArray[np.float64]) -> float:
    finite = np.isfinite(decisions)
    if not finite.any():
        return math.nan
    z, s = decisions[finite], scores[finite]
    return float(np.mean(np.logaddexp(0, z) - s * z))


def _log_odds_of_mean(scores: NDArray[np.float64]) -> float:
    share = (float(scores.sum()) + 0.5) / (len(scores) + 1)
    return math.log(share / (1 - share))


def _numbers(values: NDArray[np.float64]) -> tuple[float, ...]:
    return tuple(map(float, values))
