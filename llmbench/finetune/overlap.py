"""Whether examples to train on hold questions of an evaluation set."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
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
        found = [normalised(item.text) for item in items]
        common = _common_runs([text.split() for text in found])
        self._by_length: dict[int, dict[bytes, list[int]]] = {}
        for number, (item, plain) in enumerate(zip(items, found, strict=True)):
            if not plain:
                continue
            self._exact.setdefault(_hash(item.text), number)
            self._plain.setdefault(_hash(plain), number)
            for words in _own_parts(plain.split(), common):
                length = min(_RUN, len(words))
                for run in _runs(words, length):
                    self._by_length.setdefault(length, {}).setdefault(run, []).append(number)
        self._own = Counter(
            number for runs in self._by_length.values() for numbers in runs.values() for number in numbers
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


def _common_runs(questions: Sequence[Sequence[str]]) -> set[bytes]:
    """Runs of words that so many questions share that they are a template's."""
    counts = Counter(run for words in questions for run in _runs(words, _RUN))
    limit = max(2, _BOILERPLATE * len(questions))
    return {run for run, count in counts.items() if count > limit}


def _own_parts(words: Sequence[str], common: set[bytes]) -> Iterator[Sequence[str]]:
    """The stretches of a question that are outside of the common runs, and long enough to tell."""
    of_template: set[int] = set()
    for start in range(len(words) - _RUN + 1):
        if _hash(" ".join(words[start : start + _RUN])) in common:
            of_template.update(range(start, start + _RUN))
    begin = 0
    for end in [*sorted(of_template), len(words)]:
        if end - begin >= _SHORTEST:
            yield words[begin:end]
        begin = end + 1


def _runs(words: Sequence[str], length: int) -> set[bytes]:
    return {_hash(" ".join(words[start : start + length])) for start in range(len(words) - length + 1)}


def _hash(text: str) -> bytes:
    return blake2b(text.strip().encode("utf-8", "replace"), digest_size=8).digest()
