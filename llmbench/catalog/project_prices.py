"""The project's own prices: `prices.toml` beside llmbench.toml, for what a contract says.

    [together]                             # a backend: openai, azure, anthropic, gemini, together, replicate
    discount = 0.2                         # 20% off every price of the backend
    as_of = 2026-10-01                     # when it was agreed
    until = 2027-09-30                     # optional: the last day on which it holds
    commitment_usd_per_month = 500         # optional: paid in any case; `llmbench estimate` shows it

    [together."openai/gpt-oss-120b"]       # a model: a discount of its own, or prices in USD per 1M tokens
    input = 0.12
    output = 0.50
    as_of = 2026-11-01

It holds for the price book "current" only. After `until` the list price holds again.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any

from llmbench.catalog.models import canonical_name
from llmbench.catalog.prices import TokenPrice, token_price
from llmbench.config import find_root
from llmbench.errors import ConfigError, UsageError

__all__ = ["FILE_NAME", "ProjectPrices", "project_prices"]

FILE_NAME = "prices.toml"
_BACKENDS = ("openai", "azure", "anthropic", "gemini", "together", "replicate")
_TERMS = frozenset({"discount", "as_of", "until", "commitment_usd_per_month"})


@dataclass(frozen=True, slots=True)
class _Terms:
    """What was agreed for one backend or one model. Either `price` or `discount`."""

    as_of: str
    until: date | None = None
    discount: Decimal | None = None
    price: TokenPrice | None = None

    def holds(self, today: date) -> bool:
        return self.until is None or today <= self.until


@dataclass(frozen=True, slots=True)
class ProjectPrices:
    """What prices.toml says."""

    backends: Mapping[str, _Terms] = field(default_factory=dict)
    models: Mapping[tuple[str, str], _Terms] = field(default_factory=dict)
    commitments: Mapping[str, Decimal] = field(default_factory=dict)
    """USD a month that are paid in any case, by backend."""

    def apply(self, listed: TokenPrice | None, place: str, model: str, today: date) -> TokenPrice | None:
        """The price agreed for `model` at `place`, where there is one; else `listed`."""
        own = self.models.get((place, _key(model)))
        terms = own if own and own.holds(today) else self.backends.get(place)
        if terms is None or not terms.holds(today):
            return listed
        if terms.price is not None:
            return terms.price
        if listed is None or terms.discount is None:
            return listed
        discounted = listed.times(1 - terms.discount)
        return discounted._replace(as_of=terms.as_of, source=f"{FILE_NAME}, on {listed.source}")


def project_prices() -> ProjectPrices:
    """What prices.toml of the current folder's project says; nothing where there is none.

    Raises ConfigError naming the file and the key for what is not understood.
    """
    path = _path(str(Path.cwd()))
    try:
        changed = os.stat(path).st_mtime_ns  # noqa: PTH116 - on the path of every priced call
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
        tables = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{FILE_NAME} cannot be read: {error}; correct that line.") from error
    except OSError as error:
        raise ConfigError(f"{FILE_NAME} cannot be opened: {error.strerror}.") from error
    backends: dict[str, _Terms] = {}
    models: dict[tuple[str, str], _Terms] = {}
    commitments: dict[str, Decimal] = {}
    for place, table in tables.items():
        if place not in _BACKENDS or not isinstance(table, dict):
            raise ConfigError(
                f"{FILE_NAME} has [{place}]; a table is named after a backend: {', '.join(_BACKENDS)}."
            )
        own = {key: value for key, value in table.items() if not isinstance(value, dict)}
        committed = own.get("commitment_usd_per_month")
        if committed is not None:
            commitments[place] = _amount(committed, f"[{place}] commitment_usd_per_month")
        if "discount" in own:
            backends[place] = _terms(own, f"[{place}]")
        elif own.keys() - {"commitment_usd_per_month", "as_of"}:
            raise _unknown(f"[{place}]", own.keys() - {"commitment_usd_per_month", "as_of"})
        for model, row in table.items():
            if isinstance(row, dict):
                models[place, _key(model)] = _terms(row, f"[{place}.{model!r}]")
    return ProjectPrices(backends, models, commitments)


def _terms(row: Mapping[str, Any], where: str) -> _Terms:
    if "as_of" not in row:
        raise ConfigError(f"{FILE_NAME} {where} has no as_of; add the date on which it was agreed.")
    as_of, until = _day(row["as_of"], where, "as_of"), row.get("until")
    last = None if until is None else date.fromisoformat(_day(until, where, "until"))
    if "discount" not in row:
        rates = {key: value for key, value in row.items() if key not in {"until", "as_of"}}
        try:
            return _Terms(as_of, last, price=token_price(rates, as_of, FILE_NAME))
        except UsageError as error:
            raise ConfigError(f"{FILE_NAME} {where}: {error}") from error
    if row.keys() - _TERMS:
        raise _unknown(where, row.keys() - _TERMS)
    discount = _amount(row["discount"], f"{where} discount")
    if discount >= 1:
        raise ConfigError(
            f"{FILE_NAME} {where} has discount = {discount}; it is a share, such as 0.2 for 20%."
        )
    return _Terms(as_of, last, discount=discount)


def _amount(value: object, where: str) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < float("inf"):
        raise ConfigError(f"{FILE_NAME} {where} = {value!r}; write a number of at least 0.")
    return Decimal(str(value))


def _day(value: object, where: str, key: str) -> str:
    if isinstance(value, datetime):
        value = value.date()
    try:
        return date.fromisoformat(str(value)).isoformat()
    except ValueError as error:
        raise ConfigError(
            f"{FILE_NAME} {where} has {key} = {value!r}; write a date such as 2026-11-22."
        ) from error


def _unknown(where: str, keys: set[str]) -> ConfigError:
    return ConfigError(
        f"{FILE_NAME} {where} has an unknown key {min(keys)!r}; expected: {', '.join(sorted(_TERMS))}, "
        "or a table for each model."
    )


def _key(model: str) -> str:
    return canonical_name(model) or model.casefold()
