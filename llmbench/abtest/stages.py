"""The steps from rows to units: first rows with a reason why they do not count, then one row a unit.

Reasons of rows, `why`: 0 counts; 1 not delivered; 2 not known whether delivered; 3 no time; 4 before the
assignment; 5 after the cut-off; 6 no unit; 7 another experiment; 8 no arm; 9 not a human reply.
A message up to 2 has its cost counted, because it was paid.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from llmbench.abtest.engines import Engine, Stage, Statement
from llmbench.abtest.layout import Layout
from llmbench.abtest.sql_text import Column, flag, is_blank, literal, number, plain_text

__all__ = [
    "DAY_US", "Cut", "arm_keys", "assignment_stages", "event_columns", "every_send_counts", "event_names", "message_key", "not_human",
    "send_stages", "unit_key",
]  # fmt: skip

DAY_US = 86_400_000_000


class Cut:
    """Cut-off and window, in microseconds, and the arms by their number."""

    def __init__(self, cutoff_us: int, window_us: int, arms: Mapping[str, int], starts: Sequence[tuple[int, str]]):
        self.cutoff_us = cutoff_us
        self.window_us = window_us
        self.codes = arms
        """Value of the arm column to the arm's number."""
        self.starts = starts
        """Where epochs are days: the first instant and the label of each."""

    def code(self, column: Column, values: Mapping[str, int], other: int) -> str:
        """The number of the cell's value; NULL where it is empty."""
        if not values:
            return f"CASE WHEN {is_blank(column)} THEN NULL ELSE {other} END"
        cases = " ".join(f"WHEN {literal(value)} THEN {code}" for value, code in values.items())
        return f"CASE WHEN {is_blank(column)} THEN NULL ELSE CASE CAST({column.sql} AS TEXT) {cases} ELSE {other} END END"


def unit_key(layout: Layout, column: Column) -> str:
    """The unit of a row; NULL where it is empty."""
    if column.kind == "text" and layout.unit_as_text:
        return f"CASE WHEN NOT {is_blank(column)} THEN {column.sql} END"
    if column.kind == "number":
        whole = f"CAST({column.sql} AS BIGINT)"
        return f"CAST({whole} AS TEXT)" if layout.unit_as_text else whole
    return f"CAST({column.sql} AS TEXT)" if layout.unit_as_text else f"CAST({column.sql} AS BIGINT)"


def epoch_label(cut: Cut, time: str) -> str:
    """The epoch of an instant, where epochs are days."""
    cases = " ".join(f"WHEN {time} >= {us} THEN {literal(label)}" for us, label in reversed(cut.starts))
    return f"CASE {cases} ELSE 'before {cut.starts[0][1]}' END"


def _arm_columns(layout: Layout, cut: Cut, us: str | None) -> list[str]:
    """Arm, epoch, campaign and instant of assignment of a row."""
    table = layout.arms_in
    at = layout.get(table, "assigned_at")
    au = us if at is None else layout.micros(at, f"{table}.assigned_at")
    columns = [f"{cut.code(layout.need(table, 'arm'), cut.codes, -1)} AS ac", f"{au or 'NULL'} AS au"]
    epoch, campaign = layout.get(table, "epoch"), layout.get(table, "campaign")
    if cut.starts:
        columns.append(f"{epoch_label(cut, f'({au})')} AS ep")
    elif epoch is not None:
        columns.append(f"{plain_text(epoch)} AS ep")
    if campaign is not None:
        columns.append(f"{plain_text(campaign)} AS cp")
    if (probability := layout.get(table, "probability")) is not None:
        columns.append(f"{number(probability, f'{table}.probability', layout.dialect)} AS pr")
    return columns


def arm_keys(layout: Layout, cut: Cut) -> list[str]:
    """Which of epoch and campaign there are."""
    table = layout.arms_in
    keys = ["ep"] if cut.starts or layout.get(table, "epoch") else []
    return [*keys, "cp"] if layout.get(table, "campaign") else keys


def _arm_sums(layout: Layout, cut: Cut) -> list[tuple[str, str]]:
    """The same of a unit. `lo` and `hi` differ for a unit in two arms."""
    sums = [("lo", "MIN(ac)"), ("hi", "MAX(ac)"), ("au", "MIN(au)")]
    keys = arm_keys(layout, cut)
    if "ep" in keys:
        sums.append(("ep", "MIN(ep)"))  # the first one's weights put it there
    if "cp" in keys:
        several = "WHEN MIN(cp) IS NOT NULL THEN '(several)'"
        sums.append(("cp", f"CASE WHEN MIN(cp) = MAX(cp) THEN MIN(cp) {several} END"))
    return sums


def _attribute_columns(layout: Layout, of_sends: bool) -> list[str]:
    return [
        f"{plain_text(each.column)} AS a{i}"
        for i, each in enumerate(layout.attributes)
        if each.of_sends is of_sends
    ]


