"""Ways to choose between two models, as rows of one table."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from llmbench.routing.resampling import percentile_interval
from llmbench.stats.intervals import UNKNOWN_INTERVAL, Interval

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from llmbench.routing.curve import Curve

__all__ = ["PolicyRow", "known", "policy_table", "single_models"]


class PolicyRow(NamedTuple):
    """One way to choose between the two models, beside the others."""

    name: str
    apgr: float
    """NaN for what is no scoring: a single model."""
    apgr_interval: Interval
    cpt20: float
    """Least share of strong calls that closes 20% of the gap in quality (`Curve.cpt`); so on below."""
    cpt50: float
    cpt80: float
    strong_share: float
    """At which quality and cost are told: a rule's own, a single model's 0 or 1, else `at_share`."""
    quality: float
    quality_interval: Interval
    cost_usd: float
    """Mean per prompt; NaN where costs are not known."""
    difference: float
    """APGR of the evaluated router minus this one's."""
    difference_interval: Interval
    """Of the same draws: paired."""

    def data(self) -> dict[str, Any]:
        """For a report's result.json; null is unknown."""
        return {
            "name": self.name,
            "apgr": known(self.apgr),
            "apgr_ci": known_pair(self.apgr_interval),
            "cpt20": known(self.cpt20),
            "cpt50": known(self.cpt50),
            "cpt80": known(self.cpt80),
            "strong_share": known(self.strong_share),
            "quality": known(self.quality),
            "quality_ci": known_pair(self.quality_interval),
            "cost_usd": known(self.cost_usd),
            "apgr_difference": known(self.difference),
            "apgr_difference_ci": known_pair(self.difference_interval),
        }


def single_models(curve: Curve, drawn: NDArray[np.float64], confidence: float) -> list[PolicyRow]:
    """Each model alone; `drawn` holds their quality in every draw in columns 2 and 3."""
    rows = []
    for label, share, column in (("weak alone", 0.0, 2), ("strong alone", 1.0, 3)):
        point = curve.at_share(share)
        rows.append(
            PolicyRow(
                label,
                math.nan,
                UNKNOWN_INTERVAL,
                math.nan,
                math.nan,
                math.nan,
                share,
                point.quality,
                percentile_interval(drawn[:, column], confidence),
                point.cost_usd,
                math.nan,
                UNKNOWN_INTERVAL,
            )
        )
    return rows


def policy_table(policies: Sequence[PolicyRow]) -> pd.DataFrame:
    """One row each, intervals as two columns."""
    import pandas as pd

    rows = []
    for row in policies:
        told = row._asdict()
        for name in ("apgr", "quality", "difference"):
            told[f"{name}_low"], told[f"{name}_high"] = told.pop(f"{name}_interval")
        rows.append(told)
    order = [
        *("name", "apgr", "apgr_low", "apgr_high", "cpt20", "cpt50", "cpt80", "strong_share"),
        *("quality", "quality_low", "quality_high", "cost_usd"),
        *("difference", "difference_low", "difference_high"),
    ]
    return pd.DataFrame(rows)[order]


def known(value: float) -> float | None:
    """The value for JSON: null where it is not known."""
    return value if math.isfinite(value) else None


def known_pair(interval: Interval) -> list[float] | None:
    """Likewise, of an interval."""
    return list(interval) if math.isfinite(interval.low + interval.high) else None
