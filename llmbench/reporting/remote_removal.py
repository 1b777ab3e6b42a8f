"""Removal of runs from a remote folder, of which a kill leaves nothing for good.

A mark `runs/.removed-RUN-ID` is written before anything goes, then the run's manifest goes, with which no
reader sees the run any more, then the rest of it, then the mark. What has a mark is taken away by the next
removal. A run without a manifest and without a mark is one that a machine is uploading, and is left alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from llmbench.run_files import MANIFEST, RUNS

__all__ = ["remove_runs"]

_MARK = ".removed-"
_TRIES = 5


def remove_runs(filesystem: Any, notebook: str, run_ids: Iterable[str]) -> int:
    """Remove the runs of those ids, and what removals that were cut off left of others; how many they were.

    `filesystem` is one of fsspec, `notebook` the path of the notebook's folder in it. A run that is not
    there, or that another machine removes meanwhile, is no error. Raises what the file system does.
    """
    filesystem.invalidate_cache()
    runs = f"{notebook}/{RUNS}"
    for run_id in run_ids:
        if filesystem.exists(f"{runs}/{run_id}"):
            filesystem.pipe_file(f"{runs}/{_MARK}{run_id}", b"")
    filesystem.invalidate_cache()
    marks = sorted(str(path) for path in filesystem.glob(f"{runs}/{_MARK}?*"))
    for mark in marks:
        _remove(filesystem, f"{runs}/{mark.rsplit('/', 1)[1].removeprefix(_MARK)}")
        with suppress(FileNotFoundError):
            filesystem.rm_file(mark)
    return len(marks)


def _remove(filesystem: Any, run: str) -> None:
    if filesystem.exists(f"{run}/{MANIFEST}"):
        with suppress(FileNotFoundError):
            filesystem.rm_file(f"{run}/{MANIFEST}")
    for left in reversed(range(_TRIES)):
        filesystem.invalidate_cache()
        if not filesystem.exists(run):
            return
        try:
            filesystem.rm(run, recursive=True)
        except FileNotFoundError:  # another machine removes it too
            if not left:
                raise
