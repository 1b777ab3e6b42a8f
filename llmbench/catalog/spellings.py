"""Names under any spelling: case, blanks, dashes and the vendor's name in front do not matter."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Protocol

from llmbench.errors import UsageError

__all__ = ["find_spelling", "plain_spelling", "spellings_of"]

_MOST = 20
"""Names told where none is near."""
_VENDORS = ("nvidia", "amd", "instinct", "geforce", "tesla")


@lru_cache(maxsize=4096)
def plain_spelling(text: str) -> str:
    """Letters and digits alone, in lower case, without the names of vendors and their product lines.

    >>> plain_spelling("NVIDIA H100-80GB SXM"), plain_spelling("TensorRT-LLM")
    ('h10080gbsxm', 'tensorrtllm')
    """
    plain = re.sub(r"[^a-z0-9]", "", text.casefold())
    for word in _VENDORS:
        plain = plain.removeprefix(word)
    return plain


class _Aliased(Protocol):
    @property
    def aliases(self) -> tuple[str, ...]: ...


def spellings_of(facts: Mapping[str, _Aliased]) -> Mapping[str, str]:
    """The name of each entry by its plain spellings, its aliases' too: what `find_spelling` looks in."""
    return {
        plain_spelling(spelling): name for name, entry in facts.items() for spelling in (name, *entry.aliases)
    }


def find_spelling(kind: str, text: object, names: Mapping[str, str]) -> str:
    """The name that `text` means; `names` gives it for each plain spelling.

    Raises UsageError, naming `kind` and the nearest names.
    """
    plain = plain_spelling(text) if isinstance(text, str) else ""
    if plain in names:
        return names[plain]
    # One wrong letter of two is half of a name.
    near = difflib.get_close_matches(plain, names, n=3, cutoff=0.5 if len(plain) <= 3 else 0.6)
    known = sorted({names[each] for each in near} or set(names.values()))
    more = f" and {len(known) - _MOST} more" if len(known) > _MOST else ""
    hint = f"did you mean {', '.join(known)}?" if near else f"it knows {', '.join(known[:_MOST])}{more}."
    raise UsageError(f"The catalog does not know the {kind} {text!r}; {hint}")
