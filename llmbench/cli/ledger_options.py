"""What the commands of the ledger share."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from llmbench.errors import LedgerError

if TYPE_CHECKING:
    from llmbench.ledger import Ledger

__all__ = ["DAY", "open_ledger", "start_of"]


class _Day(click.ParamType[date]):
    name = "date"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> date:
        try:
            return value if isinstance(value, date) else date.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is no date; write it as 2026-11-22.", param, ctx)


DAY = _Day()


def start_of(day: date | None) -> datetime | None:
    """Midnight UTC."""
    return None if day is None else datetime.combine(day, time(), UTC)


def open_ledger() -> Ledger:
    """The project's ledger. Raises LedgerError where there is none: looking makes no file."""
    from llmbench.config import load_config
    from llmbench.ledger import Ledger

    config = load_config()
    if "://" not in config.ledger_url and not Path(config.ledger_url).exists():
        raise LedgerError(
            f"There is no ledger at {config.relative(config.ledger_url)} yet: nothing was called from here. "
            "Go to the project's folder, or set LLMBENCH_LEDGER."
        )
    return Ledger()
