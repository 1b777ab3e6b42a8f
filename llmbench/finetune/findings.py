"""What is wrong with a training file, line by line."""

from __future__ import annotations

from collections import Counter
from typing import Literal, NamedTuple

from llmbench.shown import shown

__all__ = ["Finding", "Findings", "Severity"]

Severity = Literal["error", "warning"]
"""An error is refused by the vendor, or makes a comparison wrong; a warning is to be looked at."""


@shown
class Finding(NamedTuple):
    """One thing that is wrong with one line, or with the file."""

    line: int | None
    """From 1; None for the file as a whole."""
    severity: Severity
    code: str
    """A word for programs, such as "not_json" or "near_duplicate"."""
    message: str
    """The end of a sentence that begins with file and line."""

    def sentence(self, name: str) -> str:
        """The finding with the name of its file.

        >>> Finding(3, "error", "not_json", "is not JSON").sentence("train.jsonl")
        'train.jsonl:3 is not JSON.'
        """
        where = name if self.line is None else f"{name}:{self.line}"
        return f"{where} {self.message}."


class Findings:
    """Findings as they are made: all are counted, and the first `keep` of each kind are kept."""

    def __init__(self, keep: int) -> None:
        self._keep = keep
        self._kept: list[Finding] = []
        self.counts: Counter[tuple[Severity, str]] = Counter()

    def add(self, line: int | None, severity: Severity, code: str, message: str) -> None:
        """Take in one finding."""
        self.counts[severity, code] += 1
        if self.counts[severity, code] <= self._keep:
            self._kept.append(Finding(line, severity, code, message))

    def kept(self) -> tuple[Finding, ...]:
        """By line, those of the whole file first."""
        return tuple(sorted(self._kept, key=lambda finding: finding.line or 0))
