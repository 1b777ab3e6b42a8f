"""Counts so small that an approximate test errs too often: Chan's (1998) exact test has its say as well.

What the score test shows has to be shown by the exact one too, at the level that the look has: under "fixed"
that of the test, under "group-sequential" what the spending leaves to this look. So no look says more than
its level allows, whatever the counts; over all looks together the bounds stay those of the normal.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from llmbench.abtest.cells import Cells
from llmbench.abtest.plan import Plan

__all__ = ["ComparisonVerdict", "TinyCounts", "exact_verdict", "tiny_counts"]

ComparisonVerdict = Literal["better", "not worse", "worse", "cannot tell", "invalid"]

_REPLIES, _UNITS = 15, 20_000
"""Under so many replies in an arm, and up to so many units, which take about a second."""
_LEAST_P = 1e-15


class TinyCounts(NamedTuple):
    """Whether there are too few replies, and whether an exact test can be made of them."""

    replies: int
    """Of the arm with fewer."""
    why_not: str = ""
    """What is in the way of an exact test."""

    @property
    def applies(self) -> bool:
        """Whether the exact test is made."""
        return self.replies < _REPLIES and not self.why_not

    def words(self, stopping_rule: str) -> str:
        """For the method."""
        if self.replies >= _REPLIES:
            return ""
        if self.why_not:
            replies = f"{self.replies} repl{'y' if self.replies == 1 else 'ies'}"
            return f"; approximate with {replies} in an arm, no exact test is made {self.why_not}"
        at = " at the level of this look" if stopping_rule == "group-sequential" else ""
        return f"; margin by Chan's exact test{at}"


def tiny_counts(cells: Cells, *, clustered: bool) -> TinyCounts:
    """What the smaller arm has, and whether that is one table of independent units."""
    replies = min(sum(cells.x1), sum(cells.x2))
    if len(cells.strata) > 1:
        return TinyCounts(replies, "over strata")
    if clustered:
        return TinyCounts(replies, "of clusters")
    if sum(cells.n1) + sum(cells.n2) > _UNITS:
        return TinyCounts(replies, f"of more than {_UNITS:,} leads")
    return TinyCounts(replies)


def exact_verdict(
    plan: Plan, cells: Cells, verdict: ComparisonVerdict, level: float
) -> tuple[ComparisonVerdict, float]:
    """What is left of a verdict at the one-sided `level`, and the exact p-value of the margin."""
    from llmbench.stats import margin_test

    def exact(margin: float, alternative: Literal["greater", "less"] = "greater") -> float:
        found = margin_test(
            cells.x1[0], cells.n1[0], cells.x2[0], cells.n2[0], margin, plan.scale, alternative, "chan-exact"
        ).p_value
        # The enumeration leaves out what is too unlikely to be told from zero.
        return min(1 - _LEAST_P, max(_LEAST_P, found))

    p_value = exact(plan.margin)
    if verdict == "worse" and exact(plan.margin, "less") > level:
        verdict = "cannot tell"
    if verdict == "better" and exact(plan.null) > level:
        verdict = "not worse"
    if verdict in {"better", "not worse"} and p_value > level:
        verdict = "cannot tell"
    return verdict, p_value
