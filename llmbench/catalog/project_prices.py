"""The project's own prices: `prices.toml` beside llmbench.toml, for what a contract says.

    [together]                             # a backend: those of `places.PRICED`
    discount = 0.2                         # 20% off every price of the backend
    as_of = 2026-10-01                     # the first day on which it holds
    until = 2027-09-30                     # optional: the last day on which it holds, the commitment too
    commitment_usd_per_month = 500         # optional: paid in any case; `llmbench estimate` shows it

    [together."openai/gpt-oss-120b"]       # a model: a discount of its own, or prices in USD per 1M tokens
    input = 0.12
    output = 0.50
    as_of = 2026-11-01
    batch = { input = 0.06, output = 0.25 }  # optional, as flex and priority; else a batch has no price

It holds for the price book "current" only. Before `as_of` and after `until` the list price holds.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any

from llmbench.catalog.models import canonical_name
from llmbench.catalog.places import PRICED
from llmbench.catalog.prices import TIERS, Tier, TokenPrice, token_price
from llmbench.catalog.vendor_lists import listed_price
from llmbench.config import find_root
from llmbench.errors import ConfigError, UsageError

__all__ = ["FILE_NAME", "ProjectPrices", "project_prices"]

FILE_NAME = "prices.toml"
_COMMITMENT = "commitment_usd_per_month"
_TERMS = frozenset({"discount", "as_of", "until"})


@dataclass(frozen=True, slots=True)
class _Terms:
    """What was agreed for one backend or one model. Either `prices` or `discount`."""

    as_of: date | None
    until: date | None = None
    discount: Decimal | None = None
    prices: Mapping[Tier, TokenPrice] | None = None

    def holds(self, today: date) -> bool:
        return (self.as_of is None or self.as_of <= today) and (self.until is None or today <= self.until)


@dataclass(frozen=True, slots=True)
class ProjectPrices:
    """What prices.toml says."""

    backends: Mapping[str, _Terms] = field(default_factory=dict)
    models: Mapping[tuple[str, str], _Terms] = field(default_factory=dict)
    promised: Mapping[str, tuple[Decimal, _Terms]] = field(default_factory=dict)

    def commitments(self, today: date) -> dict[str, Decimal]:
        """USD a month that are paid in any case, by backend."""
        return {place: usd for place, (usd, terms) in self.promised.items() if terms.holds(today)}

    def apply(
        self, listed: TokenPrice | None, place: str, model: str, tier: Tier, today: date
    ) -> TokenPrice | None:
        """The price agreed for `model` at `place`, where there is one; else `listed`."""
        own = self.models.get((place, _key(model)))
        terms = own if own and own.holds(today) else self.backends.get(place)
        if terms is None or not terms.holds(today):
            return listed
        if terms.prices is not None:
            return terms.prices.get(tier)
        if listed is None or terms.discount is None:
            return listed
        ends = [day for day in (terms.until and terms.until.isoformat(), listed.until) if day]
        return listed.times(1 - terms.discount)._replace(
            as_of=str(terms.as_of), source=f"{FILE_NAME}, on {listed.source}", until=min(ends, default=None)
        )


def project_prices() -> ProjectPrices:
    """What prices.toml of the current folder's project says; nothing where there is none.

    Raises ConfigError naming the file and the key for what is not understood.
    """
    try:
        # Not pathlib's, which is several times slower: this is on the path of every priced call.
        path = _path(os.getcwd())  # noqa: PTH109
        changed = os.stat(path).st_mtime_ns  # noqa: PTH116
    except OSError:
        return _NOTHING
    return _read(path, changed)


_NOTHING = ProjectPrices()


@lru_cache(maxsize=64)
def _path(folder: str) -> str:
    return str(find_root(Path(folder)) / FILE_NAME)


@lru_cache(maxsize=8)
def _read(path: str, _changed: int) -> ProjectPrices:
    try:
        tables = tomllib.loads(Path(path).read_text(encoding="utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{FILE_NAME} cannot be read: {error}; correct that line.") from error
    except OSError as error:
        raise ConfigError(f"{FILE_NAME} cannot be opened: {error.strerror}.") from error
    backends: dict[str, _Terms] = {}
    models: dict[tuple[str, str], _Terms] = {}
    promised: dict[str, tuple[Decimal, _Terms]] = {}
    for place, table in tables.items():
        if place not in PRICED or not isinstance(table, dict):
            raise ConfigError(
                f"{FILE_NAME} has [{place}]; a table is named after a backend: {', '.join(PRICED)}."
            )
        own = {key: value for key, value in table.items() if not isinstance(value, dict)}
        _check_keys(own, _TERMS | {_COMMITMENT}, f"[{place}]")
        if _COMMITMENT in own:
            usd = _amount(own.pop(_COMMITMENT), f"[{place}] {_COMMITMENT}")
            promised[place] = usd, _Terms(*_days(own, f"[{place}]"))
        if "discount" in own:
            backends[place] = _discount(own, f"[{place}]")
        for model, row in table.items():
            if not isinstance(row, dict):
                continue
            where = f"[{place}.{model!r}]"
            if (place, _key(model)) in models:
                raise ConfigError(
                    f"{FILE_NAME} {where} is another name of a model that has a table already; keep one."
                )
            models[place, _key(model)] = _of_model(row, where, place, model)
    return ProjectPrices(backends, models, promised)


def _of_model(row: Mapping[str, Any], where: str, place: str, model: str) -> _Terms:
    if "discount" not in row:
        return _prices(row, where)
    if canonical_name(model) is None and listed_price(model, place) is None:
        raise ConfigError(
            f"{FILE_NAME} {where} discounts a model that no price list knows; correct its name, or write "
            "its prices as input and output."
        )
    return _discount(row, where)


def _prices(row: Mapping[str, Any], where: str) -> _Terms:
    """Prices in USD: those of the standard tier in the table itself, those of others below it."""
    first, last = _agreed(row, where)
    until = last.isoformat() if last else None
    own = {key: value for key, value in row.items() if key not in {"until", "as_of", *TIERS}}
    prices: dict[Tier, TokenPrice] = {}
    for tier in TIERS:
        rates = own if tier == "standard" else row.get(tier)
        if rates is None:
            continue
        try:
            price = token_price(rates if isinstance(rates, Mapping) else {}, first.isoformat(), FILE_NAME)
        except UsageError as error:
            raise ConfigError(f"{FILE_NAME} {where}: {error}") from error
        prices[tier] = price._replace(until=until)
    return _Terms(first, last, prices=prices)


def _discount(row: Mapping[str, Any], where: str) -> _Terms:
    _check_keys(row, _TERMS, where)
    discount = _amount(row["discount"], f"{where} discount")
    if discount >= 1:
        raise ConfigError(
            f"{FILE_NAME} {where} has discount = {discount}; it is a share, such as 0.2 for 20%."
        )
    return _Terms(*_agreed(row, where), discount=discount)


def _agreed(row: Mapping[str, Any], where: str) -> tuple[date, date | None]:
    first, last = _days(row, where)
    if first is None:
        raise ConfigError(f"{FILE_NAME} {where} has no as_of; add the first day on which it holds.")
    return first, last


def _days(row: Mapping[str, Any], where: str) -> tuple[date | None, date | None]:
    first, last = (_day(row[key], where, key) if key in row else None for key in ("as_of", "until"))
    if first and last and last < first:
        raise ConfigError(f"{FILE_NAME} {where} ends on {last}, before it begins on {first}; correct one.")
    return first, last


def _amount(value: object, where: str) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < float("inf"):
        raise ConfigError(f"{FILE_NAME} {where} = {value!r}; write a number of at least 0.")
    return Decimal(str(value))


def _day(value: object, where: str, key: str) -> date:
    if isinstance(value, datetime):
        value = value.date()
    try:
        return date.fromisoformat(str(value))
    except ValueError as error:
        raise ConfigError(
            f"{FILE_NAME} {where} has {key} = {value!r}; write a date such as 2026-11-22."
        ) from error


def _check_keys(row: Mapping[str, Any], known: AbstractSet[str], where: str) -> None:
    if unknown := row.keys() - known:
        raise ConfigError(
            f"{FILE_NAME} {where} has an unknown key {min(unknown)!r}; it may hold "
            f"{', '.join(sorted(known))}."
        )


def _key(model: str) -> str:
    return canonical_name(model) or model.casefold()
