"""The steps from replies, guardrails and costs to `units`: one row a unit with all that is counted of it.

State of an event, `ev`: 0 within the window, 1 before the first message, 2 after the window, 3 nothing was
sent. State of a unit, `st`: 0 counts; 1 its window is still open; 2 nothing was sent to it; 3 its arm is
none that `arm_map` names; 4 it is in two arms; 5 it has no arm.
"""

from __future__ import annotations

from llmbench.abtest.engines import Stage
from llmbench.abtest.layout import Layout
from llmbench.abtest.rows import (
    DAY_US,
    Cut,
    arm_keys,
    event_columns,
    event_names,
    has_assigned_at,
    kind_columns,
    unit_key,
)
from llmbench.abtest.sql_text import number, plain_text
from llmbench.abtest.stages import message_key

__all__ = ["unit_stages"]


def unit_stages(layout: Layout, cut: Cut) -> list[Stage]:
    """All steps after `sent`."""
    stages: list[Stage] = []
    if any(layout.get(table, "message") is not None for table in ("replies", "costs")):
        keys = (
            "SELECT mk, MIN(uid) AS uid, CASE WHEN MIN(uid) <> MAX(uid) THEN 1 ELSE 0 END AS shared "
            "FROM lb_sends WHERE mk IS NOT NULL AND uid IS NOT NULL GROUP BY mk"
        )
        stages.append(Stage("lb_message_units", keys, kept=True))
    for name in event_names(layout):
        stages += _event_stages(layout, cut, name)
    stages += _cost_stages(layout, cut)
    return [*stages, _unit_stage(layout, cut)]


def _event_stages(layout: Layout, cut: Cut, name: str) -> list[Stage]:
    """Rows with a reason, then one row an event with its state, then one row a unit."""
    own = name in layout.wheres
    rows, days, key = _own_rows(layout, cut, name) if own else _beside(layout, cut, name)
    # Where only the day is known, an event is before the message if all of the day is, and late if all is.
    slack = cut.slack_us if days else 0
    spread = DAY_US - 1 - slack if days else 0
    stages = [Stage(f"lb_{name}_rows", rows, kept=True)]
    if key is None:
        once = f"SELECT uid, us, cnt, 1 AS k FROM lb_{name}_rows WHERE why = 0"
    else:
        once = (
            f"SELECT uid, us, MAX(cnt) AS cnt, COUNT(*) AS k FROM lb_{name}_rows WHERE why = 0 "
            f"GROUP BY uid, us{'' if key == 'us' else ', ek'}"
        )
    placed = (
        f"SELECT e.uid, e.cnt, e.k, CASE WHEN s.f IS NULL THEN 3 WHEN e.us + {spread} < s.f THEN 1 "
        f"WHEN e.us > s.f + {cut.window_us + slack} THEN 2 ELSE 0 END AS ev FROM ({once}) AS e "
        "LEFT JOIN lb_sent AS s ON s.uid = e.uid"
    )
    by_unit = (
        f"SELECT uid, CAST(SUM(cnt) AS INTEGER) AS r, CAST(COUNT(*) AS INTEGER) AS rr FROM lb_{name}_placed "
        "WHERE ev = 0 GROUP BY uid"
    )
    return [*stages, Stage(f"lb_{name}_placed", placed, kept=True), Stage(f"lb_{name}_units", by_unit)]


def _own_rows(layout: Layout, cut: Cut, table: str) -> tuple[str, bool, str | None]:
    """Events of a table of their own: its rows, whether their times are days, and what tells two apart."""
    parameter = "replied_at" if table == "replies" else "at"
    us = layout.micros(layout.need(table, parameter), f"{table}.{parameter}")
    message, kind = layout.get(table, "message"), layout.get(table, "kind")
    extra = "".join(f", {column}" for column in kind_columns(layout, kind)) if kind is not None else ""
    if message is None:
        unit = unit_key(layout, layout.need(table, "unit"))
        cells = f"SELECT {unit} AS uid, {us} AS us{extra} FROM src_{table}"
    else:
        keyed = f"SELECT {plain_text(message)} AS mk, {us} AS us{extra} FROM src_{table}"
        names = "CASE WHEN k.shared = 0 THEN k.uid END AS uid, k.shared, e.us"
        names += ", e.kd, e.nh" if extra else ""
        cells = f"SELECT {names} FROM ({keyed}) AS e LEFT JOIN lb_message_units AS k ON k.mk = e.mk"
    why = (
        f"CASE {'WHEN nh = 1 THEN 9 ' if extra else ''}{'WHEN shared = 1 THEN 10 ' if message else ''}"
        f"WHEN uid IS NULL THEN 6 WHEN us IS NULL THEN 3 "
        f"WHEN us >= {cut.cutoff_us} THEN 5 ELSE 0 END"
    )
    days = layout.has_days_only(table, parameter)
    rows = f"SELECT uid, us, 1 AS cnt, {why} AS why{', kd' if extra else ''} FROM ({cells}) AS cells"
    return rows, layout.is_day(layout.get(table, parameter)), None if days else "us"


