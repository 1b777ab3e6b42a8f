"""What is spent on models that their vendors end soon."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from llmbench.catalog.endings import ending_of
from llmbench.catalog.models import all_models, canonical_name
from llmbench.catalog.places import HOSTED, OWN
from llmbench.decision.effects import check_amount, check_whole
from llmbench.errors import UsageError
from llmbench.money import dollars
from llmbench.plain_table import PlainTable
from llmbench.shown import shown
from llmbench.unknown import NONE, UNKNOWN

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["EndState", "EndingModel", "EndingModels", "EndingSpend", "ending_models"]

EndState = Literal["ended", "ends", "no end known", "own machine", "not in the catalog"]
"""Whether a model ends; the last three tell of no day."""


@shown
class EndingModel(NamedTuple):
    """One model that is paid for."""

    model: str
    """As it was given."""
    backend: str | None
    """Who answers it; None: not known."""
    usd_per_month: float | None
    ends: date | None
    """None: not known, which is not never."""
    days_left: int | None
    """0 and below: it has ended."""
    announced: date | None
    source: str | None
    """Where the end stands."""
    url: str | None
    as_of: str | None
    """ISO date on which that was read."""
    state: EndState

    @property
    def no_day(self) -> str:
        """What stands for a day that is not told: a model on one's own machine has none."""
        return NONE if self.state == "own machine" else UNKNOWN


@shown
class EndingSpend(NamedTuple):
    """What is spent on models that end within so many days, those that have ended left out."""

    within_days: int
    by: date
    usd_per_month: float
    """Of those whose spend is known."""
    share: float | None
    """Of all spend that is known; None where nothing is spent."""
    models: tuple[str, ...]
    """Soonest first, those of unknown spend too."""


@shown
@dataclass(frozen=True, slots=True)
class EndingModels:
    """All models of a usage. Made by `ending_models`."""

    today: date
    rows: tuple[EndingModel, ...]
    """What ends soonest first; what has no known end last."""
    totals: tuple[EndingSpend, ...]
    """One per horizon."""

    @property
    def ended_usd(self) -> float:
        """A month, on models that have ended: it is either over already, or goes to something else."""
        return _sum(row for row in self.rows if row.state == "ended")

    @property
    def unknown_end_usd(self) -> float:
        """A month, on hosted models whose end nobody has named."""
        return _sum(row for row in self.rows if row.state in ("no end known", "not in the catalog"))

    @property
    def unpriced(self) -> tuple[str, ...]:
        """Models whose spend is not known."""
        return tuple(row.model for row in self.rows if row.usd_per_month is None)

    def data(self) -> list[dict[str, Any]]:
        """The rows for result.json."""
        return [
            row._asdict()
            | {name: None if (day := getattr(row, name)) is None else day.isoformat() for name in _DAYS}
            for row in self.rows
        ]

    def to_pandas(self) -> pd.DataFrame:
        """One row per model; missing is unknown."""
        import pandas as pd

        frame = pd.DataFrame(self.rows, columns=list(EndingModel._fields))
        for name in _DAYS:
            frame[name] = pd.to_datetime(frame[name])
        return frame.astype({"usd_per_month": "float64", "days_left": "Int64"})

    def table(self) -> PlainTable:
        """As it is shown."""
        body = [
            (
                row.model,
                row.state if row.ends is None else str(row.ends),
                row.no_day if row.announced is None else str(row.announced),
                "" if row.source is None else f"{row.source}, {row.as_of}",
                row.no_day if row.days_left is None else f"{row.days_left:,}",
                dollars(row.usd_per_month),
            )
            for row in self.rows
        ]
        return PlainTable(("model", "ends", "announced", "source", "days left", "USD/month"), body, texts=4)

    def __str__(self) -> str:
        told = ", ".join(
            f"{dollars(total.usd_per_month)} a month"
            + ("" if total.share is None else f" ({total.share:.0%})")
            + f" within {total.within_days} days"
            for total in self.totals
        )
        more = ""
        if any(row.state == "ended" for row in self.rows):
            more += f"; {dollars(self.ended_usd)} is on models that have ended"
        if self.unknown_end_usd:
            more += f"; {dollars(self.unknown_end_usd)} on models whose end is not known, which is not never"
        if self.unpriced:
            more += f"; not known what is spent on {', '.join(self.unpriced)}"
        return f"spend on models that end, from {self.today}: {told}{more}"

    def _repr_html_(self) -> str:
        return f"<p>{html.escape(str(self))}.</p>{self.table().html()}"


