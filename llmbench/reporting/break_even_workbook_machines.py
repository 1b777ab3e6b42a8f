"""The sheet of machines of model.xlsx: naming another one on the inputs moves rent, speed and limit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmbench.economics import BreakEvenStudy, HostingOption

if TYPE_CHECKING:
    from openpyxl.worksheet.worksheet import Worksheet

__all__ = ["LIMIT", "MACHINES", "RENT", "SPEED", "looked_up", "machine_list", "machine_rows"]

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
