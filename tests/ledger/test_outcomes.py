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
    assert {(o.unit_id, o.metadata["model"]) for o in found.not_sent} == {("w", "a/m"), ("failed", "fake/m")}
    assert len(found.notes()) == 4
    assert "1 outcomes happened after the window" in found._repr_html_()
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
        ({"unit_id": "u", "value": float("inf")}, "value must be USD"),
        ({"unit_id": "u", "value": -1}, "value must be USD, 0 or more"),
        ({"unit_id": "u", "value": "5"}, "value must be USD"),
        ({"unit_id": "u", "at": "2026-11-01"}, "at must be an aware datetime"),
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


def assign(ledger: Ledger, unit: str, epoch: int, arm: str, probability: float, at: datetime = SENT) -> None:
    asyncio.run(
        ledger.record_assignment("x", unit, epoch=epoch, arm=arm, probability=probability, assigned_at=at)
    )


def test_the_assignment_at_the_first_answer_counts(ledger: Ledger, sent: Callable[..., CallRecord]) -> None:
    assign(ledger, "u", 1, "z/m", 0.1, SENT - DAY)
    assign(ledger, "u", 2, "a/m", 0.7, SENT + DAY)
    of_x = {"experiment_id": "x"}
    record(
        ledger,
        sent("1", "u", arm="z/m", **of_x),
        sent("2", "u", arm="a/m", started_at=SENT + 2 * DAY, **of_x),
        sent("3", "v", arm="q/m", **of_x),
    )
    u, v = ledger.outcomes("x")
    assert (u.metadata["arm"], u.metadata["epoch"], u.metadata["probability"]) == ("z/m", 1, 0.1)
    assert u.metadata["arms"] == ("z/m", "a/m")
    assert (v.metadata["model"], v.metadata["epoch"], v.metadata["probability"]) == ("q/m", None, None)
    frame = ledger.outcomes("x").to_pandas()
    assert frame["epoch"].tolist()[0] == 1
    assert frame["probability"].isna().tolist() == [False, True]


def test_one_call_answered_twice_counts_once(ledger: Ledger, sent: Callable[..., CallRecord]) -> None:
    record(ledger, sent("1", "u"), sent("1", "u", attempt=2), sent("1", "u", attempt=3, endpoint="other"))
    (outcome,) = ledger.outcomes()
    assert (outcome.sent, outcome.metadata["served"], outcome.metadata["cost"]) == (1, {"fake/m": 1}, 1.5)


def test_a_reply_to_a_call_is_of_the_experiment_of_that_call(
    ledger: Ledger, sent: Callable[..., CallRecord]
) -> None:
    record(ledger, sent("1", "u", experiment_id="x", arm="a/m"), sent("2", "u", experiment_id="y", arm="b/m"))
    ledger.record_outcome(call_id="1", at=SENT + DAY)
    assert [o.replied for e in ("x", "y") for o in ledger.outcomes(e)] == [1, 0]
    assert {o.experiment_id: o.replied for o in ledger.outcomes()} == {"x": 1, "y": 0}
    ledger.record_outcome("u", at=SENT + 2 * DAY)
    assert [o.replied for e in ("x", "y") for o in ledger.outcomes(e)] == [1, 1]


def test_what_was_not_selected_is_not_called_unknown(ledger: Ledger, sent: Callable[..., CallRecord]) -> None:
    record(ledger, sent("1", "u", experiment_id="x", arm="a/m"), sent("2", "v", started_at=SENT + 5 * DAY))
    for unit in ("u", "v", "nobody"):
        ledger.record_outcome(unit, at=SENT + 6 * DAY)
    ledger.record_outcome(call_id="2", at=SENT + 7 * DAY)
    for found in (ledger.outcomes("x"), ledger.outcomes(until=SENT + DAY), ledger.outcomes(since=SENT + DAY)):
        assert [event.unit_id for event in found.without_exposure] == ["nobody"]


def test_a_unit_is_selected_by_its_first_answer(ledger: Ledger, sent: Callable[..., CallRecord]) -> None:
    record(ledger, sent("1", "u"), sent("2", "u", started_at=SENT + 5 * DAY))
    ledger.record_outcome("u", at=SENT + DAY)
    assert not ledger.outcomes(since=SENT + DAY)
    (outcome,) = ledger.outcomes(until=SENT + DAY)
    assert (outcome.sent, outcome.replied) == (2, 1)


def test_costs_add_up_to_what_was_spent(ledger: Ledger, sent: Callable[..., CallRecord]) -> None:
    failed = {"status": "error", "content": None}
    record(ledger, sent("1", "u"), sent("2", "u", **failed), sent("3", "v", **failed), sent("4", None))
    found = ledger.outcomes()
    assert sum(o.metadata["cost"] for o in (*found, *found.not_sent)) == ledger.spend().usd == 2.0


def test_events_and_their_metadata_are_at_hand(ledger: Ledger, sent: Callable[..., CallRecord]) -> None:
    record(ledger, sent("1", "u"))
    ledger.record_outcome("u", at=SENT + DAY, kind="auto-reply")
    ledger.record_outcome("u", at=SENT + 2 * DAY, replied=False, value=9.0, kind="sale")
    (outcome,) = ledger.outcomes()
    assert [event.metadata["kind"] for event in outcome.metadata["events"]] == ["auto-reply", "sale"]
    assert (outcome.metadata["replies"], outcome.metadata["value"]) == (1, 9.0)


@pytest.mark.parametrize("window", [-1, float("nan"), float("inf")])
def test_window_that_cannot_be_meant(ledger: Ledger, window: float) -> None:
    with pytest.raises(UsageError, match="window_days must be a number of days"):
        ledger.outcomes(window_days=window)


def test_an_empty_ledger_has_columns(ledger: Ledger) -> None:
    assert {"unit_id", "arm", "epoch", "cost"} <= set(ledger.outcomes().to_pandas().columns)
