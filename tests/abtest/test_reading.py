"""Counts of random worlds, against the rules row by row."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from llmbench.abtest.counts import Counts
from llmbench.abtest.reading import read_counts
from llmbench.abtest.source import Assignments, Costs, Guardrail, OutcomeSource, Replies, Sends
from tests.abtest.reference import Reference, reference
from tests.abtest.worlds import ARM_MAP, AS_OF, WINDOW, three_tables, wide_world

pytest.importorskip("duckdb")
Same = Callable[[Counts, Reference], None]
SEEDS = range(4)


def wide_source(
    table: Any, *, message: str | None = None, boolean: bool = False, **changes: Any
) -> OutcomeSource:
    sends = Sends(
        table, arm="arm", epoch="epoch", delivered="delivered", cost="cost", served_model="served_model",
        kind="kind",
        message=message, replied="replied" if boolean else None, replied_at=None if boolean else "replied_at",
    )  # fmt: skip
    given: dict[str, Any] = {
        "arm_map": ARM_MAP, "as_of": AS_OF.isoformat(), "window_days": WINDOW,
        "not_human": ("bounce", "auto"),
        "segments": ("segment",), "cluster": "mailbox", "contexts": ("segment",),
        "served_map": {"mixtral": "mixtral", "gpt-4o": "gpt-4o"},
    }  # fmt: skip
    return OutcomeSource(experiment_id="e", sends=sends, **{**given, **changes})


def wide_reference(world: pd.DataFrame, **changes: Any) -> Reference:
    return reference(
        world, as_of=AS_OF, window_days=WINDOW, arm_map=ARM_MAP, not_human=("bounce", "auto"),
        segments=("segment",),
        cluster="mailbox", **changes,
    )  # fmt: skip


def table_source(tables: dict[str, Any], **changes: Any) -> OutcomeSource:
    given: dict[str, Any] = {
        "sends": Sends(tables["sends"], cost="cost", served_model="served_model"),
        "replies": Replies(tables["replies"], kind="kind"),
        "assignments": Assignments(tables["assignments"], assigned_at="assigned_at", epoch="epoch"),
        "guardrails": (Guardrail("unsubscribes", table=tables["unsubscribes"]),),
        "arm_map": {"mixtral": "mixtral", "gpt-4o": "gpt-4o"},
        "as_of": AS_OF.isoformat(), "window_days": WINDOW, "not_human": ("bounce", "auto"),
        "segments": ("segment",), "cluster": "mailbox",
    }  # fmt: skip
    return OutcomeSource(experiment_id="e", **{**given, **changes})


def table_reference(tables: dict[str, pd.DataFrame]) -> Reference:
    return reference(
        tables["sends"], as_of=AS_OF, window_days=WINDOW, replies=tables["replies"],
        assignments=tables["assignments"],
        unsubscribes=tables["unsubscribes"], arm_map={"mixtral": "mixtral", "gpt-4o": "gpt-4o"},
        not_human=("bounce", "auto"), segments=("segment",), cluster="mailbox",
    )  # fmt: skip


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("short_way", [True, False])
def test_one_wide_frame(seed: int, short_way: bool, same: Same) -> None:
    world = wide_world(seed)
    same(read_counts(wide_source(world), short_way=short_way), wide_reference(world))


@pytest.mark.parametrize("seed", SEEDS)
def test_one_wide_frame_with_message_ids(seed: int, same: Same) -> None:
    world = wide_world(seed)
    same(read_counts(wide_source(world, message="message")), wide_reference(world, message="message"))


@pytest.mark.parametrize("seed", range(4))
def test_one_wide_frame_with_yes_or_no(seed: int, same: Same) -> None:
    world = wide_world(seed)
    counts = read_counts(wide_source(world, boolean=True))
    same(counts, wide_reference(world, boolean=True))
    assert any("not when" in note for note in counts.notes)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("short_way", [True, False])
def test_three_tables(seed: int, short_way: bool, same: Same) -> None:
    tables = three_tables(seed)
    same(read_counts(table_source(tables), short_way=short_way), table_reference(tables))


@pytest.mark.parametrize("seed", range(4))
def test_no_row_vanishes(seed: int) -> None:
    """Rows in = counted + excluded, for every table."""
    tables = three_tables(seed)
    counts = read_counts(table_source(tables))
    counted = {
        "sends": sum(row.messages for row in counts.arms),
        "replies": sum(row.replies for row in counts.arms),
        "assignments": sum(row.units for row in counts.assigned),
    }
    for table, n in counted.items():
        # A unit that is not mature was excluded as a unit; its assignment was counted.
        out = sum(row.rows for row in counts.excluded if row.reason.startswith(f"{table} "))
        assert n + out == len(tables[table]), (table, counts.excluded)


def of_assignments(rows: str, **changes: Any) -> OutcomeSource:
    """Units with arm, day of assignment and day of sending, all of January 2026."""
    cells = [row.split() for row in rows.splitlines() if row.strip()]
    units = [str(place) for place in range(len(cells))]
    days = [pd.to_datetime([f"2026-01-{row[place]}" for row in cells], utc=True) for place in (1, 2)]
    assigned = pd.DataFrame({"unit_id": units, "arm": [row[0] for row in cells], "at": days[0]})
    return OutcomeSource(
        experiment_id="e", as_of="2026-03-01",
        sends=Sends(pd.DataFrame({"unit_id": units, "sent_at": days[1]})),
        replies=Replies(pd.DataFrame({"unit_id": ["0"], "replied_at": days[1][:1]})),
        assignments=Assignments(assigned, assigned_at="at"), **changes,
    )  # fmt: skip


def test_assignments_are_counted_by_their_own_day_also_of_units_that_are_not_sent_to() -> None:
    counts = read_counts(of_assignments("a 01 02\na 01 05\nb 01 09\nb 02 10"))
    assert [(row.arm, row.day.day, row.units) for row in counts.assigned_days] == [
        ("a", 1, 2), ("b", 1, 1), ("b", 2, 1),
    ]  # fmt: skip


def test_an_arm_with_a_weight_and_no_unit_is_assigned_none() -> None:
    source = of_assignments("a 01 02\nb 01 09", weights={"a": 2, "b": 2, "c": 1, "d": 0})
    counts = read_counts(source)
    assert [(row.arm, row.units, row.weight) for row in counts.assigned] == [
        ("a", 1, 0.4), ("b", 1, 0.4), ("c", 0, 0.2),
    ]  # fmt: skip


@pytest.mark.parametrize("beside", [True, False])
def test_kinds_that_count_and_names_that_match_none_are_told(beside: bool) -> None:
    at = pd.to_datetime(["2026-01-01"] * 4, utc=True)
    units = list("0123")
    kinds = ["Auto-Reply", "bounce", None, "human"]
    sends = {"unit_id": units, "sent_at": at, "arm": list("abab")}
    replies = {"unit_id": units, "replied_at": at, "kind": kinds}
    source = OutcomeSource(
        experiment_id="e", as_of="2026-03-01", not_human=("auto-reply", "bounce", "ooo"),
        sends=Sends(pd.DataFrame({**sends, **replies}), arm="arm", replied_at="replied_at", kind="kind")
        if beside
        else Sends(pd.DataFrame(sends), arm="arm"),
        replies=None if beside else Replies(pd.DataFrame(replies), kind="kind"),
    )  # fmt: skip
    counts = read_counts(source)
    assert sum(row.replied for row in counts.arms) == 3
    assert [note for note in counts.notes if "kind" in note] == [
        "Replies of these kinds count as human: none (1), 'Auto-Reply' (1), 'human' (1).",
        (
            "not_human names 'auto-reply', and no reply is of that kind. "
            "'Auto-Reply' is another kind, which counts."
        ),
        "not_human names 'ooo', and no reply is of that kind.",
    ]
    every = read_counts(dataclasses.replace(source, not_human=()))
    assert "Replies of these kinds count as human" in " ".join(every.notes)
    assert sum(row.replied for row in every.arms) == 4


def test_costs_of_a_table_are_of_the_messages_that_count() -> None:
    sends = pd.DataFrame(
        [
            ("1", "m1", "2026-01-01", "a", "e"),
            ("1", "m2", "2026-01-21", "a", "e"),
            ("2", "m3", "2026-01-01", "b", "e"),
            ("2", "m4", "2025-11-01", "b", "other"),
        ],
        columns=["unit_id", "m", "sent_at", "arm", "x"],
    )
    sends["sent_at"] = pd.to_datetime(sends["sent_at"], utc=True)
    costs = pd.DataFrame(
        {"m": ["m1", "m2", "m3", "m4", "m5"], "unit_id": list("11223"), "c": [1, 9, 2, 5, 7.0]}
    )
    source = OutcomeSource(
        experiment_id="e", as_of="2026-03-01", sends=Sends(sends, arm="arm", message="m", experiment="x"),
        replies=Replies(pd.DataFrame({"unit_id": ["1"], "replied_at": sends["sent_at"][:1]})),
        costs=Costs(costs, unit=None, message="m", cost="c"),
    )  # fmt: skip
    counts = read_counts(source)
    assert [(row.arm, row.costed_units, row.cost_usd) for row in counts.arms] == [
        ("a", 1, 1.0),
        ("b", 1, 2.0),
    ]
    assert {row.reason: row.rows for row in counts.excluded if row.reason.startswith("costs")} == {
        "costs of messages after the window of their unit": 1,
        "costs of messages that do not count": 1,
        "costs without a unit that was sent something": 1,
    }
    by_unit = read_counts(dataclasses.replace(source, costs=Costs(costs, unit="unit_id", cost="c")))
    assert [row.cost_usd for row in by_unit.arms] == [10.0, 7.0]
    assert any("Costs are by lead and have no time" in note for note in by_unit.notes)


@pytest.mark.parametrize("with_costs", [True, False])
@pytest.mark.parametrize("seed", range(3))
def test_a_file_whose_rows_all_count(seed: int, with_costs: bool, tmp_path: Path, same: Same) -> None:
    """One to five messages a unit, of few times, so that any of them are doubles; some after the window."""
    rng = np.random.default_rng(seed)
    sent = rng.integers(1, 6, size=600)
    unit = np.repeat(np.arange(600), sent)
    n = len(unit)
    at = pd.Timestamp("2025-01-06", tz="UTC") + pd.to_timedelta(
        rng.choice([0, 1, 2, 3, 20], size=n), unit="D"
    )
    cost = rng.integers(1, 5, size=n) / 8
    world = pd.DataFrame(
        {
            "unit_id": unit.astype(str), "arm": np.where(unit % 3 == 0, "gpt-4o", "mixtral"), "sent_at": at,
            "replied_at": (at + pd.Timedelta(days=2)).where(rng.random(n) < 0.2),
            "cost": cost if with_costs else np.where(rng.random(n) < 0.1, np.nan, cost),
        }
    )  # fmt: skip
    world["served_model"] = world["arm"]
    path = tmp_path / "messages.parquet"
    world.to_parquet(path)
    as_of = datetime(2025, 2, 20, tzinfo=UTC)
    sends = Sends(str(path), arm="arm", replied_at="replied_at", cost="cost", served_model="served_model")
    source = OutcomeSource(experiment_id="e", sends=sends, as_of=as_of.isoformat())
    expected = reference(world, as_of=as_of, window_days=14)
    assert expected.excluded["sends listed more than once"] > 100
    short, long = (read_counts(source, short_way=way) for way in (True, False))
    same(short, expected)
    same(long, expected)
    assert short == dataclasses.replace(long, arms=short.arms, days=short.days, costs=short.costs)
