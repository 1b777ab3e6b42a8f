"""What is in no count, and why: every row of every table is counted, or here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from llmbench.abtest.counts import Excluded
from llmbench.abtest.layout import Layout
from llmbench.abtest.query import What
from llmbench.abtest.result_rows import ResultRow, ResultRows

__all__ = ["excluded_rows", "notes_of"]

_STATES = {
    1: "whose window is still open",
    2: "that were sent nothing",
    3: "of an arm that arm_map does not name",
    4: "in two arms",
    5: "without an arm",
}
_SENDS = {
    1: "that were not delivered",
    2: "of which it is not known whether they were delivered",
    3: "without a time",
    4: "before their unit was assigned",
    5: "after the cut-off",
    6: "without a unit",
    7: "of another experiment",
}
_EVENTS = {
    1: "to messages that were not delivered",
    3: "without a time",
    5: "after the cut-off",
    6: "without a unit that was sent something",
    7: "of another experiment",
    9: "not by a human",
    10: "to messages that several units share",
}
_PLACES = {1: "before the first message", 2: "after the window", 3: "of units that were sent nothing"}
_ASSIGNMENTS = {5: "after the cut-off", 6: "without a unit", 7: "of another experiment", 8: "without an arm"}
_LOST_COSTS: Mapping[str | None, str] = {
    "1": "without a unit that was sent something",
    "2": "of units that are not in the source",
    "3": "of messages that do not count",
    "4": "of messages after the window of their unit",
    "5": "of messages that several units share",
    "6": "after the cut-off",
    "7": "after the window of their unit",
}
_UNNAMED, _TWO_ARMS = 3, 4
_STALE = timedelta(days=2)


def excluded_rows(found: ResultRows, layout: Layout) -> tuple[Excluded, ...]:
    """Reasons with their rows; the first word says what is counted: units, sends, replies, ..."""
    rows = [*_of_units(found), *_of_sends(found), *_of_costs(found)]
    for place, name in enumerate(["replies", *(each.name for each in layout.source.guardrails)]):
        rows += _of_events(found, place, name)
    if not layout.wide:
        rows += _of_assignments(found)
    return tuple(sorted(row for row in rows if row.rows))


def _uncounted(found: ResultRows) -> Iterator[tuple[int, ResultRow]]:
    return ((state, row) for state, row in found.states() if state)


def _of_units(found: ResultRows) -> Iterator[Excluded]:
    for state, row in _uncounted(found):
        yield Excluded(f"units {_STATES[state]}", row.whole(0))


def _of_sends(found: ResultRows) -> Iterator[Excluded]:
    for row in found.of(What.SEND_ROWS):
        if (why := int(row.keys[0] or 0)) > 0:
            yield Excluded(f"sends {_SENDS[why]}", row.whole(0))
    yield Excluded("sends listed more than once", sum(row.whole(3) for _, row in found.states()))
    yield Excluded("sends after the window of their unit", sum(row.whole(4) for _, row in found.states()))
    for state, row in _uncounted(found):
        yield Excluded(f"sends to units {_STATES[state]}", row.whole(1))


def _of_events(found: ResultRows, place: int, name: str) -> Iterator[Excluded]:
    for row in found.of(What.EVENT_ROWS):
        why = int(row.keys[1] or 0)
        if row.keys[0] == str(place) and why > 0:
            yield Excluded(f"{name} {_EVENTS[why]}", row.whole(0))
    placed = [row for row in found.of(What.EVENTS) if row.keys[0] == str(place)]
    yield Excluded(f"{name} listed more than once", sum(row.whole(1) for row in placed))
    for row in placed:
        if where := int(row.keys[1] or 0):
            yield Excluded(f"{name} {_PLACES[where]}", row.whole(0))
    for state, row in _uncounted(found):
        yield Excluded(f"{name} of units {_STATES[state]}", row.whole(7 + place))


def _of_assignments(found: ResultRows) -> Iterator[Excluded]:
    for row in found.of(What.ASSIGNMENT_ROWS):
        if (why := int(row.keys[0] or 0)) > 0:
            yield Excluded(f"assignments {_ASSIGNMENTS[why]}", row.whole(0))
    again = sum(row.whole(2) - row.whole(0) for state, row in found.states() if state <= _UNNAMED)
    yield Excluded("assignments listed more than once", again)
    for state, row in _uncounted(found):
        if state == _UNNAMED:
            yield Excluded(f"assignments of units {_STATES[state]}", row.whole(0))
        elif state == _TWO_ARMS:
            yield Excluded(f"assignments of units {_STATES[state]}", row.whole(2))


def _of_costs(found: ResultRows) -> Iterator[Excluded]:
    for row in found.of(What.COST_ROWS):
        if row.keys[0] in _LOST_COSTS:
            yield Excluded(f"costs {_LOST_COSTS[row.keys[0]]}", row.whole(0))
    for state, row in _uncounted(found):
        yield Excluded(f"costs of units {_STATES[state]}", row.whole(5))


def _of_kinds(found: ResultRows, not_human: Sequence[str]) -> list[str]:
    """The kinds of replies that count, and the names in `not_human` that no reply has."""
    counted = {row.keys[0]: row.whole(0) for row in found.of(What.KINDS) if row.keys[1] == "0"}
    gone = {row.keys[0] for row in found.of(What.KINDS) if row.keys[1] == "1"}
    notes = []
    if not_human or counted.keys() - {None}:
        largest = sorted(counted.items(), key=lambda item: (-item[1], item[0] or ""))
        listed = ", ".join(f"{'none' if kind is None else repr(kind)} ({n:,})" for kind, n in largest[:8])
        more = f" and {len(largest) - 8} more" if len(largest) > 8 else ""
        notes.append(f"Replies of these kinds count as human: {listed or 'none came'}{more}.")
    for name in not_human:
        if name in gone:
            continue
        alike = [repr(kind) for kind in counted if kind is not None and _letters(kind) == _letters(name)]
        hint = f" {alike[0]} is another kind, which counts." if alike else ""
        notes.append(f"not_human names {name!r}, and no reply is of that kind.{hint}")
    return notes


def _letters(kind: str) -> str:
    return "".join(letter for letter in kind.casefold() if letter.isalnum())


def notes_of(
    found: ResultRows, layout: Layout, cutoff: datetime, unknown_arms: Mapping[str, int]
) -> tuple[str, ...]:
    """Sentences on what was read."""
    notes = []
    if layout.replied_form != "time" and layout.get("sends", "replied_at") is None:
        notes.append("The source says whether, not when, there was a reply: the window bounds messages only.")
    if layout.source.replies is None and layout.has_days_only("sends", "sent_at"):
        notes.append("Messages have a day and no time: two rows of one unit and day are two messages.")
    if unknown_arms:
        listed = ", ".join(f"{value!r} ({n:,} rows)" for value, n in sorted(unknown_arms.items())[:8])
        notes.append(f"arm_map does not name these values of the arm: {listed}.")
    for row in found.of(What.SHARED):
        if row.whole(0):
            ids = "1 message id is" if row.whole(0) == 1 else f"{row.whole(0):,} message ids are"
            notes.append(
                f"{ids} of several units: replies and costs that name one of these belong to none of "
                "the units."
            )
    costs = layout.source.costs
    if costs is not None and costs.message is None and costs.at is None:
        counted = found.of(What.UNITS)
        leads = sum(row.whole(7) for row in counted)
        usd = sum(row.real(9) for row in counted)
        notes.append(
            f"Costs are by lead and have no time: all that the {leads:,} counted leads cost (${usd:,.2f}) "
            "counts, also after their window or in another experiment. Name the time of a cost (costs.at) to "
            "leave out what was later."
        )
    notes += _of_kinds(found, layout.source.not_human)
    counted = [row for state, row in found.states() if state == 0]
    unknown_cost = sum(row.whole(6) for row in counted)
    has_cost = layout.source.costs is not None or layout.get("sends", "cost") is not None
    if has_cost and unknown_cost:
        notes.append(f"The cost of {unknown_cost:,} counted units is not wholly known.")
    for row in found.of(What.SEVERAL):
        if row.whole(0):
            each = layout.attributes[int(row.keys[0] or 0)]
            how = "the first by name counts" if each.name == layout.source.cluster else "they are '(several)'"
            notes.append(f"{row.whole(0):,} units have several values of {each.name!r}: {how}.")
    alone = sum(row.whole(0) for row in found.of(What.NO_CLUSTER))
    if alone:
        notes.append(
            f"{alone:,} counted units have no {layout.source.cluster!r}: each is a cluster of its own."
        )
    until = found.data_until()
    if until is not None and cutoff - until > _STALE:
        days = (cutoff - until) / timedelta(days=1)
        notes.append(
            f"The newest row is of {until:%Y-%m-%d %H:%M} UTC, {days:.0f} days before the cut-off: "
            "replies after "
            "it cannot be in the source."
        )
    return tuple(notes)
