"""What the models of a router did: latency, cost, success, fallbacks, and what was saved."""

from __future__ import annotations

import html
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from llmbench.ledger.brief import AttemptFacts
from llmbench.money import dollars
from llmbench.plain_table import PlainTable, count_text
from llmbench.routing.speeds import nearest_rank
from llmbench.shown import shown
from llmbench.unknown import NONE

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "AttemptFacts",
    "PerformanceReport",
    "Saving",
    "Tally",
    "report_of",
    "saving_against",
    "tally_attempts",
]

_KEPT = 4096
_P95_FROM, _P99_FROM = 200, 1000
"""Answers below which a tail is not told: it would rest on a handful of them."""


@dataclass(slots=True)
class Tally:
    """Running sums of one model, in USD and milliseconds; the newest times are kept for the quantiles."""

    requests: int = 0
    answered: int = 0
    attempts: int = 0
    fallbacks: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost: float = 0.0
    priced: int = 0
    failed_cost: float = 0.0
    failed_unpriced: int = 0
    latency_sum: float = 0.0
    latencies: deque[float] = field(default_factory=lambda: deque(maxlen=_KEPT))
    first_tokens: deque[float] = field(default_factory=lambda: deque(maxlen=_KEPT))

    def took_failure(self, cost: float | None) -> None:
        """One attempt failed; `cost` None: it may have been charged."""
        self.attempts += 1
        if cost is None:
            self.failed_unpriced += 1
        else:
            self.failed_cost += cost

    def took_answer(
        self,
        *,
        latency_ms: float,
        first_token_ms: float | None,
        tokens: tuple[int | None, int | None],
        cost: float | None,
        fallback: bool,
    ) -> None:
        """One attempt was answered; `fallback`: the route's first choice was another model."""
        self.attempts += 1
        self.answered += 1
        self.fallbacks += fallback
        self.latency_sum += latency_ms
        self.latencies.append(latency_ms)
        if first_token_ms is not None:
            self.first_tokens.append(first_token_ms)
        self.input_tokens += tokens[0] or 0
        self.output_tokens += tokens[1] or 0
        if cost is not None:
            self.priced += 1
            self.cost += cost

    def row(self) -> dict[str, Any]:
        """The model's entry in the report."""
        times = sorted(self.latencies)
        first = sorted(self.first_tokens)
        return {
            "avg_latency_ms": self.latency_sum / self.answered if self.answered else None,
            "avg_cost": self.cost / self.priced if self.priced else None,
            "success_rate": self.answered / self.requests if self.requests else None,
            "total_requests": self.requests,
            "p50_latency_ms": nearest_rank(times, 0.5) if times else None,
            "p95_latency_ms": nearest_rank(times, 0.95) if len(times) >= _P95_FROM else None,
            "p99_latency_ms": nearest_rank(times, 0.99) if len(times) >= _P99_FROM else None,
            "p50_first_token_ms": nearest_rank(first, 0.5) if first else None,
            "input_tokens": self.input_tokens,
            "output_tokens": self.output_tokens,
            "attempts": self.attempts,
            "answered": self.answered,
            "fallbacks": self.fallbacks,
            "cost": self.cost if self.priced or not self.answered else None,
            "priced": self.priced,
            "failed_cost": self.failed_cost,
            "failed_unpriced": self.failed_unpriced,
        }


class Saving(NamedTuple):
    """What was spent, beside what the same tokens cost at another model's list price."""

    baseline: str
    usd: float | None
    """Baseline less spent; None where either is not known."""
    spent_usd: float | None
    baseline_usd: float | None
    calls: int
    """Answered calls it is about."""
    unpriced: int
    """Answered calls and failed attempts whose charge is not known: `usd` lacks them."""


