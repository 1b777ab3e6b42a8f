"""What a run would cost, before it is made."""

from __future__ import annotations

import html
import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from llmbench.money import dollars
from llmbench.numbers import known_total
from llmbench.shown import shown
from llmbench.unknown import UNKNOWN

if TYPE_CHECKING:
    import pandas as pd


__all__ = ["CellQuote", "PerCall", "Quote", "Range", "clock"]


@shown
class Range(NamedTuple):
    """Low, expected and high; None where it is not known."""

    low: float | None
    expected: float | None
    high: float | None


class PerCall(NamedTuple):
    """How something spreads over single calls."""

    mean: float
    p50: float
    p95: float


@shown
@dataclass(frozen=True, slots=True)
class CellQuote:
    """What one cell would take. Tokens and dollars are of the calls still to make, all together."""

    cell: str
    calls: int
    """Planned."""
    in_ledger: int
    """Already answered, or the same request as another planned one."""
    to_make: int
    input_tokens: Range
    output_tokens: Range
    usd: Range
    basis: str
    """Where token counts and price come from."""
    price_book: str | None = None
    price_as_of: str | None = None
    role: str = "candidate"
    """candidate or judge."""
    batch_usd: Range | None = None
    """The same calls in the vendor's batches, answered within a day; None: it has none, or no price of them
    is known."""
    target: tuple[str, str] | None = None
    """Endpoint and model; None for recorded answers."""
    input_per_call: PerCall | None = None
    """Tokens, of earlier answers or as counted; None where nothing is known of single calls."""
    output_per_call: PerCall | None = None
    """Tokens of earlier answers."""
    latency_ms: PerCall | None = None
    """Of earlier answers, by the attempt that answered."""

    def per_call(self) -> dict[str, PerCall | None]:
        """What is known of single calls."""
        return {
            "input_per_call": self.input_per_call, "output_per_call": self.output_per_call,
            "latency_ms": self.latency_ms,
        }  # fmt: skip


