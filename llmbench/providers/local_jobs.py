"""The folder of a local fine-tuning job: all that is known of it, on disk, so that it outlives any process.

job.json         what was ordered; never changes
training.jsonl, validation.jsonl    copies of the files that were checked
state.json       queued, running, succeeded, failed or cancelled, and how far; replaced in one step
progress.jsonl   one line for each step and each validation
checkpoint/      the newest state to go on from
adapter/         the trained adapter, as peft writes it
lock             held by the process that works on the job, for as long as it lives
cancel           there once somebody has asked for the end
log.txt          what that process and its libraries print
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import sys
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from llmbench.errors import FineTuningUnavailableError
from llmbench.providers.model_files import models_folder
from llmbench.whole_file import write_whole

__all__ = ["LocalJob", "jobs_folder", "local_jobs", "now", "write_json"]

_TRIES, _BETWEEN_TRIES_S = 5, 0.02
_ID = re.compile(r"ftlocal-[0-9A-Za-z-]+")


def jobs_folder() -> Path:
    """Where the jobs are: `fine-tuning` beside the models folder."""
    return models_folder().parent / "fine-tuning"


def local_jobs() -> list[LocalJob]:
    """Every job of this machine's user, oldest first."""
    folder = jobs_folder()
    found = [LocalJob(path) for path in folder.glob("ftlocal-*")] if folder.is_dir() else []
    return sorted((job for job in found if job.exists()), key=lambda job: job.order()["created_at"])


class LocalJob:
    """One job's folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def named(cls, job_id: str) -> LocalJob | None:
        """The job of that id, or None."""
        if not _ID.fullmatch(job_id):
            return None
        job = cls(jobs_folder() / job_id)
        return job if job.exists() else None

    def exists(self) -> bool:
        """Whether its order is there."""
        return (self.folder / "job.json").is_file()

    @property
    def job_id(self) -> str:
        """Its id, which is the folder's name."""
        return self.folder.name

    @property
    def adapter(self) -> Path:
        """The folder of the trained adapter."""
        return self.folder / "adapter"

    @property
    def checkpoint(self) -> Path:
        """The folder of the newest checkpoint."""
        return self.folder / "checkpoint"

    def order(self) -> dict[str, Any]:
        """What was ordered."""
        order: dict[str, Any] = json.loads((self.folder / "job.json").read_text("utf-8"))
        return order

    def state(self) -> dict[str, Any]:
        """How it stands. A job whose process has ended without saying so is `failed`."""
        # The lock first: a process that ends between the two looks has written its state before.
        running = self.is_held()
        state: dict[str, Any] = json.loads((self.folder / "state.json").read_text("utf-8"))
        if state["status"] not in {"queued", "running"} or running:
            return state
        if (self.folder / "cancel").exists():
            return {**state, "status": "cancelled"}
        told = f" after step {state['step']} of {state['steps']}" if state.get("step") else ""
        return {
            **state,
            "status": "failed",
            "stage": "interrupted",
            "error": f"The training process ended{told} without saying why: it was killed, the memory ran "
            f"out or the machine went down; log.txt of {self.job_id} may say more. "
            "Resume the job: it goes on from its last checkpoint.",
        }

    def write_state(self, **changes: Any) -> None:
        """Change some values of the state, in one step."""
        path = self.folder / "state.json"
        state = json.loads(path.read_text("utf-8")) if path.exists() else {}
        write_json(path, {**state, **changes})

    def progress(self) -> list[dict[str, Any]]:
        """Every event so far: `{"event": "step", "step", "epoch", "loss", "tokens", "seconds", ...}` and
        `{"event": "validation", "step", "validation_loss", ...}`; seconds of work, without interruptions.
        """
        return list(self._events())

    def _events(self) -> Iterator[dict[str, Any]]:
        with contextlib.suppress(FileNotFoundError), (self.folder / "progress.jsonl").open("rb") as file:
            for line in file:
                if line.endswith(b"\n"):  # else it is being written, or the disk was full
                    yield json.loads(line)

    def keep_progress_up_to(self, step: int) -> None:
        """Forget the steps after a checkpoint from which the training goes on."""
        kept = [event for event in self._events() if event["step"] <= step]
        write_whole(self.folder / "progress.jsonl", "".join(json.dumps(event) + "\n" for event in kept))

    def add_progress(self, event: Mapping[str, Any]) -> None:
        """Add one line."""
        with (self.folder / "progress.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(event) + "\n")

    def cancel_asked(self) -> bool:
        """Whether somebody has asked for the end."""
        return (self.folder / "cancel").exists()

    def is_held(self) -> bool:
        """Whether a process works on it."""
        # Shared, so that two who look at the same moment do not take each other for the process.
        descriptor = self._lock(shared=True)
        if descriptor is None:
            return True
        os.close(descriptor)
        return False

    def hold(self) -> int | None:
        """Take the lock: an open file that a child process may inherit; None where another has it."""
        for _ in range(_TRIES):
            descriptor = self._lock(shared=False)
            if descriptor is not None:
                return descriptor
            time.sleep(_BETWEEN_TRIES_S)  # somebody may just be looking
        return None

    def _lock(self, *, shared: bool) -> int | None:
        if sys.platform == "win32":
            raise FineTuningUnavailableError(
                "Local fine-tuning runs on Linux and macOS only; use WSL, or a vendor.", provider="local"
            )
        import fcntl

        descriptor = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        return descriptor


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write a file in one step: a reader sees the old one or the new one."""
    write_whole(path, json.dumps(value, indent=1) + "\n")


def now() -> str:
    """The present instant, as the results have it."""
    return datetime.now(UTC).isoformat()
