"""What a fresh run that was cut off leaves behind, so that the same command goes on and does not pay twice.

A small file per notebook and parameters names the run's id; the matrix keeps the answers of that run.
The file is locked while its run lives: the system frees the lock of a process that was killed, and a
second run of the same kind at the same time starts on its own.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

from llmbench.file_lock import try_lock

__all__ = ["FreshRun"]

_KEPT = timedelta(hours=24)


class FreshRun:
    """The marker of an unfinished fresh run of `notebook` with `parameters`, in `folder`.

    A run among those that were `published` did end, whatever its marker says. Raises OSError where
    the folder cannot be written.
    """

    def __init__(
        self,
        folder: Path,
        notebook: Path,
        parameters: Mapping[str, Any],
        run_id: str,
        published: Collection[str] = (),
    ) -> None:
        given = json.dumps(dict(parameters), sort_keys=True).encode()
        key = hashlib.sha256(notebook.read_bytes() + b"\0" + given).hexdigest()
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / f".fresh-{key[:32]}.json"
        self.run_id = run_id
        """That of the run that was cut off, else the one given."""
        self.begun: datetime | None = None
        """When the run that was cut off began; None where this run is a new one."""
        self._descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            try:
                self._mine = try_lock(self._descriptor)
            except OSError:  # a file system without locks
                self._mine = False
            if self._mine and not self._resume(published):
                self._write()
        except BaseException:
            os.close(self._descriptor)
            raise

    def finish(self) -> None:
        """Forget the run: it was published, or must not be gone on with."""
        if self._mine:
            # Windows removes no open file; there the next run finds it empty.
            os.ftruncate(self._descriptor, 0)
            with contextlib.suppress(OSError):
                self.path.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)

    def _resume(self, published: Collection[str]) -> bool:
        try:
            left = json.loads(self.path.read_text(encoding="utf-8"))
            begun = datetime.fromisoformat(left["begun"])
            run_id = str(left["run_id"])
            young = timedelta(0) <= datetime.now(UTC) - begun < _KEPT
        except (ValueError, KeyError, TypeError, RecursionError):
            # Empty: new, or left by a crash before it was written.
            return False
        if not young or run_id in published:
            return False
        self.run_id, self.begun = run_id, begun
        return True

    def _write(self) -> None:
        text = json.dumps({"run_id": self.run_id, "begun": datetime.now(UTC).isoformat(timespec="seconds")})
        os.ftruncate(self._descriptor, 0)
        os.write(self._descriptor, text.encode())
        os.fsync(self._descriptor)
