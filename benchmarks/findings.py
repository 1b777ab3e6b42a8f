"""What a measurement is: the rounds of one subject in one case, and what they are held against."""

from __future__ import annotations

import json
import os
import platform
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
RESULTS = HERE / "results.json"


@dataclass(frozen=True)
class Series:
    """One subject in one case: what each of the interleaved rounds gave, in `unit`.

    `against` names the subject, of the same case and unit, that it is divided by round by round.
    """

    case: str
    subject: str
    unit: str
    rounds: tuple[float, ...]
    against: str | None = None

    @property
    def median(self) -> float:
        return statistics.median(self.rounds)


@dataclass(frozen=True)
class Part:
    """One `bench_*.py`: its series, and what could not be measured, with the reason."""

    title: str
    how: str
    series: tuple[Series, ...]
    versions: Mapping[str, str] = field(default_factory=dict)
    skipped: Mapping[str, str] = field(default_factory=dict)
    machine: Mapping[str, str] = field(default_factory=dict)

    def find(self, case: str, subject: str, unit: str) -> Series | None:
        for each in self.series:
            if (each.case, each.subject, each.unit) == (case, subject, unit):
                return each
        return None

    def ratios(self, each: Series, against: str | None = None) -> list[float]:
        """Round by round, because a machine that others use is never the same for two minutes."""
        base = self.find(each.case, against or each.against or "", each.unit)
        if base is None or base is each:
            return []
        return [one / other for one, other in zip(each.rounds, base.rounds, strict=False) if other]


def series(
    case: str,
    unit: str,
    rounds: Mapping[str, Sequence[float]],
    against: Mapping[str, str] | str | None = None,
) -> list[Series]:
    """One series for each subject of `rounds` that has a value."""
    return [
        Series(
            case,
            subject,
            unit,
            tuple(values),
            against if isinstance(against, str | None) else against.get(subject),
        )
        for subject, values in rounds.items()
        if values
    ]


def machine() -> dict[str, str]:
    """What it ran on and how busy that was; nothing that names the machine."""
    return {
        "processor": _cpu_model(),
        "cores": str(os.cpu_count()),
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 1e9:.0f} GB",
        "system": f"{platform.system()} {platform.release().split('-')[0]}",
        "python": platform.python_version(),
        "load before": f"{os.getloadavg()[1]:.1f}",
        "measured": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
    }


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown"
    )


def load(path: Path = RESULTS) -> dict[str, Part]:
    if not path.exists():
        return {}
    return {name: _part(found) for name, found in json.loads(path.read_text(encoding="utf-8")).items()}


def save(parts: Mapping[str, Part], path: Path = RESULTS) -> None:
    text = json.dumps({name: _plain(part) for name, part in sorted(parts.items())}, indent=1)
    path.write_text(text + "\n", encoding="utf-8")


def _part(found: dict[str, Any]) -> Part:
    rows = tuple(Series(**{**row, "rounds": tuple(row["rounds"])}) for row in found.pop("series"))
    return Part(series=rows, **found)


def _plain(part: Part) -> dict[str, Any]:
    found = asdict(part)
    for row in found["series"]:
        row["rounds"] = [float(f"{value:.5g}") for value in row["rounds"]]
    return found
