"""The states of a fine-tuning job, the same for whoever trains, with the trainer's own word beside them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any, Literal, get_args

from llmbench.providers.tuning_result import JobEvent, TrainingMetric
from llmbench.shown import shown

__all__ = ["ENDED", "STATES", "JobEvent", "JobState", "JobStatus", "TrainingMetric"]

JobState = Literal["queued", "running", "succeeded", "failed", "cancelled", "unavailable"]
"""queued: accepted, or on its way; running: at work, up to and with the storing of the model; unavailable:
it was started, and the trainer no longer knows it or no longer answers for it. What the ledger knew stays."""

STATES: tuple[JobState, ...] = get_args(JobState)

ENDED: frozenset[JobState] = frozenset({"succeeded", "failed", "cancelled", "unavailable"})
"""States after which nothing more is to be waited for."""


@shown
@dataclass(frozen=True, slots=True)
class JobStatus:
    """What one look at a job showed; None where the trainer does not say."""

    job_id: str | None
    """None: it is not known whether the trainer has the job."""
    state: JobState
    vendor_state: str | None = None
    """The trainer's own word."""
    base_model: str | None = None
    """The id that was, or is being, trained."""
    tuned_model: str | None = None
    """The id to call, once there is one."""
    trained_tokens: int | None = None
    created_at: datetime | None = None
    finished_at: datetime | None = None
    error: str | None = None
    """Why it failed, was cancelled or is unavailable."""
    details: Mapping[str, Any] = field(default_factory=dict)
    """The trainer's reply, keys masked."""

    @property
    def ended(self) -> bool:
        """Whether nothing more is to be waited for."""
        return self.state in ENDED

    @classmethod
    def from_result(cls, result: Mapping[str, Any]) -> JobStatus:
        """The status in a dict of `llmbench.providers.fine_tuning`.

        >>> JobStatus.from_result({"job_id": "j", "status": "running", "vendor_status": "processing"}).state
        'running'
        """
        return cls(
            job_id=result.get("job_id"),
            state=result["status"],
            vendor_state=result.get("vendor_status"),
            base_model=result.get("base_model"),
            tuned_model=result.get("fine_tuned_model"),
            trained_tokens=result.get("trained_tokens"),
            created_at=_instant(result.get("created_at")),
            finished_at=_instant(result.get("finished_at")),
            error=result.get("error"),
            details=result.get("details") or {},
        )

    def to_dict(self) -> dict[str, Any]:
        """Every field as JSON has it; instants as ISO texts."""
        return {each.name: _plain(getattr(self, each.name)) for each in fields(self)}

    @classmethod
    def from_dict(cls, row: Mapping[str, Any]) -> JobStatus:
        """What `to_dict` gave."""
        return cls(
            **{
                **row,
                "created_at": _instant(row.get("created_at")),
                "finished_at": _instant(row.get("finished_at")),
            }
        )


def _instant(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return dict(value) if isinstance(value, Mapping) else value
