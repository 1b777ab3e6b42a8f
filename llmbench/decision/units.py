"""The units that gates are measured in, and what follows from each: a new one is a row here.

How the memo writes a number of a unit stands in `llmbench.reporting.memo_tables`; a test says when a row
lacks its words.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, NamedTuple

__all__ = ["UNITS", "Unit", "UnitFacts"]

Unit = Literal["share", "points", "times", "usd", "ms", "probability", "count"]

_ANY = (-math.inf, math.inf)
_SHARE = (0.0, 1.0)


class UnitFacts(NamedTuple):
    """What is known of every number of a unit."""

    values: tuple[float, float] = _ANY
    """Least and most that it can be; a result beyond is broken."""
    thresholds: tuple[float, float] = _ANY
    """Least and most that a gate can ask. One beyond was meant in percent, and is met never or always."""
    scale: Literal["plain", "log", "wilson"] = "plain"
    """On which its interval may have been made beside the plain one: see `llmbench.decision.evidence`."""


UNITS: Mapping[Unit, UnitFacts] = MappingProxyType(
    {
        "share": UnitFacts(values=_SHARE, thresholds=_SHARE, scale="wilson"),
        "probability": UnitFacts(values=_SHARE, thresholds=_SHARE),
        "points": UnitFacts(thresholds=(-1.0, 1.0)),
        "times": UnitFacts(thresholds=(0.0, 10.0), scale="log"),
        "ms": UnitFacts(scale="log"),
        "usd": UnitFacts(),
        "count": UnitFacts(),
    }
)
