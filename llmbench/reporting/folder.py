"""The folder of a report: made aside, moved into place whole.

    DIR/index.html
    DIR/NOTEBOOK/                              the newest run: report.html, executed.ipynb, result.json,
                                               manifest.json, tables/, figures/
    DIR/NOTEBOOK/runs/RUN-ID/                  every run, with the same files
    DIR/NOTEBOOK/failed/RUN-ID/failed.ipynb    what failed, as far as it came

`runs/RUN-ID` appears in one rename and never changes. The newest run's copy is made aside and then moved into
place file by file, its manifest last, by one process at a time: a reader never sees half a file, and can
tell by the manifest whether the files belong together. What a kill in between leaves, the next run puts
right.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from llmbench.errors import ReportError, UsageError
from llmbench.reporting.disk import unwritable
from llmbench.reporting.folder_lock import folder_lock
from llmbench.result_files import changed_files, read_envelope
from llmbench.run_files import FAILED, FIGURES, MANIFEST, RESULT, RUNS, TABLES, report_as

__all__ = ["ReportFolder", "new_run_id", "write_manifest"]

_STAGING_PREFIX = ".staging-"
_REMOVED_PREFIX = ".removed-"
_NEWEST_PREFIX = ".newest-"
_RUN_ID = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{6}")
_ABANDONED_SECONDS = 7 * 24 * 3600
"""Longer than any run: a matrix may wait a day for a batch, and writes nothing meanwhile."""
_FAILED_RUNS_KEPT = 5


def new_run_id(now: datetime | None = None) -> str:
    """An id that sorts by time.

    >>> new_run_id(datetime(2025, 1, 23, 9, 30, tzinfo=UTC))[:17]
    '20250123T093000Z-'
    """
    return f"{(now or datetime.now(UTC)).strftime('%Y%m%dT%H%M%SZ')}-{secrets.token_hex(3)}"


def write_manifest(folder: Path) -> None:
    """manifest.json: {relative path: sha256} of every other file of `folder`."""
    hashes = {
        relative: hashlib.sha256((folder / relative).read_bytes()).hexdigest()
        for relative in _files(folder)
        if relative != MANIFEST
    }
    (folder / MANIFEST).write_text(json.dumps(hashes, indent=2) + "\n", encoding="utf-8")


class ReportFolder:
    """The folder of one notebook's reports under `out`."""

    def __init__(self, out: Path, notebook: str) -> None:
        self.path = out / notebook
        self.runs = self.path / RUNS
        self.failed = self.path / FAILED

    @contextmanager
    def staging(self, run_id: str, root: Path | None = None) -> Iterator[Path]:
        """A folder for a run in the making; gone afterwards unless it was published.

        Raises ReportError, naming the folder of reports relative to `root`, when it cannot be made.
        """
        # Not of the id alone: a run may go on under the id of one whose folder is still there.
        folder = self.runs / f"{_STAGING_PREFIX}{run_id}-{secrets.token_hex(3)}"
        try:
            self._remove_abandoned()
            folder.mkdir(parents=True)
        except OSError as error:
            raise unwritable(error, self.path.parent, root or self.path.parent.parent) from error
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def publish(self, staged: Path, run_id: str) -> Path:
        """Move a finished run into place, and its copy to the notebook's folder."""
        target = self.runs / run_id
        staged.replace(target)
        with folder_lock(self.path):
            self._copy_newest(self.runs / self.run_ids()[0])
        return target

    def run_ids(self) -> list[str]:
        """The ids of the runs that are kept, newest first."""
        if not self.runs.is_dir():
            return []
        found = [p.name for p in self.runs.iterdir() if p.is_dir() and not p.name.startswith(".")]
        return sorted(found, reverse=True)

    def keep_newest(self, count: int) -> list[str]:
        """Remove all runs but the newest `count`, and never the newest that is whole; returns their ids.

        Whole is a run whose files are as its manifest has them. Each is renamed first, so that a reader
        finds a run whole or not at all. Folders that are no runs of ours stay. Raises UsageError for a
        `count` below 1, and OSError for a run that cannot be renamed.
        """
        if count < 1:
            raise UsageError(f"At least 1 run is kept, not {count}.")
        with folder_lock(self.path):  # a run must not go while it is copied
            return self._keep_newest(count)

    def _keep_newest(self, count: int) -> list[str]:
        self._remove_abandoned()
        own = [name for name in self.run_ids() if _RUN_ID.fullmatch(name)]
        own = [name for name in own if not (self.runs / name).is_symlink()]
        if len(own) <= count:
            return []
        good = next((name for name in own if _is_whole(self.runs / name)), None)
        return [name for name in own[count:] if name != good and self._remove(name)]

    def _remove(self, run_id: str) -> bool:
        aside = self.runs / f"{_REMOVED_PREFIX}{run_id}-{secrets.token_hex(3)}"
        try:
            (self.runs / run_id).replace(aside)
        except FileNotFoundError:  # another run has removed it meanwhile
            return False
        shutil.rmtree(aside, ignore_errors=True)
        return True

    def keep_failed(self, notebook: Path, run_id: str) -> Path:
        """Keep a notebook that failed; only the newest few are."""
        folder = self.failed / run_id
        folder.mkdir(parents=True, exist_ok=True)  # a run that goes on may fail again
        target = folder / "failed.ipynb"
        notebook.replace(target)
        for old in sorted(self.failed.iterdir(), reverse=True)[_FAILED_RUNS_KEPT:]:
            shutil.rmtree(old, ignore_errors=True)
        return target

    def _copy_newest(self, run: Path) -> None:
        for left in self.path.glob(f"{_NEWEST_PREFIX}*"):  # by a run that was killed
            shutil.rmtree(left, ignore_errors=True)
        wanted = _files(run)
        aside = self.path / f"{_NEWEST_PREFIX}{secrets.token_hex(3)}"
        try:
            for relative in wanted:
                for folder in (aside, self.path):
                    (folder / relative).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(run / relative, aside / relative)
            for relative in sorted(wanted, key=lambda name: (name == MANIFEST, name)):
                (aside / relative).replace(self.path / relative)
        finally:
            shutil.rmtree(aside, ignore_errors=True)
        for old in self.path.glob(report_as("*")):  # a format that the newest run was not made as
            if old.name not in wanted:
                old.unlink(missing_ok=True)
        for kept in (TABLES, FIGURES):
            for name in _files(self.path / kept):
                if f"{kept}/{name}" not in wanted:
                    (self.path / kept / name).unlink(missing_ok=True)

    def _remove_abandoned(self) -> None:
        """What a kill -9 of every process of a run left behind."""
        if not self.runs.is_dir():
            return
        for folder in self.runs.glob(f"{_STAGING_PREFIX}*"):
            if time.time() - folder.stat().st_mtime > _ABANDONED_SECONDS:
                shutil.rmtree(folder, ignore_errors=True)
        for folder in self.runs.glob(f"{_REMOVED_PREFIX}*"):  # a removal that was cut off
            shutil.rmtree(folder, ignore_errors=True)


def _is_whole(run: Path) -> bool:
    try:
        read_envelope(run / RESULT)
        return not changed_files(run)
    except ReportError:
        return False


def _files(folder: Path) -> list[str]:
    """Paths of all files under `folder`, relative to it, with forward slashes, sorted."""
    found = []
    for here, _, names in os.walk(folder):
        found += [Path(here, name).relative_to(folder).as_posix() for name in names]
    return sorted(found)
