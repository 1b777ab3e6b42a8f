"""The forms that a team's tables have: days, campaigns, several experiments, replies by message."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime
from typing import Any

import pandas as pd
import pytest

from llmbench.abtest.counts import Counts
from llmbench.abtest.reading import read_counts
from llmbench.abtest.source import Assignments, OutcomeSource, Replies, Sends
from tests.abtest.test_reading import table_source, wide_source
from tests.abtest.worlds import three_tables, wide_world

pytest.importorskip("duckdb")


def times(*days: str) -> Any:
    return pd.to_datetime(list(days), utc=True)


def out(counts: Counts) -> dict[str, int]:
    return {row.reason: row.rows for row in counts.excluded}


def read(table: pd.DataFrame, sends: dict[str, str], **more: Any) -> Counts:
    part = Sends(table, arm="arm", **sends)
    return read_counts(OutcomeSource(experiment_id="e", sends=part, as_of="2025-03-01", **more))


def test_days_count_by_day() -> None:
    """A reply on the day of the message is after it, and two rows of one day are two messages."""
    table = pd.DataFrame(
        {
            "unit_id": ["a", "a", "b", "c"], "arm": "x", "sent_at": [date(2025, 1, 6)] * 4,
            "replied_at": [date(2025, 1, 6), None, date(2025, 1, 5), date(2025, 1, 20)],
        }
    )  # fmt: skip
    counts = read(table, {"replied_at": "replied_at"}, time_zone="UTC")
    (arm,) = counts.arms
    assert (arm.units, arm.messages, arm.replied) == (3, 4, 2)
    assert out(counts) == {"replies before the first message": 1}
    assert any("a day and no time" in note for note in counts.notes)
    table["sent_at"] = times(*["2025-01-06T15:00"] * 4)
    counts = read(table, {"replied_at": "replied_at"}, time_zone="UTC")
    assert (counts.arms[0].messages, counts.arms[0].replied) == (3, 2)
    assert out(counts) == {"replies before the first message": 1, "sends listed more than once": 1}


def test_campaigns_are_strata() -> None:
    table = pd.DataFrame(
        {
            "unit_id": ["a", "b", "c", "c", "d"], "arm": ["x", "y", "x", "x", "y"],
            "campaign": ["spring", "spring", "spring", "summer", "summer"], "replied": True,
            "sent_at": times(*["2025-01-06", "2025-01-06", "2025-01-06", "2025-01-07", "2025-01-06"]),
        }
    )  # fmt: skip
    counts = read(table, {"campaign": "campaign", "replied": "replied"})
    assert [(row.arm, row.stratum, row.units) for row in counts.arms] == [
        ("x", "(several)", 1), ("x", "spring", 1), ("y", "spring", 1), ("y", "summer", 1),
    ]  # fmt: skip


def test_rows_of_other_experiments_are_counted_out() -> None:
    table = pd.DataFrame(
        {
            "unit_id": ["a", "b", "c"], "arm": "x", "test": ["e", "other", None], "replied": True,
            "sent_at": times(*["2025-01-06"] * 3),
        }
    )  # fmt: skip
    counts = read(table, {"experiment": "test", "replied": "replied"})
    assert counts.arms[0].units == 1
    assert out(counts) == {"sends of another experiment": 2, "replies of another experiment": 2}
    part = Assignments(table, experiment="test")
    sends, replies = (
        Sends(table.drop(columns="arm")),
        Replies(table.rename(columns={"sent_at": "replied_at"})),
    )
    source = OutcomeSource(
        experiment_id="e", sends=sends, replies=replies, assignments=part, as_of="2025-03-01"
    )
    assert out(read_counts(source)) == {
        "assignments of another experiment": 2, "units without an arm": 2, "sends to units without an arm": 2,
        "replies of units without an arm": 2,
    }  # fmt: skip


def test_replies_by_message_belong_to_its_unit() -> None:
    sends = pd.DataFrame(
        {"unit_id": ["a", "a", "b"], "arm": "x", "mail": [1, 2, 3], "sent_at": times(*["2025-01-06"] * 3)}
    )
    replies = pd.DataFrame(
        {"mail": [2, 3, 3, 9], "replied_at": times("2025-01-07", "2025-01-08", "2025-01-09", "2025-01-08")}
    )
    source = OutcomeSource(
        experiment_id="e", sends=Sends(sends, arm="arm", message="mail"), as_of="2025-03-01",
        replies=Replies(replies, unit=None, message="mail"),
    )  # fmt: skip
    counts = read_counts(source)
    (arm,) = counts.arms
    assert (arm.units, arm.replied, arm.messages, arm.replies) == (2, 2, 3, 3)
    assert out(counts) == {"replies without a unit that was sent something": 1}


def test_whole_number_ids_match_text_ids() -> None:
    sends = pd.DataFrame({"unit_id": [1, 2, 3], "arm": "x", "sent_at": times(*["2025-01-06"] * 3)})
    replies = pd.DataFrame({"unit_id": ["1", "3"], "replied_at": times("2025-01-07", "2025-01-08")})
    source = OutcomeSource(
        experiment_id="e", sends=Sends(sends, arm="arm"), replies=Replies(replies), as_of="2025-03-01"
    )
    assert read_counts(source).arms[0].replied == 2


def test_last_monday_is_resolved_by_the_clock_that_is_given() -> None:
    table = pd.DataFrame({"unit_id": ["a"], "arm": "x", "replied": True, "sent_at": times("2025-01-06")})
    source = OutcomeSource(
        experiment_id="e", sends=Sends(table, arm="arm", replied="replied"), as_of="last_monday"
    )
    counts = read_counts(source, now=datetime(2025, 1, 22, 12, tzinfo=UTC))
    assert counts.as_of == datetime(2025, 1, 20, tzinfo=UTC)
    assert (counts.arms[0].units, counts.arms[0].replied) == (1, 1)
    assert out(read_counts(source, now=datetime(2025, 1, 19, tzinfo=UTC))) == {
        "units whose window is still open": 1, "sends to units whose window is still open": 1,
        "replies of units whose window is still open": 1,
    }  # fmt: skip


def test_the_random_worlds_hold_every_kind_of_trouble() -> None:
    seen: Counter[str] = Counter()
    for seed in range(4):
        seen.update(out(read_counts(wide_source(wide_world(seed), message="message"))).keys())
        seen.update(out(read_counts(table_source(three_tables(seed)))).keys())
    missing = {
        f"sends {what}" for what in (
            "without a unit", "without a time", "after the cut-off", "before their unit was assigned",
            "that were not delivered", "of which it is not known whether they were delivered",
            "listed more than once",
            "after the window of their unit", "to units in two arms", "to units without an arm",
            "to units whose window is still open", "to units of an arm that arm_map does not name",
        )
    } | {
        f"replies {what}" for what in (
            "without a time", "after the cut-off", "not by a human", "listed more than once",
            "before the first message",
            "after the window", "of units that were sent nothing", "to messages that were not delivered",
            "without a unit that was sent something", "of units in two arms",
            "of units whose window is still open",
        )
    }  # fmt: skip
    assert not missing - set(seen)
