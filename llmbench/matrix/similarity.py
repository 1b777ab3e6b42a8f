"""Grader by likeness of text, with RapidFuzz."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Self

from llmbench.errors import ConfigError, UsageError
from llmbench.matrix.checks import share
from llmbench.matrix.dataset import Dataset, Item
from llmbench.matrix.grading import Grade, accepted, normalise
from llmbench.matrix.text import nearest

__all__ = ["Similarity"]

_METHODS = ("levenshtein", "ratio", "partial", "token_sort", "token_set", "jaro_winkler")


@dataclass(frozen=True, slots=True)
class Similarity:
    """How alike the answer and the expected text are, from 0 to 1; of several accepted, the nearest.

    `method` is RapidFuzz's: "levenshtein" (edits over the longer length), "ratio" (insertions and
    deletions only), "partial" (the best part of the longer text), "token_sort" and "token_set"
    (words in any order), "jaro_winkler". Both texts are normalised first. With `threshold` the
    score is 1 from that likeness on and 0 below it. Likeness of letters is not likeness of meaning:
    "not refundable" is close to "refundable".

    >>> Similarity().grade("kitten", Item("1", {}, "sitting", None, None, 1))
    Grade(score=0.5714285714285714, note=None)
    """

    name: ClassVar[str] = "similarity"
    method: str = "levenshtein"
    threshold: float | None = None

    def __post_init__(self) -> None:
        if self.method not in _METHODS:
            raise UsageError(
                f"Similarity knows no method {self.method!r}; use {', '.join(_METHODS)}."
                f"{nearest(self.method, _METHODS)}"
            )
        if self.threshold is not None:
            share("threshold", self.threshold, such_as=0.8)

    def bind(self, dataset: Dataset) -> Self:  # noqa: ARG002 - part of the protocol
        """See `Grader`. Raises ConfigError where RapidFuzz is not installed."""
        _likeness(self.method)
        return self

    def problem(self, item: Item) -> str | None:
        """See `Grader`."""
        return (
            None if accepted(item.expected) else f"has no expected answer, which grader {self.name!r} needs"
        )

    def grade(self, answer: str, item: Item) -> Grade:
        """See `Grader`."""
        compare, given = _likeness(self.method), normalise(answer)
        found = max(compare(given, normalise(right)) for right in accepted(item.expected))
        if self.threshold is None:
            return Grade(found)
        return Grade(float(found >= self.threshold), f"likeness {found:.3f}")


def _likeness(method: str) -> Callable[[str, str], float]:
    try:
        from rapidfuzz import distance, fuzz
    except ImportError as error:
        raise ConfigError(
            "Grader 'similarity' needs rapidfuzz: pip install 'llmbench[notebooks]'."
        ) from error
    if method == "levenshtein":
        return distance.Levenshtein.normalized_similarity
    if method == "jaro_winkler":
        return distance.JaroWinkler.normalized_similarity
    percent: dict[str, Callable[[str, str], float]] = {
        "ratio": fuzz.ratio,
        "partial": fuzz.partial_ratio,
        "token_sort": fuzz.token_sort_ratio,
        "token_set": fuzz.token_set_ratio,
    }
    return lambda one, other: percent[method](one, other) / 100