def _beside(layout: Layout, cut: Cut, name: str) -> tuple[str, bool, str | None]:
    """Events beside their message. Without a time, the message's own is the earliest that it can have."""
    _, at, _ = event_columns(layout, name)
    key = message_key(layout, "")
    us = "us" if at is None else f"COALESCE({name}_us, us)"
    with_kind = name == "replies" and layout.get("sends", "kind") is not None
    human = "WHEN nh = 1 THEN 9 " if with_kind else ""
    columns = f"uid, {us} AS us, {name}_n AS cnt{', kd' if with_kind else ''}"
    if at is None and key is not None:
        columns += f", {key} AS ek"
    # One beside a message that does not count (1 to 4) cannot be an answer to it.
    late = f"WHEN {us} >= {cut.cutoff_us} THEN 5"
    why = f"CASE {human}WHEN why >= 5 THEN why WHEN why > 0 THEN 1 {late} ELSE 0 END"
    rows = f"SELECT {columns}, {why} AS why FROM lb_sends WHERE {name}_n > 0"
    if at is None:
        return rows, False, None if key is None else "ek"
    return rows, layout.is_day(at), None if at.kind == "date" else "us"


def _has_event_days(layout: Layout) -> bool:
    """Whether any events have days for times."""
    for name in event_names(layout):
        if name in layout.wheres:
            at = layout.get(name, "replied_at" if name == "replies" else "at")
        else:
            _, at, _ = event_columns(layout, name)
        if layout.is_day(at):
            return True
    return False


def _cost_stages(layout: Layout, cut: Cut) -> list[Stage]:
    """`cost_rows` and, by unit, `cost_units`, where costs are a table of their own.

    `lost` of a row: 0 counts; 3 its message does not count; 4 its message is after the window; 5 several
    units share its message; 6 after the cut-off; 7 after the window of its unit.
    """
    if layout.source.costs is None:
        return []
    cost = number(layout.need("costs", "cost"), "costs.cost", layout.dialect)
    message = layout.get("costs", "message")
    if message is None:
        stages = [Stage("lb_cost_rows", _unit_costs(layout, cut, cost))]
        n = ""
    else:
        keyed = f"SELECT {plain_text(message)} AS mk, {cost} AS cost FROM src_costs"
        late = f"WHEN s.us > u.f + {cut.window_us + cut.slack_us} THEN 4"
        paid = (
            "SELECT s.mk, s.uid, MIN(s.why) AS why, "
            f"MIN(CASE WHEN s.why > 2 THEN 3 {late} ELSE 0 END) AS lost "
            "FROM lb_sends AS s LEFT JOIN lb_sent AS u ON u.uid = s.uid "
            "WHERE s.mk IS NOT NULL AND s.uid IS NOT NULL GROUP BY s.mk, s.uid"
        )
        rows = (
            "SELECT CASE WHEN k.shared = 0 THEN k.uid END AS uid, e.mk, e.cost, p.why, "
            "CASE WHEN k.shared = 1 THEN 5 ELSE COALESCE(p.lost, 0) END AS lost "
            f"FROM ({keyed}) AS e LEFT JOIN lb_message_units AS k ON k.mk = e.mk "
            "LEFT JOIN lb_paid AS p ON p.mk = k.mk AND p.uid = k.uid"
        )
        asked = "SELECT uid, COUNT(*) AS paid FROM lb_paid WHERE lost = 0 GROUP BY uid"
        stages = [
            Stage("lb_paid", paid, kept=True),
            Stage("lb_paid_units", asked),
            Stage("lb_cost_rows", rows),
        ]
        n = ", COUNT(DISTINCT mk) AS keys, COUNT(DISTINCT CASE WHEN why = 0 THEN mk END) AS keys_in"
    sums = f"SUM(cost) AS c, SUM(CASE WHEN cost IS NULL THEN 1 ELSE 0 END) AS cu, COUNT(*) AS k{n}"
    counted = f"SELECT uid, {sums} FROM lb_cost_rows WHERE uid IS NOT NULL AND lost = 0 GROUP BY uid"
    return [*stages, Stage("lb_cost_units", counted)]


def _unit_costs(layout: Layout, cut: Cut, cost: str) -> str:
    """Rows of costs by unit; without a time all count, and one whose time is empty is not known."""
    unit = unit_key(layout, layout.need("costs", "unit"))
    at = layout.get("costs", "at")
    if at is None:
        return f"SELECT {unit} AS uid, {cost} AS cost, 0 AS lost FROM src_costs"
    us = layout.micros(at, "costs.at")
    slack = cut.slack_us if layout.is_day(at) else 0
    late = f"WHEN e.us > s.f + {cut.window_us + slack} THEN 7"
    lost = f"CASE WHEN e.us >= {cut.cutoff_us} THEN 6 {late} ELSE 0 END"
    cells = f"SELECT {unit} AS uid, {us} AS us, {cost} AS cost FROM src_costs"
    return (
        f"SELECT e.uid, CASE WHEN e.us IS NOT NULL THEN e.cost END AS cost, {lost} AS lost "
        f"FROM ({cells}) AS e LEFT JOIN lb_sent AS s ON s.uid = e.uid"
    )


