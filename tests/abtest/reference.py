"""The rules of reading outcomes once more, row by row and slowly: what the query must agree with."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd

DAY = timedelta(days=1)


@dataclass
class Reference:
    """What came out: sums by (arm, stratum), and rows by reason."""

    arms: dict[tuple[str, str], dict[str, float]] = field(default_factory=dict)
    assigned: dict[tuple[str, str], int] = field(default_factory=dict)
    days: dict[tuple[Any, ...], list[float]] = field(default_factory=dict)
    segments: dict[tuple[str, ...], list[int]] = field(default_factory=dict)
    guardrails: dict[tuple[str, ...], list[int]] = field(default_factory=dict)
    clusters: dict[tuple[str, ...], list[float]] = field(default_factory=dict)
    segment_clusters: dict[tuple[str, str], dict[tuple[str, ...], list[float]]] = field(default_factory=dict)
    guardrail_clusters: dict[tuple[str, ...], list[float]] = field(default_factory=dict)
    cluster_costs: dict[str, list[float]] = field(default_factory=dict)
    excluded: Counter[str] = field(default_factory=Counter)
    counted: dict[str, int] = field(default_factory=dict)
    """Rows that are in the counts, by table."""


@dataclass
class _Unit:
    assignments: list[dict[str, Any]] = field(default_factory=list)
    sends: list[dict[str, Any]] = field(default_factory=list)


def is_missing(value: Any) -> bool:
    return value is None or value is pd.NaT or (isinstance(value, float) and math.isnan(value)) or value == ""


def rows_of(frame: pd.DataFrame) -> list[dict[str, Any]]:
    rows = frame.to_dict("records")
    return [{str(k): (None if is_missing(v) else v) for k, v in row.items()} for row in rows]


STATE = {
    "open": "whose window is still open",
    "unsent": "that were sent nothing",
    "unnamed": "of an arm that arm_map does not name",
    "two": "in two arms",
    "none": "without an arm",
}


def reference(  # noqa: C901 - all rules in one place, in their order
    sends: pd.DataFrame,
    *,
    as_of: datetime,
    window_days: float,
    replies: pd.DataFrame | None = None,
    assignments: pd.DataFrame | None = None,
    unsubscribes: pd.DataFrame | None = None,
    arm_map: dict[str, str] | None = None,
    not_human: tuple[str, ...] = (),
    message: str | None = None,
    boolean: bool = False,
    segments: tuple[str, ...] = (),
    cluster: str | None = None,
) -> Reference:
    """Columns have the names of the parameters of `Sends`, `Replies` and `Assignments`."""
    out = Reference()
    wide = assignments is None
    window = timedelta(days=window_days)
    units: dict[Any, _Unit] = defaultdict(_Unit)

    def arm_of(value: Any) -> str | None:
        if value is None:
            return None
        return value if not arm_map else arm_map.get(value, "?")

    if assignments is not None:
        for row in rows_of(assignments):
            if row["unit_id"] is None:
                out.excluded["assignments without a unit"] += 1
            elif arm_of(row["arm"]) is None:
                out.excluded["assignments without an arm"] += 1
            elif row.get("assigned_at") is not None and row["assigned_at"] >= as_of:
                out.excluded["assignments after the cut-off"] += 1
            else:
                units[row["unit_id"]].assignments.append(row)

    counted_sends: list[dict[str, Any]] = []
    for row in rows_of(sends):
        row["why"] = "ok"
        unit = units.get(row["unit_id"]) if row["unit_id"] is not None else None
        begun = None
        if unit is not None and not wide:
            at = [a.get("assigned_at") for a in unit.assignments if a.get("assigned_at") is not None]
            begun = min(at) if at else None
        if row["unit_id"] is None:
            row["why"] = "without a unit"
        elif row["sent_at"] is None:
            row["why"] = "without a time"
        elif row["sent_at"] >= as_of:
            row["why"] = "after the cut-off"
        elif begun is not None and row["sent_at"] < begun:
            row["why"] = "before their unit was assigned"
        elif "delivered" in row and row["delivered"] is None:
            row["why"] = "of which it is not known whether they were delivered"
        elif "delivered" in row and not row["delivered"]:
            row["why"] = "that were not delivered"
        if row["why"] != "ok":
            out.excluded[f"sends {row['why']}"] += 1
        if row["why"] in {
            "ok",
            "that were not delivered",
            "of which it is not known whether they were delivered",
            "without a time",
        }:
            units[row["unit_id"]].sends.append(row)
            if wide:
                units[row["unit_id"]].assignments.append(row)
        counted_sends.append(row)

    first: dict[Any, datetime] = {}
    messages: dict[Any, list[dict[str, Any]]] = {}
    for name, unit in units.items():
        ok = [row for row in unit.sends if row["why"] == "ok"]
        if not ok:
            continue
        first[name] = min(row["sent_at"] for row in ok)
        groups: dict[Any, list[dict[str, Any]]] = defaultdict(list)
        for row in unit.sends:
            if row["why"] != "without a time":
                key = row[message] if message and row[message] is not None else ("at", row["sent_at"])
                groups[key].append(row)
        merged = []
        for group in groups.values():
            good = [row for row in group if row["why"] == "ok"]
            if len(good) > 1:
                out.excluded["sends listed more than once"] += len(good) - 1
            costs = [row.get("cost") for row in group if row.get("cost") is not None]
            # Another model comes first, then the arms by name.
            served = sorted(
                (row["served_model"] != "other", row["served_model"])
                for row in group
                if row.get("served_model") is not None
            )
            own = [arm_of(row["arm"]) or "~" for row in group] if wide else []
            merged.append(
                {
                    "counts": bool(good),
                    "sent_at": min(row["sent_at"] for row in group),
                    "cost": max(costs) if costs else None,
                    "served": served[0][1] if served else None,
                    # A row without an arm has none to compare with.
                    "arm": min(own) if wide else None,
                }
            )
        late = [row for row in merged if row["counts"] and row["sent_at"] > first[name] + window]
        out.excluded["sends after the window of their unit"] += len(late)
        messages[name] = [row for row in merged if row["sent_at"] <= first[name] + window]

    def state_of(name: Any) -> str:
        arms = {arm_of(row["arm"]) for row in units[name].assignments if row["arm"] is not None}
        if not arms:
            return "none"
        if len(arms) > 1:
            return "two"
        if arms == {"?"}:
            return "unnamed"
        if name not in first:
            return "unsent"
        return "open" if first[name] + window > as_of else "ok"

    states = {name: state_of(name) for name in units}

    def events(name: str, rows: list[dict[str, Any]]) -> dict[Any, int]:
        """Events within the window, by unit."""
        found: dict[Any, int] = defaultdict(int)
        groups: dict[Any, int] = Counter()
        for row in rows:
            if row["why"] != "ok":
                out.excluded[f"{name} {row['why']}"] += 1
            else:
                groups[row["unit_id"], row["at"], row["key"]] += 1
        for (unit, at, _), copies in groups.items():
            if copies > 1:
                out.excluded[f"{name} listed more than once"] += copies - 1
            if unit not in first:
                out.excluded[f"{name} of units that were sent nothing"] += 1
            elif at < first[unit]:
                out.excluded[f"{name} before the first message"] += 1
            elif at > first[unit] + window:
                out.excluded[f"{name} after the window"] += 1
            else:
                found[unit] += 1
                if states[unit] != "ok":
                    out.excluded[f"{name} of units {STATE[states[unit]]}"] += 1
        out.counted[name] = sum(n for unit, n in found.items() if states[unit] == "ok")
        return found

    if replies is None:
        rows = []
        for row in counted_sends:
            said, at = row.get("replied"), row.get("replied_at")
            if not (said if boolean else at is not None):
                continue
            when = row["sent_at"] if boolean else at
            why = row["why"]
            if row.get("kind") in not_human and row.get("kind") is not None:
                why = "not by a human"
            elif why in {"without a unit", "after the cut-off"}:
                why = "without a unit that was sent something" if why == "without a unit" else why
            elif why != "ok":
                why = "to messages that were not delivered"
            elif when >= as_of:
                why = "after the cut-off"
            key = (
                None
                if not boolean
                else (row[message] if message and row[message] is not None else row["sent_at"])
            )
            rows.append({"unit_id": row["unit_id"], "at": when, "why": why, "key": key})
        replied = events("replies", rows)
    else:
        rows = []
        owner = {}
        if message:
            for row in counted_sends:
                if row["unit_id"] is not None and row[message] is not None:
                    owner[row[message]] = min(owner.get(row[message], row["unit_id"]), row["unit_id"])
        for row in rows_of(replies):
            unit = owner.get(row["message"]) if "message" in row else row["unit_id"]
            why = "ok"
            if row.get("kind") in not_human and row.get("kind") is not None:
                why = "not by a human"
            elif unit is None:
                why = "without a unit that was sent something"
            elif row["replied_at"] is None:
                why = "without a time"
            elif row["replied_at"] >= as_of:
                why = "after the cut-off"
            rows.append({"unit_id": unit, "at": row["replied_at"], "why": why, "key": None})
        replied = events("replies", rows)

    hits: dict[Any, int] = {}
    if unsubscribes is not None:
        rows = []
        for row in rows_of(unsubscribes):
            why = "ok"
            if row["unit_id"] is None:
                why = "without a unit that was sent something"
            elif row["at"] is None:
                why = "without a time"
            elif row["at"] >= as_of:
                why = "after the cut-off"
            rows.append({"unit_id": row["unit_id"], "at": row["at"], "why": why, "key": None})
        hits = events("unsubscribes", rows)

    epochs = {stratum_of(units[name]) for name, state in states.items() if state in {"ok", "open", "unsent"}}
    members: list[tuple[Any, ...]] = []
    sent_rows = 0
    for number, (name, unit) in enumerate(units.items()):
        state = states[name]
        if state != "ok":
            out.excluded[f"units {STATE[state]}"] += 1
            inside = sum(row["counts"] for row in messages.get(name, []))
            out.excluded[f"sends to units {STATE[state]}"] += inside
        if not wide:
            rows_here = len(unit.assignments)
            if state == "two":
                out.excluded["assignments of units in two arms"] += rows_here
            elif state == "unnamed":
                out.excluded[f"assignments of units {STATE[state]}"] += 1
            if state not in {"two", "none"}:
                out.excluded["assignments listed more than once"] += rows_here - 1
        if state not in {"ok", "open", "unsent"}:
            continue
        (arm,) = {arm_of(row["arm"]) for row in unit.assignments if row["arm"] is not None}
        assert arm is not None
        stratum = (stratum_of(unit) or "(none)") if len(epochs) > 1 else ""
        cell = (arm, stratum)
        out.assigned[cell] = out.assigned.get(cell, 0) + 1
        if state == "unsent":
            continue
        inside = [row for row in messages[name] if row["counts"]]
        n, r = len(inside), replied.get(name, 0)
        costs = [row["cost"] for row in messages[name]]
        cost = None if any(each is None for each in costs) else sum(costs)
        day = (*cell, first[name].astimezone(UTC).date())
        sums = out.days.setdefault(day, [0, 0, 0, 0.0, 0])
        sums[4] += 1
        if state == "open":
            continue
        sent_rows += n
        x = int(r > 0)
        for place, value in enumerate((1, x, n, cost or 0.0)):
            sums[place] += value
        arms = out.arms.setdefault(cell, defaultdict(float))
        other = sum(
            row["served"] is not None and row["served"] != arm and row["arm"] in {None, arm} for row in inside
        )
        for key, value in {
            "units": 1, "replied": x, "messages": n, "replies": r, "messages_squared": n * n,
            "replies_squared": r * r, "messages_replies": n * r, "served_by_other": other,
            "costed_units": cost is not None, "costed_replied": x * (cost is not None),
            "cost_usd": cost or 0.0,
            "cost_usd_squared": (cost or 0.0) ** 2, "cost_usd_replied": x * (cost or 0.0),
        }.items():  # fmt: skip
            arms[key] += value
        table = unit.sends
        for column in segments:
            values = {row[column] for row in table if row.get(column) is not None}
            value = "(none)" if not values else "(several)" if len(values) > 1 else str(values.pop())
            counts = out.segments.setdefault((column, value, *cell), [0, 0])
            counts[0] += 1
            counts[1] += x
        if cluster:
            values = {row[cluster] for row in table if row.get(cluster) is not None}
            key = min(values) if values else ("alone", number)
            parts = {}
            for column in segments:
                of = {row[column] for row in table if row.get(column) is not None}
                parts[column] = "(none)" if not of else "(several)" if len(of) > 1 else str(of.pop())
            members.append((key, cell, x, int(hits.get(name, 0) > 0), cost, parts))
        if unsubscribes is not None:
            counts = out.guardrails.setdefault(("unsubscribes", *cell), [0, 0])
            counts[0] += 1
            counts[1] += int(hits.get(name, 0) > 0)
    out.clusters = products((key, cell, x) for key, cell, x, *_ in members)
    if unsubscribes is not None:
        out.guardrail_clusters = products((key, cell, hit) for key, cell, _, hit, *_ in members)
    for part in sorted({(column, value) for *_, parts in members for column, value in parts.items()}):
        mine = [each for each in members if each[-1][part[0]] == part[1]]
        out.segment_clusters[part] = products((key, cell, x) for key, cell, x, *_ in mine)
    costed: dict[Any, list[float]] = {}
    for key, (arm, _), x, _, cost, _ in members:
        if cost is not None:
            sums = costed.setdefault((arm, key), [0.0, 0.0, 0.0])
            for place, value in enumerate((1, x, cost)):
                sums[place] += value
    for (arm, _), (n, y, c) in costed.items():
        sums = out.cluster_costs.setdefault(arm, [0.0] * 7)
        for place, value in enumerate((1, n * n, y * y, c * c, n * y, n * c, y * c)):
            sums[place] += value
    out.counted["sends"] = sent_rows
    out.excluded = Counter({key: count for key, count in out.excluded.items() if count})
    return out


def products(units: Iterable[tuple[Any, tuple[str, str], int]]) -> dict[tuple[str, ...], list[float]]:
    """Sums over clusters by pair of cells; the last number is of clusters with units of either arm."""
    by_cluster: dict[Any, Counter[Any]] = defaultdict(Counter)
    for key, cell, x in units:
        by_cluster[key][cell, "n"] += 1
        by_cluster[key][cell, "x"] += x
    out: dict[tuple[str, ...], list[float]] = {}
    for found in by_cluster.values():
        cells = {cell for cell, _ in found}
        for one in cells:
            for other in cells:
                sums = out.setdefault((*one, *other), [0, 0.0, 0.0, 0.0, 0])
                n, x, m, y = (found[one, "n"], found[one, "x"], found[other, "n"], found[other, "x"])
                for place, value in enumerate((1, n * m, n * y, x * y)):
                    sums[place] += value
    for (arm, _, other_arm, _), sums in out.items():
        sums[4] = sum(any(cell[0] in {arm, other_arm} for cell, _ in each) for each in by_cluster.values())
    return out


def stratum_of(unit: _Unit) -> str | None:
    epochs = [str(row["epoch"]) for row in unit.assignments if row.get("epoch") is not None]
    return min(epochs) if epochs else None
