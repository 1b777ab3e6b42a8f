"""The gap between two counts of the same calls, and the sentence that says where it comes from."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, NamedTuple

from llmbench.money import dollars, signed_dollars
from llmbench.numbers import signed
from llmbench.types import CallRecord

__all__ = ["GapLine", "Side", "Tally", "explain", "line_of_tallies"]

_MOST = 0.5
"""The share of a gap from which one line is said to explain most of it."""


class Side(NamedTuple):
    """What one side counted; None where it does not say."""

    calls: int | None
    input_tokens: int | None
    output_tokens: int | None
    usd: float | None


@dataclass(frozen=True, slots=True)
class GapLine:
    """One day and model (or a total, where these are None) as the ledger and the vendor have it."""

    day: date | None
    model: str | None
    ledger: Side
    vendor: Side
    gap_usd: float | None
    """Vendor less ledger, a side without an entry counting 0; None where USD cannot be compared."""
    unpriced: int
    """Answered calls of the ledger without a known price."""
    maybe_billed: int
    """Failed or cancelled attempts of the ledger that may have been charged for."""

    @property
    def gap_share(self) -> float | None:
        """The gap as a share of what the vendor charged; None where that is nothing or unknown."""
        if self.gap_usd is None or not self.vendor.usd:
            return 0.0 if self.gap_usd == 0 else None
        return self.gap_usd / self.vendor.usd

    def flat(self) -> dict[str, Any]:
        """As one row of plain values."""
        row: dict[str, Any] = {"day": None if self.day is None else self.day.isoformat(), "model": self.model}
        for name in Side._fields:
            row |= {
                f"ledger_{name}": getattr(self.ledger, name),
                f"vendor_{name}": getattr(self.vendor, name),
            }
        return row | {
            "gap_usd": self.gap_usd,
            "gap_share": self.gap_share,
            "unpriced": self.unpriced,
            "maybe_billed": self.maybe_billed,
        }


@dataclass(slots=True)
class Tally:
    """The counts of one side, while they are gathered."""

    columns: dict[str, list[float]] = field(default_factory=dict)
    unpriced: int = 0
    maybe_billed: int = 0

    def add(self, side: Side) -> None:
        """Add what is known of a row."""
        for name, value in side._asdict().items():
            if value is not None:
                self.columns.setdefault(name, []).append(value)

    def count(self, call: CallRecord) -> None:
        """Add an attempt. One that failed is no call of the vendor's count."""
        if call.status != "ok" and call.usage is None:
            self.maybe_billed += call.cost is None
            return
        self.unpriced += call.cost is None
        usage = call.usage
        self.add(
            Side(1, usage.input_tokens if usage else None, usage.output_tokens if usage else None, call.cost)
        )

    def side(self) -> Side:
        """The sums; None where nothing was known."""

        def whole(name: str) -> int | None:
            return int(sum(self.columns[name])) if name in self.columns else None

        usd = math.fsum(self.columns["usd"]) if "usd" in self.columns else None
        return Side(whole("calls"), whole("input_tokens"), whole("output_tokens"), usd)


def line_of_tallies(
    pairs: Iterable[tuple[Tally, Tally]], day: date | None, model: str | None, *, comparable: bool
) -> GapLine:
    """The line of some (ledger, vendor) tallies together."""
    here, there = Tally(), Tally()
    for ledger, vendor in pairs:
        for whole, part in ((here, ledger), (there, vendor)):
            for name, values in part.columns.items():
                whole.columns.setdefault(name, []).extend(values)
        here.unpriced += ledger.unpriced
        here.maybe_billed += ledger.maybe_billed
    usd = [*there.columns.get("usd", ()), *(-value for value in here.columns.get("usd", ()))]
    return GapLine(
        day=day,
        model=model,
        ledger=here.side(),
        vendor=there.side(),
        gap_usd=math.fsum(usd) if comparable and usd else None,
        unpriced=here.unpriced,
        maybe_billed=here.maybe_billed,
    )


def explain(total: GapLine, days: Sequence[GapLine], lines: Sequence[GapLine], tolerance: float) -> str:
    """The verdict of a comparison, in one sentence."""
    if not lines:
        return "There is nothing to compare: neither side has a call in these days."
    if total.gap_usd is None:
        return _without_costs(total)
    here, there = total.ledger.usd or 0.0, total.vendor.usd or 0.0
    share = total.gap_share
    if total.ledger.usd is None and total.unpriced:
        return (
            f"The vendor charged {dollars(there)}; the ledger knows no price of its {total.unpriced:,} "
            "calls, so the gap is all of it: give their model a price, and reprice."
        )
    if share is not None and abs(share) <= tolerance:
        gap = f"{signed_dollars(total.gap_usd)} ({signed(share, '+.2%')})"
        return (
            f"The vendor's {dollars(there)} and the ledger's {dollars(here)} agree within {tolerance:.1%}: "
            f"the gap is {gap}{_cancelling(lines, tolerance * there)}."
        )
    more = "more" if total.gap_usd > 0 else "less"
    percent = "" if share is None else f" ({abs(share):.1%} of the charge)"
    return (
        f"The vendor charged {dollars(there)}, {dollars(abs(total.gap_usd))} {more} than the {dollars(here)} "
        f"of the ledger{percent}; {_source(total, days, lines)}."
    )


