"""A local fine-tuning job, from where it runs to how it went: list, follow, cancel, resume."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llmbench.providers.local_jobs import local_jobs
from llmbench.providers.local_tuning import cancel_local_job, find_job, resume_local_job

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["cancel_local_job", "local_job_table", "loss_curve", "resume_local_job"]


def loss_curve(job_id: str) -> list[dict[str, Any]]:
    """Every step and every validation of a job so far, also while it runs.

    A step is `{"event": "step", "step", "epoch", "loss", "learning_rate", "tokens", "seconds",
    "cpu_seconds"}`, a validation `{"event": "validation", "step", "validation_loss", "seconds",
    "cpu_seconds"}`. Losses are nats a token learned; tokens and seconds are counted from the start, and
    after a resume there is one line a step, as if nothing had happened. Raises InvalidRequestError for a
    job that is not there.
    """
    return find_job(job_id).progress()


def local_job_table() -> pd.DataFrame:
    """Every local job of this machine's user: one row each, oldest first."""
    import pandas as pd

    rows = []
    for job in local_jobs():
        order, state = job.order(), job.state()
        rows.append(
            {
                "job_id": job.job_id,
                "status": state["status"],
                "base_model": order["asked_for"],
                "model": state.get("model"),
                "step": state.get("step"),
                "steps": state.get("steps"),
                "validation_loss": state.get("validation_loss"),
                "seconds": state.get("seconds"),
                "created_at": order["created_at"],
                "error": state.get("error"),
            }
        )
    return pd.DataFrame(rows)
