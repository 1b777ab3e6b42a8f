"""Where the notebook `ab_test` reads: from its flat parameters to a source of outcomes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from llmbench.errors import UsageError

if TYPE_CHECKING:
    from llmbench.abtest import OutcomeSource

__all__ = ["LEDGER", "outcome_source", "tables_of"]

LEDGER = "ledger"

_OF_EVERY_SOURCE = (
    "control", "arm_map", "served_map", "window_days", "as_of", "time_zone", "weights", "cluster", "segments",
    "contexts",
)  # fmt: skip
_AS_THEY_ARE = (
    "experiment_id", *_OF_EVERY_SOURCE, "replied_form", "empty_replied", "epochs", "connection",
)  # fmt: skip
_PARTS = ("sends", "replies", "assignments", "costs")


def outcome_source(parameters: Mapping[str, Any]) -> OutcomeSource:
    """The source that the parameters describe; "" means "not given". Raises UsageError.

    `sends` "ledger" is the project's ledger, which has the replies and assignments, too; `costs` "ledger"
    has it price the messages of another source, by unit or by call as `match_by` says.
    """
    from llmbench.abtest import OutcomeSource

    if parameters["sends"] == LEDGER:
        return _of_ledger(parameters)
    given = _merged(_given(parameters), parameters["source_options"])
    if parameters["costs"] != LEDGER:
        return OutcomeSource.from_parameters(given)
    from llmbench.abtest.source_ledger import ledger_costs
    from llmbench.ledger import Ledger

    del given["costs"]
    key = "unit_id" if parameters["match_by"] == "unit" else "call_id"
    with Ledger() as ledger:
        costs = ledger_costs(ledger, parameters["experiment_id"], key=key)
    return replace(OutcomeSource.from_parameters(given), costs=costs)


def _of_ledger(p: Mapping[str, Any]) -> OutcomeSource:
    from llmbench.abtest.source_ledger import ledger_source
    from llmbench.ledger import Ledger

    options = {name: p[name] for name in _OF_EVERY_SOURCE}
    options |= {"campaign": p["campaign_column"], "not_human": tuple(p["not_human"]), **p["source_options"]}
    with Ledger() as ledger:
        return ledger_source(ledger, p["experiment_id"], guardrails=p["guardrails"], **options)


def tables_of(parameters: Mapping[str, Any]) -> list[Any]:
    """Every table that the source names."""
    if parameters["sends"] == LEDGER:
        return []
    given = _merged(_given(parameters), parameters["source_options"])
    parts = [given.get(name) for name in _PARTS] + list(given.get("guardrails") or ())
    return [part["table"] for part in parts if part and part.get("table") and part["table"] != LEDGER]


def _given(p: Mapping[str, Any]) -> dict[str, Any]:
    if p["match_by"] not in {"unit", "message"}:
        raise UsageError(f"Parameter 'match_by' must be 'unit' or 'message', not {p['match_by']!r}.")
    found: dict[str, Any] = {name: p[name] for name in _AS_THEY_ARE}
    matched = {"unit": p["unit_column"]} if p["match_by"] == "unit" else {"message": p["message_column"]}
    sends = {
        "table": p["sends"],
        "unit": p["unit_column"],
        "message": p["message_column"],
        "sent_at": p["sent_at_column"],
        "delivered": p["delivered_column"],
        "served_model": p["served_column"],
    }
    assigned = {
        "arm": p["arm_column"],
        "assigned_at": p["assigned_at_column"],
        "epoch": p["epoch_column"],
        "campaign": p["campaign_column"],
        "probability": p["probability_column"],
    }
    if p["assignments"]:
        found["assignments"] = {"table": p["assignments"], "unit": p["unit_column"], **assigned}
    else:
        sends |= assigned
    # A kind that no reply has to be is not asked for: the column need not be there.
    kind = p["kind_column"] if p["not_human"] else ""
    found["not_human"] = p["not_human"] if kind else []
    if p["replies"]:
        found["replies"] = {
            "table": p["replies"],
            "replied_at": p["replied_at_column"],
            "kind": kind,
            **matched,
        }
    else:
        # Whether is enough: a time of the reply is read where no column says whether.
        when = "" if p["replied_column"] else p["replied_at_column"]
        sends |= {"replied": p["replied_column"], "replied_at": when, "kind": kind}
    if p["costs"]:
        found["costs"] = {"table": p["costs"], "cost": p["cost_column"], **matched}
    else:
        sends["cost"] = p["cost_column"]
    found["sends"] = sends
    found["guardrails"] = [_guardrail(name, p) for name in p["guardrails"]]
    return found


def _guardrail(name: Any, p: Mapping[str, Any]) -> dict[str, str]:
    if not isinstance(name, str) or not name:
        raise UsageError(f"Parameter 'guardrails' holds {name!r}; it is a list of names.")
    if not p["guardrail_source"]:
        return {"name": name, "column": name}
    return {
        "name": name,
        "table": p["guardrail_source"].replace("{}", name),
        "unit": p["unit_column"],
        "at": p["guardrail_at_column"],
    }


def _merged(given: dict[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    """`more` on top; of a table its keys one by one."""
    for name, value in more.items():
        known = given.get(name)
        given[name] = {**known, **value} if isinstance(known, dict) and isinstance(value, dict) else value
    return given
