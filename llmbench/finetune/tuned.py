"""A job that has succeeded becomes a model of the project, which router and matrix can call."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmbench.catalog.models import canonical_name
from llmbench.catalog.tuned_models import TunedModel, register_tuned_model

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from llmbench.ledger.tuning import TuningRow

__all__ = ["register"]


def register(row: TuningRow, model: str, *, at: datetime, root: Path | None = None) -> str:
    """Keep `model`, which came of the job in `row`, in the project of `root`; an empty text, or why it could
    not be kept. Nothing is lost then: the ledger has the job, and the next look tries again.
    """
    tuned = TunedModel(
        model=model,
        place=row.place,
        base=canonical_name(row.base_model) or row.base_model,
        endpoint=row.endpoint,
        job_id=row.job_id,
        registered_at=at.isoformat(),
    )
    try:
        register_tuned_model(tuned, root)
    except OSError as error:
        return (
            f"The model {model!r} could not be kept in the project ({error.strerror}); it can be called, and "
            "its limits are not known here."
        )
    return ""
