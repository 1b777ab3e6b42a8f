from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from llmbench.errors import LedgerError, UsageError
from llmbench.ledger import Ledger
from llmbench.types import CallRecord

SENT = datetime(2026, 11, 1, 9, tzinfo=UTC)
DAY = timedelta(days=1)


def record(ledger: Ledger, *calls: CallRecord) -> None:
    async def all_of_them() -> None:
        await asyncio.gather(*(ledger.record(call) for call in calls))

    asyncio.run(all_of_them())


@pytest.fixture
def sent(make_call: Callable[..., CallRecord]) -> Callable[..., CallRecord]:
    def make(call_id: str, unit: str | None, **changes: Any) -> CallRecord:
        values: dict[str, Any] = {"unit_id": unit, "started_at": SENT, "cost": 0.5, "cost_basis": "priced"}
        return make_call(call_id, **{**values, **changes})

    return make


def test_as_the_document_reads_them(ledger: Ledger, sent: Callable[..., CallRecord]) -> None:
    record(ledger, sent("1", "u"), sent("2", "u", started_at=SENT + DAY), sent("3", "v", model="other"))
    ledger.record_outcome("u", at=SENT + DAY, value=20.0)
    by_model = {}
    for outcome in ledger.outcomes():
        by_model[outcome.metadata["model"]] = (outcome.replied, outcome.sent, outcome.replied / outcome.sent)
    assert by_model == {"fake/m": (1, 2, 0.5), "fake/other": (0, 1, 0.0)}


def test_analysis_is_by_assignment_and_cost_is_of_all_attempts(
    ledger: Ledger, sent: Callable[..., CallRecord]
) -> None:
    arm = {"experiment_id": "x", "arm": "cheap/m"}
    failed = sent(
        "1", "u", status="error", content=None, endpoint="cheap", cost=None, cost_basis="unknown", **arm
    )
    record(ledger, failed, sent("1", "u", attempt=2, endpoint="dear", **arm))
    (outcome,) = ledger.outcomes("x")
    assert outcome.metadata["model"] == outcome.metadata["arm"] == "cheap/m"
    assert outcome.metadata["served"] == {"dear/m": 1}
    assert (outcome.sent, outcome.metadata["cost"], outcome.metadata["unpriced"]) == (1, 0.5, 1)


def test_order_does_not_matter_and_the_same_again_changes_nothing(
    ledger: Ledger, sent: Callable[..., CallRecord]
) -> None:
    for _ in range(2):
        ledger.record_outcome("u", at=SENT + DAY, value=5.0, source="crm")
        ledger.record_outcome("u", at=SENT + 2 * DAY, value=7.0)
    record(ledger, sent("1", "u"))
    (outcome,) = ledger.outcomes()
    assert (outcome.replied, outcome.metadata["replies"], outcome.metadata["value"]) == (1, 2, 12.0)
    assert outcome.metadata["first_reply"] == SENT + DAY


def test_outcome_of_a_call_counts_for_its_unit(ledger: Ledger, sent: Callable[..., CallRecord]) -> None:
    record(ledger, sent("1", "u"), sent("2", None))
    ledger.record_outcome(call_id="1", at=SENT + DAY)
    ledger.record_outcome(call_id="2", at=SENT + DAY)
    record(ledger, sent("3", "v"))
    ledger.record_outcome("3", at=SENT + DAY)
    found = ledger.outcomes()
    assert {o.unit_id: o.replied for o in found} == {"u": 1, "2": 1, "v": 1}
    assert not found.without_exposure


def test_what_cannot_be_counted_is_shown_by_reason(ledger: Ledger, sent: Callable[..., CallRecord]) -> None:
    asyncio.run(ledger.record_assignment("x", "w", epoch=1, arm="a/m", probability=1.0, assigned_at=SENT))
    failed = sent("2", "failed", status="error", content=None)
    record(ledger, sent("1", "u"), failed, sent("3", "v"))
    ledger.record_outcome("u", at=SENT - DAY)
    ledger.record_outcome("v", at=SENT + 20 * DAY)
    ledger.record_outcome("failed", at=SENT + DAY)
    ledger.record_outcome("nobody", at=SENT + DAY)
    found = ledger.outcomes(window_days=14)
    assert [(o.unit_id, o.replied) for o in found] == [("u", 0), ("v", 0)]
    assert [e.unit_id for e in found.before_exposure] == ["u"]
    assert [e.unit_id for e in found.after_window] == ["v"]
    assert sorted(str(e.unit_id) for e in found.without_exposure) == ["failed", "nobody"]
    assert found.not_sent == ("w",)
    assert len(found.notes()) == 4
    assert "1 replies came after the window" in found._repr_html_()
    assert ledger.outcomes()[1].replied == 1


def test_no_reply_is_an_outcome_too(ledger: Ledger, sent: Callable[..., CallRecord]) -> None:
    record(ledger, sent("1", "u"))
    ledger.record_outcome("u", replied=False, at=SENT + DAY)
    (outcome,) = ledger.outcomes()
    assert (outcome.replied, outcome.metadata["replies"]) == (0, 0)


def test_since_and_until_bound_the_calls(ledger: Ledger, sent: Callable[..., CallRecord]) -> None:
    record(ledger, *(sent(str(n), f"u{n}", started_at=SENT + n * DAY) for n in range(5)))
    found = ledger.outcomes(since=SENT + DAY, until=SENT + 3 * DAY)
    assert [o.unit_id for o in found] == ["u1", "u2"]


def test_recorded_from_a_coroutine_beside_calls(ledger: Ledger, sent: Callable[..., CallRecord]) -> None:
    async def both() -> None:
        await asyncio.gather(*(ledger.record(sent(str(n), "u")) for n in range(20)))
        ledger.record_outcome("u", at=SENT)

    asyncio.run(both())
    assert ledger.outcomes()[0].replied == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "either unit_id or call_id"),
        ({"unit_id": "u", "call_id": "c"}, "either unit_id or call_id"),
        ({"unit_id": 7}, "unit_id must be a text"),
        ({"unit_id": "u", "at": datetime(2026, 1, 1)}, "has no time zone"),  # noqa: DTZ001 - the point of the test
        ({"unit_id": "u", "replied": 1}, "replied must be True or False"),
        ({"unit_id": "u", "value": float("nan")}, "value must be USD"),
        ({"unit_id": "u", "source": object()}, "must be JSON"),
    ],
)
def test_outcomes_that_cannot_be_meant(ledger: Ledger, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        ledger.record_outcome(**arguments)


def test_closed_ledger_takes_none(ledger: Ledger) -> None:
    ledger.close()
    with pytest.raises(LedgerError, match="closed"):
        ledger.record_outcome("u")


def test_many_units_in_seconds(ledger: Ledger, sent: Callable[..., CallRecord]) -> None:
    record(ledger, *(sent(str(n), f"u{n % 7000}") for n in range(10_000)))
    for n in range(50):
        ledger.record_outcome(f"u{n}", at=SENT + DAY)
    begin = time.perf_counter()
    found = ledger.outcomes()
    assert time.perf_counter() - begin < 5
    assert (len(found), sum(o.replied for o in found), sum(o.sent for o in found)) == (7000, 50, 10_000)
    assert len(found.to_pandas()) == 7000
