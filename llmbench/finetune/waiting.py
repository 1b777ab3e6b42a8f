"""Waiting for a job, with a line whenever something changes."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING

from llmbench.errors import ProviderError

if TYPE_CHECKING:
    from llmbench.finetune.backend import TuningBackend
    from llmbench.finetune.job import Job
    from llmbench.finetune.states import JobStatus, TrainingMetric

__all__ = ["Tell", "follow", "progress_line"]

Tell = Callable[[str], object]
"""Is told each line of progress."""

_MOST_FAILURES = 20
"""In a row; then it is not the network."""
_LONGEST_WAIT_S = 120.0
_MINUTE, _HOUR = 60, 3600


async def follow(
    job: Job, backend: TuningBackend, timeout_s: float | None, poll_s: float, tell: Tell
) -> JobStatus:
    """See `Job.wait`."""
    end = None if timeout_s is None else backend.clock.monotonic() + timeout_s
    told, failures = "", 0
    while True:
        wait_s = poll_s
        try:
            status = await job.look(backend)
            failures = 0
            line = progress_line(job, status, await _newest(job, backend, status))
            what = _what(line)
        except ProviderError as error:
            failures += 1
            if not error.retryable or failures >= _MOST_FAILURES:
                raise
            wait_s = min(_LONGEST_WAIT_S, max(poll_s * 2 ** (failures - 1), error.retry_after or 0.0))
            line = what = f"{job.id} at {job.place}: {error} The job goes on; asking again."
        if what != told:
            tell(line)
            told = what
        if job.ended:
            return job.status
        left = None if end is None else end - backend.clock.monotonic()
        if left is not None and left <= 0:
            tell(f"{job.id} at {job.place} is still {job.state}; finetune.resume({job.id!r}).wait() goes on.")
            return job.status
        await backend.clock.sleep(wait_s if left is None else min(wait_s, left))


async def _newest(job: Job, backend: TuningBackend, status: JobStatus) -> TrainingMetric | None:
    """Where the training stands; a trainer that will not say so is no reason to stop waiting."""
    if status.state != "running" or job.id is None:
        return None
    with contextlib.suppress(ProviderError):
        metrics = await backend.metrics(job.id)
        return metrics[-1] if metrics else None
    return None


def progress_line(job: Job, status: JobStatus, newest: TrainingMetric | None) -> str:
    """One line: who, in which state, how far, for how long."""
    parts: list[str] = [status.state]
    if status.vendor_state not in {None, status.state}:
        parts[0] += f" ({status.vendor_state})"
    if newest is not None:
        parts.append(f"step {newest.step:,}")
        for name, loss in (("training", newest.training_loss), ("validation", newest.validation_loss)):
            if loss is not None:
                parts.append(f"{name} loss {loss:.4f}")
    if status.tuned_model:
        parts.append(f"model {job.model}")
    if status.error:
        parts.append(status.error)
    if job.seconds is not None:
        parts.append(_duration(job.seconds))
    return f"{job.id} at {job.place}: {', '.join(parts)}"


def _what(line: str) -> str:
    """A line without its time, which alone is no news."""
    return line.rpartition(", ")[0] or line


def _duration(seconds: float) -> str:
    """Seconds in words.

    >>> _duration(45), _duration(600), _duration(5400)
    ('45 s', '10 min', '1 h 30 min')
    """
    if seconds < _MINUTE:
        return f"{seconds:.0f} s"
    minutes = round(seconds / _MINUTE)
    return f"{minutes} min" if seconds < _HOUR else f"{minutes // 60} h {minutes % 60} min"
