"""A file of training examples, checked line by line before anything is sent."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llmbench.errors import DatasetError

__all__ = ["CHAT", "COMPLETION", "TEXT", "TrainingFile", "check_training_file"]

CHAT, COMPLETION, TEXT = "chat", "completion", "text"
_WANTED = {CHAT: "messages", COMPLETION: "prompt with completion", TEXT: "text"}
_PROBLEMS_SHOWN = 20
_ROLES = frozenset({"system", "developer", "user", "assistant"})


@dataclass(frozen=True, slots=True)
class TrainingFile:
    """A file that was checked."""

    path: Path
    sha256: str
    examples: int


def check_training_file(path: str | Path, *, formats: frozenset[str], least: int = 1) -> TrainingFile:
    """Read a JSONL file line by line, in flat memory.

    Raises DatasetError naming the file and up to 20 bad lines, or how many examples are missing.
    """
    file, digest, examples = Path(path), hashlib.sha256(), 0
    problems: list[str] = []
    try:
        with file.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                digest.update(line)
                if not line.strip():
                    continue
                examples += 1
                problem = _problem(line, formats)
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
    return TrainingFile(file, digest.hexdigest(), examples)


def _problem(line: bytes, formats: frozenset[str]) -> str | None:
    try:
        row = json.loads(line.decode("utf-8"))
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


def _chat_problem(messages: Any) -> str | None:
    if not isinstance(messages, list) or not messages:
        return "has empty messages"
    for number, message in enumerate(messages):
        if not isinstance(message, dict) or message.get("role") not in _ROLES:
            return f"has a message {number} without a role among {', '.join(sorted(_ROLES))}"
        if not isinstance(message.get("content"), str) or not message["content"].strip():
            return f"has a message {number} without text"
    if messages[-1]["role"] != "assistant":
        return "does not end with an assistant message, so there is nothing to learn"
    return None
