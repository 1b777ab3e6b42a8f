"""Which items of a data set are used: by their columns, at random, or the first of every category; and which
are there twice.
"""

from __future__ import annotations

import hashlib
import random
from collections import deque
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from llmbench.errors import DatasetError
from llmbench.matrix.text import as_text, nearest

if TYPE_CHECKING:
    from llmbench.matrix.dataset import Item

__all__ = ["in_turn", "matching", "repeated", "sampled"]

_SHOWN = 10


def matching(name: str, items: Sequence[Item], where: Mapping[str, Any]) -> list[Item]:
    """Items whose columns hold what `where` says: {column: a value, or a list of values of which one}.

    Values are compared as text, so that 1, 1.0 and "1" are the same; None is an empty cell. Raises
    DatasetError where nothing matches, with the values that there are.
    """
    kept = list(items)
    for column, wanted in where.items():
        values = wanted if isinstance(wanted, list | tuple | set | frozenset) else [wanted]
        texts = {_text(value) for value in values}
        there = kept
        kept = [item for item in there if _text(item.fields.get(column)) in texts]
        if not kept:
            found = list(dict.fromkeys(_text(item.fields.get(column)) or "(empty)" for item in there))
            more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
            asked = ", ".join(repr(text or "(empty)") for text in sorted(texts, key=str))
            hint = nearest(next(iter(texts)) or "", found) if len(texts) == 1 else ""
            raise DatasetError(
                f"{name} has no item left with {column} {asked}; there is "
                f"{', '.join(found[:_SHOWN])}{more}.{hint}"
            )
    return kept


def sampled(items: Sequence[Item], n: int, seed: int) -> list[Item]:
    """A simple random sample without replacement, in the order of the file; a larger one contains it."""
    order = list(range(len(items)))
    random.Random(seed).shuffle(order)  # noqa: S311 - a sample, not a secret
    return [items[place] for place in sorted(order[:n])]


def in_turn(items: Sequence[Item], n: int) -> list[Item]:
    """At most `n` items, categories in turn, in the order of the file; a larger choice contains it."""
    queues: dict[str | None, deque[int]] = {}
    for place, item in enumerate(items):
        queues.setdefault(item.category, deque()).append(place)
    chosen: list[int] = []
    while len(chosen) < n and any(queues.values()):
        for queue in queues.values():
            if queue and len(chosen) < n:
                chosen.append(queue.popleft())
    return [items[place] for place in sorted(chosen)]


def _text(value: Any) -> str | None:
    return None if value is None else as_text(value)


def repeated(items: Sequence[Item], id_column: str | None) -> str | None:
    """How many items are the same as an earlier one but for their id, in words; None: none.

    They stay, as texts do come twice; but whoever reads an interval takes the items for independent.
    """
    first: dict[bytes, int] = {}
    again: list[tuple[int, int]] = []
    for item in items:
        cells = sorted((name, repr(value)) for name, value in item.fields.items() if name != id_column)
        key = hashlib.blake2b(repr(cells).encode(), digest_size=16).digest()
        line = first.setdefault(key, item.line)
        if line != item.line:
            again.append((item.line, line))
    if not again:
        return None
    what = "1 item is" if len(again) == 1 else f"{len(again):,} items are"
    last, line = again[0]
    counts = "counts" if len(again) == 1 else "count"
    return f"{what} the same as an earlier one (line {last} as line {line}) and {counts} again"
