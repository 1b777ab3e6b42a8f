"""From which instant on the ledger's answers count."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from llmbench.matrix.checks import smallest

if TYPE_CHECKING:
    from llmbench.ledger import Ledger

__all__ = ["answers_from"]


def answers_from(
    ledger: Ledger, fresh: bool | None, max_answer_age_days: float | None, *, run_id: str | None
) -> datetime | None:
    """The instant from which answers count; None is any. See `Matrix.run`."""
    if max_answer_age_days is not None:
        smallest("max_answer_age_days", max_answer_age_days)
    now = datetime.now(UTC)
    if os.environ.get("LLMBENCH_FRESH") == "1" if fresh is None else fresh:
        # A fresh run that was cut off goes on where it was, when it is named.
        if run_id is None:
            return now
        begun = [call.started_at for call in ledger.calls(run_id)]
        begun += [row.prepared_at for row in ledger.open_batches() if row.run_id == run_id]
        return min(begun, default=now)
    return None if max_answer_age_days is None else now - timedelta(days=max_answer_age_days)
