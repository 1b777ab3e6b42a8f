"""`python -m llmbench.reporting.execute`: run one notebook in a process of its own.

One process per notebook, because kernels and their sockets leak when several run in one. The first
line of standard input is the request, as JSON: notebook, output, parameters, cwd, staging. Further
lines are orders: `interrupt` stops the cell that runs. The end of standard input means that whoever
started this is gone, even by kill -9; then the kernel is killed at once, so that nothing goes on
making paid calls for nobody. What came of it is written to `outcome.json` in the staging folder;
where the disk has no room for that, the exit code is the number of the system's error.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import shutil
import signal
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from llmbench.quick_start import without_address_grammars
from llmbench.reporting.disk import UNWRITABLE

__all__ = ["OUTCOME", "failed_outcome", "kernel_command", "literal_path", "main"]

OUTCOME = "outcome.json"
_OUTPUT_SECONDS = 300
"""How long a cell's output may take to arrive once the cell has ended: nbclient's four seconds are too few
for an answer of ten million characters, or on a machine with much else to do.
"""
_RETRY_SECONDS = 3.0
"""A kernel between two cells does not notice an interrupt: send it again."""
_RETRIES = 4


def main() -> int:
    """Run the notebook of the request; returns the exit code (0: all cells ran; see above)."""
    without_address_grammars()
    orders = sys.stdin
    request = json.loads(orders.readline())
    manager = _kernel_manager()
    watch = _Watch(manager, Path(request["staging"]))
    threading.Thread(target=watch.run, args=(orders,), name="orders", daemon=True).start()
    logging.getLogger("papermill").setLevel(logging.WARNING)
    try:
        outcome = _execute(request, manager)
    finally:
        if manager.has_kernel:
            asyncio.run(manager.shutdown_kernel(now=True))
    if watch.interrupted.is_set() and outcome["status"] != "ok":
        outcome["status"] = "interrupted"
    try:
        Path(request["staging"], OUTCOME).write_text(json.dumps(outcome), encoding="utf-8")
    except OSError as error:
        return error.errno or 1
    return 0 if outcome["status"] == "ok" else 1


def _execute(request: Mapping[str, Any], manager: Any) -> dict[str, Any]:
    import papermill
    from nbclient.exceptions import CellTimeoutError, DeadKernelError
    from papermill.exceptions import PapermillExecutionError

    try:
        papermill.execute_notebook(
            literal_path(request["notebook"]),
            literal_path(request["output"]),
            parameters=request["parameters"],
            kernel_name="python3",
            language="python",
            progress_bar=False,
            cwd=request["cwd"],
            km=manager,
            iopub_timeout=_OUTPUT_SECONDS,
        )
    except (PapermillExecutionError, DeadKernelError, CellTimeoutError) as error:
        return failed_outcome(error) or {}
    except OSError as error:
        if error.errno not in UNWRITABLE:
            raise
        failed = {"status": "failed", "error": "OSError", "message": error.strerror or "", "cell": None}
        return {**failed, "errno": error.errno}
    return {"status": "ok"}


def failed_outcome(error: BaseException) -> dict[str, Any] | None:
    """The outcome of a notebook that papermill ended with this error; None for one that is not its own."""
    from nbclient.exceptions import CellTimeoutError, DeadKernelError
    from papermill.exceptions import PapermillExecutionError

    if isinstance(error, PapermillExecutionError):
        status = "interrupted" if error.ename == "KeyboardInterrupt" else "failed"
        return {"status": status, "error": error.ename, "message": error.evalue, "cell": error.cell_index}
    if isinstance(error, DeadKernelError | CellTimeoutError):
        return {"status": "failed", "error": type(error).__name__, "message": "", "cell": None}
    return None


def kernel_command() -> list[str]:
    """How a kernel of this very Python is started.

    An installed kernelspec named python3 may be another one. Without a history: that would keep every cell,
    with its parameters, in the user's home.
    """
    argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    return [*argv, "--HistoryManager.enabled=False"]


def _kernel_manager() -> Any:
    from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
    from jupyter_client.manager import AsyncKernelManager

    class ThisPython(KernelSpecManager):
        def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
            return KernelSpec(
                argv=kernel_command(), display_name="Python 3", language="python", name=kernel_name
            )

    return AsyncKernelManager(kernel_name="python3", kernel_spec_manager=ThisPython())


class _Watch:
    """Obeys orders on standard input, in a thread beside the run."""

    def __init__(self, manager: Any, staging: Path) -> None:
        self._manager = manager
        self._staging = staging
        self.interrupted = threading.Event()

    def run(self, orders: IO[str]) -> None:
        for order in orders:
            if order.strip() == "interrupt" and not self.interrupted.is_set():
                self.interrupted.set()
                threading.Thread(target=self._interrupt, name="interrupt", daemon=True).start()
        self._kill_kernel()
        shutil.rmtree(self._staging, ignore_errors=True)
        os._exit(1)

    def _interrupt(self) -> None:
        """Until the run has ended, which ends this process and this thread with it."""
        for _ in range(_RETRIES):
            self._signal(signal.SIGINT)
            threading.Event().wait(_RETRY_SECONDS)
        self._kill_kernel()

    def _kill_kernel(self) -> None:
        # With its process group: what the kernel has started goes too.
        self._signal(signal.SIGKILL if sys.platform != "win32" else signal.SIGTERM)

    def _signal(self, number: int) -> None:
        provisioner = self._manager.provisioner
        if provisioner is not None and provisioner.has_process:
            with contextlib.suppress(OSError):  # it has just ended
                asyncio.run(provisioner.send_signal(number))


def literal_path(path: str) -> str:
    """`path` as papermill must be given it: papermill reads a path as a format string."""
    return path.replace("{", "{{").replace("}", "}}")


if __name__ == "__main__":
    sys.exit(main())
