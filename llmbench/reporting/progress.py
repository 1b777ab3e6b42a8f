"""How far a run is: written by the notebook as JSON lines, read by the process that started it."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from llmbench.money import dollars
from llmbench.reporting.text import encodable

__all__ = ["Progress", "ProgressFile", "progress_writer"]


@dataclass(frozen=True, slots=True)
class Progress:
    """Calls of a run so far; None where it is not known yet."""

    done: int = 0
    total: int | None = None
    made: int = 0
    replayed: int = 0
    failed: int = 0
    spent_usd: float | None = None
    rate: float | None = None
    """Calls made a second."""
    eta_s: float | None = None
    message: str = ""

    @classmethod
    def of(cls, event: Any) -> Progress:
        """From a mapping or any object with some of these fields; others are ignored."""
        if isinstance(event, Mapping):
            given = dict(event)
        elif dataclasses.is_dataclass(event) and not isinstance(event, type):
            given = {f.name: getattr(event, f.name) for f in fields(event)}
        else:
            given = dict(vars(event))
        known = {f.name for f in fields(cls)}
        return cls(**{name: value for name, value in given.items() if name in known})

    def line(self) -> str:
        """One line of text.

        >>> Progress(done=30, total=120, made=20, replayed=10, spent_usd=0.012, rate=0.95, eta_s=95).line()
        '30 of 120 calls: 20 made, 10 replayed, 0 failed, $0.012 spent, 0.95 a second, about 1 min 35 s left'
        """
        if self.total is None and self.message:
            return encodable(self.message)
        of = "" if self.total is None else f" of {self.total}"
        parts = [f"{self.done}{of} calls: {self.made} made, {self.replayed} replayed, {self.failed} failed"]
        if self.spent_usd is not None:
            parts.append(f"{dollars(self.spent_usd)} spent")
        if self.rate is not None:
            parts.append(f"{self.rate:.2g} a second" if self.rate < 10 else f"{self.rate:,.0f} a second")
        if self.eta_s is not None and self.done != self.total:
            parts.append(f"about {_duration(self.eta_s)} left")
        if self.message:
            parts.append(encodable(self.message))
        return ", ".join(parts)


class ProgressFile:
    """Reads what was appended to a JSON-lines file since the last look."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0

    def newest(self) -> Progress | None:
        """The last whole line that is new, or None. A line still being written is left for later."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._offset)
                chunk = file.read()
        except FileNotFoundError:
            return None
        complete, newline, _ = chunk.rpartition(b"\n")
        if not newline:
            return None
        self._offset += len(complete) + 1
        try:
            return Progress.of(json.loads(complete.rpartition(b"\n")[2]))
        except (ValueError, RecursionError):  # cut short by a full disk
            return None


def progress_writer(path: Path) -> Callable[[Any], None]:
    """A function that appends each event to `path`; given to `Matrix.run(progress=)`.

    What cannot be written is not shown: that must not end a run that is being paid for.
    """

    def write(event: Any) -> None:
        with contextlib.suppress(OSError), path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(dataclasses.asdict(Progress.of(event))) + "\n")

    return write


def _duration(seconds: float) -> str:
    whole = round(seconds)
    return f"{whole} s" if whole < 60 else f"{whole // 60} min {whole % 60} s"
