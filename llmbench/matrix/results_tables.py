"""The results of a matrix as tables: the ranked cells, and their comparisons with the baseline."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from llmbench.matrix.compare import Comparison
from llmbench.matrix.summary import CellSummary
from llmbench.numbers import none_as_nan

if TYPE_CHECKING:
    import pandas as pd

    from llmbench.stats import Interval

__all__ = ["comparison_table", "ranking_table"]


def comparison_table(comparisons: Sequence[Comparison]) -> pd.DataFrame:
    """One row per comparison with the baseline."""
    import pandas as pd

    rows = [
        {
            "baseline": c.baseline, "candidate": c.candidate, "difference": none_as_nan(c.difference),
            **_limits("difference", c.ci), "p_value": none_as_nan(c.p_value),
            "p_adjusted": none_as_nan(c.p_adjusted),
            "p_not_worse_adjusted": none_as_nan(c.p_not_worse_adjusted), "n": c.n, "missing": c.missing,
            "mde": none_as_nan(c.mde), "margin": c.margin, "verdict": c.verdict,
            "reason": c.reason, "items_needed": none_as_nan(c.items_needed),
        }
        for c in comparisons
    ]  # fmt: skip
    columns = [
        "baseline", "candidate", "difference", "difference_low", "difference_high", "p_value",
        "p_adjusted", "p_not_worse_adjusted", "n", "missing", "mde", "margin", "verdict", "reason",
        "items_needed",
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=columns)


def ranking_table(
    cells: Sequence[CellSummary], comparisons: Sequence[Comparison], baseline: str
) -> pd.DataFrame:
    """Cells by falling score, with intervals, cost, latency and their comparison with the baseline."""
    import pandas as pd

    against = {c.candidate: c for c in comparisons}
    rows = []
    for cell in sorted(cells, key=lambda c: -(c.score if c.score is not None else -1.0)):
        c = against.get(cell.cell)
        rows.append(
            {
                "cell": cell.cell, "model": cell.model, "prompt": cell.prompt, "params": cell.params,
                "n": cell.n, "missing": cell.missing, "ungraded": cell.ungraded,
                "score": none_as_nan(cell.score), **_limits("score", cell.score_ci),
                "difference": none_as_nan(c.difference) if c else math.nan,
                **_limits("difference", c.ci if c else None),
                "p_adjusted": none_as_nan(c.p_adjusted) if c else math.nan,
                "verdict": c.verdict if c else ("baseline" if cell.cell == baseline else ""),
                "cost_per_1k_calls": none_as_nan(cell.cost_per_1k_calls),
                **_limits("cost_per_1k_calls", cell.cost_per_1k_calls_ci),
                "cost_per_correct": none_as_nan(cell.cost_per_correct),
                "latency_p50_ms": none_as_nan(cell.latency_p50_ms),
                **_limits("latency_p50", cell.latency_p50_ci),
                "latency_p95_ms": none_as_nan(cell.latency_p95_ms), "served_model": cell.served_model,
            }
        )  # fmt: skip
    return pd.DataFrame(rows)


def _limits(name: str, interval: Interval | None) -> dict[str, float]:
    low, high = interval if interval is not None else (math.nan, math.nan)
    return {f"{name}_low": low, f"{name}_high": high}
