"""Rows of a training file one at a time, in flat memory, and the texts in them."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, NamedTuple

from llmbench.errors import DatasetError
from llmbench.providers.training_lines import (
    CHAT,
    COMPLETION,
    Line,
    LineProblem,
    form_of,
    opening_problem,
    parse_line,
    read_lines,
)

__all__ = [
    "Row",
    "Turn",
    "compared_text",
    "normalised",
    "open_training",
    "prompt_of",
    "rows",
    "said",
    "turns",
]

_HEAD = 16
_GAPS = re.compile(r"[\W_]+")
_PLAIN = {code: chr(code).lower() if chr(code).isalnum() else " " for code in range(128)}


class Row(NamedTuple):
    """One line that is not blank. A line that cannot be read has no `row`, and a `problem`."""

    line: Line
    row: dict[str, Any] | None
    problem: LineProblem | None
    form: str | None
    """chat, completion or text; None for none, or for several at once."""


class Turn(NamedTuple):
    """One message, as text."""

    role: str
    text: str
    learned: bool
    """Whether the model is trained to write it."""
    whole: bool = True
    """False where it holds what is no text, such as an image."""
    calls: bool = False
    """Whether tools are called in it: as JSON, which is not how a model reads them."""


@contextmanager
def open_training(path: Path, what: str = "training file") -> Iterator[IO[bytes]]:
    """The file, at its beginning; `what` it is, to those who gave it.

    Raises DatasetError for a file that cannot be read as lines of JSON.
    """
    try:
        if path.is_dir():
            raise DatasetError(f"{path} is a folder; give the path of one {what} in it.")
        with path.open("rb") as content:
            head = content.read(_HEAD)
            if not head:
                raise DatasetError(f"{path} is empty; a {what} has one example a line.")
            problem = opening_problem(head)
            if problem:
                raise DatasetError(f"{path} {problem}.")
            content.seek(0)
            yield content
    except FileNotFoundError as error:
        raise DatasetError(f"There is no file {path}; give the path of the {what}.") from error
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error.strerror or error}.") from error


def rows(content: IO[bytes], seen: Callable[[bytes], object] = len) -> Iterator[Row]:
    """The lines of an open file that are not blank; `seen` is given every byte."""
    for line in read_lines(content, seen):
        if line.content is not None and not line.content.strip():
            continue
        row, problem = parse_line(line)
        yield Row(line, row, problem, None if row is None else form_of(row))


def said(content: Any) -> tuple[str, bool]:
    """The text of a message's content, and whether that is all of it.

    >>> said([{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {}}])
    ('What is this?', False)
    """
    if isinstance(content, str):
        return content, True
    if not isinstance(content, list):
        return "", content is None
    texts = [part["text"] for part in content if isinstance(part, dict) and isinstance(part.get("text"), str)]
    return "\n".join(texts), len(texts) == len(content)


def turns(row: Mapping[str, Any], form: str | None) -> list[Turn]:
    """The messages of a row; a prompt and its completion are a user's turn and an assistant's."""
    if form == CHAT:
        return (
            [_turn(message) for message in row["messages"] if isinstance(message, dict)]
            if isinstance(row["messages"], list)
            else []
        )
    if form == COMPLETION:
        pairs = (("user", row["prompt"], False), ("assistant", row["completion"], True))
    else:
        pairs = (("assistant", row.get("text"), True),) if form else ()  # type: ignore[assignment]
    return [Turn(role, text, learned) for role, text, learned in pairs if isinstance(text, str)]


def _turn(message: Mapping[str, Any]) -> Turn:
    role = message.get("role")
    text, whole = said(message.get("content"))
    calls = [message[key] for key in ("tool_calls", "function_call") if message.get(key)]
    if calls:
        text = "\n".join(filter(None, [text, *(json.dumps(call, ensure_ascii=False) for call in calls)]))
    role = role if isinstance(role, str) else ""
    return Turn(role, text, role == "assistant" and message.get("weight", 1) != 0, whole, bool(calls))


def normalised(text: str) -> str:
    """A text without what does not make it another: case, signs, blanks, forms of the same character.

    >>> normalised("  Écrire, à  « Bob » ! ") == normalised("écrire à bob")
    True
    """
    if text.isascii():  # most are, and this way takes a tenth of the time
        return " ".join(text.translate(_PLAIN).split())
    return _GAPS.sub(" ", unicodedata.normalize("NFKC", text).casefold()).strip()


def prompt_of(found: list[Turn]) -> str:
    """What the first user says; of a plain text, all of it."""
    return next((turn.text for turn in found if turn.role == "user"), found[0].text if found else "")


def compared_text(found: list[Turn]) -> str:
    """What is compared to find examples that are alike: all turns but the system's, which repeats itself."""
    return "\n".join(turn.text for turn in found if turn.role not in {"system", "developer"})
