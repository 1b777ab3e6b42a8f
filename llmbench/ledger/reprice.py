"""What calls of the ledger would have cost otherwise: at another date's prices, as a batch, cached.

Nothing is called and nothing is changed; the tokens that were counted are priced again.
"""

from __future__ import annotations

import html
import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from llmbench.catalog import TIERS, Tier, canonical_name, price_book, price_call, tier_served
from llmbench.errors import UsageError
from llmbench.money import dollars, priced_of, signed_dollars
from llmbench.plain_table import PlainTable
from llmbench.shown import shown
from llmbench.types import CallRecord, Usage

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ModelRepricing", "Repricing", "reprice"]

_OWN = frozenset({"self-hosted"})
_WITHOUT_A_LIST = frozenset({"custom", "local"})
"""Providers whose prices are the user's own: no vendor lists them, whatever the model is called."""


@dataclass(frozen=True, slots=True)
class ModelRepricing:
    """One model's calls at two prices. `calls` are the attempts that answered; what failed stands apart."""

    model: str
    """endpoint/model."""
    calls: int
    priced_before: int
    priced_after: int
    compared: int
    """Priced on both sides."""
    usd_before: float | None
    """Sum of what is known; None where nothing is."""
    usd_after: float | None
    difference: float | None
    """After less before, of the compared calls only."""
    self_hosted: int
    """Calls of one's own endpoints: 0 before and after, their hours are a line of their own."""
    reported: int
    """Calls whose cost before is the vendor's own figure rather than a price book's."""
    failed: int
    """Attempts that failed without any charge."""
    maybe_billed: int
    """Attempts that failed or were cancelled, and may have been charged for: in no sum."""
    without_cached_price: int
    """Calls whose `cached_share` changes nothing, because the book has no price for cached input."""


