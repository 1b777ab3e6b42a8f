"""What a decision is worth over time: payback and net present value, with prices that fall.

Vendors' prices and rents fall each at a rate of its own. A fall of 10 means: a tenth after a year. The
rate at which the price of an equal answer falls is far higher (a16z: tenfold a year; Epoch: 9 to 900
fold) than that at which the price of one and the same model falls; the two are scenarios, not forecasts.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from llmbench.economics.checks import check_amount, check_number, check_whole
from llmbench.errors import UsageError
from llmbench.numbers import is_finite
from llmbench.shown import shown

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["CashFlow", "Money", "cash_flow", "net_present_value", "payback_month"]

_MOST_MONTHS = 1200
_HIGHEST_DISCOUNT = 1000.0


@dataclass(frozen=True, slots=True)
class Money:
    """What a decision is valued with. Raises UsageError for what cannot be meant, as `cash_flow`."""

    migration_usd: float = 0.0
    months: int = 24
    discount_per_year: float = 0.10
    api_fall_per_year: float = 1.0
    gpu_fall_per_year: float = 1.0

    def __post_init__(self) -> None:
        check_amount("migration_usd", self.migration_usd)
        _check_months(self.months)
        _check_discount(self.discount_per_year)
        _check_fall("api_fall_per_year", self.api_fall_per_year)
        _check_fall("gpu_fall_per_year", self.gpu_fall_per_year)


def net_present_value(cash: Sequence[float], discount_per_year: float = 0.10) -> float:
    """The value today of `cash`, whose first amount is paid today and each later one a month after.

    The monthly rate is (1 + r)^(1/12) - 1, so that twelve months discount by exactly r. Raises UsageError
    for a rate of -1 or below, or of more than 1,000, and for an amount that is not known.

    >>> round(net_present_value([-100, 60, 60], 0.10), 4)
    18.5798
    """
    month = (1 + _check_discount(discount_per_year)) ** (1 / 12)
    return math.fsum(amount / month**at for at, amount in enumerate(_check_cash(cash)))


def payback_month(cash: Sequence[float]) -> int | None:
    """The first month after which all of `cash` together is not negative any more; None: never within it.

    0 where nothing is paid in advance. A later loss does not undo a payback that was reached. Raises
    UsageError for an amount that is not known: whether it pays back is then not known either.

    >>> payback_month([-100, 60, 60]), payback_month([-100, 10]), payback_month([0, 5])
    (2, None, 0)
    """
    total = 0.0
    for month, amount in enumerate(_check_cash(cash)):
        total += amount
        if total >= -1e-9:
            return month
    return None


@shown
@dataclass(frozen=True, slots=True)
class CashFlow:
    """Month by month, what self-hosting saves against an API. Made by `cash_flow`."""

    migration_usd: float
    api_usd: tuple[float, ...]
    """Of each month, beginning with the first."""
    self_usd: tuple[float, ...]
    discount_per_year: float

    @property
    def cash(self) -> tuple[float, ...]:
        """The migration today, then each month's saving; negative where the API is cheaper."""
        savings = (api - own for api, own in zip(self.api_usd, self.self_usd, strict=True))
        return (-self.migration_usd, *savings)

    @property
    def cumulative(self) -> tuple[float, ...]:
        """All cash up to each month, not discounted; the first is today."""
        total, found = 0.0, []
        for amount in self.cash:
            total += amount
            found.append(total)
        return tuple(found)

    @property
    def npv(self) -> float:
        """Net present value, USD."""
        return net_present_value(self.cash, self.discount_per_year)

    @property
    def payback_month(self) -> int | None:
        """The first month after which nothing is owed any more; None: not within the horizon, or only
        because nothing was invested while each month loses money.
        """
        month = payback_month(self.cash)
        return None if month == 0 and self.cumulative[-1] < 0 else month

    def to_pandas(self) -> pd.DataFrame:
        """One row per month; 0 is today."""
        import pandas as pd

        return pd.DataFrame(
            {
                "month": range(len(self.cash)),
                "api_usd": (0.0, *self.api_usd),
                "self_usd": (self.migration_usd, *self.self_usd),
                "cash_usd": self.cash,
                "cumulative_usd": self.cumulative,
            }
        )


def cash_flow(
    api_usd_at: Callable[[float], float],
    self_usd_at: Callable[[float, float], float],
    messages_per_month: float,
    *,
    migration_usd: float = 0.0,
    months: int = 24,
    growth_per_month: float = 0.0,
    api_fall_per_year: float = 1.0,
    gpu_fall_per_year: float = 1.0,
    discount_per_year: float = 0.10,
) -> CashFlow:
    """The cash of `months` months.

    `api_usd_at(messages)` is a month's bill at today's price; `self_usd_at(messages, rent)` that of the
    machines at `rent` times today's rents. A price that falls by the factor f a year costs f^(-t/12) of
    today's in the month that begins t months from now: the first month is at today's price.

    Raises UsageError for a fall below 1 (a rise is not foreseen here), for no months and for numbers that
    cannot be meant.
    """
    _check_fall("api_fall_per_year", api_fall_per_year)
    _check_fall("gpu_fall_per_year", gpu_fall_per_year)
    _check_discount(discount_per_year)
    _check_months(months)
    check_amount("migration_usd", migration_usd)
    check_amount("messages_per_month", messages_per_month)
    if check_number("growth_per_month", growth_per_month) <= -1:
        raise UsageError(f"growth_per_month must lie above -1; it is {growth_per_month!r}.")
    api, own = [], []
    for month in range(months):
        messages = messages_per_month * (1 + growth_per_month) ** month
        api.append(api_usd_at(messages) * api_fall_per_year ** (-month / 12))
        own.append(self_usd_at(messages, gpu_fall_per_year ** (-month / 12)))
    return CashFlow(migration_usd, tuple(api), tuple(own), discount_per_year)


def _check_months(months: object) -> int:
    """`months` as int. Raises UsageError unless it is a whole number from 1 to 1,200."""
    if check_whole("months", months, 1) > _MOST_MONTHS:
        raise UsageError(f"months must be at most {_MOST_MONTHS:,}, a hundred years; it is {months!r}.")
    return check_whole("months", months)


def _check_fall(name: str, fall: object) -> float:
    """`fall` as float. Raises UsageError unless it is a factor of at least 1."""
    if not (is_finite(fall) and fall >= 1):
        raise UsageError(
            f"{name} is by what factor the price falls in a year: 1 is not at all, 10 to a tenth; it is "
            f"{fall!r}."
        )
    return check_number(name, fall)


def _check_discount(discount_per_year: object) -> float:
    """`discount_per_year` as float. Raises UsageError unless it lies above -1 and is at most 1,000."""
    if not (is_finite(discount_per_year) and -1 < discount_per_year <= _HIGHEST_DISCOUNT):
        raise UsageError(
            f"discount_per_year must be a number above -1, such as 0.1 for 10%; it is {discount_per_year!r}."
        )
    return float(discount_per_year)


def _check_cash(cash: Sequence[float]) -> list[float]:
    return [check_number(f"cash[{month}]", amount) for month, amount in enumerate(cash)]
