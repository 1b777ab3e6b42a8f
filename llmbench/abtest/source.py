"""Where the outcomes of an experiment are: tables, columns, and what their values mean.

All of it can be written as the literals of a notebook's parameters (texts, lists, dicts):
`OutcomeSource.from_parameters`.
"""

from __future__ import annotations

import difflib
import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import date
from typing import Any, TypeVar

from llmbench.abtest.source_parts import Assignments, Costs, Epoch, Guardrail, Replies, Sends
from llmbench.errors import UsageError

__all__ = [
    "EMPTY_REPLIED",
    "REPLIED_FORMS",
    "Assignments",
    "Costs",
    "Epoch",
    "Guardrail",
    "OutcomeSource",
    "Replies",
    "Sends",
]

REPLIED_FORMS = ("auto", "boolean", "time", "count")
EMPTY_REPLIED = ("refuse", "no")

_Part = TypeVar("_Part")
_MOST_GUARDRAILS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeSource:
    """The outcomes of one experiment; see the fields' notes for what each means.

    >>> source = OutcomeSource.from_parameters({
    ...     "experiment_id": "mixtral-or-gpt-4o",
    ...     "sends": {"table": "data/leads.csv", "unit": "lead_id", "arm": "model", "replied": "replied"},
    ...     "weights": {"mixtral": 0.9, "gpt-4o": 0.1},
    ... })
    >>> source.sends.unit, source.window_days
    ('lead_id', 14.0)
    """

    experiment_id: str
    sends: Sends
    replies: Replies | None = None
    assignments: Assignments | None = None
    costs: Costs | None = None
    guardrails: tuple[Guardrail, ...] = ()
    arm_map: Mapping[str, str] = field(default_factory=dict)
    """Value of the arm column to the arm's name; a value that is not in it is excluded. Empty: as it is."""
    served_map: Mapping[str, str] = field(default_factory=dict)
    """Value of the served model to an arm's name; empty: as `arm_map`. Any other value is another model."""
    control: str = ""
    window_days: float = 14.0
    """From the first delivered send; both ends belong to it."""
    as_of: str = "today"
    """An ISO date or instant, 'today' or 'last_monday': what happened from then on is not counted."""
    time_zone: str = ""
    """Of times and dates without one, such as 'Europe/Berlin'; without it they are refused."""
    replied_form: str = "auto"
    """What `Sends.replied` holds: 'boolean', 'time', 'count', or 'auto'."""
    empty_replied: str = "refuse"
    """An empty cell of a yes-or-no or count column: 'refuse', or 'no' where it means that."""
    not_human: tuple[str, ...] = ()
    """Values of the kind column that are bounces, auto-replies and the like: not counted."""
    weights: Mapping[str, float] = field(default_factory=dict)
    """Recorded weight by arm, where there was one epoch; any scale."""
    epochs: tuple[Epoch, ...] = ()
    """Weights by day of assignment, where they changed."""
    cluster: str | None = None
    """A column of the sends or assignments: the mailbox, the domain."""
    segments: tuple[str, ...] = ()
    contexts: tuple[str, ...] = ()
    """Columns that a policy may look at."""
    connection: Any = ""
    """The name of the environment variable or keyring entry that holds a database's URL, the path of a
    .duckdb file, or an open connection (DuckDB, psycopg, Ibis, Spark); empty for files."""
    simulated: bool = False
    """A column `simulated` of the sends says so as well."""

    def __post_init__(self) -> None:
        if type(self.experiment_id) is not str or not self.experiment_id:
            raise UsageError(f"experiment_id must be a text; it is {self.experiment_id!r}.")
        for name, part in (("sends", Sends), ("replies", Replies), ("assignments", Assignments)):
            given = getattr(self, name)
            if given is not None and not isinstance(given, part):
                raise UsageError(f"{name} must be {part.__name__}(...); it is {given!r}.")
        self._check_replies()
        self._check_arms()
        self._check_weights()
        if not _is_number(self.window_days) or not 0 < self.window_days <= 3650:
            raise UsageError(
                f"window_days must be a number of days above 0, at most 3650; it is {self.window_days!r}."
            )
        names = [each.name for each in self.guardrails]
        if len(names) > _MOST_GUARDRAILS:
            raise UsageError(f"There are {len(names)} guardrails; give at most {_MOST_GUARDRAILS}.")
        for guardrail in self.guardrails:
            if (guardrail.column is None) == (guardrail.table is None):
                raise UsageError(
                    f"The guardrail {guardrail.name!r} is a column of the sends or a table: give one of both."
                )
        if len(set(names)) < len(names):
            raise UsageError(f"Two guardrails have one name; they are {', '.join(names)}.")

    def _check_replies(self) -> None:
        sends, wide = self.sends, self.sends.replied is not None or self.sends.replied_at is not None
        if wide == (self.replies is not None):
            raise UsageError(
                "Replies are a table (replies=) or a column of the sends (replied= or replied_at=): give one "
                f"of both; {'both are' if wide else 'neither is'} given."
            )
        _one_of("replied_form", self.replied_form, REPLIED_FORMS)
        _one_of("empty_replied", self.empty_replied, EMPTY_REPLIED)
        kind = sends.kind if self.replies is None else self.replies.kind
        if self.not_human and kind is None:
            raise UsageError(
                "not_human names kinds of replies, but no column holds the kind: give kind= beside the "
                "column of the replies."
            )
        for name, part in (("replies", self.replies), ("costs", self.costs)):
            if part is not None and part.message is not None and sends.message is None:
                raise UsageError(
                    f"{name} are matched by message ({part.message!r}), but the sends name no column of "
                    "messages: give Sends.message."
                )
            if part is not None and part.message is None and not part.unit:
                raise UsageError(f"{name} name neither a column of units nor of messages: give unit=.")
        if self.costs is not None and self.costs.at is not None and self.costs.message is not None:
            raise UsageError(
                "costs are matched by message, whose own time counts: leave out at, or name a column of "
                "units."
            )
        if self.costs is not None and sends.cost is not None:
            raise UsageError("Costs are a table (costs=) or a column of the sends (cost=): give one of both.")

    def _check_arms(self) -> None:
        in_sends = [
            name
            for name in ("arm", "assigned_at", "epoch", "campaign", "probability")
            if getattr(self.sends, name) is not None
        ]
        if self.assignments is None and self.sends.arm is None:
            raise UsageError(
                "Nothing says which unit is in which arm: give assignments=, or the column of the arm in the "
                "sends (arm=)."
            )
        if self.assignments is not None and in_sends:
            raise UsageError(
                f"{', '.join(in_sends)} of the sends is not read where there is a table of assignments: "
                "name the column there."
            )
        if self.arm_map and self.control and self.control not in self.arm_map.values():
            raise UsageError(
                f"control is {self.control!r}, which arm_map does not lead to; its arms are "
                f"{', '.join(sorted(set(self.arm_map.values())))}"
                f"{_near(self.control, self.arm_map.values())}."
            )

    def _check_weights(self) -> None:
        part = self.assignments or self.sends
        given = [
            name
            for name, value in (
                ("weights", self.weights), ("epochs", self.epochs), ("probability", part.probability),
            ) if value
        ]  # fmt: skip
        if len(given) > 1:
            raise UsageError(f"The weights are recorded once: give one of {' and '.join(given)}.")
        if self.epochs and part.epoch is not None:
            raise UsageError("Epochs are a column (epoch=) or days (epochs=): give one of both.")
        for weights in (self.weights, *(epoch.weights for epoch in self.epochs)):
            bad = {arm: w for arm, w in weights.items() if not _is_number(w) or w < 0}
            if bad or (weights and not sum(weights.values()) > 0):
                raise UsageError(f"Weights are numbers of 0 or more, one an arm; they are {dict(weights)!r}.")
        starts = []
        for epoch in self.epochs:
            try:
                starts.append(date.fromisoformat(epoch.start))
            except (TypeError, ValueError):
                raise UsageError(
                    f"An epoch starts on {epoch.start!r}; write the day as in 2025-01-31."
                ) from None
        if any(one >= other for one, other in itertools.pairwise(starts)):
            raise UsageError("Epochs are in order of their days, each day once; put them in that order.")

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, Any]) -> OutcomeSource:
        """Build it from plain texts, lists and dicts; an empty text stands for nothing.

        `sends`, `replies`, `assignments` and `costs` are a table alone or a dict with `table` and names of
        columns; `guardrails` and `epochs` are lists of dicts. Raises UsageError for a key that is not
        known, naming the nearest.
        """
        given = dict(parameters)
        values: dict[str, Any] = {}
        for name, part in (
            ("sends", Sends), ("replies", Replies), ("assignments", Assignments), ("costs", Costs),
        ):  # fmt: skip
            found = given.pop(name, None)
            if found is not None and not _is_empty(found):
                values[name] = found if isinstance(found, part) else _part(name, part, found)
        for name, row in (("guardrails", Guardrail), ("epochs", Epoch)):
            rows = given.pop(name, None) or ()
            if not isinstance(rows, Sequence) or isinstance(rows, str):
                raise UsageError(f"{name} must be a list of dicts; it is {rows!r}.")
            values[name] = tuple(each if isinstance(each, row) else _part(name, row, each) for each in rows)
        if "sends" not in values:
            raise UsageError("sends= names no table: give the file, table or SELECT of the messages.")
        known = {each.name for each in fields(cls)}
        _refuse_unknown("the source", given, known)
        for name, value in given.items():
            if name in {"not_human", "segments", "contexts"}:
                values[name] = _texts(name, value)
            elif name == "cluster":
                values[name] = value or None
            else:
                values[name] = value
        for name in ("arm_map", "served_map", "weights"):
            if not isinstance(values.get(name, {}), Mapping):
                raise UsageError(f"{name} must be a dict; it is {values[name]!r}.")
        return cls(**values)


