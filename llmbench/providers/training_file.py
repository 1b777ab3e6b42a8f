"""A file of training examples, checked line by line before anything is sent."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from llmbench.errors import DatasetError
from llmbench.providers.training_lines import (
    CHAT,
    COMPLETION,
    TEXT,
    Line,
    opening_problem,
    parse_line,
    read_lines,
    row_problems,
)

__all__ = ["CHAT", "COMPLETION", "TEXT", "TrainingFile", "check_training_file"]

_PROBLEMS_SHOWN = 20
_HEAD = 16


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
            whole = opening_problem(content.read(_HEAD))
            if whole:
                raise DatasetError(f"The training file {file} {whole}; nothing was sent.")
            content.seek(0)
            for line in read_lines(content, digest.update):
                if line.content is not None and not line.content.strip():
                    continue
                examples += 1
                problem = _problem(line, formats)
                if problem and len(problems) < _PROBLEMS_SHOWN:
                    problems.append(f"{file.name}:{line.number} {problem}")
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


def _problem(line: Line, formats: frozenset[str]) -> str | None:
    """The first thing that is wrong with a line."""
    row, problem = parse_line(line)
    if problem is None and row is not None:
        problem = next(row_problems(row, formats), None)
    return problem.text if problem else None
