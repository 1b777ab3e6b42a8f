"""Whether the split of the notebook `ab_test` may be relied on, and the rows that are in no count."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmbench.numbers import signed
from llmbench.reporting.report_table import ReportTable
from llmbench.reporting.wording import p_value, whole

if TYPE_CHECKING:
    from llmbench.abtest import AbResult

__all__ = [
    "excluded_table",
    "health_sentence",
    "health_table",
]


def health_sentence(result: AbResult) -> str:
    """The split, and whether it may be relied on."""
    found = result.health
    watched = (
        f" Watched by day of assignment, the evidence against it is p = {found.sequential_p:.2g}, which "
        "holds however often it is looked at."
        if found.sequential_p is not None
        else ""
    )
    answer = "Yes." if found.healthy else "No: nothing below can be trusted before it is known why."
    twice = sum(each.rows for each in result.counts.excluded if each.reason == "units in two arms")
    left_out = f" {twice:,} leads are in two arms, and counted in neither." if twice else ""
    return f"{answer} {found.why}{watched}{left_out}"


def health_table(result: AbResult) -> ReportTable:
    """Assigned and promised leads, by stratum."""
    import pandas as pd

    rows, shown = [], []
    for stratum in result.health.strata:
        for arm, units in stratum.units.items():
            expected = stratum.expected[arm]
            rows.append(
                {
                    "stratum": stratum.stratum or "all", "arm": arm, "assigned": units,
                    "expected": expected, "p_value": stratum.p_value,
                }
            )  # fmt: skip
            shown.append(
                {
                    "epoch": stratum.stratum or "all",
                    "arm": arm,
                    "assigned": units,
                    "promised by the weights": whole(expected),
                    "difference": signed(units - expected, "+,.0f"),
                    "p of the epoch": p_value(stratum.p_value),
                }
            )
    return ReportTable(
        pd.DataFrame(rows), pd.DataFrame(shown), ("promised by the weights", "difference", "p of the epoch")
    )


def excluded_table(result: AbResult) -> ReportTable | None:
    """Rows that are in no count, and why; None where all are."""
    import pandas as pd

    if not result.excluded:
        return None
    frame = pd.DataFrame([each._asdict() for each in result.excluded])
    return ReportTable(frame, frame)
