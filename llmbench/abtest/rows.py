"""Cells of the sends and assignments: which columns a row has, and why it does not count.

Reasons of rows, `why`: 0 counts; 1 not delivered; 2 not known whether delivered; 3 no time; 4 before the
assignment; 5 after the cut-off; 6 no unit; 7 another experiment; 8 no arm; 9 not a human reply; 10 to a
message that several units share.
A message up to 2 has its cost counted, because it was paid.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from llmbench.abtest.layout import Layout
from llmbench.abtest.sql_text import Column, flag, is_blank, literal, number, plain_text

__all__ = [
    "CLOCK_US", "DAY_US", "Cut", "arm_columns", "arm_keys", "arm_sums", "attribute_columns", "attribute_sums",
    "event_columns", "event_names", "has_assigned_at", "kind_columns", "other_experiment", "send_columns",
    "send_why", "unit_key",
]  # fmt: skip

DAY_US = 86_400_000_000
CLOCK_US = 3 * 3_600_000_000
"""More than clocks are ever changed by, and less than half a day."""


class Cut:
    """Cut-off and window, in microseconds, and the arms by their number."""

    def __init__(
        self,
        cutoff_us: int,
        window_us: int,
        arms: Mapping[str, int],
        starts: Sequence[tuple[int, str]],
        *,
        day_us: int,
        slack_us: int = 0,
    ):
        self.cutoff_us = cutoff_us
        self.window_us = window_us
        self.codes = arms
        """Value of the arm column to the arm's number."""
        self.starts = starts
        """Where epochs are days: the first instant and the label of each."""
        self.day_us = day_us
        """The beginning of the cut-off's day: what has a day and no time is complete up to there."""
        self.slack_us = slack_us
        """By how much a difference of days may be off when clocks change; 0 where messages have times."""

    def code(self, column: Column, values: Mapping[str, int], other: int) -> str:
        """The number of the cell's value; NULL where it is empty."""
        if not values:
            return f"CASE WHEN {is_blank(column)} THEN NULL ELSE {other} END"
        cases = " ".join(f"WHEN {literal(value)} THEN {code}" for value, code in values.items())
        value = f"CASE CAST({column.sql} AS TEXT) {cases} ELSE {other} END"
        return f"CASE WHEN {is_blank(column)} THEN NULL ELSE {value} END"


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


def arm_columns(layout: Layout, cut: Cut, us: str | None) -> list[str]:
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


def has_assigned_at(layout: Layout) -> bool:
    """Whether it is recorded when a unit was assigned; else its first message stands for it."""
    return layout.get(layout.arms_in, "assigned_at") is not None


def arm_keys(layout: Layout, cut: Cut) -> list[str]:
    """Which of epoch and campaign there are."""
    table = layout.arms_in
    keys = ["ep"] if cut.starts or layout.get(table, "epoch") else []
    return [*keys, "cp"] if layout.get(table, "campaign") else keys


def arm_sums(layout: Layout, cut: Cut) -> list[tuple[str, str]]:
    """The same of a unit. `lo` and `hi` differ for a unit in two arms."""
    sums = [("lo", "MIN(ac)"), ("hi", "MAX(ac)")]
    if has_assigned_at(layout):
        sums.append(("au", "MIN(au)"))
    keys = arm_keys(layout, cut)
    if "ep" in keys:
        sums.append(("ep", "MIN(ep)"))  # the first one's weights put it there
    if "cp" in keys:
        several = "WHEN MIN(cp) IS NOT NULL THEN '(several)'"
        sums.append(("cp", f"CASE WHEN MIN(cp) = MAX(cp) THEN MIN(cp) {several} END"))
    return sums


def attribute_columns(layout: Layout, of_sends: bool) -> list[str]:
    """The attributes that the sends have, or the assignments."""
    return [
        f"{plain_text(each.column)} AS a{i}"
        for i, each in enumerate(layout.attributes)
        if each.of_sends is of_sends
    ]


def attribute_sums(layout: Layout, of_sends: bool) -> list[tuple[str, str]]:
    """The same of a unit: least and greatest, which differ where it has several values."""
    return [
        (f"{letter}{i}", f"{least}(a{i})")
        for i, each in enumerate(layout.attributes)
        if each.of_sends is of_sends
        for letter, least in (("a", "MIN"), ("z", "MAX"))
    ]


def other_experiment(layout: Layout, table: str) -> str:
    """The case of a row of another experiment; empty where no column says so."""
    column = layout.get(table, "experiment")
    if column is None:
        return ""
    same = f"{plain_text(column)} = {literal(layout.source.experiment_id)}"
    return f"WHEN NOT COALESCE({same}, FALSE) THEN 7"


def send_columns(layout: Layout, cut: Cut) -> list[str]:
    """What is read of a row of the sends."""
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
    if other := other_experiment(layout, "sends"):
        columns.append(f"CASE {other} ELSE 0 END AS other_x".replace("THEN 7", "THEN 1"))
    if layout.wide:
        columns += arm_columns(layout, cut, us)
    for name in event_names(layout):
        columns += _event_columns(layout, name)
    return columns + attribute_columns(layout, of_sends=True)


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
    if name == "replies" and kind is not None:
        columns += kind_columns(layout, kind)
    return columns


def kind_columns(layout: Layout, kind: Column) -> list[str]:
    """The kind of a reply, and 1 for one that does not count."""
    values = ", ".join(map(literal, layout.source.not_human))
    gone = f"CASE WHEN {plain_text(kind)} IN ({values}) THEN 1 ELSE 0 END" if values else "0"
    return [f"{plain_text(kind)} AS kd", f"{gone} AS nh"]


def served_codes(layout: Layout, cut: Cut) -> dict[str, int]:
    """Value of the served model to the number of the arm that it is."""
    source = layout.source
    if not source.served_map:
        return dict(cut.codes)
    names = {source.arm_map.get(value, value): code for value, code in cut.codes.items()}
    return {value: names.get(arm, -1) for value, arm in source.served_map.items()}


def send_why(layout: Layout, cut: Cut) -> str:
    """Why a row of the sends does not count, over the columns of `_send_columns`."""
    cases = ["WHEN uid IS NULL THEN 6"]
    if layout.get("sends", "experiment") is not None:
        cases.append("WHEN other_x = 1 THEN 7")
    unsent = "us IS NULL OR m = 0" if layout.get("sends", "messages") is not None else "us IS NULL"
    cases += [f"WHEN {unsent} THEN 3", f"WHEN us >= {cut.cutoff_us} THEN 5"]
    if has_assigned_at(layout):
        cases.append(f"WHEN us < au THEN {4}")
        if layout.wide:
            cases.insert(1, f"WHEN au >= {cut.cutoff_us} THEN 5")
    if layout.get("sends", "delivered") is not None:
        cases += ["WHEN dv = 0 THEN 1", "WHEN dv IS NULL THEN 2"]
    return f"CASE {' '.join(cases)} ELSE 0 END"
