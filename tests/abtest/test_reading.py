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