def _unit_stage(layout: Layout, cut: Cut) -> Stage:
    """One row a unit, without its id."""
    s, a = "s", "s" if layout.wide else "a"
    uid = "s.uid" if layout.wide else "COALESCE(s.uid, a.uid)"
    columns = [f"{uid} AS uid", f"{a}.lo", f"{a}.hi", f"{a}.n_rows", "s.f"]
    columns.append(f"{a}.au" if has_assigned_at(layout) else "s.f AS au")
    columns += [f"COALESCE(s.{name}, 0) AS {name}" for name in ("n", "m", "dup", "late")]
    columns += [f"{a}.{key}" for key in arm_keys(layout, cut)]
    columns += _cost_columns(layout) + _served_columns(layout, cut)
    for i, each in enumerate(layout.attributes):
        home = s if each.of_sends else a
        least = f"{home}.a{i}"
        if each.name != layout.source.cluster:
            least = f"CASE WHEN {least} <> {home}.z{i} THEN '(several)' ELSE {least} END"
        columns += [f"{least} AS a{i}", f"CASE WHEN {home}.a{i} <> {home}.z{i} THEN 1 ELSE 0 END AS x{i}"]
    joins = [] if layout.wide else ["FULL JOIN lb_assigned AS a ON a.uid = s.uid"]
    for i, name in enumerate(event_names(layout)):
        joins.append(f"LEFT JOIN lb_{name}_units AS e{i} ON e{i}.uid = {uid}")
        columns += [f"COALESCE(e{i}.r, 0) AS r{i}", f"COALESCE(e{i}.rr, 0) AS rr{i}"]
    if layout.source.costs is not None:
        joins.append(f"LEFT JOIN lb_cost_units AS c ON c.uid = {uid}")
    if layout.get("costs", "message") is not None:
        joins.append(f"LEFT JOIN lb_paid_units AS w ON w.uid = {uid}")
    state = (
        "CASE WHEN lo IS NULL THEN 5 WHEN lo <> hi THEN 4 WHEN lo < 0 THEN 3 WHEN f IS NULL THEN 2 "
        f"WHEN {_is_open(layout, cut)} THEN 1 ELSE 0 END AS st"
    )
    extra = [state, "CASE WHEN r0 > 0 THEN 1 ELSE 0 END AS x"]
    if layout.source.contexts:
        extra.append(f"{_fold('CAST(uid AS TEXT)')} AS fold")
    cells = f"SELECT {', '.join(columns)} FROM lb_sent AS s {' '.join(joins)}"
    return Stage("lb_units", f"SELECT {', '.join(['*', *extra])} FROM ({cells}) AS cells", kept=True)


def _is_open(layout: Layout, cut: Cut) -> str:
    """Whether events within the window may still come. Those of a day come until it is over."""
    if _has_event_days(layout):
        return f"f + {cut.window_us + cut.slack_us} >= {cut.day_us}"
    return f"f + {cut.window_us} > {cut.cutoff_us}"


def _cost_columns(layout: Layout) -> list[str]:
    if layout.source.costs is None:
        if layout.get("sends", "cost") is None:
            return ["0 AS known", "CAST(NULL AS DOUBLE) AS c", "0 AS cost_k"]
        return ["CASE WHEN s.cu = 0 THEN 1 ELSE 0 END AS known", "s.c", "0 AS cost_k"]
    whole = ""
    if layout.get("costs", "message") is not None:
        # Of all that was delivered, also without an id, and of all that was paid.
        whole = " AND c.keys_in >= s.n AND c.keys >= COALESCE(w.paid, 0)"
    return [
        f"CASE WHEN c.cu = 0{whole} THEN 1 ELSE 0 END AS known",
        "c.c",
        "COALESCE(c.k, 0) AS cost_k",
    ]


def _served_columns(layout: Layout, cut: Cut) -> list[str]:
    if layout.get("sends", "served_model") is None:
        return []
    other = "s.so"
    if not layout.wide:
        own = " ".join(f"WHEN {k} THEN s.s{k}" for k in sorted(set(cut.codes.values())))
        other = f"s.sk - CASE a.lo {own} END" if own else "s.sk"
    return [f"COALESCE({other}, 0) AS so", "COALESCE(s.sk, 0) AS sk"]


def _fold(text: str) -> str:
    """0 to 3 by the first digit of a hash that all databases have."""
    digit = f"SUBSTR(MD5({text}), 1, 1)"
    return f"CASE WHEN {digit} < '4' THEN 0 WHEN {digit} < '8' THEN 1 WHEN {digit} < 'c' THEN 2 ELSE 3 END"
