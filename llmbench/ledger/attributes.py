"""What is known of units when they are assigned: mailbox, campaign, size of the company."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from llmbench.errors import UsageError
from llmbench.ledger.row_sums import SUMMED, renewed_sum
from llmbench.ledger.rows import StoredText, stored_text

if TYPE_CHECKING:
    from llmbench.ledger.connections import Connection, LedgerStore

__all__ = ["RESERVED", "attributes_of", "attributes_text", "checked_attributes", "describe_units"]

RESERVED = frozenset(
    ("experiment_id", "unit_id", "epoch", "arm", "probability", "assigned_at", "task_type", "sent_at")
)
"""What the ledger itself records of a unit or its calls, under these names."""

_UNITS_A_GROUP = 5_000
_ATTRIBUTES = SUMMED["assignments"].index("attributes")


def checked_attributes(given: Mapping[str, Any] | None) -> dict[str, str]:
    """The attributes as texts; what is None is left out. Raises UsageError.

    >>> checked_attributes({"company_size": 40, "industry": None})
    {'company_size': '40'}
    """
    if given is not None and not isinstance(given, Mapping):
        raise UsageError(f"attributes must be a dict of names and values; they are {given!r}.")
    found = {}
    for name, value in (given or {}).items():
        if type(name) is not str or not name:
            raise UsageError(f"The name of an attribute must be a text; it is {name!r}.")
        if name.casefold() in RESERVED:
            raise UsageError(
                f"An attribute cannot be named {name!r}: the ledger records something by that name itself."
            )
        if value is None:
            continue
        finite = not isinstance(value, float) or math.isfinite(value)
        if not isinstance(value, str | int | float) or not finite:
            raise UsageError(f"The attribute {name!r} must be a text, a number or a bool; it is {value!r}.")
        found[name] = value if isinstance(value, str) else json.dumps(value)
    return found


def attributes_text(given: Mapping[str, Any] | None) -> StoredText | None:
    """As the ledger keeps them; None where there are none."""
    found = checked_attributes(given)
    return stored_text(json.dumps(found, sort_keys=True, ensure_ascii=False)) if found else None


def attributes_of(stored: StoredText | None) -> dict[str, str]:
    """What `attributes_text` was given."""
    if stored is None:
        return {}
    text = stored.decode(errors="surrogatepass") if isinstance(stored, bytes) else stored
    found: dict[str, str] = json.loads(text)
    return found


def describe_units(
    store: LedgerStore, experiment_id: str, attributes: Mapping[str, Mapping[str, Any]]
) -> int:
    """See `Ledger.describe_units`."""
    known = {unit: checked_attributes(given) for unit, given in attributes.items()}
    units = list(known)
    described = 0
    with store.writing() as connection, connection.transaction():
        for start in range(0, len(units), _UNITS_A_GROUP):
            described += _describe(connection, experiment_id, units[start : start + _UNITS_A_GROUP], known)
    return described


def _describe(
    connection: Connection, experiment_id: str, units: list[str], known: Mapping[str, Mapping[str, str]]
) -> int:
    rows = connection.select_each(
        f"SELECT id, checksum, {', '.join(SUMMED['assignments'])} FROM assignments "  # noqa: S608
        "WHERE experiment_id = ? AND unit_id = ?",
        [(stored_text(experiment_id), stored_text(unit)) for unit in units],
    )
    changed = []
    for unit, found in zip(units, rows, strict=True):
        for id_, stored_sum, *values in found:
            before = attributes_of(values[_ATTRIBUTES])
            for name, value in known[unit].items():
                if before.get(name, value) != value:
                    raise UsageError(
                        f"{name!r} of the unit {unit!r} is {before[name]!r} in the ledger and would become "
                        f"{value!r}: what was known at the assignment stands. Give it another name; nothing "
                        "was recorded."
                    )
            merged = {**known[unit], **before}
            if merged != before:
                after = [*values]
                after[_ATTRIBUTES] = attributes_text(merged)
                new_sum = renewed_sum("assignments", values, stored_sum, after)
                changed.append((after[_ATTRIBUTES], new_sum, id_))
    connection.change_each("UPDATE assignments SET attributes = ?, checksum = ? WHERE id = ?", changed)
    return sum(bool(found) for found in rows)
