"""Examples that are nearly the same, found without comparing each with each (MinHash with bands).

Of the hashes of an example's shingles the lowest of each of 32 classes is kept (one-permutation hashing,
Li, Owen and Zhang 2012; an empty class takes its neighbour's, Shrivastava and Li 2014). Four classes make a
band, and examples that agree in one of the 8 bands are compared in full. At a likeness s that happens with
probability 1 - (1 - s^4)^8: 98.5% at 0.8, 99.98% at 0.9. What is reported has been compared, not estimated.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator
from typing import NamedTuple

from llmbench.errors import UsageError
from llmbench.finetune.key_file import KeyFile
from llmbench.finetune.shingles import likeness

__all__ = ["Alike", "NearDuplicates", "check_near", "sketch"]

_CLASSES, _IN_BAND = 32, 4
_MASK = (1 << 64) - 1
_ROW_MIX, _BAND_MIX = 0x100000001B3, 0x9E3779B97F4A7C15
_COMPARED = 4
"""Examples of one band that a further one is compared with: a phrase that thousands share costs no more."""
_LEAST_AGREEING = 12
"""Of 32 classes that two examples must share before they are read again. At a likeness of 0.8, 26 do."""


class Alike(NamedTuple):
    """Two examples, by their number in the order of `add`, from 0; the earlier one is `other`."""

    number: int
    other: int
    likeness: float


def check_near(near: float | None) -> None:
    """Raise UsageError for what is no least likeness; None is none, and looks for nothing."""
    if near is not None and not 0 < near <= 1:
        raise UsageError(f"near is a likeness above 0 and at most 1, or None; it is {near!r}.")


def sketch(found: frozenset[int]) -> list[int]:
    """The lowest hash of each of 32 classes.

    >>> sketch(frozenset({5, 37, 6}))[5:7]
    [5, 6]
    """
    lowest = {each % _CLASSES: each for each in sorted(found, reverse=True)}
    kept = [lowest.get(number) for number in range(_CLASSES)]
    last = next(each for each in reversed(kept) if each is not None)
    for number in range(_CLASSES - 1, -1, -1):
        value = kept[number]
        if value is None:
            # Set apart by its class, or else two empty ones beside each other would agree by chance.
            kept[number] = (last * (2 * number + 1)) & _MASK
        else:
            last = value
    return [each for each in kept if each is not None]


class NearDuplicates:
    """Takes examples one by one and finds those that are alike. In memory it holds 48 bytes of each."""

    def __init__(self, threshold: float) -> None:
        self._threshold = threshold
        self._bands = KeyFile()
        self._signs = bytearray()
        self.offsets = array("Q")
        self._digests = array("Q")

    def add(self, found: frozenset[int], *, offset: int, digest: int) -> None:
        """Take in the shingles of the next example, where its line begins, and its digest."""
        number = len(self.offsets)
        self.offsets.append(offset)
        self._digests.append(digest)
        if not found:
            self._signs += bytes(_CLASSES)
            return
        kept = sketch(found)
        self._signs += bytes((each >> 8) & 0xFF for each in kept)
        for band in range(0, _CLASSES, _IN_BAND):
            key = band + 1
            for each in kept[band : band + _IN_BAND]:
                key = ((key ^ each) * _ROW_MIX + _BAND_MIX) & _MASK
            self._bands.add((key ^ (key >> 31)) & _MASK, number)

    def alike(self, at: Callable[[int], frozenset[int]]) -> Iterator[Alike]:
        """Pairs at or above the threshold, each pair once; `at` gives the shingles at an offset.

        To be called once. Which pairs are compared does not depend on the order of the lines.
        """
        tried: set[tuple[int, int]] = set()
        for members in self._bands.groups():
            members.sort(key=lambda number: self._digests[number])
            kept: list[int] = []
            for number in members:
                for other in kept:
                    pair = (number, other) if number > other else (other, number)
                    if pair in tried or not self._may_be(*pair):
                        continue
                    tried.add(pair)
                    found = likeness(at(self.offsets[pair[0]]), at(self.offsets[pair[1]]))
                    if found >= self._threshold:
                        yield Alike(*pair, found)
                        break
                else:
                    if len(kept) < _COMPARED:
                        kept.append(number)

    def _may_be(self, one: int, other: int) -> bool:
        first = self._signs[one * _CLASSES : (one + 1) * _CLASSES]
        second = self._signs[other * _CLASSES : (other + 1) * _CLASSES]
        return sum(map(int.__eq__, first, second)) >= _LEAST_AGREEING
