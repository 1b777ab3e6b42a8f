"""Other analyses of the same counts. They decide nothing: several of them may be looked at only once."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Literal, NamedTuple

from llmbench.abtest.cells import Cells, DesignEffect, effective_counts, widening_of
from llmbench.abtest.counts import Counts, UnitSums
from llmbench.abtest.plan import Plan
from llmbench.numbers import finite, nan_as_none
from llmbench.stats import Interval

__all__ = ["OtherAnalysis", "other_analyses", "replies_per_message"]

_MOST_FOR_BOSCHLOO = 1000


class OtherAnalysis(NamedTuple):
    """One more way to look at a treatment."""

    treatment: str
    measure: str
    method: str
    estimate: float | None
    ci: Interval | None
    p_value: float | None
    """Two-sided, of no effect."""


def other_analyses(
    counts: Counts, plan: Plan, cells: Cells, design: DesignEffect | None
) -> list[OtherAnalysis]:
    """As if the data were looked at this once, at the plan's descriptive confidence."""
    from llmbench.stats import equality_test, rate_difference_interval, rate_ratio_interval

    one, two = effective_counts(cells)
    x1, n1, x2, n2 = *one, *two
    name, confidence = cells.treatment, plan.confidence
    note = "" if len(cells.strata) == 1 else ", standardised counts"
    found = [
        OtherAnalysis(
            name, "difference", f"Newcombe{note}", cells.difference,
            rate_difference_interval(x1, n1, x2, n2, confidence=confidence, method="newcombe"), None,
        ),
        OtherAnalysis(
            name, "ratio", f"Koopman score{note}", finite(cells.ratio),
            rate_ratio_interval(x1, n1, x2, n2, confidence=confidence, method="koopman"), None,
        ),
        OtherAnalysis(
            name, "odds ratio", f"Woolf logit{note}", *_odds_ratio(x1, n1, x2, n2, confidence), None
        ),
        OtherAnalysis(
            name, "no difference", f"N-1 score test{note}", None, None,
            nan_as_none(equality_test(x1, n1, x2, n2).p_value),
        ),
    ]  # fmt: skip
    exact: Literal["boschloo", "fisher-midp"] = "boschloo" if n1 + n2 <= _MOST_FOR_BOSCHLOO else "fisher-midp"
    words = "Boschloo's exact test" if exact == "boschloo" else "Fisher's exact test, mid-p"
    found.append(
        OtherAnalysis(
            name, "no difference", f"{words}{note}", None, None,
            nan_as_none(equality_test(x1, n1, x2, n2, method=exact).p_value),
        )
    )  # fmt: skip
    if design is not None:
        found.append(_clustered(plan, cells, design))
    per_message = replies_per_message(counts.arms, cells, confidence)
    if per_message is not None:
        found.append(per_message)
    if plan.stopping_rule != "anytime":
        from llmbench.abtest.sequences import anytime_interval, anytime_p_value

        wide = widening_of(design, "ratio")
        found.append(
            OtherAnalysis(
                name, "ratio", "Share e-process, valid at any time", finite(cells.ratio),
                anytime_interval(plan, cells, 1 - 2 * plan.alpha, wide),
                nan_as_none(anytime_p_value(plan, cells, wide)),
            )
        )  # fmt: skip
    return found


def replies_per_message(sums: tuple[UnitSums, ...], cells: Cells, confidence: float) -> OtherAnalysis | None:
    """Difference of replies per delivered message, by the delta method on unit totals; None without both.

    Source: Deng, Knoblich and Lu (2018), arXiv:1803.06336.
    """
    by_cell = {(each.arm, each.stratum): each for each in sums}
    estimate = variance = 0.0
    for stratum, weight in zip(cells.strata, cells.weights, strict=True):
        share = weight / cells.information
        for arm, sign in ((cells.treatment, 1), (cells.control, -1)):
            found = _per_message(by_cell[arm, stratum])
            if found is None:
                return None
            estimate += sign * share * found[0]
            variance += share**2 * found[1]
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    error = math.sqrt(variance)
    p_value = math.erfc(abs(estimate) / error / math.sqrt(2)) if error else None
    interval = Interval(estimate - z * error, estimate + z * error)
    return OtherAnalysis(
        cells.treatment,
        "difference of replies per message",
        "Delta method on lead totals",
        estimate,
        interval,
        p_value,
    )


def _per_message(sums: UnitSums) -> tuple[float, float] | None:
    """Replies per message and its variance."""
    n = sums.units
    if n < 2 or not sums.messages:
        return None
    rate = sums.replies / sums.messages
    squares = sums.replies_squared - 2 * rate * sums.messages_replies + rate**2 * sums.messages_squared
    return rate, n / (n - 1) * max(0.0, squares) / sums.messages**2


def _clustered(plan: Plan, cells: Cells, design: DesignEffect) -> OtherAnalysis:
    """Plain cluster-robust interval of the difference: t with C - 1 degrees of freedom."""
    from scipy.special import stdtr, stdtrit

    variance = math.fsum(
        (w / cells.information) ** 2 * (x1 / n1 * (1 - x1 / n1) / n1 + x2 / n2 * (1 - x2 / n2) / n2)
        for w, x1, n1, x2, n2 in zip(cells.weights, cells.x1, cells.n1, cells.x2, cells.n2, strict=True)
    )
    error = math.sqrt(variance * design.difference) if design.difference > 0 else math.nan
    t = float(stdtrit(design.clusters - 1, 0.5 + plan.confidence / 2))
    interval = (
        None if math.isnan(error) else Interval(cells.difference - t * error, cells.difference + t * error)
    )
    p_value = None
    if error > 0:
        p_value = 2 * float(stdtr(design.clusters - 1, -abs(cells.difference) / error))
    method = f"Cluster-robust (linearised), {design.clusters:,} clusters"
    return OtherAnalysis(cells.treatment, "difference", method, cells.difference, interval, p_value)


def _odds_ratio(
    x1: int, n1: int, x2: int, n2: int, confidence: float
) -> tuple[float | None, Interval | None]:
    """With one half added to each count where one is zero."""
    counts = [x1, n1 - x1, x2, n2 - x2]
    a, b, c, d = (each + 0.5 for each in counts) if min(counts) == 0 else counts
    log_odds = math.log(a) - math.log(b) - math.log(c) + math.log(d)
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    half = z * math.sqrt(1 / a + 1 / b + 1 / c + 1 / d)
    return math.exp(log_odds), Interval(math.exp(log_odds - half), math.exp(log_odds + half))
