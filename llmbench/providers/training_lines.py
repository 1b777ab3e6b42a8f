"""Lines of a training file, and what is wrong with each: the rules that all vendors share."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import IO, Any, NamedTuple, NoReturn

__all__ = [
    "CHAT", "COMPLETION", "KEYS", "LONGEST_LINE", "ROLES", "TEXT", "Line", "LineProblem", "form_of",
    "opening_problem", "parse_line", "read_lines", "row_problems",
]  # fmt: skip

CHAT, COMPLETION, TEXT = "chat", "completion", "text"
KEYS = {CHAT: ("messages",), COMPLETION: ("prompt", "completion"), TEXT: ("text",)}
"""The keys of a row of each form."""

LONGEST_LINE = 32 * 1024 * 1024
"""No model reads that much; a file without line ends would fill the memory."""

ROLES = frozenset({"system", "developer", "user", "assistant", "tool", "function"})
_CALLS = ("tool_calls", "function_call")
_WANTED = {CHAT: "messages", COMPLETION: "prompt with completion", TEXT: "text"}
_BOM = b"\xef\xbb\xbf"
_OPENINGS = (
    (b"\x1f\x8b", "is compressed with gzip; unpack it"),
    (b"PK\x03\x04", "is a ZIP archive, or a workbook; save it as JSONL"),
    (b"PAR1", "is parquet; save it as JSONL"),
    (b"\xff\xfe", "is UTF-16; save it as UTF-8"),
    (b"\xfe\xff", "is UTF-16; save it as UTF-8"),
    (b"\x00{", "is UTF-16; save it as UTF-8"),
    (b"{\x00", "is UTF-16; save it as UTF-8"),
)


class LineProblem(NamedTuple):
    """What is wrong with a line: a word for programs, and the end of a sentence that begins with it."""

    code: str
    text: str


class Line(NamedTuple):
    """One line; `content` is None where it is too long to be kept."""

    number: int
    """From 1."""
    offset: int
    """Of its first byte in the file."""
    content: bytes | None


def opening_problem(head: bytes) -> str | None:
    r"""Why a file that begins with these bytes is no JSON lines at all, or None.

    >>> opening_problem(b"\x1f\x8b\x08")
    'is compressed with gzip; unpack it'
    """
    return next((what for opening, what in _OPENINGS if head.startswith(opening)), None)


def read_lines(content: IO[bytes], seen: Callable[[bytes], object] = len) -> Iterator[Line]:
    """The lines of an open file, blank ones too, in flat memory; `seen` is given every byte."""
    number = offset = 0
    while piece := content.readline(LONGEST_LINE):
        number += 1
        start = offset
        seen(piece)
        offset += len(piece)
        whole: bytes | None = piece
        while len(piece) == LONGEST_LINE and not piece.endswith(b"\n"):
            piece = content.readline(LONGEST_LINE)
            seen(piece)
            offset += len(piece)
            whole = None
        yield Line(number, start, whole)


def parse_line(line: Line) -> tuple[dict[str, Any] | None, LineProblem | None]:
    """The row of a line that is not blank, and what is wrong: a row behind a byte order mark has both."""
    content, problem = line.content, None
    if content is None:
        return None, LineProblem(
            "line_too_long", f"is longer than {LONGEST_LINE // 1024**2} MiB, which is no example"
        )
    if line.number == 1 and content.startswith(_BOM):
        content = content[len(_BOM) :]
        problem = LineProblem(
            "byte_order_mark", "starts with a byte order mark; save the file as UTF-8 without one"
        )
    try:
        row = json.loads(content.decode("utf-8"), parse_constant=_refuse_constant)
    except UnicodeDecodeError:
        return None, problem or LineProblem("not_utf8", "is not UTF-8")
    except json.JSONDecodeError as error:
        if line.number == 1 and content.strip() in (b"[", b"{"):
            several = "begins JSON that goes on over several lines; write each example on one line of its own"
            return None, problem or LineProblem("not_json", several)
        what = f"is not JSON ({error.msg} at character {error.pos + 1})"
        return None, problem or LineProblem("not_json", what)
    except ValueError as error:
        return None, problem or LineProblem("not_json", f"is not JSON ({error})")
    except RecursionError:
        return None, problem or LineProblem("not_json", "is not JSON (it is nested too deeply)")
    if isinstance(row, list):
        return None, problem or LineProblem(
            "not_object", "is a JSON array; write each example, a JSON object, on a line of its own"
        )
    if not isinstance(row, dict):
        return None, problem or LineProblem("not_object", "is no JSON object")
    return row, problem


def form_of(row: dict[str, Any]) -> str | None:
    """Which form a row has, by its keys; None for none or for several.

    >>> form_of({"messages": []}), form_of({"prompt": "a", "completion": "b", "text": "c"})
    ('chat', None)
    """
    forms = [form for form, keys in KEYS.items() if all(key in row for key in keys)]
    return forms[0] if len(forms) == 1 else None


def row_problems(row: dict[str, Any], formats: frozenset[str]) -> Iterator[LineProblem]:
    """Everything that makes a row no example of one of `formats`, or one of which nothing is learned."""
    if CHAT in formats and "messages" in row:
        yield from _chat_problems(row["messages"])
        return
    for kind in (COMPLETION, TEXT):
        if kind in formats and all(isinstance(row.get(key), str) and row[key] for key in KEYS[kind]):
            return
    wanted = " and no ".join(_WANTED[kind] for kind in sorted(formats))
    yield LineProblem("wrong_format", f"has no {wanted}")


def _refuse_constant(word: str) -> NoReturn:
    raise ValueError(f"it holds {word}, which only Python reads as a number")


def _chat_problems(messages: Any) -> Iterator[LineProblem]:
    if not isinstance(messages, list) or not messages:
        yield LineProblem("empty_messages", "has empty messages")
        return
    roles = [message.get("role") if isinstance(message, dict) else None for message in messages]
    for number, (message, role) in enumerate(zip(messages, roles, strict=True)):
        if not isinstance(role, str) or role not in ROLES:
            yield LineProblem(
                "role", f"has a message {number} without a role among {', '.join(sorted(ROLES))}"
            )
            continue
        calls = role == "assistant" and any(message.get(key) for key in _CALLS)
        if not calls and not _says_something(message.get("content")):
            yield LineProblem("empty_turn", f"has a message {number} without text")
        weight = message.get("weight", 1)
        if isinstance(weight, bool) or not isinstance(weight, int | float) or weight < 0:
            yield LineProblem("weight", f"has a message {number} whose weight is {weight!r:.40}")
    if roles[-1] != "assistant":
        code = "not_last_assistant" if "assistant" in roles else "no_assistant"
        yield LineProblem(code, "does not end with an assistant message, so there is nothing to learn")


def _says_something(content: Any) -> bool:
    if isinstance(content, str):
        return bool(content.strip())
    # Parts, as in a request: text and images.
    return isinstance(content, list) and bool(content) and all(isinstance(part, dict) for part in content)
