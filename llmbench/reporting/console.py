"""What the terminal shows while notebooks run: a live bar for each, or plain lines where there is none."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Self

from llmbench.reporting.progress import Progress

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

__all__ = ["RunDisplay", "live_bars"]

_PLAIN_LINE_SECONDS = 10.0


@contextlib.contextmanager
def live_bars(console: Console) -> Iterator[RichProgress | None]:
    """Where the bars of all runs stand, which a terminal has one of; None where `console` is no terminal."""
    if not console.is_terminal:
        yield None
        return
    from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as RichProgress

    with RichProgress(
        SpinnerColumn(),
        TextColumn("{task.fields[notebook]}", markup=False),
        BarColumn(),
        TextColumn("{task.description}", markup=False),
        TimeElapsedColumn(),
        console=console,
        transient=True,
    ) as bars:
        yield bars


class RunDisplay:
    """Shows the progress of one notebook, from start to finish: in `bars`, or on `console` without them."""

    def __init__(self, notebook: str, console: Console, bars: RichProgress | None) -> None:
        self._notebook = notebook
        self._console = console
        self._bars = bars
        self._task: TaskID | None = None
        self._last_line = float("-inf")

    def __enter__(self) -> Self:
        if self._bars is not None:
            self._task = self._bars.add_task("starting", total=None, notebook=self._notebook)
        else:
            self._print("starting")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bars is not None and self._task is not None:
            self._bars.remove_task(self._task)

    def show(self, progress: Progress) -> None:
        """Show how far the run is; on plain output at most every ten seconds, and at the end."""
        if self._bars is not None and self._task is not None:
            self._bars.update(
                self._task, description=progress.line(), completed=progress.done, total=progress.total
            )
            return
        finished = progress.total is not None and progress.done >= progress.total
        if finished or time.monotonic() - self._last_line >= _PLAIN_LINE_SECONDS:
            self._last_line = time.monotonic()
            self._print(progress.line())

    def _print(self, line: str) -> None:
        self._console.print(f"{self._notebook}: {line}", markup=False, highlight=False, soft_wrap=True)
