"""Counts of random worlds, against the rules row by row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

from llmbench.abtest.counts import Counts
from llmbench.abtest.reading import read_counts
from llmbench.abtest.source import Assignments, Guardrail, OutcomeSource, Replies, Sends
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
        experiment_id="e", as_of="2026-03-01", sends=Sends(pd.DataFrame({"unit_id": units, "sent_at": days[1]})),
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
