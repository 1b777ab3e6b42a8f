"""What fine-tuning jobs cost together."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from llmbench.finetune import TrainingSpend, training_spend
from llmbench.ledger import Ledger
from llmbench.ledger.tuning import TuningRow

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)


def _job(tag: str, state: str = "succeeded", *, estimated: float | None = None, **changes: Any) -> TuningRow:
    values: dict[str, Any] = {
        "order_hash": tag, "turn": 1, "endpoint": "together", "place": "together", "base_model": "llama",
        "ordered": {}, "quoted": {"usd": 4.0, "method": "lora", "usd_per_million_tokens": 0.5},
        "prepared_at": NOON, "asked_at": NOON, "estimated_usd": estimated, "job_id": f"job-{tag}",
        "state": state, "status": {"job_id": f"job-{tag}", "state": state, "base_model": "llama"},
    } | changes  # fmt: skip
    return TuningRow(tag, **values)


def test_sums_what_is_known_and_counts_the_rest(tmp_path: Path) -> None:
    with Ledger(tmp_path / "ledger.db") as ledger:
        assert training_spend(ledger) == TrainingSpend(0, 0, 0, 0.0)
        for row in (
            _job("a", estimated=4.5),
            _job("b", estimated=1.25, asked_at=NOON + timedelta(days=1)),
            _job("c"),  # nobody has said
            _job("d", "failed", estimated=9.0),  # what was charged until it failed is not known
            _job("e", "running", estimated=9.0),
            _job("f", place="local", quoted={"usd": 0.0}),
            _job("g", "queued", asked_at=None, job_id=None, status={}),  # an intent: none was started
        ):
            ledger.prepare_tuning(row)
        assert training_spend(ledger) == TrainingSpend(jobs=6, succeeded=4, priced=3, usd=5.75)
        later = NOON + timedelta(hours=1)
        assert training_spend(ledger, since=later) == TrainingSpend(1, 1, 1, 1.25)
        assert training_spend(ledger, until=later) == TrainingSpend(5, 3, 2, 4.5)
        assert training_spend(ledger, since=NOON, until=NOON) == TrainingSpend(0, 0, 0, 0.0)


def test_a_job_started_elsewhere_counts_from_its_own_beginning(tmp_path: Path) -> None:
    with Ledger(tmp_path / "ledger.db") as ledger:
        status = {"job_id": "job-a", "state": "succeeded", "created_at": "2026-10-01T00:00:00+00:00"}
        ledger.prepare_tuning(_job("a", asked_at=None, quoted={}, status=status))
        assert training_spend(ledger) == TrainingSpend(1, 1, 0, 0.0)
        assert training_spend(ledger, since=NOON).jobs == 0
