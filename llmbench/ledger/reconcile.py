"""The ledger beside the vendor's own count: by day and model, with the gap in USD always shown."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date
from typing import TYPE_CHECKING, Any

from llmbench.catalog import canonical_name
from llmbench.errors import UsageError
from llmbench.ledger.export_gap import GapLine, Side, Tally, explain, line_of_tallies
from llmbench.ledger.export_shapes import ExportRow
from llmbench.money import dollars, priced_of, signed_dollars
from llmbench.numbers import signed
from llmbench.plain_table import PlainTable, count_text
from llmbench.shown import shown
from llmbench.types import CallRecord

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ALL_MODELS", "Reconciliation", "calls_of_vendor", "model_family", "reconcile"]

ALL_MODELS = "[all models]"
"""The line of what the export does not tell by model."""
_NO_CALL = frozenset({"self-hosted", "recorded"})
"""Bases of costs that no vendor charges."""
_SNAPSHOT = re.compile(r"-(\d{4}-\d{2}-\d{2}|\d{8})$")


@shown
@dataclass(frozen=True, slots=True)
class Reconciliation:
    """A ledger's calls beside a vendor's export. Made by `reconcile`; gaps are vendor less ledger."""

    lines: tuple[GapLine, ...]
    """By day (UTC) and model, also where only one side has it."""
    days: tuple[GapLine, ...]
    total: GapLine
    first: date | None
    last: date | None
    calls_outside: int
    """Calls of the ledger before the first or after the last day: not compared."""
    rows_outside: int
    """Rows of the export outside the days asked for: not compared."""
    tolerance: float
    """Share of the vendor's charge up to which a gap agrees."""

    @property
    def gap_usd(self) -> float | None:
        """What the vendor charged beyond what the ledger knows; None where one side tells no USD."""
        return self.total.gap_usd

    @property
    def agrees(self) -> bool | None:
        """Whether the gap is within the tolerance; None where it is not known."""
        share = self.total.gap_share
        return None if share is None else abs(share) <= self.tolerance

    def verdict(self) -> str:
        """One sentence: the gap, and what explains most of it."""
        return explain(self.total, self.days, self.lines, self.tolerance)

    def notes(self) -> list[str]:
        """What else must be known of the comparison."""
        found = []
        if self.first:
            calls = self.total.ledger.calls or 0
            found.append(
                f"Days from {self.first} to {self.last}, in UTC; in the ledger "
                f"{priced_of(calls - self.total.unpriced, calls)}."
            )
        if self.total.maybe_billed:
            found.append(
                f"{self.total.maybe_billed:,} attempts of the ledger failed or were cancelled and may have "
                "been charged for; they are in no sum of the ledger."
            )
        if self.calls_outside:
            found.append(
                f"{self.calls_outside:,} calls of the ledger are outside of these days and are not compared."
            )
        if self.rows_outside:
            found.append(
                f"{self.rows_outside:,} rows of the export are outside of these days and are not compared."
            )
        return found

    def to_pandas(self) -> pd.DataFrame:
        """One row per day and model; unknown is NaN or NA."""
        import pandas as pd

        rows = [line.flat() for line in self.lines]
        frame = pd.DataFrame(rows, columns=list(self.total.flat()))
        for name in frame.columns:
            if name.endswith(("_calls", "_tokens")) or name in {"unpriced", "maybe_billed"}:
                frame[name] = frame[name].astype("Int64")
            elif name.endswith("_usd") or name == "gap_share":
                frame[name] = frame[name].astype("float64")
        return frame

    def data(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "verdict": self.verdict(), "agrees": self.agrees, "tolerance": self.tolerance,
            "first": str(self.first), "last": str(self.last), "calls_outside": self.calls_outside,
            "rows_outside": self.rows_outside, "total": self.total.flat(),
            "lines": [line.flat() for line in self.lines],
        }  # fmt: skip

    def table(self) -> PlainTable:
        """Two rows a line: the ledger's count, then the vendor's with the gap."""
        head = ("day", "model", "said by", "calls", "tokens in", "tokens out", "USD")
        rows: list[tuple[str, ...]] = []
        for line in [*self.lines, self.total]:
            rows.append((str(line.day or "total"), line.model or "", "ledger", *_cells(line.ledger)))
            rows.append(("", "", "vendor", *_cells(line.vendor)))
            rows.append(("", "", "gap", "", "", "", _gap(line)))
        return PlainTable(head, rows, texts=3)

    def __str__(self) -> str:
        return " ".join([self.verdict(), *self.notes()])

    def _repr_html_(self) -> str:
        sentences = "".join(f"<p>{html.escape(note)}</p>" for note in [self.verdict(), *self.notes()])
        return sentences + self.table().html()


