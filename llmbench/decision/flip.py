"""At which volume and value of a reply the decision flips.

    net = A x V x (s + v x c) - one-off

V messages a month, s the saving per message, v the value of a reply, c the change of replies per message
(below 0: lost), and A the months of the horizon, discounted: the sum of (1 + r)^(-m/12), m from 1 to the
last. The low and the high end are those of the interval of the replies, and of the saving where it has a
range: both ends together, which is more cautious than an interval of the sum.
"""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

from llmbench.decision.effects import ReplyEffect, check_amount, check_whole
from llmbench.economics.uncertainty import Range
from llmbench.errors import UsageError
from llmbench.money import dollars
from llmbench.plain_table import PlainTable
from llmbench.shown import shown

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["FlipCell", "FlipGrid", "FlipLine", "FlipVerdict", "flip_grid", "months_discounted"]

FlipVerdict = Literal["GO", "NO_GO", "cannot tell"]
"""Whether the money alone says so at the whole interval; "cannot tell": its ends disagree."""


@shown
class FlipCell(NamedTuple):
    """One volume and value; USD over the horizon, discounted."""

    messages_per_month: float
    value_per_reply: float
    net_usd: float
    low_usd: float
    high_usd: float
    verdict: FlipVerdict
    """GO where even the low end is above 0, NO_GO where even the high end is below it."""


@shown
class FlipLine(NamedTuple):
    """Where the verdict changes at one value of a reply. Messages a month; None: at no volume."""

    value_per_reply: float
    go_from: float | None
    """The low end of the net value is above 0 from here on."""
    even_at: float | None
    """At the middle the net value is 0 here, and above it beyond."""
    no_go_below: float | None
    """The high end is below 0 up to here; None: at every volume."""


@shown
@dataclass(frozen=True, slots=True)
class FlipGrid:
    """Volume x value of a reply. Made by `flip_grid`."""

    cells: tuple[FlipCell, ...]
    """Row by row: all values of the first volume, then of the next."""
    lines: tuple[FlipLine, ...]
    """One per value."""
    effect: ReplyEffect
    saving_per_message: Range
    one_off_usd: float
    months: int
    discount_per_year: float

    @property
    def volumes(self) -> tuple[float, ...]:
        """In their order."""
        return tuple(dict.fromkeys(cell.messages_per_month for cell in self.cells))

    @property
    def values(self) -> tuple[float, ...]:
        """In their order."""
        return tuple(dict.fromkeys(cell.value_per_reply for cell in self.cells))

    def __getitem__(self, place: tuple[float, float]) -> FlipCell:
        """The cell of (volume, value). Raises KeyError for one that there is not."""
        for cell in self.cells:
            if cell[:2] == place:
                return cell
        raise KeyError(place)

    def flip_volume(self, value_per_reply: float, at: float) -> float | None:
        """Messages a month at which it is even, if the reply effect is `at`: one-off / (A (s + v c)).

        None where each message loses. Everything above it gains; 0 where nothing is spent once.
        """
        each = self.saving_per_message.mode + check_amount(
            "value_per_reply", value_per_reply
        ) * self.effect.change(at)
        return _volume(self.one_off_usd, self._factor, each)

    def flip_value(self, messages_per_month: float, at: float) -> float | None:
        """The value of a reply at which it is even, if the effect is `at`: (s - one-off / (A V)) / -c.

        Everything below it gains. None where no reply is lost, so that no value is too high; 0 where not even
        replies without value make it pay.
        """
        change = self.effect.change(at)
        if change >= 0:
            return None
        volume = check_amount("messages_per_month", messages_per_month, above=True)
        return max(0.0, (self.saving_per_message.mode - self.one_off_usd / (self._factor * volume)) / -change)

    @property
    def _factor(self) -> float:
        return months_discounted(self.months, self.discount_per_year)

    def to_pandas(self) -> pd.DataFrame:
        """One row per cell."""
        import pandas as pd

        return pd.DataFrame(self.cells, columns=list(FlipCell._fields))

    def lines_to_pandas(self) -> pd.DataFrame:
        """One row per value; NaN: at no volume."""
        import pandas as pd

        return pd.DataFrame(self.lines, columns=list(FlipLine._fields)).astype("float64")

    def table(self) -> PlainTable:
        """Verdict and net value, volumes down and values across."""
        head = ("messages a month", *(f"{dollars(value)} a reply" for value in self.values))
        rows = [
            (f"{volume:,.0f}", *(_cell_text(self[volume, value]) for value in self.values))
            for volume in self.volumes
        ]
        return PlainTable(head, rows, texts=0)

    def __str__(self) -> str:
        count = {
            verdict: sum(cell.verdict == verdict for cell in self.cells)
            for verdict in ("GO", "NO_GO", "cannot tell")
        }
        told = ", ".join(f"{number} {verdict}" for verdict, number in count.items())
        return (
            f"net value of {self.months} months, {dollars(self.one_off_usd)} spent once, "
            f"{dollars(self.saving_per_message.mode)} saved per message: {told}"
        )

    def _repr_html_(self) -> str:
        return f"<p>{html.escape(str(self))}.</p>{self.table().html()}"


