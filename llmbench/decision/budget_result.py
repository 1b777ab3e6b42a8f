"""The budget as it is shown."""

from __future__ import annotations

import html
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from llmbench.decision.budget_parts import Payback
from llmbench.decision.effects import Spread
from llmbench.economics.finance import net_present_value
from llmbench.money import dollars
from llmbench.plain_table import PlainTable
from llmbench.shown import shown

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Budget", "BudgetMonth", "BudgetTotals"]


@shown
class BudgetMonth(NamedTuple):
    """One month, USD, everything as stated; month 0 is today."""

    month: int
    messages: float
    moved: float
    """Share of the messages that the candidate answers."""
    before_usd: float
    """Without the migration."""
    after_usd: float
    """With it: the sum of the six below."""
    api_usd: float
    hosting_usd: float
    idle_usd: float
    """Committed, and not used."""
    dual_usd: float
    """Messages that both models answer, and people while both run."""
    one_off_usd: float
    quality_usd: float
    """Value of the replies lost; negative where some are won. 0 unless it was asked for."""
    p10: float
    """Of the saving of the month, before less after; 10%, 50% and 90% of the draws."""
    p50: float
    p90: float

    @property
    def saving_usd(self) -> float:
        """Negative where the migration costs more."""
        return self.before_usd - self.after_usd


@shown
class BudgetTotals(NamedTuple):
    """All months, USD, everything as stated."""

    before_usd: float
    after_usd: float
    saving_usd: float
    one_off_usd: float
    dual_usd: float
    idle_usd: float
    npv_usd: float
    """Of the saving."""


@shown
@dataclass(frozen=True, slots=True)
class Budget:
    """Before and after, month by month. Made by `twelve_month_budget`."""

    rows: tuple[BudgetMonth, ...]
    discount_per_year: float
    total_saving: Spread
    """Of all months, what is spent once taken off, not discounted."""
    npv: Spread
    """The same, discounted."""
    saving_per_month: Spread
    """The mean of the months, without what is spent once."""
    full_saving_per_month: Spread
    """Of the last month, were all moved and no contract left of before."""
    probability_saving: float
    """That the total saving is above 0."""
    payback: Payback
    draws: int
    seed: int

    @property
    def months(self) -> int:
        """How many, today not counted."""
        return len(self.rows) - 1

    @property
    def totals(self) -> BudgetTotals:
        """Of all months."""
        sums = {
            name: math.fsum(getattr(row, name) for row in self.rows)
            for name in ("before_usd", "after_usd", "saving_usd", "one_off_usd", "dual_usd", "idle_usd")
        }
        npv = net_present_value([row.saving_usd for row in self.rows], self.discount_per_year)
        return BudgetTotals(**sums, npv_usd=npv)

    def to_pandas(self) -> pd.DataFrame:
        """One row per month; 0 is today."""
        import pandas as pd

        frame = pd.DataFrame(self.rows, columns=list(BudgetMonth._fields))
        place = list(frame.columns).index("after_usd") + 1
        frame.insert(place, "saving_usd", frame.before_usd - frame.after_usd)
        return frame

    def table(self) -> PlainTable:
        """As it is shown."""
        head = ("month", "moved", "before", "after", "once", "idle", "saving", "saving p10 to p90")
        body = [
            (
                "today" if row.month == 0 else str(row.month),
                f"{row.moved:.0%}",
                *(dollars(usd) for usd in (row.before_usd, row.after_usd, row.one_off_usd, row.idle_usd)),
                dollars(row.saving_usd),
                f"{dollars(row.p10)} to {dollars(row.p90)}",
            )
            for row in self.rows
        ]
        total = self.totals
        last = (
            *("all", ""),
            *(dollars(usd) for usd in (total.before_usd, total.after_usd, total.one_off_usd, total.idle_usd)),
            dollars(total.saving_usd),
            f"{dollars(self.total_saving.p10)} to {dollars(self.total_saving.p90)}",
        )
        return PlainTable(head, [*body, last])

    def __str__(self) -> str:
        total, month = self.total_saving, self.full_saving_per_month
        return (
            f"saving of {self.months} months {dollars(total.p50)} (p10 {dollars(total.p10)}, p90 "
            f"{dollars(total.p90)}), of a month once all is moved {dollars(month.p50)} ({dollars(month.p10)} "
            f"to {dollars(month.p90)}); payback: {self.payback.words()}"
        )

    def _repr_html_(self) -> str:
        return f"<p>{html.escape(str(self))}.</p>{self.table().html()}"
