"""The ledger as a source of outcomes, and of costs."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from llmbench.abtest.counts import Counts
from llmbench.abtest.off_policy import by_table, evaluate_policy
from llmbench.abtest.reading import read_counts
from llmbench.abtest.source import OutcomeSource, Sends
from llmbench.abtest.source_ledger import ledger_costs, ledger_source
from llmbench.errors import UsageError
from llmbench.ledger import Ledger
from tests.ledger.conftest import make_call_of

pytest.importorskip("duckdb")
DAY0 = datetime(2025, 1, 6, 9, tzinfo=UTC)
AS_OF = "2025-03-01"


def call(number: int, unit: str | None, arm: str, day: float, **changes: Any) -> Any:
    values = {
        "unit_id": unit, "experiment_id": "e", "arm": arm, "endpoint": arm, "model": "m", "cost": 0.01,
        "started_at": DAY0 + timedelta(days=day), **changes,
    }  # fmt: skip
    return make_call_of(f"c{number}", **values)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """Four leads: a replied in time, b late, c was never answered, d was served by another model."""

    async def fill(made: Ledger) -> None:
        for unit, arm, p in (("a", "x/m", 0.9), ("b", "x/m", 0.9), ("c", "y/m", 0.1), ("d", "y/m", 0.1)):
            await made.record_assignment(
                "e", unit, epoch=1, arm=arm, probability=p, assigned_at=DAY0 - timedelta(hours=1)
            )
        await made.record(call(1, "a", "x", 0))
        await made.record(call(2, "a", "x", 3, status="error", error_type="ServerError", content=None))
        await made.record(call(2, "a", "x", 3.01, attempt=2))
        await made.record(call(3, "b", "x", 1))
        await made.record(
            call(4, "c", "y", 1, status="error", error_type="ServerError", content=None, cost=None)
        )
        await made.record(call(5, "d", "y", 2, endpoint="x", cost=None))
        await made.record(call(6, None, "y", 2))

    with Ledger(tmp_path / "l.db") as made:
        made.open_epoch("e", {"x/m": 0.9, "y/m": 0.1}, DAY0 - timedelta(days=1))
        asyncio.run(fill(made))
        made.record_outcome("a", at=DAY0 + timedelta(days=4))
        made.record_outcome(call_id="c2", at=DAY0 + timedelta(days=5))
        made.record_outcome("a", at=DAY0 + timedelta(days=6), kind="auto-reply")
        made.record_outcome("b", at=DAY0 + timedelta(days=30))
        made.record_outcome("b", at=DAY0 - timedelta(days=3))
        made.record_outcome("d", replied=False, at=DAY0 + timedelta(days=3), unsubscribed=True)
        made.record_outcome("stranger", at=DAY0 + timedelta(days=3))
        yield made


def excluded(counts: Counts) -> dict[str, int]:
    return {row.reason: row.rows for row in counts.excluded}


def test_ledger_source_counts_what_the_ledger_holds(ledger: Ledger) -> None:
    source = ledger_source(ledger, "e", guardrails=["unsubscribed"], as_of=AS_OF, not_human=("auto-reply",))
    counts = read_counts(source)
    x, y = counts.arms
    assert (x.arm, x.units, x.replied, x.messages, x.replies, x.served_by_other) == ("x/m", 2, 1, 3, 2, 0)
    assert x.cost_usd == pytest.approx(0.04)  # a failed attempt was paid
    assert (y.arm, y.units, y.costed_units, y.served_by_other) == ("y/m", 1, 0, 1)
    assert [(row.arm, row.units, row.weight) for row in counts.assigned] == [("x/m", 2, 0.9), ("y/m", 2, 0.1)]
    assert [(row.arm, row.units, row.events) for row in counts.guardrails] == [("x/m", 2, 0), ("y/m", 1, 1)]
    assert excluded(counts) == {
        "sends without a unit": 1, "sends that were not delivered": 2, "units that were sent nothing": 1,
        "replies after the window": 1, "replies before the first message": 1, "replies not by a human": 1,
        "replies of units that were sent nothing": 1,
    }  # fmt: skip
    for arm in (x, y):
        assert arm.units == sum(row.units for row in counts.days if row.arm == arm.arm)


def test_ledger_source_agrees_with_the_ledgers_own_outcomes(ledger: Ledger) -> None:
    counts = read_counts(ledger_source(ledger, "e", as_of=AS_OF))
    own = ledger.outcomes("e", window_days=14)
    assert sum(row.units for row in counts.arms) == len(own)
    assert sum(row.replied for row in counts.arms) == sum(row.replied for row in own)
    assert sum(row.messages for row in counts.arms) == sum(row.sent for row in own)


@pytest.mark.parametrize(("key", "unmatched"), [("unit_id", 3), ("call_id", 4)])
def test_ledger_costs_join_outcomes_of_elsewhere(ledger: Ledger, key: str, unmatched: int) -> None:
    messages = pd.DataFrame(
        {
            "unit_id": ["a", "a", "b", "z"], "call_id": ["c1", "c2", None, "c9"], "arm": ["x", "x", "y", "y"],
            "sent_at": pd.to_datetime(["2025-01-06", "2025-01-09", "2025-01-07", "2025-01-07"], utc=True),
            "replied": [False, True, False, False],
        }
    )  # fmt: skip
    sends = Sends(messages, arm="arm", replied="replied", message="call_id")
    costs = ledger_costs(ledger, "e", key=key)
    counts = read_counts(OutcomeSource(experiment_id="e", sends=sends, costs=costs, as_of=AS_OF))
    x, y = counts.arms
    assert (x.costed_units, x.cost_usd) == (1, pytest.approx(0.03))
    assert y.costed_units == (1 if key == "unit_id" else 0)
    lost = sum(n for reason, n in excluded(counts).items() if reason.startswith("costs"))
    assert lost == unmatched
    assert any("not wholly known" in note for note in counts.notes)


def test_ledger_source_refuses_what_it_does_not_know(ledger: Ledger) -> None:
    with pytest.raises(UsageError, match="no assignment of the experiment 'other'"):
        ledger_source(ledger, "other")
    with pytest.raises(UsageError, match="is the ledger's here"):
        ledger_source(ledger, "e", connection="X")
    with pytest.raises(UsageError, match="'unit_id' or 'call_id'"):
        ledger_costs(ledger, "e", key="lead")


def describe(ledger: Ledger) -> None:
    known = {
        "a": {"mailbox": "m1", "size": "big", "wave": "1"},
        "b": {"mailbox": "m2", "size": "big", "wave": "1"},
        "c": {"mailbox": "m2", "size": "small", "wave": "2"},
        "d": {"mailbox": "m1", "size": "small", "wave": "1"},
    }
    assert ledger.describe_units("e", known) == 4


def test_ledger_source_has_clusters_segments_contexts_and_campaigns(ledger: Ledger) -> None:
    describe(ledger)
    options = {"cluster": "mailbox", "segments": ("size",), "contexts": ("size", "task_type")}
    counts = read_counts(ledger_source(ledger, "e", as_of=AS_OF, campaign="wave", **options))
    assert {(row.arm, row.stratum, row.units, row.weight) for row in counts.assigned} == {
        ("x/m", "1", 2, 0.9), ("y/m", "1", 1, 0.1), ("y/m", "2", 1, 0.1),
    }  # fmt: skip
    assert [(r.column, r.segment, r.arm, r.units, r.replied) for r in counts.segments] == [
        ("size", "big", "x/m", 2, 1), ("size", "small", "y/m", 1, 0),
    ]  # fmt: skip
    both = next(r for r in counts.clusters if (r.arm, r.other_arm) == ("x/m", "y/m"))
    assert (both.clusters, both.units_units) == (1, 1)
    found = sorted(counts.contexts, key=lambda r: (r.arm, r.replied))
    assert [(r.context, r.arm, r.probability, r.replied, r.units) for r in found] == [
        ({"size": "big", "task_type": "(none)"}, "x/m", 0.9, False, 1),
        ({"size": "big", "task_type": "(none)"}, "x/m", 0.9, True, 1),
        ({"size": "small", "task_type": "(none)"}, "y/m", 0.1, False, 1),
    ]  # fmt: skip


def test_ledger_source_names_the_attributes_that_there_are(ledger: Ledger) -> None:
    with pytest.raises(UsageError, match=r"no attribute 'mailbox' of .* units: it has none.*describe_units"):
        ledger_source(ledger, "e", cluster="mailbox")
    describe(ledger)
    told = r"no attribute 'mailbx' .*\(do you mean 'mailbox'\?\).*it has mailbox, size, wave"
    for options in ({"cluster": "mailbx"}, {"segments": ("mailbx",)}, {"campaign": "mailbx"}):
        with pytest.raises(UsageError, match=told):
            ledger_source(ledger, "e", **options)


def test_policies_are_valued_from_a_ledger(tmp_path: Path) -> None:
    """Of 4,000 leads at 50/50 the small companies reply to y only: a table by size finds it."""

    async def fill(made: Ledger) -> None:
        for n in range(4000):
            size, arm = ("big", "small")[n % 2], ("x", "y")[n // 2 % 2]
            at = DAY0 + timedelta(minutes=n)
            await asyncio.gather(
                made.record_assignment(
                    "e", f"u{n}", epoch=1, arm=f"{arm}/m", probability=0.5, assigned_at=at,
                    attributes={"size": size},
                ),
                made.record(call(n, f"u{n}", arm, n / 1440 + 0.01)),
            )  # fmt: skip

    with Ledger(tmp_path / "l.db") as made:
        made.open_epoch("e", {"x/m": 0.5, "y/m": 0.5}, DAY0)
        asyncio.run(fill(made))
        for n in range(0, 4000, 20):  # big, to x or to y; a tenth of them
            made.record_outcome(f"u{n}", at=DAY0 + timedelta(days=5))
        for n in range(3, 4000, 20):  # small, and y
            made.record_outcome(f"u{n}", at=DAY0 + timedelta(days=5))
        counts = read_counts(ledger_source(made, "e", as_of=AS_OF, contexts=("size",), segments=("size",)))
    rates = {(r.segment, r.arm): r.replied / r.units for r in counts.segments}
    assert rates["small", "x/m"] == 0
    assert rates["small", "y/m"] == 0.2
    found = evaluate_policy("by size", counts.contexts, by_table("size", {"small": "y/m"}, "x/m"), draws=200)
    assert found.refused is None
    assert found.rate == pytest.approx((rates["big", "x/m"] + 0.2) / 2, abs=0.01)