@shown
@dataclass(frozen=True, slots=True)
class Repricing:
    """Calls of the ledger under another price book. Made by `reprice`."""

    book: str
    as_of: str
    tier: Tier | None
    """None: each call at the tier that served it."""
    cached_share: float | None
    """None: the cached tokens of each call as they were."""
    models: tuple[ModelRepricing, ...]
    total: ModelRepricing

    def to_pandas(self) -> pd.DataFrame:
        """One row per model; NaN is unknown."""
        import pandas as pd

        rows = [asdict(row) for row in self.models]
        frame = pd.DataFrame(rows, columns=list(asdict(self.total)))
        money = ["usd_before", "usd_after", "difference"]
        frame[money] = frame[money].astype("float64")
        return frame

    def data(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    def table(self) -> PlainTable:
        """Per model: priced calls and USD before and after, and the difference."""
        rows = [*self.models, self.total] if len(self.models) != 1 else list(self.models)
        head = ("model", "calls", "priced before", "priced after", "USD before", "USD after", "difference")
        body = [
            (
                row.model, f"{row.calls:,}", f"{row.priced_before:,}", f"{row.priced_after:,}",
                dollars(row.usd_before), dollars(row.usd_after), signed_dollars(row.difference),
            )
            for row in rows
        ]  # fmt: skip
        return PlainTable(head, body)

    def notes(self) -> list[str]:
        """The sentences that belong to the table."""
        total = self.total
        found = [
            (
                f"Before: {priced_of(total.priced_before, total.calls)}, {dollars(total.usd_before)}. "
                f"After, {self._terms()}: {priced_of(total.priced_after, total.calls)}, "
                f"{dollars(total.usd_after)}."
            )
        ]
        if total.difference is not None:
            found.append(
                f"The difference of {signed_dollars(total.difference)} is of the {total.compared:,} calls "
                "priced on both sides."
            )
        if total.without_cached_price:
            found.append(
                f"{total.without_cached_price:,} calls are of models without a price for cached input in "
                "this book: theirs is that of other input."
            )
        if total.reported:
            found.append(f"{total.reported:,} costs before are the vendor's own figures (reported).")
        if total.self_hosted:
            found.append(
                f"{total.self_hosted:,} calls of your own endpoints stay at $0.00: their hours are a line "
                "of their own."
            )
        if total.failed or total.maybe_billed:
            found.append(
                f"Not in the table: {total.failed:,} failed attempts without a charge, and "
                f"{total.maybe_billed:,} that may have been charged for, whose tokens nobody told."
            )
        return found

    def _terms(self) -> str:
        terms = f"at the prices of {self.book}" + ("" if self.book == self.as_of else f" ({self.as_of})")
        terms += f" as {self.tier}" if self.tier else ""
        return terms + (f" with {self.cached_share:.0%} of the input cached" if self.cached_share else "")

    def __str__(self) -> str:
        return " ".join(self.notes())

    def _repr_html_(self) -> str:
        notes = "".join(f"<p>{html.escape(note)}</p>" for note in self.notes())
        return self.table().html() + notes


class _Sums:
    """Counts of one model, while they are gathered."""

    def __init__(self) -> None:
        self.calls = self.self_hosted = self.reported = self.failed = self.maybe_billed = 0
        self.without_cached_price = 0
        self.before: list[float] = []
        self.after: list[float] = []
        self.changes: list[float] = []

    def add(self, call: CallRecord, after: float | None) -> None:
        self.calls += 1
        self.self_hosted += call.cost_basis in _OWN
        self.reported += call.cost_basis == "reported"
        if call.cost is not None:
            self.before.append(call.cost)
        if after is not None:
            self.after.append(after)
        if call.cost is not None and after is not None:
            # The same price, summed in another order, is no change.
            same = math.isclose(after, call.cost, rel_tol=1e-9)
            self.changes.append(0.0 if same else after - call.cost)

    def add_failure(self, call: CallRecord) -> None:
        if call.cost is None:
            self.maybe_billed += 1
        else:
            self.failed += 1

    def merge(self, other: _Sums) -> None:
        for name, value in vars(other).items():
            setattr(self, name, getattr(self, name) + value)

    def result(self, model: str) -> ModelRepricing:
        return ModelRepricing(
            model=model,
            calls=self.calls,
            priced_before=len(self.before),
            priced_after=len(self.after),
            compared=len(self.changes),
            usd_before=_sum(self.before),
            usd_after=_sum(self.after),
            difference=_sum(self.changes),
            self_hosted=self.self_hosted,
            reported=self.reported,
            failed=self.failed,
            maybe_billed=self.maybe_billed,
            without_cached_price=self.without_cached_price,
        )


def reprice(
    calls: Iterable[CallRecord],
    book: str = "current",
    tier: Tier | None = None,
    cached_share: float | None = None,
) -> Repricing:
    """Price `calls` again from the price book `book`.

    `tier`: as if all had been asked for at that tier ("standard", "batch", "flex", "priority"); None
    leaves each call at the tier that served it. `cached_share`: as if that share of the input tokens
    (0 to 1) had been read from the vendor's cache; None leaves the cached tokens as they were. No
    least length of a cached prompt is taken into account.

    A call without usage, or whose model the book does not list at that backend and tier, has no price
    after: it is counted, never 0. Calls of one's own endpoints stay 0.

    Raises UsageError for a book, tier or share that is not one.

    >>> from datetime import UTC, datetime
    >>> call = CallRecord(
    ...     call_id="c1", attempt=1, request_hash="h1", endpoint="openai", provider="openai", backend=None,
    ...     model="gpt-4o", messages=[], params={}, repeat=0, started_at=datetime(2026, 1, 2, tzinfo=UTC),
    ...     latency_ms=1.0, wall_ms=1.0, status="ok", usage=Usage(1_000_000, 100_000), cost=3.5,
    ...     cost_basis="priced",
    ... )
    >>> reprice([call], "2025-01-23").total.usd_after
    3.5
    """
    as_of = price_book(book).as_of
    if tier is not None and tier not in TIERS:
        raise UsageError(f"There is no price tier {tier!r}; choose one of {', '.join(TIERS)}.")
    if cached_share is not None and not 0 <= cached_share <= 1:
        raise UsageError(f"cached_share is {cached_share!r} and must be between 0 and 1.")
    sums: dict[str, _Sums] = {}
    for call in calls:
        of_model = sums.setdefault(f"{call.endpoint}/{call.model}", _Sums())
        if call.status != "ok" and call.usage is None:
            of_model.add_failure(call)
        else:
            after = _price_after(call, book, tier, cached_share)
            of_model.add(call, after)
            if cached_share and after and call.cost_basis not in _OWN:
                # At the price of fresh input a cached token is one that the book does not tell apart.
                of_model.without_cached_price += after == _price_after(call, book, tier, 0.0)
    total = _Sums()
    for of_model in sums.values():
        total.merge(of_model)
    return Repricing(
        book=book,
        as_of=as_of,
        tier=tier,
        cached_share=cached_share,
        models=tuple(sums[model].result(model) for model in sorted(sums)),
        total=total.result("total"),
    )


def _price_after(call: CallRecord, book: str, tier: Tier | None, cached_share: float | None) -> float | None:
    if call.cost_basis in _OWN:
        return call.cost
    if call.usage is None or call.provider in _WITHOUT_A_LIST:
        return None
    usage = call.usage if cached_share is None else _cached(call.usage, cached_share)
    at_tier = tier or _tier_of(call)
    if at_tier not in TIERS:
        return None  # a contract of one's own, such as reserved capacity
    name = _listed_name(call)
    return price_call(name, usage, provider=call.provider, backend=call.backend, book=book, tier=at_tier).usd


def _listed_name(call: CallRecord) -> str:
    """The model asked for; where that is a deployment's own name, the model that it served."""
    if canonical_name(call.model) is None and call.served_model and canonical_name(call.served_model):
        return call.served_model
    return call.model


def _tier_of(call: CallRecord) -> Tier | None:
    said = call.metadata.get("service_tier") or call.params.get("service_tier")
    return tier_served(None if said is None else str(said))


def _cached(usage: Usage, share: float) -> Usage:
    read = round(share * usage.input_tokens)
    written = min(usage.cache_write_tokens, usage.input_tokens - read)
    return replace(usage, cache_read_tokens=read, cache_write_tokens=written)


def _sum(amounts: list[float]) -> float | None:
    return math.fsum(amounts) if amounts else None
