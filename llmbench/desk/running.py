"""A report that runs in the background: started, looked at, cancelled."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

from rich.console import Console

from llmbench.errors import LLMBenchError
from llmbench.reporting.progress import Progress
from llmbench.reporting.run import ReportRun, run_report

__all__ = ["BackgroundRun", "RunState"]

RunState = Literal["running", "done", "failed", "cancelled"]
"""How far a run is; the last three are its end."""


class BackgroundRun:
    """`run_report` in a thread; the notebook itself runs in a process of its own, as under the command.

    `changed` is called in that thread, at most some times a second, whenever something has. The process
    ends with this one; what was answered by then is in the ledger.
    """

    def __init__(
        self,
        notebook: str,
        values: Mapping[str, Any],
        out: str | Path | None = None,
        *,
        fresh: bool = False,
        changed: Callable[[BackgroundRun], None] | None = None,
    ) -> None:
        self.notebook = notebook
        self.state: RunState = "running"
        self.progress: Progress | None = None
        """The last that the notebook told of its calls; None where it tells of none."""
        self.message = ""
        """What became of a run that failed or was cancelled, in a sentence."""
        self.result: ReportRun | None = None
        self._work = (dict(values), out, fresh)
        self._changed = changed or (lambda _: None)
        self._began = time.monotonic()
        self._ended: float | None = None
        self._stop = threading.Event()
        self._last_shown = float("-inf")
        # A daemon: the child learns from the end of its standard input that this process is gone.
        self._thread = threading.Thread(target=self._run, name=f"report {notebook}", daemon=True)
        self._thread.start()

    @property
    def seconds(self) -> float:
        """How long it has taken so far, or took."""
        return (self._ended if self._ended is not None else time.monotonic()) - self._began

    def cancel(self) -> None:
        """Stop it as Ctrl-C does: no report, every answer kept. Returns at once."""
        self._stop.set()

    def wait(self, seconds: float | None = None) -> RunState:
        """Wait until it has ended, at most so long; returns its state."""
        self._thread.join(seconds)
        return self.state

    def line(self) -> str:
        """How far it is, or what became of it, in one line."""
        took = f"{self.seconds:,.0f} s"
        if self.state == "running":
            if self._stop.is_set():
                return f"stopping, {took}"
            return f"running, {took}" + (f": {self.progress.line()}" if self.progress is not None else "")
        return f"done in {took}" if self.state == "done" else self.message

    # What `run_report` asks of a follower.

    def show(self, progress: Progress) -> None:
        """The run is so far."""
        self.progress = progress
        self._tell(at_once=True)

    def stopped(self) -> bool:
        """Whether it was cancelled; asked five times a second, which also moves the clock."""
        self._tell()
        return self._stop.is_set()

    def _run(self) -> None:
        values, out, fresh = self._work
        try:
            self.result = run_report(
                self.notebook, values, out, fresh=fresh, console=Console(quiet=True), follower=self
            )
        except KeyboardInterrupt as stopped:
            self._end("cancelled", str(stopped))
        except LLMBenchError as error:
            self._end("failed", str(error))
        except Exception as error:  # noqa: BLE001 - one sentence in the form, whatever it was
            self._end("failed", f"The run failed unexpectedly ({type(error).__name__}: {error}).")
        else:
            self._end("done", "")

    def _end(self, state: RunState, message: str) -> None:
        self.message, self._ended = message, time.monotonic()
        self.state = state
        self._changed(self)

    def _tell(self, *, at_once: bool = False) -> None:
        now = time.monotonic()
        if at_once or now - self._last_shown >= 1.0:
            self._last_shown = now
            self._changed(self)
