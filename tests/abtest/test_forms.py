"""The forms that a team's tables have: days, campaigns, several experiments, replies by message."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from llmbench.abtest.counts import Counts
from llmbench.abtest.reading import read_counts
from llmbench.abtest.source import Assignments, Costs, OutcomeSource, Replies, Sends
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


def by_day(kind: str, sent: str, replied: str, tmp_path: Path) -> tuple[Any, str]:
    if kind == "date":
        return pd.DataFrame(
            {"unit_id": ["a"], "arm": ["x"], "sent_at": [date.fromisoformat(sent)],
             "replied_at": [date.fromisoformat(replied)]}
        ), "replied_at"  # fmt: skip
    path = tmp_path / "leads.csv"
    at = f"{sent}T15:00:00+00:00" if kind == "text, sent at a time" else sent
    path.write_text(f"unit_id,arm,sent_at,replied_at\na,x,{at},{replied}\n")
    return str(path), "replied_at"


@pytest.mark.parametrize("kind", ["date", "text"])
def test_the_last_day_of_a_window_must_be_over_where_replies_have_days_only(
    kind: str, tmp_path: Path
) -> None:
    table, column = by_day(kind, "2025-01-06", "2025-01-20", tmp_path)

    def at(as_of: str) -> tuple[int, int, int]:
        sends = Sends(table, arm="arm", replied_at=column)
        source = OutcomeSource(experiment_id="e", sends=sends, time_zone="UTC", as_of=as_of)
        counts = read_counts(source)
        still = out(counts).get("units whose window is still open", 0)
        return counts.arms[0].units, counts.arms[0].replied, still

    assert at("2025-01-20") == (0, 0, 1)  # its reply of that day may not be in the source yet
    assert at("2025-01-20T18:00:00+00:00") == (0, 0, 1)
    assert at("2025-01-21") == (1, 1, 0)


def test_a_reply_on_the_day_of_a_message_with_a_time_is_after_it(tmp_path: Path) -> None:
    table, column = by_day("text, sent at a time", "2025-01-06", "2025-01-06", tmp_path)
    sends = Sends(table, arm="arm", replied_at=column)
    counts = read_counts(OutcomeSource(experiment_id="e", sends=sends, time_zone="UTC", as_of="2025-03-01"))
    assert counts.arms[0].replied == 1


@pytest.mark.parametrize("kind", ["date", "text"])
@pytest.mark.parametrize(
    ("sent", "replied", "as_of", "expected"),
    [
        ("2025-10-20", "2025-11-03", "2025-11-03", (0, 0)),  # 14 days of which one had 25 hours
        ("2025-10-20", "2025-11-03", "2025-11-04", (1, 1)),
        ("2025-10-20", "2025-11-04", "2025-11-05", (1, 0)),
        ("2025-03-20", "2025-04-03", "2025-04-04", (1, 1)),  # one of 23 hours
        ("2025-03-20", "2025-04-04", "2025-04-05", (1, 0)),
        ("2025-03-31", "2025-03-30", "2025-05-01", (1, 0)),  # the day before, which had 23 hours
        ("2025-10-27", "2025-10-26", "2025-12-01", (1, 0)),
    ],
)
def test_days_are_days_when_the_clocks_change(
    kind: str, sent: str, replied: str, as_of: str, expected: tuple[int, int], tmp_path: Path
) -> None:
    table, column = by_day(kind, sent, replied, tmp_path)
    sends = Sends(table, arm="arm", replied_at=column)
    source = OutcomeSource(experiment_id="e", sends=sends, time_zone="Europe/Berlin", as_of=as_of)
    (arm,) = read_counts(source).arms
    assert (arm.units, arm.replied) == expected


def messages_of(rows: list[tuple[str, str, bool]]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "unit_id": [row[0] for row in rows], "message": [row[1] for row in rows], "arm": "x",
            "delivered": [row[2] for row in rows], "sent_at": times(*["2025-01-06"] * len(rows)),
        }
    )  # fmt: skip


@pytest.mark.parametrize(
    ("priced", "known"),
    [
        (["m1", "m2", "m3"], 1),
        (["m1", "m3"], 0),  # m3 was not delivered, and hides the gap of m2 if rows are only counted
        (["m1", "m2"], 0),  # it was paid, and it is not known how much
        (["m1", "m1", "m1"], 0),
    ],
)
def test_costs_by_message_are_known_if_those_of_all_messages_are(priced: list[str], known: int) -> None:
    sends = messages_of([("a", "m1", True), ("a", "m2", True), ("a", "m3", False)])
    costs = pd.DataFrame({"message": priced, "cost_usd": 0.01})
    replies = pd.DataFrame({"unit_id": ["a"], "replied_at": times("2025-01-07")})
    source = OutcomeSource(
        experiment_id="e", sends=Sends(sends, arm="arm", message="message", delivered="delivered"),
        replies=Replies(replies), costs=Costs(costs, message="message"), as_of="2025-03-01",
    )  # fmt: skip
    (arm,) = read_counts(source).arms
    assert (arm.units, arm.messages, arm.costed_units) == (1, 2, known)


def test_costs_by_unit_count_up_to_the_end_of_its_window() -> None:
    sends = messages_of([("a", "m1", True), ("b", "m2", True)]).drop(columns="delivered")
    replies = pd.DataFrame({"unit_id": ["a"], "replied_at": times("2025-01-07")})
    costs = pd.DataFrame(
        {
            "unit_id": ["a", "a", "a", "b", "b", "c"], "cost_usd": [0.01, 0.02, 0.04, 0.08, 0.16, 0.32],
            "at": times("2025-01-05", "2025-01-20", "2025-01-21", "2025-01-06", "2025-03-02", "2025-01-06"),
        }
    )  # fmt: skip

    def read_with(**more: Any) -> Counts:
        return read_counts(
            OutcomeSource(
                experiment_id="e", sends=Sends(sends, arm="arm"), replies=Replies(replies),
                costs=Costs(costs, **more), as_of="2025-03-01",
            )
        )  # fmt: skip

    counts = read_with(at="at")
    assert counts.arms[0].cost_usd == pytest.approx(0.01 + 0.02 + 0.08)
    assert out(counts) == {
        "costs after the window of their unit": 1, "costs after the cut-off": 1,
        "costs of units that are not in the source": 1,
    }  # fmt: skip
    assert not any("have no time" in note for note in counts.notes)
    bare = read_with()
    assert bare.arms[0].cost_usd == pytest.approx(0.31)
    assert any("all that the 2 counted leads cost ($0.31) counts" in note for note in bare.notes)
    costs.loc[0, "at"] = None
    assert read_with(at="at").arms[0].costed_units == 1  # what a's first one is of is not known


def test_a_message_of_two_units_belongs_to_neither() -> None:
    sends = messages_of([("a", "m1", True), ("b", "m1", True), ("b", "m2", True), ("c", "m3", True)])
    replies = pd.DataFrame(
        {"message": ["m1", "m1", "m2", "m3"], "kind": ["human", "auto", "human", "human"],
         "replied_at": times(*["2025-01-07"] * 4)}
    )  # fmt: skip
    costs = pd.DataFrame({"message": ["m1", "m2", "m3"], "cost_usd": 0.01})
    source = OutcomeSource(
        experiment_id="e", sends=Sends(sends, arm="arm", message="message"), not_human=("auto",),
        replies=Replies(replies, message="message", kind="kind"), costs=Costs(costs, message="message"),
        as_of="2025-03-01",
    )  # fmt: skip
    counts = read_counts(source)
    (arm,) = counts.arms
    assert (arm.units, arm.messages, arm.replied, arm.costed_units) == (3, 4, 2, 1)
    assert out(counts) == {
        "replies to messages that several units share": 1, "replies not by a human": 1,
        "costs of messages that several units share": 1,
    }  # fmt: skip
    assert any("1 message id is of several units" in note for note in counts.notes)


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
