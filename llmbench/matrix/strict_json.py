"""JSON as the standard has it, out of a model's answer."""

from __future__ import annotations

import json
import re
from typing import Any

__all__ = ["parse_json"]

_FENCED = re.compile(r"```(?:json|JSON)?[ \t]*\n(.*)\n[ \t]*```", re.DOTALL)


def parse_json(answer: str) -> Any:
    r"""The value that the whole of `answer` is, white space and one code fence around it aside.

    Raises ValueError saying why for anything else: text before or after, a key given twice, NaN
    and Infinity, nesting too deep to read.

    >>> parse_json('```json\n{"a": 1}\n```')
    {'a': 1}
    """
    text = answer.strip().removeprefix("\ufeff")
    fenced = _FENCED.fullmatch(text)
    try:
        return json.loads(
            fenced[1] if fenced else text, object_pairs_hook=_without_repetition, parse_constant=_no_constant
        )
    except RecursionError:
        raise ValueError("its JSON is nested too deeply") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"it is not JSON ({error.msg} at character {error.pos})") from None


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key of its JSON is given twice")
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")
