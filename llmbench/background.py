"""One event loop in a thread of its own, so that plain functions can run coroutines.

A notebook's kernel already runs a loop, in which `asyncio.run` is refused; everything that a cell
calls as a plain function runs here instead, beside top-level `await provider...` in the kernel's.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import os
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

from llmbench.errors import UsageError

__all__ = ["run"]

T = TypeVar("T")

_CLOSING_SECONDS = 5.0


class _BackgroundLoop:
    def __init__(self) -> None:
        self.pid = os.getpid()
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self._main, name="llmbench-loop", daemon=True)
        self.thread.start()

    def _main(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()

    def close(self) -> None:
        """Cancel what runs, close the clients that live in this loop, and end the thread."""
        if self.pid != os.getpid() or self.loop.is_closed():
            return
        # A client that will not close must not keep the interpreter from ending.
        with contextlib.suppress(TimeoutError):
            asyncio.run_coroutine_threadsafe(_wind_down(), self.loop).result(_CLOSING_SECONDS)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(_CLOSING_SECONDS)
        if not self.thread.is_alive():
            self.loop.close()


async def _wind_down() -> None:
    tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await asyncio.get_running_loop().shutdown_asyncgens()


_lock = threading.Lock()
_background: _BackgroundLoop | None = None


def _loop() -> asyncio.AbstractEventLoop:
    global _background  # noqa: PLW0603 - one loop per process is the point of this module
    with _lock:
        if _background is None or _background.pid != os.getpid():
            _background = _BackgroundLoop()
            atexit.register(_background.close)
        return _background.loop


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run `coroutine` on the process's background loop, wait, and return its result.

    Ctrl-C cancels the coroutine, waits for its clean-up, and raises KeyboardInterrupt. Raises
    UsageError when called on that loop itself.

    >>> async def twice(x):
    ...     return 2 * x
    >>> run(twice(21))
    42
    """
    loop = _loop()
    if _background is not None and threading.current_thread() is _background.thread:
        coroutine.close()
        raise UsageError(
            "A plain function of llmbench was called from a coroutine or callback that runs on its own "
            "loop, and would wait for itself; await the asynchronous one instead."
        )
    finished = threading.Event()
    tasks: list[asyncio.Task[T]] = []

    def start() -> None:
        task = loop.create_task(coroutine)
        task.add_done_callback(lambda _: finished.set())
        tasks.append(task)

    def cancel() -> None:
        tasks[0].cancel()

    loop.call_soon_threadsafe(start)
    try:
        # A bare Event.wait() cannot be interrupted on Windows; a timed one can.
        while not finished.wait(0.5):
            pass
    except KeyboardInterrupt:
        loop.call_soon_threadsafe(cancel)
        finished.wait(_CLOSING_SECONDS)
        raise
    return tasks[0].result()
