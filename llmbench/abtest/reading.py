"""From a source to `Counts`: look at it, run the one statement, and put its rows into their places."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from llmbench.abtest.checks import arm_codes, check_source, find_replied_form
from llmbench.abtest.cluster_rows import ClusterRows
from llmbench.abtest.counts import Counts
from llmbench.abtest.cutoff import resolve_cutoff, zone_of
from llmbench.abtest.engines import Engine
from llmbench.abtest.excluded import excluded_rows, notes_of
from llmbench.abtest.files import is_file, shown
from llmbench.abtest.layout import Layout, find_layout
from llmbench.abtest.opening import open_engine
from llmbench.abtest.query import statement_of
from llmbench.abtest.result_rows import ResultRows
from llmbench.abtest.rows import CLOCK_US, DAY_US, Cut
from llmbench.abtest.source import OutcomeSource
from llmbench.abtest.stages import every_send_counts
from llmbench.errors import UsageError

__all__ = ["read_counts", "statement_text"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def read_counts(
    source: OutcomeSource, *, now: datetime | None = None, short_way: bool | None = None
) -> Counts:
    """Everything that is counted of an experiment; only sums reach Python.

    `now` is the clock by which 'today' and 'last_monday' are resolved (aware; default: the machine's).
    `short_way` False sums every unit message by message also where the engine could tell which need it.
    Raises UsageError for a source that cannot be meant, DatasetError for rows that cannot be read, and
    ConfigError for a connection that is not there.
    """
    cutoff = resolve_cutoff(source.as_of, now or datetime.now(UTC), source.time_zone)
    if source.time_zone:
        zone_of(source.time_zone)
    with open_engine(source) as engine:
        layout = find_layout(source, engine)
        layout.replied_form = find_replied_form(layout, engine)
        seen = check_source(layout, engine)
        layout.days = {column for each in seen.values() for column in each.days}
        codes, arms, unknown = arm_codes(layout, engine)
        cut = _cut(layout, cutoff, codes)
        short = engine.has_bits if short_way is None else short_way and engine.has_bits
        if short and is_file(source.sends.table):
            layout.clean = every_send_counts(layout, engine, cut)
        found = ResultRows(engine.fetch(statement_of(layout, cut, short_way=short)), layout, arms)
    clusters = ClusterRows(found)
    simulated = source.simulated or any(each.simulated for each in seen.values())
    return Counts(
        experiment_id=source.experiment_id,
        as_of=cutoff,
        window_days=float(source.window_days),
        arms=found.units(),
        assigned=found.assigned(),
        days=found.days(),
        clusters=clusters.clusters(),
        segments=found.segments(),
        guardrails=found.guardrails(),
        costs=found.costs(),
        contexts=found.contexts(),
        excluded=excluded_rows(found, layout),
        data_until=found.data_until(),
        notes=notes_of(found, layout, cutoff, unknown),
        inputs=_inputs(layout, {table: each.rows for table, each in seen.items()}),
        simulated=simulated,
        assigned_days=found.assigned_days(),
        segment_clusters=clusters.segment_clusters(),
        guardrail_clusters=clusters.guardrail_clusters(),
        cluster_costs=clusters.cluster_costs(),
    )


def statement_text(source: OutcomeSource, engine: Engine, *, now: datetime) -> str:
    """The statement that `read_counts` runs on `engine`, for an appendix or EXPLAIN."""
    layout = find_layout(source, engine)
    layout.replied_form = find_replied_form(layout, engine)
    codes, _, _ = arm_codes(layout, engine)
    cut = _cut(layout, resolve_cutoff(source.as_of, now, source.time_zone), codes)
    return engine.text(statement_of(layout, cut, short_way=engine.has_bits))


def _cut(layout: Layout, cutoff: datetime, codes: Mapping[str, int]) -> Cut:
    source = layout.source
    starts = []
    if source.epochs:
        if not layout.wide and layout.get("assignments", "assigned_at") is None:
            raise UsageError("epochs are days of assignment: name the column with assignments.assigned_at.")
        zone = zone_of(source.time_zone) if source.time_zone else UTC
        for epoch in source.epochs:
            begin = datetime.fromisoformat(epoch.start).replace(tzinfo=zone)
            starts.append((_micros(begin), epoch.start))
    window = round(source.window_days * DAY_US)
    zone = zone_of(source.time_zone) if source.time_zone else UTC
    local = cutoff.astimezone(zone)
    day = datetime(local.year, local.month, local.day, tzinfo=zone)
    by_day = layout.is_day(layout.get("sends", "sent_at"))
    slack = CLOCK_US if by_day and window % DAY_US == 0 else 0
    return Cut(_micros(cutoff), window, codes, starts, day_us=_micros(day), slack_us=slack)


def _micros(instant: datetime) -> int:
    return (instant.astimezone(UTC) - _EPOCH) // timedelta(microseconds=1)


def _inputs(layout: Layout, rows: Mapping[str, int]) -> dict[str, int | None]:
    """Files by name and rows; one file that holds several tables is there once."""
    found: dict[str, int | None] = {}
    for table, where in layout.wheres.items():
        if not is_file(where):
            continue
        names: Any = [where] if isinstance(where, str) else list(where)
        for name in names:
            found[shown(str(name))] = rows[table] if len(names) == 1 else None
    return found
