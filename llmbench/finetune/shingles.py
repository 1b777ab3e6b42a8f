"""Texts as sets of short runs of words, by which two of them are compared."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from zlib import crc32

from llmbench.finetune.reading import Row, compared_text, normalised, open_training, turns
from llmbench.providers.training_lines import Line, form_of, parse_line, read_lines

__all__ = ["ShinglesAt", "digest_of", "likeness", "shared_wording", "shingles", "without_shared"]

_RUN = 3
_LONG_WORD = 15
_SAMPLE = 500
_COMMON = 0.1
_COMMON_AT_LEAST = 5
_OWN = 0.2
_KEPT = 2048


def shingles(text: str) -> frozenset[int]:
    """Hashes of all runs of 3 words; of 3 characters, in scripts that set no blanks between words.

    >>> len(shingles("one two three four"))
    2
    """
    known = normalised(text).split()
    if known and sum(map(len, known)) > _LONG_WORD * len(known):
        known = list("".join(known))
    if not known:
        return frozenset()
    hashes = list(map(_hash_of_word, known))
    if len(hashes) < _RUN:
        hashes += [0] * (_RUN - len(hashes))
    # Python hashes a tuple of numbers alike in every process; texts it would not.
    return frozenset(map(hash, zip(hashes, hashes[1:], hashes[2:], strict=False)))


@lru_cache(1 << 16)
def _hash_of_word(word: str) -> int:
    return crc32(word.encode("utf-8", "replace"))


def likeness(one: frozenset[int], other: frozenset[int]) -> float:
    """Jaccard's: what both have, as a share of what either has.

    >>> likeness(frozenset({1, 2, 3}), frozenset({2, 3, 4}))
    0.5
    """
    both = len(one & other)
    return both / (len(one) + len(other) - both) if both else 0.0


def digest_of(row: Row) -> int:
    """64 bits of the line's own bytes: what an order rests on that must not depend on the file's."""
    return _digest(row.line.content or b"")


def _digest(content: bytes) -> int:
    return int.from_bytes(blake2b(content.strip(), digest_size=8).digest(), "big")


def shared_wording(path: Path) -> frozenset[int]:
    """The shingles of a template that many examples share: in more than a tenth of 500 examples.

    The 500 are those of the lowest digest, so that they do not depend on the order of the lines.
    """
    lowest: list[tuple[int, int]] = []
    with open_training(path) as content:
        for line in read_lines(content):
            if not line.content or not line.content.strip():
                continue
            digest = _digest(line.content)
            if len(lowest) < _SAMPLE:
                heapq.heappush(lowest, (-digest, line.offset))
            elif -digest > lowest[0][0]:
                heapq.heapreplace(lowest, (-digest, line.offset))
        counts: Counter[int] = Counter()
        for _, offset in lowest:
            content.seek(offset)
            counts.update(_at(content.readline()))
    limit = max(_COMMON_AT_LEAST, _COMMON * len(lowest))
    return frozenset(run for run, count in counts.items() if count > limit)


def without_shared(found: frozenset[int], shared: frozenset[int]) -> frozenset[int]:
    """What is an example's own: its shingles without the template's, unless hardly any would be left."""
    own = found - shared
    return own if len(own) >= max(_RUN, _OWN * len(found)) else found


class ShinglesAt:
    """The shingles of the line that begins at an offset, read again when they are wanted."""

    def __init__(self, path: Path, shared: frozenset[int]) -> None:
        self._path, self._shared = path, shared
        self.at: Callable[[int], frozenset[int]] = lru_cache(_KEPT)(self._read)

    def _read(self, offset: int) -> frozenset[int]:
        with self._path.open("rb") as content:
            content.seek(offset)
            return without_shared(_at(content.readline()), self._shared)


def _at(content: bytes) -> frozenset[int]:
    row, _ = parse_line(Line(1, 0, content))
    return frozenset() if row is None else shingles(compared_text(turns(row, form_of(row))))
