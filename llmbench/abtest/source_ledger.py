"""The ledger as a source: its calls are the messages, its outcomes the replies.

It comes down to the same tables as any other source, so that one query counts all.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from llmbench.abtest.source import Assignments, Costs, Guardrail, OutcomeSource, Replies, Sends
from llmbench.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd

    from llmbench.ledger import Ledger
    from llmbench.ledger.outcomes import Event

__all__ = ["ledger_costs", "ledger_source"]

_ITS_OWN = ("arm", "epoch", "task_type")
"""Columns of the ledger itself that a segment or context may be."""


def ledger_source(
    ledger: Ledger,
    experiment_id: str,
    *,
    guardrails: Sequence[str] = (),
    campaign: str = "",
    cluster: str | None = None,
    segments: Sequence[str] = (),
    contexts: Sequence[str] = (),
    **options: Any,
) -> OutcomeSource:
    """The outcomes that a ledger holds of an experiment; `options` are further fields of `OutcomeSource`.

    An answered call is a message, and every attempt's cost counts, failed ones too. A reply is a recorded
    outcome with `replied`; `kind` in its metadata is what `not_human` looks at. `guardrails` names keys of
    metadata (`ledger.record_outcome(unit, replied=False, unsubscribed=True)`).

    `campaign`, `cluster`, `segments` and `contexts` name attributes of the units, as they were recorded with
    their assignments (`ModelRouter.route(unit_attributes=)`, `Ledger.describe_units`); segments and contexts
    may also be "task_type", as the router was told. Raises UsageError for an experiment that the ledger
    does not know, and an attribute that no unit has.
    """
    taken = {"sends", "replies", "assignments", "costs", "connection", "experiment_id"} & set(options)
    if taken:
        raise UsageError(f"{', '.join(sorted(taken))} is the ledger's here; leave it out.")
    sends = _sends(ledger, experiment_id)
    given = [*filter(None, (campaign, cluster)), *segments, *contexts]
    asked = [name for name in dict.fromkeys(given) if name not in _ITS_OWN]
    assigned = _frame(
        (
            (a.unit_id, a.arm, str(a.epoch), a.probability, a.assigned_at, *map(a.attributes.get, asked))
            for a in ledger.assignments(experiment_id)
        ),
        {
            "unit_id": "str", "arm": "str", "epoch": "str", "probability": "float64", "assigned_at": "time",
            **dict.fromkeys(asked, "str"),
        },
    )  # fmt: skip
    if not len(assigned):
        raise UsageError(
            f"The ledger has no assignment of the experiment {experiment_id!r}: check its name, and "
            "which ledger it is."
        )
    _refuse_unknown(ledger, experiment_id, [name for name in asked if not assigned[name].notna().any()])
    replies, unwanted = _events(ledger, experiment_id, guardrails)
    return OutcomeSource(
        experiment_id=experiment_id,
        sends=Sends(sends, delivered="answered", served_model="model", cost="cost"),
        replies=Replies(replies, kind="kind"),
        assignments=Assignments(
            assigned, epoch="epoch", probability="probability", assigned_at="assigned_at",
            campaign=campaign or None,
        ),
        guardrails=tuple(Guardrail(name, table=frame) for name, frame in unwanted.items()),
        cluster=cluster or None,
        segments=tuple(segments),
        contexts=tuple(contexts),
        **options,
    )  # fmt: skip


def _refuse_unknown(ledger: Ledger, experiment_id: str, missing: Sequence[str]) -> None:
    if not missing:
        return
    known = sorted({name for each in ledger.assignments(experiment_id) for name in each.attributes})
    near = difflib.get_close_matches(missing[0], [*known, *_ITS_OWN], n=1)
    hint = f" (do you mean {near[0]!r}?)" if near else ""
    raise UsageError(
        f"The ledger has no attribute {missing[0]!r} of this experiment's units{hint}: it has "
        f"{', '.join(known) or 'none'}. Record it with the assignment (ModelRouter.route, unit_attributes=) "
        "or add it with Ledger.describe_units, or leave the name out."
    )


def ledger_costs(ledger: Ledger, experiment_id: str, *, key: str) -> Costs:
    """What the ledger's calls of an experiment cost, for outcomes that are somewhere else.

    `key` is what both sides name: "unit_id", or "call_id", which `Sends.message` then holds. Rows without
    a partner are counted on both sides. Raises UsageError for another `key`.
    """
    if key not in {"unit_id", "call_id"}:
        raise UsageError(f"key must be 'unit_id' or 'call_id'; it is {key!r}.")
    rows = (
        (each.unit_id if key == "unit_id" else each.call_id, each.cost, each.started_at)
        for each in ledger.unit_attempts(experiment_id)
    )
    frame = _frame(rows, {key: "str", "cost_usd": "float64", "at": "time"})
    return Costs(frame, unit=key, at="at") if key == "unit_id" else Costs(frame, unit=None, message=key)


def _sends(ledger: Ledger, experiment_id: str) -> pd.DataFrame:
    return _frame(
        (
            (a.unit_id, a.started_at, a.answered, a.model, a.cost, a.task_type)
            for a in ledger.unit_attempts(experiment_id)
        ),
        {
            "unit_id": "str", "sent_at": "time", "answered": "bool", "model": "str", "cost": "float64",
            "task_type": "str",
        },
    )  # fmt: skip


def _events(
    ledger: Ledger, experiment_id: str, guardrails: Sequence[str]
) -> tuple[pd.DataFrame, dict[str, pd.DataFrame]]:
    """Replies, and the unwanted events by name; those of no unit too, which are then counted out."""
    found = ledger.outcomes(experiment_id)
    every: list[tuple[str | None, Event]] = [
        (outcome.unit_id, event) for outcome in found for event in outcome.metadata["events"]
    ]
    every += [(event.unit_id, event) for event in (*found.without_exposure, *found.before_exposure)]
    columns = {"unit_id": "str", "replied_at": "time", "kind": "str"}
    replies = _frame(
        (
            (unit, event.happened_at, _text(event.metadata.get("kind")))
            for unit, event in every
            if event.replied
        ),
        columns,
    )
    unwanted = {
        name: _frame(
            ((unit, event.happened_at) for unit, event in every if event.metadata.get(name)),
            {"unit_id": "str", "at": "time"},
        )
        for name in guardrails
    }
    return replies, unwanted


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _frame(rows: Iterable[tuple[Any, ...]], columns: dict[str, str]) -> pd.DataFrame:
    """Typed columns also where there is no row."""
    import pandas as pd

    values: list[list[Any]] = [[] for _ in columns]
    for row in rows:
        for place, value in enumerate(row):
            values[place].append(value)
    kinds = {"time": "datetime64[us, UTC]", "str": "string"}
    return pd.DataFrame(
        {
            name: pd.Series(column, dtype=kinds.get(kind, kind))
            for (name, kind), column in zip(columns.items(), values, strict=True)
        }
    )
