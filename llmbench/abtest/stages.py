"""The steps from rows to one row a unit: assignments, and messages without doubles and late ones."""

from __future__ import annotations

from collections.abc import Sequence

from llmbench.abtest.engines import Engine, Stage, Statement
from llmbench.abtest.layout import Clean, Layout
from llmbench.abtest.rows import (
    Cut,
    arm_columns,
    arm_sums,
    attribute_columns,
    attribute_sums,
    has_assigned_at,
    other_experiment,
    send_columns,
    send_why,
    unit_key,
)  # fmt: skip

__all__ = ["assignment_stages", "every_send_counts", "message_key", "send_stages"]


def _selected(sums: Sequence[tuple[str, str]]) -> str:
    return ", ".join(f"{body} AS {name}" for name, body in sums)


def assignment_stages(layout: Layout, cut: Cut) -> list[Stage]:
    """`asg`, the rows of the assignments, and `assigned`, one row a unit."""
    if layout.wide:
        return []
    unit = layout.need("assignments", "unit")
    columns = [f"{unit_key(layout, unit)} AS uid", *arm_columns(layout, cut, None)]
    columns += attribute_columns(layout, of_sends=False)
    other = other_experiment(layout, "assignments")
    why = (
        f"CASE WHEN uid IS NULL THEN 6 {'WHEN other_x = 1 THEN 7' if other else ''} WHEN ac IS NULL THEN 8 "
        f"WHEN au >= {cut.cutoff_us} THEN 5 ELSE 0 END AS why"
    )
    if other:
        columns.append(f"CASE {other} ELSE 0 END AS other_x".replace("THEN 7", "THEN 1"))
    rows = f"SELECT *, {why} FROM (SELECT {', '.join(columns)} FROM src_assignments) AS cells"
    sums = [("n_rows", "COUNT(*)"), *arm_sums(layout, cut), *attribute_sums(layout, of_sends=False)]
    return [
        Stage("lb_asg", rows),
        Stage(
            "lb_assigned", f"SELECT uid, {_selected(sums)} FROM lb_asg WHERE why = 0 GROUP BY uid", kept=True
        ),
    ]


def _measures(layout: Layout, arms: int) -> list[tuple[str, str]]:
    """Sums of a unit by name; {in} is whether a message counts, {paid} whether its cost does."""

    def messages(condition: str) -> str:
        if layout.get("sends", "messages") is None:
            return f"COUNT(CASE WHEN {condition} THEN 1 END)"  # a third cheaper than a sum of ones
        return f"SUM(CASE WHEN {condition} THEN m ELSE 0 END)"

    sums = [("n", "COUNT(CASE WHEN {in} THEN 1 END)"), ("m", messages("{in}"))]
    if layout.get("sends", "cost") is not None:
        sums += [
            ("c", "SUM(CASE WHEN {paid} THEN cost END)"),
            ("cu", "COUNT(CASE WHEN {paid} AND cost IS NULL THEN 1 END)"),
        ]
    if layout.get("sends", "served_model") is not None:
        sums.append(("sk", messages("{in} AND sv IS NOT NULL")))
        if layout.wide:
            sums.append(("so", messages("{in} AND sv <> ac")))
        else:
            sums += [(f"s{k}", messages(f"{{in}} AND sv = {k}")) for k in range(arms)]
    return [(name, body if name == "c" else f"CAST({body} AS INTEGER)") for name, body in sums]


