"""Unwanted events: at most so much more frequent than in the control."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal, NamedTuple

from llmbench.abtest.cells import Cells, DesignEffect, clustered_z, design_effect, paired_cells, widening_of
from llmbench.abtest.counts import Counts
from llmbench.abtest.effect import margin_z, ratio_interval
from llmbench.abtest.plan import Plan
from llmbench.errors import UsageError
from llmbench.stats import Interval

__all__ = ["Guardrail", "check_guardrails"]


class Guardrail(NamedTuple):
    """One unwanted event in a treatment."""

    guardrail: str
    treatment: str
    events: int
    units: int
    control_events: int
    control_units: int
    ratio: float | None
    ratio_ci: Interval | None
    margin: float | None
    """None: the plan names no margin, so that it is shown and not tested."""
    p_value: float | None
    """One-sided, of a ratio of the margin or more."""
    verdict: Literal["kept", "broken", "cannot tell", "not tested"]
    """broken: the interval lies above the margin."""


def check_guardrails(
    counts: Counts, plan: Plan, treatments: list[str], widen: Mapping[str, float]
) -> list[Guardrail]:
    """Every guardrail of every treatment: one-sided at the plan's alpha.

    All have to be kept, so none is adjusted for their number: Berger (1982), Technometrics 24:295. They are
    watched at every run: a broken one is a reason to stop, not a claim. Where units are clustered the design
    effect is that of the events; `widen` (that of the replies) stands in where the counts lack it.

    Raises UsageError for a margin of a guardrail that the source tells nothing of.
    """
    names = dict.fromkeys(row.guardrail for row in counts.guardrails)
    unknown = [name for name in plan.guardrails if name not in names]
    if unknown:
        raise UsageError(
            f"The plan has a margin for the guardrail {unknown[0]!r}, of which the source tells nothing; "
            "it has "
            f"{', '.join(names) or 'none'}."
        )
    found = []
    for name in names:
        rows = [(r.arm, r.stratum, r.units, r.events) for r in counts.guardrails if r.guardrail == name]
        for treatment in treatments:
            cells = paired_cells(rows, treatment, plan.control)
            products = counts.guardrail_clusters.get(name, ())
            design = design_effect(cells, products) if products and cells.information > 0 else None
            found.append(_guardrail(name, cells, plan, widen.get(treatment, 1.0), design))
    return found


def _guardrail(
    name: str, cells: Cells, plan: Plan, widen: float, design: DesignEffect | None = None
) -> Guardrail:
    """`design` of the events themselves comes before `widen`, which is that of the replies."""
    counted = (sum(cells.x1), sum(cells.n1), sum(cells.x2), sum(cells.n2))
    margin = plan.guardrails.get(name)
    if not counted[1] or not counted[3] or not counted[0] + counted[2]:
        verdict: Literal["not tested", "cannot tell"] = "not tested" if margin is None else "cannot tell"
        return Guardrail(name, cells.treatment, *counted, None, None, margin, None, verdict)
    clusters = None
    if design is not None:
        widen, clusters = widening_of(design, "ratio"), design.clusters
    interval = ratio_interval(cells, 1 - 2 * plan.alpha, widen, clusters)
    ratio = cells.ratio if math.isfinite(cells.ratio) else None
    if margin is None:
        return Guardrail(name, cells.treatment, *counted, ratio, interval, None, None, "not tested")
    z = margin_z(cells, margin, "ratio")
    z = z / widen if design is None else clustered_z(z, design, "ratio")
    p_value = 0.5 * math.erfc(-z / math.sqrt(2))
    kept = interval.high < margin
    return Guardrail(
        name, cells.treatment, *counted, ratio, interval, margin, p_value,
        "kept" if kept else "broken" if interval.low > margin else "cannot tell",
    )  # fmt: skip
