"""Several reports at a time: each notebook in a process of its own, followed by a thread of this one."""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from llmbench.errors import UsageError
from llmbench.reporting.console import RunDisplay, live_bars
from llmbench.reporting.run import MEMO, ReportRun

if TYPE_CHECKING:
    from rich.console import Console

    from llmbench.reporting.process import Follower
    from llmbench.reporting.progress import Progress

__all__ = ["side_by_side"]

_LISTEN_SECONDS = 0.5
"""On Windows, Ctrl-C does not end a wait without an end."""


class _Watched:
    """A follower that shows the run, and stops it when all are."""

    def __init__(self, display: RunDisplay, stop: threading.Event) -> None:
        self._display = display
        self._stop = stop

    def show(self, progress: Progress) -> None:
        self._display.show(progress)

    def stopped(self) -> bool:
        return self._stop.is_set()


def side_by_side(
    notebooks: Iterable[str],
    run: Callable[[str, Follower], ReportRun],
    jobs: int,
    console: Console | None = None,
) -> Iterator[ReportRun]:
    """Make the report of each notebook by `run`, at most `jobs` at a time; yields each once it is published.

    `run` takes a notebook and a follower. They begin in their order; the memo, which reads what the others
    leave, begins when no other runs. After one has failed none begins; those that run go on to their end,
    and then its error is raised, while those of any others are told on `console` (default: standard error).
    Ctrl-C, or the end of the iterator before its time, stops all that run.

    Raises UsageError for less than one job, and what `run` raises.
    """
    from rich.console import Console

    console = console or Console(stderr=True)
    if jobs < 1:
        raise UsageError(f"At least 1 report is made at a time, not {jobs}.")
    waiting = deque(notebooks)
    stop = threading.Event()
    ended: queue.Queue[tuple[str, ReportRun | BaseException]] = queue.Queue()
    running: dict[str, threading.Thread] = {}
    failure: BaseException | None = None

    with live_bars(console) as bars:

        def work(notebook: str) -> None:
            try:
                with RunDisplay(notebook, console, bars) as display:
                    ended.put((notebook, run(notebook, _Watched(display, stop))))
            except BaseException as error:  # noqa: BLE001 - raised again in the thread that asked for the run
                ended.put((notebook, error))

        try:
            while True:
                while waiting and failure is None and _may_begin(waiting[0], running, jobs):
                    notebook = waiting.popleft()
                    # A daemon: the child learns from the end of its standard input that this process is gone.
                    running[notebook] = threading.Thread(
                        target=work, args=(notebook,), name=f"report {notebook}", daemon=True
                    )
                    running[notebook].start()
                if not running:
                    break
                notebook, outcome = _next(ended)
                running.pop(notebook).join()
                if isinstance(outcome, ReportRun):
                    yield outcome
                elif failure is None:
                    failure = outcome
                else:
                    console.print(f"{notebook}: {outcome}", markup=False, highlight=False, soft_wrap=True)
        except KeyboardInterrupt:
            raise KeyboardInterrupt(
                f"Interrupted: {', '.join(running)} left no report; the last ones are untouched, every "
                "answer received is in the ledger, and the same command goes on from there."
            ) from None
        finally:
            stop.set()
            for thread in running.values():
                thread.join()
    if failure is not None:
        raise failure


def _may_begin(notebook: str, running: Iterable[str], jobs: int) -> bool:
    busy = list(running)
    return len(busy) < jobs and (notebook != MEMO or not busy)


def _next(
    ended: queue.Queue[tuple[str, ReportRun | BaseException]],
) -> tuple[str, ReportRun | BaseException]:
    while True:
        try:
            return ended.get(timeout=_LISTEN_SECONDS)
        except queue.Empty:
            continue
