"""The chance of each model to answer a prompt rightly, by numbers that were learned before.

Pure Python without numpy: it runs inside a product's router, for each request.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from operator import mul

from llmbench.routing.text_features import simple_features, terms_of, words_of

__all__ = ["FEATURE_LIMIT", "SuccessScorer"]

FEATURE_LIMIT = 4.0
"""Standard deviations at which a simple feature is cut off: a prompt far outside of what was learned
from must not be decided by one count."""


@dataclass(frozen=True, slots=True)
class SuccessScorer:
    """One calibrated logistic model of success per language model, on TF-IDF of words and pairs and on the
    simple features of `llmbench.routing.text_features`.

    x of a term is (1 + ln count) · idf over the norm of all terms of the prompt that are known; of a simple
    feature, (value - mean) / scale, cut off at 4, times `feature_weight`. The chance of success is the
    logistic function of intercept + weights · x.
    """

    models: tuple[str, ...]
    terms: tuple[str, ...]
    idf: tuple[float, ...]
    """One per term."""
    term_weights: tuple[tuple[float, ...], ...]
    """One row per model, one number per term."""
    means: tuple[float, ...]
    """One per simple feature, as `scales`."""
    scales: tuple[float, ...]
    feature_weight: float
    feature_weights: tuple[tuple[float, ...], ...]
    """One row per model, one number per simple feature."""
    intercepts: tuple[float, ...]
    """One per model."""
    _places: Mapping[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_places", {term: place for place, term in enumerate(self.terms)})

    def success(self, prompt: str) -> tuple[float, ...]:
        """The chance of each of `models`, in their order."""
        return tuple(map(_logistic, self.log_odds(prompt)))

    def log_odds(self, prompt: str) -> tuple[float, ...]:
        """ln(p / (1 - p)) of each of `models`, in their order."""
        words = words_of(prompt)
        counts = Counter(terms_of(words))
        found = [
            (place, count)
            for place, count in zip(map(self._places.get, counts), counts.values(), strict=True)
            if place is not None
        ]
        known = [place for place, _ in found]
        values = [
            self.idf[place] if count == 1 else self.idf[place] * (1.0 + math.log(count))
            for place, count in found
        ]
        norm = math.sqrt(sum(map(mul, values, values))) or 1.0
        simple = [
            min(max((value - mean) / scale, -FEATURE_LIMIT), FEATURE_LIMIT) * self.feature_weight
            for value, mean, scale in zip(
                simple_features(prompt, words), self.means, self.scales, strict=True
            )
        ]
        return tuple(
            intercept
            + sum(map(mul, values, map(of_terms.__getitem__, known))) / norm
            + sum(map(mul, simple, of_features))
            for intercept, of_terms, of_features in zip(
                self.intercepts, self.term_weights, self.feature_weights, strict=True
            )
        )


def _logistic(value: float) -> float:
    if value >= 0:
        return 1.0 / (1.0 + math.exp(-value))
    odds = math.exp(value) if value > -700.0 else 0.0
    return odds / (1.0 + odds)