def _cell_text(cell: FlipCell) -> str:
    return f"{cell.verdict}: {dollars(cell.net_usd)} ({dollars(cell.low_usd)} to {dollars(cell.high_usd)})"


def months_discounted(months: int, discount_per_year: float) -> float:
    """What a dollar at the end of each month is worth today.

    >>> round(months_discounted(12, 0.10), 4), months_discounted(12, 0.0)
    (11.4005, 12.0)
    """
    return math.fsum((1 + discount_per_year) ** (-month / 12) for month in range(1, months + 1))


def flip_grid(
    volumes: Sequence[float],
    values_per_reply: Sequence[float],
    effect: ReplyEffect,
    saving_per_message: float | Range,
    *,
    one_off_usd: float = 0.0,
    months: int = 12,
    discount_per_year: float = 0.10,
) -> FlipGrid:
    """Whether moving pays at each volume (messages a month) and value of a reply (USD).

    `saving_per_message` is the baseline's cost less the candidate's, negative where it costs more; a `Range`
    widens the interval by its ends. `effect` is counted in the same unit as the volumes.

    Raises UsageError for empty lists, volumes or values below 0, and months below 1.

    >>> grid = flip_grid([100_000], [1.0, 20.0], ReplyEffect(0.03, 0.97, 0.88, 1.07), 0.0028, one_off_usd=500)
    >>> [(cell.verdict, round(cell.net_usd)) for cell in grid.cells]
    [('cannot tell', 1666), ('cannot tell', -17829)]
    """
    for name, given in (("volumes", volumes), ("values_per_reply", values_per_reply)):
        if not len(given):
            raise UsageError(f"{name} is empty; give at least one.")
        for each in given:
            check_amount(name, each)
    check_amount("one_off_usd", one_off_usd)
    check_amount("discount_per_year", discount_per_year, least=-1, above=True)
    months = check_whole("months", months, least=1)
    saving = _saving(saving_per_message)
    factor = months_discounted(months, discount_per_year)
    ends = (effect.low, effect.value, effect.high)

    def per_message(value: float) -> list[float]:
        """At the low end, the middle and the high end."""
        return [usd + value * effect.change(at) for usd, at in zip(saving, ends, strict=True)]

    cells = []
    for volume in dict.fromkeys(float(each) for each in volumes):
        for value in dict.fromkeys(float(each) for each in values_per_reply):
            low, middle, high = (factor * volume * each - one_off_usd for each in per_message(value))
            verdict: FlipVerdict = "GO" if low > 0 else "NO_GO" if high < 0 else "cannot tell"
            cells.append(FlipCell(volume, value, middle, low, high, verdict))
    lines = [
        FlipLine(value, *(_volume(one_off_usd, factor, each) for each in per_message(value)))
        for value in dict.fromkeys(float(each) for each in values_per_reply)
    ]
    return FlipGrid(tuple(cells), tuple(lines), effect, saving, one_off_usd, months, discount_per_year)


def _volume(one_off_usd: float, factor: float, per_message: float) -> float | None:
    return one_off_usd / (factor * per_message) if per_message > 0 else None


def _saving(given: float | Range) -> Range:
    ends = given if isinstance(given, tuple) else (given,) * 3
    found = [check_amount("saving_per_message", each, least=-1e9) for each in ends]
    if len(found) != 3 or sorted(found) != found:
        raise UsageError(f"saving_per_message must be low, most likely, high; it is {tuple(given)}.")  # type: ignore[arg-type]
    return Range(*found)