@shown
class PerformanceReport(dict[str, dict[str, Any]]):
    """{"endpoint/model": figures}, as the document has it, and more of them.

    Latency is of the attempts that answered, in milliseconds; p95 is given from 200 answers on, p99
    from 1,000, and in memory all quantiles are of the newest 4,096. `success_rate` is the share of the
    calls that reached a model and were answered by it. `avg_cost` is of the answers whose price is
    known (`priced`). `fallbacks` counts answers it gave in the place of the first choice.
    """

    saving: Saving | None = None

    def to_pandas(self) -> pd.DataFrame:
        """One row per model."""
        import pandas as pd

        return pd.DataFrame.from_dict(self, orient="index").rename_axis("model").reset_index()

    def table(self) -> PlainTable:
        """The figures one looks at first."""
        rows = [
            (
                model, count_text(row["total_requests"]), _share(row["success_rate"]),
                _ms(row["p50_latency_ms"]), _ms(row["p95_latency_ms"]), dollars(row["avg_cost"]),
                count_text(row["fallbacks"]), dollars(row["failed_cost"]),
            )
            for model, row in self.items()
        ]  # fmt: skip
        head = ("model", "requests", "success", "p50 ms", "p95 ms", "cost a call", "fallbacks", "failed cost")
        return PlainTable(head, rows)

    def notes(self) -> list[str]:
        """What to know of the table, in sentences."""
        told = []
        unpriced = sum(row["answered"] - row["priced"] for row in self.values())
        if unpriced:
            told.append(f"{unpriced:,} answers have no known price and are in no sum.")
        maybe = sum(row["failed_unpriced"] for row in self.values())
        if maybe:
            told.append(f"{maybe:,} failed attempts may have been charged; by how much is not known.")
        if self.saving is not None and self.saving.usd is not None:
            s = self.saving
            told.append(
                f"{dollars(s.usd)} saved against {s.baseline} at its list price for the same tokens "
                f"({dollars(s.spent_usd)} instead of {dollars(s.baseline_usd)}, {s.calls:,} calls)."
            )
        return told

    def _repr_html_(self) -> str:
        notes = "".join(f"<p>{html.escape(note)}</p>" for note in self.notes())
        return self.table().html() + notes


def report_of(tallies: Mapping[str, Tally]) -> PerformanceReport:
    """The report of finished tallies, models with most requests first."""
    rows = {model: tally.row() for model, tally in tallies.items()}
    return PerformanceReport(sorted(rows.items(), key=lambda pair: -pair[1]["total_requests"]))


def tally_attempts(attempts: Iterable[AttemptFacts]) -> dict[str, Tally]:
    """Tallies of recorded attempts, with all their times."""
    tallies: dict[str, Tally] = {}
    seen: set[tuple[str, str]] = set()
    for each in attempts:
        tally = tallies.get(each.model)
        if tally is None:
            tally = tallies[each.model] = Tally(latencies=deque(), first_tokens=deque())
        if (each.call_id, each.model) not in seen:
            seen.add((each.call_id, each.model))
            tally.requests += 1
        if each.answered:
            tally.took_answer(
                latency_ms=each.latency_ms,
                first_token_ms=each.time_to_first_token_ms,
                tokens=(each.input_tokens, each.output_tokens),
                cost=each.cost,
                fallback=each.first_choice is not None and each.first_choice != each.model,
            )
        else:
            tally.took_failure(each.cost)
    return tallies


def saving_against(
    report: PerformanceReport, baseline: str, usd_per_1k: tuple[float | None, float | None]
) -> Saving:
    """What the tokens of `report` cost at the baseline's prices (USD per 1,000 in and out)."""
    calls = sum(row["answered"] for row in report.values())
    unpriced = sum(row["answered"] - row["priced"] + row["failed_unpriced"] for row in report.values())
    spent = sum((row["cost"] or 0.0) + row["failed_cost"] for row in report.values())
    of_input, of_output = usd_per_1k
    whole: float | None = None
    if of_input is not None and of_output is not None:
        whole = sum(
            row["input_tokens"] / 1000 * of_input + row["output_tokens"] / 1000 * of_output
            for row in report.values()
        )
    known = whole is not None and not any(row["answered"] > row["priced"] for row in report.values())
    return Saving(
        baseline, whole - spent if known and whole is not None else None, spent, whole, calls, unpriced
    )


def _ms(value: float | None) -> str:
    return NONE if value is None else f"{value:,.0f}"


def _share(value: float | None) -> str:
    return NONE if value is None else f"{value:.1%}"
