"""What the fine-tuning jobs in a ledger cost together, as far as it is known."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from llmbench.finetune.starting import jobs
from llmbench.shown import shown

if TYPE_CHECKING:
    from llmbench.finetune.job import Job
    from llmbench.ledger import Ledger

__all__ = ["TrainingSpend", "training_spend"]


@shown
class TrainingSpend(NamedTuple):
    """Jobs that were asked for, and what is known of their cost."""

    jobs: int
    succeeded: int
    priced: int
    """Those that succeeded at a known cost; what a failed or cancelled one is charged nobody tells."""
    usd: float
    """Of the priced ones; jobs on one's own machine are 0, whose hours are a line of their own."""


def training_spend(
    ledger: Ledger, since: datetime | None = None, until: datetime | None = None
) -> TrainingSpend:
    """The jobs of `ledger` that were started from `since` on and before `until`; asks nobody.

    >>> import tempfile
    >>> from llmbench import Ledger
    >>> with tempfile.TemporaryDirectory() as folder, Ledger(f"{folder}/ledger.db") as ledger:
    ...     training_spend(ledger)
    TrainingSpend(jobs=0, succeeded=0, priced=0, usd=0.0)
    """
    found = [job for job in jobs(ledger) if _within(job, since, until)]
    costs = [job.usd for job in found if job.usd is not None]
    succeeded = sum(job.state == "succeeded" for job in found)
    return TrainingSpend(len(found), succeeded, len(costs), float(sum(costs)))


def _within(job: Job, since: datetime | None, until: datetime | None) -> bool:
    begun = job.begun_at
    if begun is None:
        return False
    return (since is None or begun >= since) and (until is None or begun < until)