def reconcile(
    ledger_calls: Iterable[CallRecord],
    export_rows: Iterable[ExportRow],
    *,
    since: date | None = None,
    until: date | None = None,
    covered: tuple[date, date] | None = None,
    tolerance: float = 0.01,
) -> Reconciliation:
    """Compare one vendor's calls (see `calls_of_vendor`) with that vendor's export.

    Days are UTC, from `since` to `until`, both included; None: the days that the export covers
    (`covered`, or the first and last of its rows). Models are matched by the catalog's names, dated
    snapshots with their family; nothing is dropped that has no counterpart. `tolerance` is the gap,
    as a share of the vendor's USD, within which the two are said to agree.

    >>> row = ExportRow(date(2026, 1, 2), "gpt-4o-2024-08-06", calls=1, usd=3.5)
    >>> found = reconcile([], [row])
    >>> found.gap_usd, found.lines[0].model, found.lines[0].ledger.calls
    (3.5, 'gpt-4o', None)
    """
    if not tolerance >= 0:
        raise UsageError(f"tolerance is {tolerance!r} and must be a share of at least 0, such as 0.01.")
    rows = list(export_rows)
    days = [row.day for row in rows]
    first = since or (covered[0] if covered else min(days, default=None))
    last = until or (covered[1] if covered else max(days, default=None))
    if first and last and first > last:
        raise UsageError(f"The days from {first} to {last} are none; give since before until.")

    def inside(day: date) -> bool:
        return (first is None or day >= first) and (last is None or day <= last)

    tallies: dict[tuple[date, str], tuple[Tally, Tally]] = {}

    def at(day: date, model: str) -> tuple[Tally, Tally]:
        return tallies.setdefault((day, model), (Tally(), Tally()))

    rows_outside = calls_outside = 0
    for row in rows:
        if inside(row.day):
            side = Side(row.calls, row.input_tokens, row.output_tokens, row.usd)
            at(row.day, _label(row))[1].add(side)
        else:
            rows_outside += 1
    for call in ledger_calls:
        day = call.started_at.astimezone(UTC).date()
        if call.cost_basis in _NO_CALL:
            continue
        if not inside(day):
            calls_outside += 1
        elif call.status == "ok" or call.usage is not None or call.cost is None:
            at(day, _family_of_call(call))[0].count(call)
    lines, day_lines, total = _lines(tallies)
    return Reconciliation(
        lines=lines,
        days=day_lines,
        total=total,
        first=first,
        last=last,
        calls_outside=calls_outside,
        rows_outside=rows_outside,
        tolerance=tolerance,
    )


def _lines(
    tallies: dict[tuple[date, str], tuple[Tally, Tally]],
) -> tuple[tuple[GapLine, ...], tuple[GapLine, ...], GapLine]:
    """The lines by day and model, those by day, and the total."""
    has_costs = any("usd" in vendor.columns for _, vendor in tallies.values())
    # What is charged for all models together belongs to none of them: such a day has one gap only.
    whole_days = {
        day
        for (day, model), (_, vendor) in tallies.items()
        if model == ALL_MODELS and "usd" in vendor.columns
    }
    lines = tuple(
        line_of_tallies([tallies[key]], *key, comparable=has_costs and key[0] not in whole_days)
        for key in sorted(tallies)
    )
    days = tuple(
        line_of_tallies(
            (pair for (of_day, _), pair in tallies.items() if of_day == day), day, None, comparable=has_costs
        )
        for day in sorted({day for day, _ in tallies})
    )
    return lines, days, line_of_tallies(tallies.values(), None, None, comparable=has_costs)


def calls_of_vendor(calls: Iterable[CallRecord], vendor: str) -> Iterable[CallRecord]:
    """The calls that `vendor` charges for; for "generic" all that any vendor does.

    Azure's are not OpenAI's: another bill holds them.
    """
    for call in calls:
        if call.cost_basis in _NO_CALL:
            continue
        place = call.backend or call.provider
        if vendor == "generic" or place == vendor:
            yield call


def model_family(model: str) -> str:
    """One name for all spellings of a model: the catalog's, else without a snapshot's date.

    >>> model_family("gpt-4o-2024-08-06"), model_family("Unheard-Of-2026-01-01")
    ('gpt-4o', 'unheard-of')
    """
    spelled = re.sub(r"\s+", "-", model.strip().casefold())
    bare = _SNAPSHOT.sub("", spelled)
    # Anthropic's cost export writes "Claude Haiku 4.5" where its API has claude-haiku-4-5.
    for spelling in (spelled, spelled.replace(".", "-"), bare, bare.replace(".", "-")):
        name = canonical_name(spelling)
        if name is not None:
            return name
    return bare.replace(".", "-") if " " in model.strip() else bare


def _family_of_call(call: CallRecord) -> str:
    # A vendor's export names the snapshot that served the call.
    served = canonical_name(call.served_model) if call.served_model else None
    return served or model_family(call.model)


def _label(row: ExportRow) -> str:
    if row.model is not None:
        return model_family(row.model)
    return f"[{row.item}]" if row.item else ALL_MODELS


def _cells(side: Side) -> tuple[str, ...]:
    return (
        count_text(side.calls), count_text(side.input_tokens), count_text(side.output_tokens),
        dollars(side.usd),
    )  # fmt: skip


def _gap(line: GapLine) -> str:
    share = "" if line.gap_share is None else f" ({signed(line.gap_share, '+.1%')})"
    return f"{signed_dollars(line.gap_usd)}{share}"
