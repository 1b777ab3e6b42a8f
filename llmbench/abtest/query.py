"""The one statement that an experiment is read by: the steps, and every aggregate in one table of rows.

All aggregates are one UNION ALL of (what, keys k0.., numbers v0..), so that they are of one moment of the
data, and of one computation of the steps.
"""

from __future__ import annotations

from llmbench.abtest.cluster_queries import add_clusters
from llmbench.abtest.engines import Statement
from llmbench.abtest.layout import Layout
from llmbench.abtest.rows import Cut, arm_keys, event_names, has_assigned_at
from llmbench.abtest.stages import assignment_stages, send_stages
from llmbench.abtest.stages_units import unit_stages
from llmbench.abtest.union import Union, What, cell_of, key_count

__all__ = ["What", "statement_of"]

# Units of like cost fall into one bucket when their costs differ by less than about 5%.
_BUCKETS_PER_E = 20
_MOST_KINDS = 50


def statement_of(layout: Layout, cut: Cut, *, short_way: bool) -> Statement:
    """The statement. Keys begin with arm, epoch and campaign where a row is of an arm."""
    stages = [
        *assignment_stages(layout, cut),
        *send_stages(layout, cut, short_way=short_way),
        *unit_stages(layout, cut),
    ]
    union = Union(key_count(layout))
    keys = arm_keys(layout, cut)
    _add_units(union, layout, keys)
    _add_rows(union, layout)
    _add_views(union, layout, keys)
    add_clusters(union, layout, keys)
    _add_weights(union, layout, keys)
    return Statement(stages, union.selects)


def _add_units(union: Union, layout: Layout, keys: list[str]) -> None:
    cost = "CASE WHEN known = 1 THEN c END"
    served = ["SUM(so)", "SUM(sk)"] if layout.get("sends", "served_model") is not None else []
    union.add(
        What.UNITS,
        cell_of(keys),
        [
            "COUNT(*)", "SUM(x)", "SUM(m)", "SUM(r0)", "SUM(CAST(m AS DOUBLE) * m)",
            "SUM(CAST(r0 AS DOUBLE) * r0)",
            "SUM(CAST(m AS DOUBLE) * r0)", "SUM(known)", "SUM(known * x)", f"SUM({cost})",
            f"SUM({cost} * c)", f"SUM({cost} * x)", *served,
        ],
        "lb_units WHERE st = 0",
    )  # fmt: skip
    union.add(What.ASSIGNED, cell_of(keys), ["COUNT(*)", "MAX(au)"], "lb_units WHERE st <= 2")
    if has_assigned_at(layout):
        day = "CAST(FLOOR(au / 86400000000.0) AS BIGINT)"
        by_day = f"(SELECT *, {day} AS day_number FROM lb_units WHERE st <= 2 AND au IS NOT NULL) AS by_day"
        union.add(What.ASSIGNED_DAYS, [*cell_of(keys), "day_number"], ["COUNT(*)"], by_day)
    union.add(
        What.STATES,
        ["st"],
        [
            "COUNT(*)", "SUM(n)", "SUM(COALESCE(n_rows, 0))", "SUM(dup)", "SUM(late)", "SUM(cost_k)",
            "SUM(1 - known)", *(f"SUM(rr{i})" for i in range(min(len(event_names(layout)), 7))),
        ],
        "lb_units",
    )  # fmt: skip


