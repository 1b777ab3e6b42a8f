from __future__ import annotations

from datetime import UTC, datetime

import pytest

from llmbench.finetune.states import ENDED, STATES, JobStatus


def test_six_states_of_which_four_end() -> None:
    assert len(STATES) == 6
    assert set(STATES) - ENDED == {"queued", "running"}


@pytest.mark.parametrize("state", STATES)
def test_a_status_survives_json(state: str) -> None:
    status = JobStatus.from_result(
        {
            "job_id": "j-1",
            "status": state,
            "vendor_status": "word",
            "base_model": "m",
            "fine_tuned_model": "ft:m",
            "trained_tokens": 12,
            "created_at": "2026-01-02T03:04:05+00:00",
            "finished_at": None,
            "error": "why",
            "details": {"id": "j-1"},
        }
    )
    assert status.created_at == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert JobStatus.from_dict(status.to_dict()) == status
    assert status.ended == (state in ENDED)