@shown
@dataclass(frozen=True, slots=True)
class Quote:
    """What a run would take, cell by cell. An unknown price is None and shown as "unknown"; a
    recorded model and an endpoint of one's own cost 0.
    """

    cells: tuple[CellQuote, ...]
    warnings: tuple[str, ...] = ()
    """What to think of before the run, a sentence each."""
    seconds: Range | None = None
    """Wall time of the calls to make, by `llmbench.matrix.duration`; None where it was not asked for."""

    pilot_usd: float | None = 0.0
    """What a pilot has spent already; it is not in `usd`. None: not known."""

    @property
    def quoted_usd(self) -> float | None:
        """Expected of the run and its pilot together."""
        return known_total([self.usd.expected, self.pilot_usd])

    @property
    def calls(self) -> int:
        """Planned calls."""
        return sum(cell.calls for cell in self.cells)

    @property
    def in_ledger(self) -> int:
        """Planned calls that need not be made."""
        return sum(cell.in_ledger for cell in self.cells)

    @property
    def to_make(self) -> int:
        """Calls that a run would make."""
        return sum(cell.to_make for cell in self.cells)

    @property
    def usd(self) -> Range:
        """Dollars of all cells; None where any cell's are unknown."""
        return Range(*(known_total([cell.usd[i] for cell in self.cells]) for i in range(3)))

    @property
    def batch_usd(self) -> Range | None:
        """Dollars of all cells with `run(batch=True)`, those without a batch price as they are; None where
        no cell has one.
        """
        if all(cell.batch_usd is None for cell in self.cells):
            return None
        best = [cell.usd if cell.batch_usd is None else cell.batch_usd for cell in self.cells]
        return Range(*(known_total([usd[i] for usd in best]) for i in range(3)))

    @property
    def unpriced(self) -> tuple[str, ...]:
        """Cells with calls to make whose price is unknown."""
        return tuple(cell.cell for cell in self.cells if cell.to_make and cell.usd.expected is None)

    @property
    def price_book(self) -> str | None:
        """The price books used, or None."""
        return ", ".join(sorted({cell.price_book for cell in self.cells if cell.price_book})) or None

    def data(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "calls": self.calls,
            "in_ledger": self.in_ledger,
            "to_make": self.to_make,
            "usd": self.usd._asdict(),
            "batch_usd": self.batch_usd._asdict() if self.batch_usd else None,
            "pilot_usd": self.pilot_usd,
            "seconds": self.seconds._asdict() if self.seconds else None,
            "warnings": list(self.warnings),
            "cells": [
                {
                    **asdict(cell),
                    "input_tokens": cell.input_tokens._asdict(),
                    "output_tokens": cell.output_tokens._asdict(),
                    "usd": cell.usd._asdict(),
                    "batch_usd": cell.batch_usd._asdict() if cell.batch_usd else None,
                    "target": "/".join(cell.target) if cell.target else None,
                    **{
                        name: values._asdict() if values else None for name, values in cell.per_call().items()
                    },
                }
                for cell in self.cells
            ],
        }

    def to_pandas(self) -> pd.DataFrame:
        """One row per cell; NaN is unknown."""
        import pandas as pd

        rows = []
        for cell in self.cells:
            row: dict[str, Any] = {
                "cell": cell.cell, "calls": cell.calls, "in_ledger": cell.in_ledger, "to_make": cell.to_make,
            }  # fmt: skip
            for name, values in (
                ("input_tokens", cell.input_tokens), ("output_tokens", cell.output_tokens), ("usd", cell.usd),
                ("batch_usd", cell.batch_usd or Range(None, None, None)),
            ):  # fmt: skip
                row |= {
                    f"{name}_{end}": math.nan if value is None else float(value)
                    for end, value in values._asdict().items()
                }
            for name, spread in cell.per_call().items():
                row |= {
                    f"{name}_{end}": math.nan if spread is None else getattr(spread, end)
                    for end in ("p50", "p95")
                }
            rows.append({**row, "basis": cell.basis, "price_as_of": cell.price_as_of})
        return pd.DataFrame(rows)

    def __str__(self) -> str:
        judging = sum(cell.to_make for cell in self.cells if cell.role == "judge")
        of_judge = f", {judging} of them a judge's" if judging else ""
        text = (
            f"{self.to_make} calls to make{of_judge} ({self.in_ledger} of {self.calls} need none): "
            f"{dollars(self.usd.expected)}, between {dollars(self.usd.low)} and {dollars(self.usd.high)}"
        )
        if self.pilot_usd != 0:
            text += f", beside {dollars(self.pilot_usd)} of the pilot"
        batch = self.batch_usd
        if batch is not None:
            text += f"; {dollars(batch.expected)} in batches, within a day"
        if self.to_make and self.seconds is not None and self.seconds.expected is not None:
            low, about, high = (None if value is None else clock(value) for value in self.seconds)
            text += f"; about {about} ({low} to {high or 'unknown'})"
        return text

    def _repr_html_(self) -> str:
        head = (
            "cell",
            "calls",
            "in ledger",
            "to make",
            "input tokens",
            "output tokens",
            "USD",
            "USD in batches",
            "basis",
        )
        body = [
            (
                cell.cell, f"{cell.calls:,}", f"{cell.in_ledger:,}", f"{cell.to_make:,}",
                _span(cell.input_tokens), _span(cell.output_tokens), _span(cell.usd, dollars),
                _span(cell.batch_usd, dollars) if cell.batch_usd else "none", cell.basis,
            )
            for cell in self.cells
        ]  # fmt: skip
        rows = "".join(
            "<tr>" + "".join(f"<td>{html.escape(text)}</td>" for text in row) + "</tr>" for row in body
        )
        titles = "".join(f"<th>{title}</th>" for title in head)
        table = f"<table><thead><tr>{titles}</tr></thead><tbody>{rows}</tbody></table>"
        warned = "".join(f"<p>{html.escape(warning)}</p>" for warning in self.warnings)
        return f"<p>{html.escape(str(self))}.</p>{table}{warned}"


def clock(seconds: float) -> str:
    """A time to wait, as one says it.

    >>> [clock(s) for s in (0.2, 59, 90, 5400, 100_000)]
    ['1 s', '59 s', '2 min', '1.5 h', '28 h']
    """
    if seconds < 60:
        return f"{max(1, math.ceil(seconds))} s"
    if seconds < 3600:
        return f"{math.ceil(seconds / 60)} min"
    return f"{seconds / 3600:.1f} h" if seconds < 36_000 else f"{seconds / 3600:.0f} h"


def _count(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:,.0f}"


def _span(values: Range, show: Any = _count) -> str:
    low, expected, high = (show(value) for value in values)
    return str(expected) if low == expected == high else f"{expected} ({low} to {high})"