def _add_rows(union: Union, layout: Layout) -> None:
    if layout.clean:  # which was counted already
        seen = [str(layout.clean.rows), str(layout.clean.newest_us)]
        union.add(What.SEND_ROWS, ["'0'"], seen, "(SELECT 1 AS one) AS one_row", group=False)
    else:
        union.add(What.SEND_ROWS, ["why"], ["COUNT(*)", "MAX(us)"], "lb_sends")
    for i, name in enumerate(event_names(layout)):
        union.add(What.EVENT_ROWS, [f"'{i}'", "why"], ["COUNT(*)", "MAX(us)"], f"lb_{name}_rows")
        union.add(What.EVENTS, [f"'{i}'", "ev"], ["COUNT(*)", "SUM(k - 1)"], f"lb_{name}_placed")
    if layout.get("replies" if "replies" in layout.wheres else "sends", "kind") is not None:
        # Those that do not count come first, so that none of them falls off the end.
        kinds = (
            "(SELECT kd, CASE WHEN why = 9 THEN 1 ELSE 0 END AS gone, SUM(cnt) AS n FROM lb_replies_rows "
            "WHERE why = 0 OR why = 9 GROUP BY kd, CASE WHEN why = 9 THEN 1 ELSE 0 END "
            f"ORDER BY gone DESC, n DESC LIMIT {_MOST_KINDS}) AS kinds"
        )
        union.add(What.KINDS, ["kd", "gone"], ["SUM(n)"], kinds)
    if any(layout.get(table, "message") is not None for table in ("replies", "costs")):
        union.add(What.SHARED, [], ["SUM(shared)"], "lb_message_units", group=False)
    if not layout.wide:
        union.add(What.ASSIGNMENT_ROWS, ["why"], ["COUNT(*)"], "lb_asg")
    if layout.source.costs is not None:
        union.add(
            What.COST_ROWS,
            ["lost"],
            ["COUNT(*)"],
            "(SELECT CASE WHEN c.lost = 5 THEN 5 WHEN c.uid IS NULL THEN 1 WHEN c.lost > 0 THEN c.lost "
            "WHEN u.st IS NULL THEN 2 ELSE 0 END AS lost "
            "FROM lb_cost_rows AS c LEFT JOIN lb_units AS u ON u.uid = c.uid) AS costed",
        )


def _add_views(union: Union, layout: Layout, keys: list[str]) -> None:
    cell = cell_of(keys)
    mature = "CASE WHEN st = 0 THEN {} ELSE 0 END"
    cost = "CASE WHEN known = 1 THEN c ELSE 0 END"
    numbers = [f"SUM({mature.format(body)})" for body in ("1", "x", "m", cost)]
    day = "CAST(FLOOR(f / 86400000000.0) AS BIGINT)"
    union.add(
        What.DAYS,
        [*cell, "day_number"],
        [*numbers, "COUNT(*)"],
        f"(SELECT *, {day} AS day_number FROM lb_units WHERE st <= 1) AS by_day",
    )
    for name in layout.source.segments:
        i = layout.attribute(name)
        union.add(What.SEGMENTS, [*cell, f"'{i}'", f"a{i}"], ["COUNT(*)", "SUM(x)"], "lb_units WHERE st = 0")
    for i in range(len(layout.source.guardrails)):
        hit = f"SUM(CASE WHEN r{i + 1} > 0 THEN 1 ELSE 0 END)"
        union.add(What.GUARDRAILS, [*cell, f"'{i}'"], ["COUNT(*)", hit], "lb_units WHERE st = 0")
    bucket = (
        "CASE WHEN known = 0 THEN NULL WHEN c > 0 THEN "
        f"CAST(FLOOR(LN(c) * {_BUCKETS_PER_E}) AS BIGINT) ELSE -100000 END"
    )
    union.add(
        What.COSTS,
        [*cell, "x", "bucket"],
        ["COUNT(*)", f"SUM({cost})"],
        f"(SELECT *, {bucket} AS bucket FROM lb_units WHERE st = 0) AS by_cost",
    )
    if layout.source.contexts:
        places = [f"a{layout.attribute(name)}" for name in layout.source.contexts]
        union.add(
            What.CONTEXTS,
            [*cell, "fold", "x", *places],
            ["COUNT(*)", "SUM(m)", f"SUM({cost})", "SUM(1 - known)"],
            "lb_units WHERE st = 0",
        )
    for i in range(len(layout.attributes)):
        union.add(What.SEVERAL, [f"'{i}'"], [f"SUM(x{i})"], "lb_units WHERE st <= 1", group=False)


def _add_weights(union: Union, layout: Layout, keys: list[str]) -> None:
    """Of the rows, because a unit assigned twice may have two probabilities."""
    table = layout.arms_in
    if layout.get(table, "probability") is None:
        return
    rows, counted = ("lb_sends", "why <= 3") if layout.wide else ("lb_asg", "why = 0")
    cell = ["ac", *(key if key in keys else "NULL" for key in ("ep", "cp"))]
    union.add(
        What.WEIGHTS,
        cell,
        ["MIN(pr)", "MAX(pr)", "COUNT(*)", "COUNT(pr)"],
        f"{rows} WHERE {counted} AND ac >= 0 AND uid IS NOT NULL",
    )