def _attribute_sums(layout: Layout, of_sends: bool) -> list[tuple[str, str]]:
    return [
        (f"{letter}{i}", f"{least}(a{i})")
        for i, each in enumerate(layout.attributes)
        if each.of_sends is of_sends
        for letter, least in (("a", "MIN"), ("z", "MAX"))
    ]


def _selected(sums: Sequence[tuple[str, str]]) -> str:
    return ", ".join(f"{body} AS {name}" for name, body in sums)


def _other_experiment(layout: Layout, table: str) -> str:
    column = layout.get(table, "experiment")
    if column is None:
        return ""
    same = f"{plain_text(column)} = {literal(layout.source.experiment_id)}"
    return f"WHEN NOT COALESCE({same}, FALSE) THEN 7"


def assignment_stages(layout: Layout, cut: Cut) -> list[Stage]:
    """`asg`, the rows of the assignments, and `assigned`, one row a unit."""
    if layout.wide:
        return []
    unit = layout.need("assignments", "unit")
    columns = [f"{unit_key(layout, unit)} AS uid", *_arm_columns(layout, cut, None)]
    columns += _attribute_columns(layout, of_sends=False)
    other = _other_experiment(layout, "assignments")
    why = (
        f"CASE WHEN uid IS NULL THEN 6 {'WHEN other_x = 1 THEN 7' if other else ''} WHEN ac IS NULL THEN 8 "
        f"WHEN au >= {cut.cutoff_us} THEN 5 ELSE 0 END AS why"
    )
    if other:
        columns.append(f"CASE {other} ELSE 0 END AS other_x".replace("THEN 7", "THEN 1"))
    rows = f"SELECT *, {why} FROM (SELECT {', '.join(columns)} FROM src_assignments) AS cells"
    sums = [("n_rows", "COUNT(*)"), *_arm_sums(layout, cut), *_attribute_sums(layout, of_sends=False)]
    return [
        Stage("lb_asg", rows),
        Stage("lb_assigned", f"SELECT uid, {_selected(sums)} FROM lb_asg WHERE why = 0 GROUP BY uid", kept=True),
    ]


def _send_columns(layout: Layout, cut: Cut) -> list[str]:
    us = layout.micros(layout.need("sends", "sent_at"), "sends.sent_at")
    columns = [f"{unit_key(layout, layout.need('sends', 'unit'))} AS uid", f"{us} AS us"]
    delivered, cost = layout.get("sends", "delivered"), layout.get("sends", "cost")
    if delivered is not None:
        columns.append(f"{flag(delivered)} AS dv")
    if (messages := layout.get("sends", "messages")) is not None:
        columns.append(f"{number(messages, 'sends.messages', layout.dialect)} AS m")
    if cost is not None:
        columns.append(f"{number(cost, 'sends.cost', layout.dialect)} AS cost")
    if (message := layout.get("sends", "message")) is not None:
        columns.append(f"{plain_text(message)} AS mk")
    if (served := layout.get("sends", "served_model")) is not None:
        columns.append(f"{cut.code(served, served_codes(layout, cut), -1)} AS sv")
    if other := _other_experiment(layout, "sends"):
        columns.append(f"CASE {other} ELSE 0 END AS other_x".replace("THEN 7", "THEN 1"))
    if layout.wide:
        columns += _arm_columns(layout, cut, us)
    for name in event_names(layout):
        columns += _event_columns(layout, name)
    return columns + _attribute_columns(layout, of_sends=True)


def event_names(layout: Layout) -> list[str]:
    """What may happen to a unit, a reply and then each guardrail, as their steps are named."""
    return ["replies", *(f"guardrail_{i}" for i in range(len(layout.source.guardrails)))]


def event_columns(layout: Layout, name: str) -> tuple[Column | None, Column | None, str]:
    """The column of the sends that says whether, the one that says when, and the form of the first."""
    if name == "replies":
        said, at = layout.get("sends", "replied"), layout.get("sends", "replied_at")
        form = layout.replied_form
    else:
        guardrail = layout.source.guardrails[int(name.rsplit("_", 1)[1])]
        said, at = layout.get("sends", f"guardrail {guardrail.name}"), None
        is_time = said is not None and said.kind in {"timestamp", "timestamptz", "date"}
        form = "time" if is_time else "boolean"
    return (None, said, form) if form == "time" and at is None else (said, at, form)


def _event_columns(layout: Layout, name: str) -> list[str]:
    """Number and instant of the event that stands beside a message."""
    said, at, form = event_columns(layout, name)
    if name in layout.wheres or (said is None and at is None):
        return []
    time = "CAST(NULL AS BIGINT)" if at is None else layout.micros(at, f"the time of {name}")
    if said is None:
        count = f"CASE WHEN {time} IS NULL THEN 0 ELSE 1 END"
    else:
        count = f"COALESCE({number(said, name, layout.dialect) if form == 'count' else flag(said)}, 0)"
    columns = [f"{count} AS {name}_n", f"{time} AS {name}_us"]
    kind = layout.get("sends", "kind")
    if name == "replies" and kind is not None and layout.source.not_human:
        columns.append(f"{not_human(layout, kind)} AS nh")
    return columns


