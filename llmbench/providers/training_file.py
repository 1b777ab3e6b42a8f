"""A file of training examples, checked line by line before anything is sent."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NoReturn

from llmbench.errors import DatasetError

__all__ = ["CHAT", "COMPLETION", "TEXT", "TrainingFile", "check_training_file"]

CHAT, COMPLETION, TEXT = "chat", "completion", "text"
_WANTED = {CHAT: "messages", COMPLETION: "prompt with completion", TEXT: "text"}
_PROBLEMS_SHOWN = 20
_LONGEST_LINE = 32 * 1024 * 1024  # no model reads that much; a file without line ends would fill the memory
_ROLES = frozenset({"system", "developer", "user", "assistant", "tool", "function"})
_CALLS = ("tool_calls", "function_call")
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class TrainingFile:
    """A file that was checked."""

    path: Path
    sha256: str
    examples: int
    stamp: tuple[int, int]
    """Size and time of the last change when it was checked."""

    def refuse_if_changed(self) -> None:
        """Raise DatasetError where the file is no longer the one that was checked."""
        try:
            changed = _stamp(self.path.stat()) != self.stamp
        except OSError:
            changed = True
        if changed:
            raise DatasetError(
                f"The file {self.path} was changed while it was being sent; no job was started: "
                "call again when nothing writes to it."
            )


def check_training_file(path: str | Path, *, formats: frozenset[str], least: int = 1) -> TrainingFile:
    """Read a JSONL file line by line, in flat memory.

    Raises DatasetError naming the file and up to 20 bad lines, or how many examples are missing.
    """
    file, digest, examples = Path(path), hashlib.sha256(), 0
    problems: list[str] = []
    try:
        with file.open("rb") as content:
            stamp = _stamp(os.fstat(content.fileno()))
            for number, line in _lines(content, digest):
                if line is not None and not line.strip():
                    continue
                examples += 1
                problem = _problem(line, number, formats)
                if problem and len(problems) < _PROBLEMS_SHOWN:
                    problems.append(f"{file.name}:{number} {problem}")
    except OSError as error:
        raise DatasetError(f"The training file {file} cannot be read: {error.strerror}.") from error
    if problems:
        raise DatasetError(
            f"{file.name} has bad lines:\n" + "\n".join(problems) + "\nCorrect them; nothing was sent."
        )
    if examples < least:
        raise DatasetError(
            f"{file.name} has {examples} examples, and at least {least} are needed; nothing was sent."
        )
    return TrainingFile(file, digest.hexdigest(), examples, stamp)


def _stamp(found: os.stat_result) -> tuple[int, int]:
    return found.st_size, found.st_mtime_ns


def _lines(content: IO[bytes], digest: Any) -> Iterator[tuple[int, bytes | None]]:
    """Lines with their numbers, from 1; None stands for one that is too long to be kept."""
    number = 0
    while piece := content.readline(_LONGEST_LINE):
        number += 1
        digest.update(piece)
        whole: bytes | None = piece
        while len(piece) == _LONGEST_LINE and not piece.endswith(b"\n"):
            piece = content.readline(_LONGEST_LINE)
            digest.update(piece)
            whole = None
        yield number, whole


def _problem(line: bytes | None, number: int, formats: frozenset[str]) -> str | None:
    if line is None:
        return f"is longer than {_LONGEST_LINE // 1024**2} MiB, which is no example"
    if number == 1 and line.startswith(_BOM):
        return "starts with a byte order mark; save the file as UTF-8 without one"
    try:
        row = json.loads(line.decode("utf-8"), parse_constant=_refuse_constant)
    except UnicodeDecodeError:
        return "is not UTF-8"
    except (ValueError, RecursionError):
        return "is not JSON"
    if not isinstance(row, dict):
        return "is no JSON object"
    if CHAT in formats and "messages" in row:
        return _chat_problem(row["messages"])
    for kind, keys in ((COMPLETION, ("prompt", "completion")), (TEXT, ("text",))):
        if kind in formats and all(isinstance(row.get(key), str) and row[key] for key in keys):
            return None
    return f"has no {' and no '.join(_WANTED[kind] for kind in sorted(formats))}"


def _refuse_constant(word: str) -> NoReturn:
    raise ValueError(word)  # NaN and Infinity, which Python reads and JSON does not have


def _chat_problem(messages: Any) -> str | None:
    if not isinstance(messages, list) or not messages:
        return "has empty messages"
    for number, message in enumerate(messages):
        role = message.get("role") if isinstance(message, dict) else None
        if not isinstance(role, str) or role not in _ROLES:
            return f"has a message {number} without a role among {', '.join(sorted(_ROLES))}"
        calls = role == "assistant" and any(message.get(key) for key in _CALLS)
        if not calls and not _says_something(message.get("content")):
            return f"has a message {number} without text"
        weight = message.get("weight", 1)
        if isinstance(weight, bool) or not isinstance(weight, int | float) or weight < 0:
            return f"has a message {number} whose weight is {weight!r:.40}"
    if messages[-1]["role"] != "assistant":
        return "does not end with an assistant message, so there is nothing to learn"
    return None


def _says_something(content: Any) -> bool:
    if isinstance(content, str):
        return bool(content.strip())
    # Parts, as in a request: text and images.
    return isinstance(content, list) and bool(content) and all(isinstance(part, dict) for part in content)
