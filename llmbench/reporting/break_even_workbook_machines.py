"""The sheet of machines of model.xlsx: naming another one on the inputs moves rent, speed and limit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmbench.economics import BreakEvenStudy, HostingOption

if TYPE_CHECKING:
    from openpyxl.worksheet.worksheet import Worksheet

__all__ = [
    "LIMIT",
    "MACHINES",
    "RENT",
    "SPEED",
    "limit_note",
    "looked_up",
    "machine_list",
    "machine_rows",
    "offer_note",
]

MACHINES = "Machines"
RENT, SPEED, LIMIT = "B", "C", "D"
"""Columns that the inputs look up."""
_FIRST = 2


def machine_rows(sheet: Worksheet, study: BreakEvenStudy) -> None:
    """Every machine of the study that works, in its order."""
    head = (
        "machine", "rent of one replica, USD an hour", "output tokens a second of one replica",
        "how full it may be in the busiest hour", "80%: from", "to", "measured", "offer", "price of",
        "source",
    )  # fmt: skip
    sheet.append(head)
    for option in study.working:
        sheet.append(_row(option, study))


def _row(option: HostingOption, study: BreakEvenStudy) -> tuple[object, ...]:
    return (
        option.name,
        option.usd_per_hour,
        option.output_tokens_per_s,
        option.limit(study.costs),
        option.low,
        option.high,
        "extrapolated, no measurement" if option.extrapolated else "yes",
        option.offer,
        option.price_as_of,
        option.price_source,
    )


def looked_up(column: str, study: BreakEvenStudy) -> str:
    """The formula of an input that follows the machine named on the inputs."""
    last = _FIRST + len(study.working) - 1
    names = f"{MACHINES}!$A${_FIRST}:$A${last}"
    return f"=INDEX({MACHINES}!${column}${_FIRST}:${column}${last},MATCH(machine,{names},0))"


def machine_list(study: BreakEvenStudy) -> str:
    """The range that the names are chosen from."""
    return f"{MACHINES}!$A${_FIRST}:$A${_FIRST + len(study.working) - 1}"


def limit_note(study: BreakEvenStudy) -> str:
    """Why the cheapest machine may not be as full as was allowed; "" where it may."""
    return (
        "so that answers begin in time" if study.best[0].queue_limit < study.costs.utilisation_limit else ""
    )


def offer_note(study: BreakEvenStudy) -> str:
    """Whose machine the cheapest one is, and of when its price."""
    option = study.best[0]
    bought = f"{option.offer}, price of {option.price_as_of}; {option.price_source}"
    return f"{option.hardware}, {option.dtype}, {bought}"