def not_human(layout: Layout, kind: Column) -> str:
    """1 for a reply of a kind that does not count."""
    values = ", ".join(map(literal, layout.source.not_human))
    return f"CASE WHEN {plain_text(kind)} IN ({values}) THEN 1 ELSE 0 END"


def served_codes(layout: Layout, cut: Cut) -> dict[str, int]:
    """Value of the served model to the number of the arm that it is."""
    source = layout.source
    if not source.served_map:
        return dict(cut.codes)
    names = {source.arm_map.get(value, value): code for value, code in cut.codes.items()}
    return {value: names.get(arm, -1) for value, arm in source.served_map.items()}


def _send_why(layout: Layout, cut: Cut) -> str:
    """Why a row of the sends does not count, over the columns of `_send_columns`."""
    cases = ["WHEN uid IS NULL THEN 6"]
    if layout.get("sends", "experiment") is not None:
        cases.append("WHEN other_x = 1 THEN 7")
    unsent = "us IS NULL OR m = 0" if layout.get("sends", "messages") is not None else "us IS NULL"
    cases += [f"WHEN {unsent} THEN 3", f"WHEN us >= {cut.cutoff_us} THEN 5"]
    if layout.get(layout.arms_in, "assigned_at") is not None:
        cases.append(f"WHEN us < au THEN {4}")
        if layout.wide:
            cases.insert(1, f"WHEN au >= {cut.cutoff_us} THEN 5")
    if layout.get("sends", "delivered") is not None:
        cases += ["WHEN dv = 0 THEN 1", "WHEN dv IS NULL THEN 2"]
    return f"CASE {' '.join(cases)} ELSE 0 END"


def _measures(layout: Layout, arms: int) -> list[tuple[str, str]]:
    """Sums of a unit over its rows `t`, by name; {in} is whether a message counts, {paid} whether its cost does."""
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
    why = _send_why(layout, cut)
    cells = f"SELECT {', '.join(_send_columns(layout, cut))} FROM src_sends"
    if not layout.wide and layout.get("assignments", "assigned_at") is not None:
        cells = f"SELECT cells.*, a.au FROM ({cells}) AS cells LEFT JOIN lb_assigned AS a ON a.uid = cells.uid"
    stages = [Stage("lb_sends", f"SELECT *, {why} AS why FROM ({cells}) AS cells")]
    key = message_key(layout, "")
    measures = _measures(layout, arms)
    names = [name for name, _ in measures]
    kept = _attribute_sums(layout, of_sends=True)
    if layout.wide:
        kept = [("n_rows", "COUNT(*)"), *_arm_sums(layout, cut), *kept]
    # Where the first look found no row that does not count, nothing is asked of each row again.
    counts, paid, known = ("TRUE", "TRUE", "TRUE") if layout.clean else ("why = 0", "why <= 2", "why <= 3")
    sums = [
        ("f", f"MIN(CASE WHEN {counts} THEN us END)"),
        ("l", f"MAX(CASE WHEN {paid} THEN us END)"),
        *((name, body.format(**{"in": counts, "paid": paid})) for name, body in measures),
    ]
    again = f"l > f + {cut.window_us}"
    if key and short_way:
        bit = f"1::UBIGINT << (HASH({key}) & 63)::UBIGINT"
        sums += [
            ("bits", f"BIT_OR(CASE WHEN {paid} THEN {bit} END)"),
            ("n_bits", f"COUNT(CASE WHEN {paid} THEN 1 END)"),
        ]
        again = f"({again} OR BIT_COUNT(bits) < n_bits)"
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


def every_send_counts(layout: Layout, engine: Engine, cut: Cut) -> bool:
    """Whether no row has a reason not to count. Only for files, which do not change in between."""
    if not layout.wide and layout.get("assignments", "assigned_at") is not None:
        return False
    cells = f"SELECT {', '.join(_send_columns(layout, cut))} FROM src_sends"
    asked = f"SELECT COUNT(CASE WHEN {_send_why(layout, cut)} > 0 THEN 1 END) AS n FROM ({cells}) AS cells"
    ((count,),) = engine.fetch(Statement([], asked))
    return not count


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
    ends = f"us <= f + {cut.window_us}"
    sums = [
        (name, body.format(**{"in": f"why = 0 AND {ends}", "paid": ends})) for name, body in measures
    ] + [
        ("dup", "CAST(SUM(CASE WHEN why = 0 THEN k - 1 ELSE 0 END) AS INTEGER)"),
        ("late", f"CAST(SUM(CASE WHEN why = 0 AND us > f + {cut.window_us} THEN 1 ELSE 0 END) AS INTEGER)"),
    ]
    return [
        Stage("lb_messages", rows),
        Stage("lb_sent_again", f"SELECT uid, {_selected(sums)} FROM lb_messages GROUP BY uid", kept=True),
    ]