def _part(name: str, part: type[_Part], given: Any) -> _Part:
    if not isinstance(given, Mapping):
        if part in {Guardrail, Epoch}:
            raise UsageError(f"{name} must be a list of dicts; it has {given!r}.")
        return part(given)  # type: ignore[call-arg]
    known = {each.name for each in fields(part)}  # type: ignore[arg-type]
    _refuse_unknown(name, given, known)
    values = {key: value for key, value in given.items() if not _is_empty(value)}
    required = "name" if part is Guardrail else "start" if part is Epoch else "table"
    if required not in values:
        raise UsageError(f"{name} has no {required!r}; it is {dict(given)!r}.")
    for key, value in values.items():
        if key not in {"table", "weights"} and not isinstance(value, str):
            raise UsageError(f"{name} has {key} = {value!r}, which must be a text.")
    return part(**values)


def _refuse_unknown(where: str, given: Mapping[str, Any], known: set[str]) -> None:
    for key in given:
        if key not in known:
            raise UsageError(
                f"{where} has no parameter {key!r}{_near(key, known)}; it has {', '.join(sorted(known))}."
            )


def _near(name: str, known: Any) -> str:
    near = difflib.get_close_matches(str(name), [str(each) for each in known], n=1)
    return f" (do you mean {near[0]!r}?)" if near else ""


def _one_of(name: str, given: str, allowed: tuple[str, ...]) -> None:
    if given not in allowed:
        raise UsageError(f"{name} must be one of {', '.join(map(repr, allowed))}; it is {given!r}.")


def _texts(name: str, value: Any) -> tuple[str, ...]:
    texts = (value,) if isinstance(value, str) and value else tuple(value or ())
    if not all(isinstance(each, str) and each for each in texts):
        raise UsageError(f"{name} must be a list of texts; it is {value!r}.")
    return texts


def _is_empty(value: Any) -> bool:
    return value is None or (isinstance(value, str | Mapping | list | tuple) and not value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