def _without_costs(total: GapLine) -> str:
    ours, theirs = _tokens(total.ledger), _tokens(total.vendor)
    if not theirs:
        tokens = "nor tokens"
    else:
        gap = theirs - ours
        tokens = f"its {theirs:,} tokens are {abs(gap):,} ({abs(gap) / theirs:.1%}) " + (
            "more than" if gap > 0 else "less than" if gap < 0 else "from"
        ) + f" the ledger's {ours:,}"  # fmt: skip
    return (
        f"The export tells no USD, so the gap in USD is unknown; {tokens}: give the vendor's cost export "
        "as well."
    )


def _tokens(side: Side) -> int:
    return (side.input_tokens or 0) + (side.output_tokens or 0)


def _source(total: GapLine, days: Sequence[GapLine], lines: Sequence[GapLine]) -> str:
    """The smallest part of the table that explains most of the gap."""
    gap = total.gap_usd or 0.0
    models: dict[str, list[GapLine]] = {}
    for line in lines:
        models.setdefault(line.model or "", []).append(line)
    candidates: list[tuple[float, str, list[GapLine]]] = [
        (line.gap_usd or 0.0, f"{line.model} on {line.day}", [line]) for line in lines
    ]
    for group in (
        candidates,
        [(_sum(of_model), model, of_model) for model, of_model in models.items()],
        [(day.gap_usd or 0.0, f"{day.day}", [day]) for day in days],
    ):
        value, name, found = max(group, key=lambda each: each[0] / gap, default=(0.0, "", []))
        if value / gap >= _MOST:
            return f"{name} explains {value / gap:.0%} of it: {_reason(found, gap)}"
    return (
        f"no single model or day explains most of it ({len(models):,} models, {len(days):,} days): "
        f"{_reason(lines, gap)}"
    )


def _sum(lines: Iterable[GapLine]) -> float:
    return math.fsum(line.gap_usd or 0.0 for line in lines)


def _reason(lines: Sequence[GapLine], gap: float) -> str:
    def add(value: Callable[[GapLine], int | None]) -> int | None:
        known = [count for count in map(value, lines) if count is not None]
        return sum(known) if known else None

    maybe = add(lambda line: line.maybe_billed) or 0
    unpriced = add(lambda line: line.unpriced) or 0
    ours, theirs = add(lambda line: line.ledger.calls), add(lambda line: line.vendor.calls)
    tokens_ours = add(lambda line: _tokens(line.ledger)) or 0
    tokens_theirs = add(lambda line: _tokens(line.vendor)) or 0
    reasons = []
    if gap > 0:
        if not ours and not maybe:
            return (
                "the ledger holds no such calls, so they were made outside llmbench or recorded in another "
                "ledger"
            )
        if unpriced:
            reasons.append(f"{unpriced:,} calls there have no known price in the ledger")
        if maybe:
            reasons.append(_of_failures(lines, maybe, gap))
        if theirs is not None and theirs > (ours or 0):
            reasons.append(f"the vendor counted {theirs - (ours or 0):,} calls more, made outside llmbench")
        elif theirs is None and tokens_theirs > tokens_ours:
            reasons.append(
                f"the vendor counted {tokens_theirs - tokens_ours:,} tokens more, made outside llmbench"
            )
    elif theirs is None and not tokens_theirs and all(line.vendor.usd is None for line in lines):
        return "the export holds nothing of it; it may be of another account, or not be complete yet"
    elif theirs is not None and theirs < (ours or 0):
        reasons.append(f"the vendor counted {(ours or 0) - theirs:,} calls less")
    if not reasons:
        if tokens_theirs and tokens_theirs == tokens_ours:
            return "the tokens agree, so the prices do not: compare by llmbench ledger reprice"
        return (
            "calls made outside llmbench or another price would explain it"
            if gap > 0
            else "a discount, credits or another price would explain it"
        )
    return " and ".join(reasons)


def _of_failures(lines: Sequence[GapLine], count: int, gap: float) -> str:
    """That attempts which failed may have been charged for, and how much of the gap that could be."""
    text = f"{count:,} failed attempts may have been charged for"
    priced = sum((line.ledger.calls or 0) - line.unpriced for line in lines)
    known = [line.ledger.usd for line in lines if line.ledger.usd is not None]
    if not priced or not known:
        return text
    likely = count * math.fsum(known) / priced
    text += f" (about {dollars(likely)} at the mean of a call)"
    return text if likely >= _MOST * gap else f"{text}, and calls outside llmbench would explain the rest"


def _cancelling(lines: Sequence[GapLine], allowed: float) -> str:
    worst = max(lines, key=lambda line: abs(line.gap_usd or 0.0))
    if abs(worst.gap_usd or 0.0) <= allowed:
        return ""
    where = f"{worst.model} on {worst.day} by {signed_dollars(worst.gap_usd)}"
    return f", but single lines differ by more and cancel out, {where}"