_DAYS = ("ends", "announced")


def ending_models(
    usage: Mapping[str, float | None],
    today: date,
    within: Sequence[int] = (90, 180, 365),
    *,
    backends: Mapping[str, str] | None = None,
) -> EndingModels:
    """What of `usage`, USD a month by model, goes to models that end within so many days of `today`.

    Models are catalog names, taken at their first hosted backend, or `endpoint/model`; None is a spend that
    is not known. `backends` says who stands behind endpoints of another name; "own" is a machine of one's
    own, where a model ends when one likes. A model ends on the day that its vendor names: on that day it
    counts as ended.

    Raises UsageError for an empty usage, a spend below 0, and horizons that are no days.

    >>> found = ending_models({"gpt-4o": 400.0, "mixtral-8x22b": 100.0}, date(2026, 11, 28))
    >>> [(row.model, row.days_left) for row in found.rows], found.totals[0].share
    ([('gpt-4o', 47), ('mixtral-8x22b', None)], 0.8)
    """
    if not usage:
        raise UsageError("usage is empty; give the models and what is spent on them a month.")
    for model, usd in usage.items():
        if usd is not None:
            check_amount(f"the spend on {model}", usd)
    horizons = [check_whole("each day of within", days, least=1) for days in within]
    rows = [_row(model, usd, today, backends or {}) for model, usd in usage.items()]
    rows.sort(key=lambda row: (row.ends is None, row.ends or today, -(row.usd_per_month or 0.0)))
    known = _sum(rows)
    totals = []
    for days in horizons:
        soon = [row for row in rows if row.days_left is not None and 0 < row.days_left <= days]
        usd = _sum(soon)
        totals.append(
            EndingSpend(
                within_days=days,
                by=today + timedelta(days=days),
                usd_per_month=usd,
                share=usd / known if known else None,
                models=tuple(row.model for row in soon),
            )
        )
    return EndingModels(today, tuple(rows), tuple(totals))


def _row(model: str, usd: float | None, today: date, backends: Mapping[str, str]) -> EndingModel:
    place, name = _place(model, backends)
    if name is None:
        state: EndState = "own machine" if place == "own" else "not in the catalog"
        return EndingModel(model, place, usd, None, None, None, None, None, None, state)
    if place == "own":
        return EndingModel(model, place, usd, None, None, None, None, None, None, "own machine")
    found = ending_of(name, place) if place else None
    if found is None:
        return EndingModel(model, place, usd, None, None, None, None, None, None, "no end known")
    left = (found.ends - today).days
    return EndingModel(
        model,
        place,
        usd,
        found.ends,
        left,
        found.announced,
        found.source,
        found.url,
        found.as_of,
        "ends" if left > 0 else "ended",
    )


def _place(model: str, backends: Mapping[str, str]) -> tuple[str | None, str | None]:
    """Who answers, and the catalog's name; each None where it is not known."""
    endpoint, slash, rest = model.partition("/")
    if slash and endpoint in backends:
        return backends[endpoint], canonical_name(rest)
    if slash and endpoint in OWN:
        return "own", canonical_name(rest)
    whole = canonical_name(model)
    name = whole or (canonical_name(rest) if slash else None)
    if name is None:
        return (endpoint if slash else None), None
    listed = all_models()[name].backends
    if whole is None and endpoint in listed:
        return endpoint, name
    # An endpoint of another name leads to the first hosted backend, as a family's own does.
    hosted = [place for place in listed if place in HOSTED]
    return (hosted[0] if hosted else next(iter(listed), None)), name


def _sum(rows: Any) -> float:
    return math.fsum(row.usd_per_month for row in rows if row.usd_per_month is not None)
