"""What GPUs rent for, with source and date: our facts, and over them the project's newest snapshot.

A snapshot is a CSV file `.llmbench/gpu-prices/YYYY-MM-DD.csv` that `llmbench prices refresh` writes. Where it
has an offer of a GPU, our facts about that GPU are not used any more; the others stay.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any, Literal

from llmbench.catalog.fact_files import read_facts
from llmbench.errors import UsageError
from llmbench.numbers import is_finite
from llmbench.whole_file import write_whole

__all__ = [
    "GpuOffer",
    "Purchase",
    "age_days",
    "cheapest_offer",
    "gpu_offers",
    "read_snapshot",
    "write_snapshot",
]

Purchase = Literal["on-demand", "spot", "reserved"]
_PRICES = {
    "on-demand": "usd_per_hour",
    "spot": "spot_usd_per_hour",
    "reserved": "reserved_usd_per_hour",
}
SNAPSHOTS = Path(".llmbench") / "gpu-prices"
"""Under the project's root."""
_AGAIN = "run `llmbench prices refresh` again, or remove the file."
_SNAPSHOT_NAME = re.compile(r"\d{4}-\d{2}-\d{2}\.csv")


@dataclass(frozen=True, slots=True)
class GpuOffer:
    """One machine that somebody rents out. Prices are USD an hour for all of its GPUs; None: not offered."""

    gpu: str
    n_gpu: int
    seller: str
    instance: str
    as_of: str
    """ISO date, or the year or month of it where no more is known."""
    source: str
    region: str = ""
    usd_per_hour: float | None = None
    spot_usd_per_hour: float | None = None
    reserved_usd_per_hour: float | None = None

    def __post_init__(self) -> None:
        for name in _PRICES.values():
            value = getattr(self, name)
            if value is not None and not (is_finite(value) and value > 0):
                raise UsageError(
                    f"The {name} of {self.seller} {self.instance} must be above 0 USD; it is {value!r}."
                )
        if not is_finite(self.n_gpu) or self.n_gpu != int(self.n_gpu) or self.n_gpu < 1:
            raise UsageError(
                f"{self.seller} {self.instance} must have a whole number of GPUs, at least 1; it has "
                f"{self.n_gpu!r}."
            )

    @property
    def name(self) -> str:
        """Seller and machine."""
        return f"{self.seller} {self.instance}"

    def price(self, purchase: Purchase = "on-demand") -> float | None:
        """USD an hour of the machine when it is bought so; None: not offered. Raises UsageError for another
        way to buy.
        """
        if purchase not in _PRICES:
            raise UsageError(f"purchase must be one of {', '.join(_PRICES)}; it is {purchase!r}.")
        value: float | None = getattr(self, _PRICES[purchase])
        return value


def gpu_offers(root: Path | None = None) -> tuple[GpuOffer, ...]:
    """Every offer known: of the newest snapshot under `root`, and our facts for GPUs it does not have.

    Raises UsageError naming the line of a snapshot that cannot be read.
    """
    newest = newest_snapshot(root) if root is not None else None
    if newest is None:
        return _facts()
    fresh = read_snapshot(newest)
    seen = {offer.gpu for offer in fresh}
    return (*fresh, *(offer for offer in _facts() if offer.gpu not in seen))


@cache
def _facts() -> tuple[GpuOffer, ...]:
    return tuple(GpuOffer(**row) for row in read_facts("gpu-offers")["offer"])


def newest_snapshot(root: Path) -> Path | None:
    """The snapshot of the latest day under the project's root."""
    folder = root / SNAPSHOTS
    found = [path for path in folder.glob("*.csv") if _SNAPSHOT_NAME.fullmatch(path.name)]
    return max(found, key=lambda path: path.name, default=None)


def cheapest_offer(
    offers: Iterable[GpuOffer], gpu: str, n_gpu: int, purchase: Purchase = "on-demand"
) -> tuple[GpuOffer, float] | None:
    """The offer that gives `n_gpu` GPUs in one machine for least, and USD an hour; None: there is none.

    A machine with as many GPUs goes before so many times one with a single GPU, which is taken only where
    nobody's larger machine is known: most sellers ask the multiple.
    """
    sold = [(price, offer) for offer in offers if offer.gpu == gpu and (price := offer.price(purchase))]
    exact = [(price, offer) for price, offer in sold if offer.n_gpu == n_gpu]
    single = [(n_gpu * price, offer) for price, offer in sold if offer.n_gpu == 1]
    price, offer = min(exact or single, key=lambda each: each[0], default=(None, None))
    return None if price is None or offer is None else (offer, price)


def age_days(as_of: str, today: date) -> int:
    """How old a price is, from the earliest day that `as_of` may mean.

    >>> age_days("2025-01", date(2025, 1, 23)), age_days("2024", date(2025, 1, 23))
    (22, 388)
    """
    parts = [int(part) for part in as_of.split("-")]
    year, month, day = (*parts, 1, 1)[:3]
    return (today - date(year, month, day)).days


def write_snapshot(root: Path, offers: Sequence[GpuOffer], day: date) -> Path:
    """Write the snapshot of `day`, whole or not at all, and return its path.

    Raises UsageError where the disk or the folder refuses.
    """
    path = root / SNAPSHOTS / f"{day.isoformat()}.csv"
    names = [each.name for each in fields(GpuOffer)]
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(names)
    for offer in offers:
        writer.writerow(["" if (v := getattr(offer, n)) is None else v for n in names])
    try:
        write_whole(path, text.getvalue())
    except OSError as error:
        raise UsageError(
            f"The snapshot {path.relative_to(root).as_posix()} cannot be written "
            f"({error.strerror or type(error).__name__}): free some space or make its folder writable, and "
            "refresh again; the prices at hand stay as they are."
        ) from error
    return path


def read_snapshot(path: Path) -> tuple[GpuOffer, ...]:
    """The offers of a snapshot. Raises UsageError naming the file, and the line that cannot be read."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            table = csv.DictReader(file)
            rows = list(table)
    except (OSError, ValueError, csv.Error) as error:
        raise UsageError(f"The snapshot {path.name} cannot be read ({error}): {_AGAIN}") from error
    if not {each.name for each in fields(GpuOffer)} <= set(table.fieldnames or ()):
        raise UsageError(f"The snapshot {path.name} lacks columns of a snapshot: {_AGAIN}")
    found = []
    for number, row in enumerate(rows, start=2):
        try:
            found.append(_offer(row))
        except (KeyError, TypeError, ValueError, UsageError) as error:
            said = str(error).rstrip(".")
            raise UsageError(
                f"Line {number} of the snapshot {path.name} is not an offer ({said}): {_AGAIN}"
            ) from error
    return tuple(found)


def _offer(row: dict[str, Any]) -> GpuOffer:
    values: dict[str, Any] = {name: float(row[name]) if row[name] else None for name in _PRICES.values()}
    values |= {name: row[name] for name in ("gpu", "seller", "instance", "as_of", "source", "region")}
    age_days(values["as_of"], date.max)  # raises where it is no date
    return GpuOffer(n_gpu=int(row["n_gpu"]), **values)