def send_stages(layout: Layout, cut: Cut, *, short_way: bool) -> list[Stage]:
    """`sends`, the rows; `sent_all`, a first sum by unit; `sent`, with duplicates and late messages out.

    Most units have neither, and their first sum is right. With `short_way`, which needs bit_or and
    bit_count, only the others are summed again: a unit whose messages do not all fall on different bits
    of 64 may have a duplicate.
    """
    arms = len(set(cut.codes.values()))
    why = send_why(layout, cut)
    cells = f"SELECT {', '.join(send_columns(layout, cut))} FROM src_sends"
    if not layout.wide and has_assigned_at(layout):
        cells = (
            f"SELECT cells.*, a.au FROM ({cells}) AS cells LEFT JOIN lb_assigned AS a ON a.uid = cells.uid"
        )
    stages = [Stage("lb_sends", f"SELECT *, {why} AS why FROM ({cells}) AS cells")]
    key = message_key(layout, "")
    measures = _measures(layout, arms)
    names = [name for name, _ in measures]
    kept = attribute_sums(layout, of_sends=True)
    if layout.wide:
        kept = [("n_rows", "COUNT(*)"), *arm_sums(layout, cut), *kept]
    # Where the first look found no row that does not count, nothing is asked of each row again.
    counts, paid, known = ("TRUE", "TRUE", "TRUE") if layout.clean else ("why = 0", "why <= 2", "why <= 3")
    sums = [
        ("f", f"MIN(CASE WHEN {counts} THEN us END)"),
        ("l", f"MAX(CASE WHEN {paid} THEN us END)"),
        *((name, body.format(**{"in": counts, "paid": paid})) for name, body in measures),
    ]
    again = f"l > f + {cut.window_us + cut.slack_us}"
    if layout.clean and layout.clean.costs_known:
        sums = [(name, "CAST(0 AS INTEGER)" if name == "cu" else body) for name, body in sums]
    if key and short_way:
        bit = f"1::UBIGINT << (HASH({key}) & 63)::UBIGINT"
        sums += [
            ("bits", f"BIT_OR(CASE WHEN {paid} THEN {bit} END)"),
            ("n_bits", f"COUNT(CASE WHEN {paid} THEN 1 END)"),
        ]
        double = "BIT_COUNT(bits) < n_bits"
        if layout.clean and key == "us":
            # Up to three times are all known: the first, the last, and what is left of the three together.
            sums.append(("every", "BIT_XOR(us)"))
            middle = "XOR(XOR(every, f), l)"
            double = (
                f"CASE WHEN n_bits = 1 THEN FALSE WHEN n_bits = 2 THEN f = l "
                f"WHEN n_bits = 3 THEN f = l OR {middle} = f OR {middle} = l ELSE {double} END"
            )
        again = f"({again} OR {double})"
    elif key:
        again = "f IS NOT NULL"
    body = f"SELECT uid, {_selected([*sums, *kept])} FROM lb_sends WHERE {known} GROUP BY uid"
    marked = f"SELECT *, CASE WHEN {again} THEN 1 ELSE 0 END AS again FROM ({body}) AS u"
    carried = [name for name, _ in kept]
    plain = ", ".join(["uid", "f", *names, *carried])
    redone = ", ".join(["u.uid", "u.f", *(f"g.{name}" for name in names), *(f"u.{name}" for name in carried)])
    both = (
        f"SELECT {plain}, 0 AS dup, 0 AS late FROM lb_sent_all WHERE again = 0 UNION ALL "
        f"SELECT {redone}, g.dup, g.late FROM lb_sent_all AS u JOIN lb_sent_again AS g ON g.uid = u.uid "
        "WHERE u.again = 1"
    )
    return [
        *stages,
        Stage("lb_sent_all", marked, kept=True),
        *_second_look(layout, cut, measures),
        Stage("lb_sent", both),
    ]


def every_send_counts(layout: Layout, engine: Engine, cut: Cut) -> Clean | None:
    """What the rows have in common if none has a reason not to count. Only for files, which do not change in
    between.
    """
    if not layout.wide and has_assigned_at(layout):
        return None
    cells = f"SELECT {', '.join(send_columns(layout, cut))} FROM src_sends"
    cost = "COUNT(cost)" if layout.get("sends", "cost") is not None else "0"
    bad_row = f"COUNT(CASE WHEN {send_why(layout, cut)} > 0 THEN 1 END)"
    asked = f"SELECT {bad_row} AS bad, COUNT(*) AS n, MAX(us) AS l, {cost} AS k FROM ({cells}) AS cells"
    ((bad, rows, newest, costs),) = engine.fetch(Statement([], [asked]))
    return None if bad else Clean(int(rows), newest, int(costs) == int(rows))


def message_key(layout: Layout, prefix: str) -> str | None:
    """What two rows of one message have in common; None where it cannot be told."""
    if layout.get("sends", "message") is not None:
        return f"COALESCE({prefix}mk, CAST({prefix}us AS TEXT))"
    return None if layout.has_days_only("sends", "sent_at") else f"{prefix}us"


def _second_look(layout: Layout, cut: Cut, measures: Sequence[tuple[str, str]]) -> list[Stage]:
    """`sent_again`: units with late or doubled messages, message by message."""
    has_served = layout.get("sends", "served_model") is not None
    columns = ["us"]
    columns += ["m"] if layout.get("sends", "messages") is not None else []
    columns += ["sv"] if has_served else []
    columns += ["ac"] if has_served and layout.wide else []
    costs = ["cost"] if layout.get("sends", "cost") is not None else []
    source = "FROM lb_sends AS s JOIN lb_sent_all AS u ON u.uid = s.uid WHERE u.again = 1 AND s.why <= 2"
    by = message_key(layout, "s.")
    if by is None:
        picked = ", ".join(f"s.{name}" for name in [*columns, *costs])
        rows = f"SELECT s.uid, u.f, s.why, 1 AS k, {picked} {source}"
    else:
        picked = ", ".join(
            ["MIN(s.why) AS why", "SUM(CASE WHEN s.why = 0 THEN 1 ELSE 0 END) AS k"]
            + [f"MIN(s.{name}) AS {name}" for name in columns]
            + [f"MAX(s.{name}) AS {name}" for name in costs]
        )
        rows = f"SELECT s.uid, u.f, {picked} {source} GROUP BY s.uid, u.f, {by}"
    end = f"f + {cut.window_us + cut.slack_us}"
    ends = f"us <= {end}"
    sums = [(name, body.format(**{"in": f"why = 0 AND {ends}", "paid": ends})) for name, body in measures] + [
        ("dup", "CAST(SUM(CASE WHEN why = 0 THEN k - 1 ELSE 0 END) AS INTEGER)"),
        (
            "late",
            f"CAST(SUM(CASE WHEN why = 0 AND us > {end} THEN 1 ELSE 0 END) AS INTEGER)",
        ),
    ]
    return [
        Stage("lb_messages", rows),
        Stage("lb_sent_again", f"SELECT uid, {_selected(sums)} FROM lb_messages GROUP BY uid", kept=True),
    ]
