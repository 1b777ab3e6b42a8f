"""Whether examples to train on hold questions of an evaluation set."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from hashlib import blake2b
from typing import Literal, NamedTuple

from llmbench.finetune.evaluation_items import EvaluationItem
from llmbench.finetune.reading import Turn, normalised

__all__ = ["Contained", "Overlap"]

_RUN = 13
"""Words in a row that two texts share by chance hardly ever: Brown et al. 2020 (GPT-3), appendix C."""
_SHORTEST = 5
"""A question of fewer words is found only where it is a whole turn: "Thank you" is part of many."""
_BOILERPLATE = 0.1
_PARTS = 0.5


class Contained(NamedTuple):
    """A question that an example holds."""

    item: EvaluationItem
    how: Literal["exact", "normalised", "n-gram"]
    """As it is; but for case, blanks and signs; or runs of its words."""
    share: float
    """Of the question's runs of words, 1 where all of it is there."""


class Overlap:
    """Looks for the questions of an evaluation set in one example at a time.

    Runs of words that more than a tenth of the questions share are a template's, and are not counted. A
    question counts as held when at least half of its own runs of 13 words are in the example; one of 5 to 12
    words, when all of it is.
    """

    def __init__(self, items: Sequence[EvaluationItem]) -> None:
        self._items = items
        self._exact: dict[bytes, int] = {}
        self._plain: dict[bytes, int] = {}
        by_length: dict[int, dict[bytes, list[int]]] = {}
        for number, item in enumerate(items):
            plain = normalised(item.text)
            if not plain:
                continue
            self._exact.setdefault(_hash(item.text), number)
            self._plain.setdefault(_hash(plain), number)
            words = plain.split()
            if len(words) >= _SHORTEST:
                length = min(_RUN, len(words))
                for run in _runs(words, length):
                    by_length.setdefault(length, {}).setdefault(run, []).append(number)
        limit = max(2, _BOILERPLATE * len(items))
        self._by_length = {
            length: {run: numbers for run, numbers in found.items() if len(numbers) <= limit}
            for length, found in by_length.items()
        }
        self._own = Counter(
            number for found in self._by_length.values() for numbers in found.values() for number in numbers
        )

    def find(self, turns: Sequence[Turn]) -> Contained | None:
        """The question that the example holds, the plainest first, or None."""
        plain = [normalised(turn.text) for turn in turns]
        for turn in turns:
            number = self._exact.get(_hash(turn.text))
            if number is not None:
                return Contained(self._items[number], "exact", 1.0)
        for text in plain:
            number = self._plain.get(_hash(text))
            if number is not None:
                return Contained(self._items[number], "normalised", 1.0)
        met: Counter[int] = Counter()
        for length, known in self._by_length.items():
            seen = {run for text in plain for run in _runs(text.split(), length) if run in known}
            met.update(number for run in seen for number in known[run])
        shares = {number: count / self._own[number] for number, count in met.items()}
        best = max(shares, key=lambda number: (shares[number], -number), default=None)
        if best is None or shares[best] < _PARTS:
            return None
        return Contained(self._items[best], "n-gram", shares[best])


def _runs(words: Sequence[str], length: int) -> set[bytes]:
    return {_hash(" ".join(words[start : start + length])) for start in range(len(words) - length + 1)}


def _hash(text: str) -> bytes:
    return blake2b(text.strip().encode("utf-8", "replace"), digest_size=8).digest()
