"""Whether an experiment may be read at all: its split, who served it, what is missing."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from llmbench.abtest.cells import lone_cluster_warnings
from llmbench.abtest.counts import ENOUGH_REPLIES, AssignedCounts, Counts
from llmbench.abtest.plan import Plan
from llmbench.errors import UsageError
from llmbench.stats import adjust_p_values, sample_ratio_mismatch, sequential_sample_ratio_mismatch

__all__ = ["ALARM", "Health", "StratumSplit", "check_health", "split_shares"]

ALARM = 0.001
"""p-values of the split below this are an alarm: Fabijan et al. (2019), KDD."""
_MOST_SERVED_BY_OTHER = 0.02
_MOST_WITHOUT_COST = 0.02
_MOST_IN_TWO_ARMS = 0.01
_ROUNDED_AWAY = 0.025
"""Recorded probabilities may sum to this much under 1: seven arms written as 14% leave 2%."""
_MISSING = "(not in the source)"


class StratumSplit(NamedTuple):
    """The split of one stratum (an epoch of weights, a campaign)."""

    stratum: str
    units: Mapping[str, int]
    """Assigned, by arm."""
    expected: Mapping[str, float]
    """Units that the weights promised."""
    p_value: float | None
    """None: one arm only, or no unit."""


@dataclass(frozen=True, slots=True)
class Health:
    """The split and its checks."""

    p_value: float | None
    """Of all strata together, chi-square."""
    sequential_p: float | None
    """Valid however often it was looked at, by day of assignment; None where that is not recorded."""
    healthy: bool
    strata: tuple[StratumSplit, ...]
    why: str
    """One sentence."""
    warnings: tuple[str, ...] = ()
    """What the reader should know and does not make the comparison invalid."""


def check_health(counts: Counts, plan: Plan) -> Health:
    """Sample ratio by stratum and overall, first against the recorded weights.

    The sequential test is of the days of assignment only: days of sending differ between arms that are
    written to on other days, which is no fault of the split. An arm that has a weight and no unit counts as
    one with 0 units, and so does what recorded probabilities leave to arms that are not in the source.

    Raises UsageError where none are recorded and the arms are not as large as each other.
    """
    strata = _strata(counts, plan)
    tested = [each for each in strata if each.p_value is not None]
    overall = _overall(tested)
    sequential = _sequential(counts, strata)
    adjusted = adjust_p_values([each.p_value for each in tested if each.p_value is not None])
    broken = [each.stratum or "the experiment" for each, p in zip(tested, adjusted, strict=True) if p < ALARM]
    if overall is not None and overall < ALARM:
        healthy, why = (
            False,
            f"The arms do not have the sizes that their weights promise ({_p_words(overall)}).",
        )
    elif broken:
        healthy, why = (
            False,
            f"The arms of {', '.join(broken)} do not have the sizes that their weights promise.",
        )
    elif sequential is not None and sequential < ALARM:
        healthy, why = (
            False,
            (f"The arms grew at other rates than their weights promise (sequential p = {sequential:.2g})."),
        )
    elif overall is None:
        healthy, why = True, "One arm only, so that there is no split to check."
    else:
        healthy, why = True, f"The arms have the sizes that their weights promise (p = {overall:.2g})."
    if not healthy and (empty := _empty_arms(strata)):
        why += f" Not one unit is in {', '.join(empty)}, which has a weight."
    return Health(overall, sequential, healthy, strata, why, tuple(_warnings(counts, plan)))


def _p_words(p: float) -> str:
    return f"p = {p:.2g}" if p >= 1e-99 else "p < 1e-99"


def split_shares(counts: Counts, plan: Plan) -> dict[str, float]:
    """Share of each arm as planned: the plan's, else the newest recorded weights, else as it is."""
    arms = counts.arm_names
    if plan.split is not None:
        return _normalised({arm: plan.split.get(arm, 0.0) for arm in arms})
    strata: dict[str, list[AssignedCounts]] = {}
    for row in counts.assigned:
        strata.setdefault(row.stratum, []).append(row)
    weighted = [rows for rows in strata.values() if rows and all(row.weight is not None for row in rows)]
    if weighted:
        newest = max(weighted, key=lambda rows: max((str(r.last_assigned or "") for r in rows), default=""))
        found = {row.arm: float(row.weight or 0.0) for row in newest}
        return _normalised({arm: found.get(arm, 0.0) for arm in arms})
    units = dict.fromkeys(arms, 0.0)
    for row in counts.assigned:
        units[row.arm] += row.units
    return _normalised(units)


def _strata(counts: Counts, plan: Plan) -> tuple[StratumSplit, ...]:
    rows: dict[str, list[AssignedCounts]] = {}
    for row in counts.assigned:
        rows.setdefault(row.stratum, []).append(row)
    found = []
    for stratum, group in rows.items():
        units = {row.arm: row.units for row in group}
        weights = _weights(stratum, group, plan)
        total = sum(units.values())
        expected = {arm: total * weight for arm, weight in weights.items()}
        arms = [arm for arm in expected if expected[arm] > 0]
        stray = [arm for arm in units if units[arm] and not expected.get(arm)]
        if stray:
            raise UsageError(
                f"{units[stray[0]]:,} units are in arm {stray[0]!r} of {stratum or 'the experiment'!r}, "
                "whose "
                "recorded weight there is 0; correct the weights or the arms."
            )
        p_value = None
        if len(arms) > 1 and total:
            p_value = sample_ratio_mismatch(
                [units.get(arm, 0) for arm in arms], [expected[arm] for arm in arms]
            ).p_value
        found.append(StratumSplit(stratum, {a: units.get(a, 0) for a in expected}, expected, p_value))
    return tuple(found)


def _weights(stratum: str, group: Sequence[AssignedCounts], plan: Plan) -> dict[str, float]:
    recorded = {row.arm: row.weight for row in group}
    if all(weight is not None for weight in recorded.values()):
        known = {arm: float(weight or 0.0) for arm, weight in recorded.items()}
        # An arm that got nobody may have no row of its own here; its weight is what the others leave.
        missing = 1 - math.fsum(known.values())
        if missing > 1e-6 and len(recorded) == 1:
            raise UsageError(
                f"{stratum or 'The experiment'} has one arm, {next(iter(known))!r}, with a weight of "
                f"{1 - missing:g}: the units of the other arms are missing from the source."
            )
        return _normalised({**known, _MISSING: missing} if missing > _ROUNDED_AWAY else known)
    if plan.split is not None:
        return _normalised(
            {arm: plan.split.get(arm, 0.0) for arm in {**dict.fromkeys(plan.split), **recorded}}
        )
    units = [row.units for row in group]
    if len(units) > 1 and sample_ratio_mismatch(units, [1.0] * len(units)).p_value < ALARM:
        where = f" of {stratum}" if stratum else ""
        sizes = ", ".join(f"{row.arm} {row.units:,}" for row in group)
        raise UsageError(
            f"The arms{where} have different sizes ({sizes}) and no weights are recorded, so it cannot be "
            "told whether the split was kept; give the weights that were meant."
        )
    return _normalised(dict.fromkeys(recorded, 1.0))


def _overall(strata: Sequence[StratumSplit]) -> float | None:
    """Chi-squares of independent strata add up, and so do their degrees of freedom."""
    from scipy.special import chdtrc

    statistic, degrees = 0.0, 0
    for each in strata:
        arms = [arm for arm, expected in each.expected.items() if expected > 0]
        statistic += math.fsum((each.units[a] - each.expected[a]) ** 2 / each.expected[a] for a in arms)
        degrees += len(arms) - 1
    return float(chdtrc(degrees, statistic)) if degrees else None


def _empty_arms(strata: Sequence[StratumSplit]) -> list[str]:
    expected = dict.fromkeys((arm for each in strata for arm, n in each.expected.items() if n >= 1), 0)
    for each in strata:
        for arm in each.units.keys() & expected.keys():
            expected[arm] += each.units[arm]
    return [
        "an arm that is not in the source" if arm == _MISSING else arm for arm, n in expected.items() if not n
    ]


def _sequential(counts: Counts, strata: Sequence[StratumSplit]) -> float | None:
    """The smallest of the strata's always-valid p-values, times their number."""
    found = []
    for each in strata:
        arms = [arm for arm, expected in each.expected.items() if expected > 0]
        known = [row for row in counts.assigned_days if row.stratum == each.stratum]
        days = sorted({row.day for row in known})
        if (
            len(arms) < 2
            or each.p_value is None
            or sum(row.units for row in known) < sum(each.units.values())
        ):
            continue
        assigned = dict.fromkeys(((day, arm) for day in days for arm in arms), 0)
        for row in known:
            if (row.day, row.arm) in assigned:
                assigned[row.day, row.arm] += row.units
        by_day = [[assigned[day, arm] for arm in arms] for day in days]
        result = sequential_sample_ratio_mismatch(by_day, [each.expected[arm] for arm in arms])
        found.append(result.p_value)
    return min(1.0, min(found) * len(found)) if found else None


def _warnings(counts: Counts, plan: Plan) -> list[str]:
    told = []
    for arm in counts.arm_names:
        sums = [each for each in counts.arms if each.arm == arm]
        messages = sum(each.messages for each in sums)
        known = [each.served_by_other for each in sums if each.served_by_other is not None]
        if messages and known and sum(known) > _MOST_SERVED_BY_OTHER * messages:
            told.append(
                f"{sum(known) / messages:.1%} of the messages of {arm} were written by another model than "
                "the "
                "assigned one. The analysis is by assigned arm, so that it tells of the service with its "
                "fallbacks, not of the model alone."
            )
        units = sum(each.units for each in sums)
        costed = sum(each.costed_units for each in sums)
        if units and 0 < costed < (1 - _MOST_WITHOUT_COST) * units:
            told.append(
                f"The cost of {1 - costed / units:.1%} of the units of {arm} is unknown; its money is of "
                "the others."
            )
    told += _unequal_delivery(counts)
    told += _loose_margin(counts, plan)
    # Some are a slip; many are a sign of a broken assignment.
    twice = sum(each.rows for each in counts.excluded if each.reason == "units in two arms")
    if twice > _MOST_IN_TWO_ARMS * sum(each.units for each in counts.assigned):
        told.append(
            f"{twice:,} leads are in two arms, and counted in neither: look at how they were assigned."
        )
    told += lone_cluster_warnings(counts.clusters)
    if plan.stopping_rule == "anytime" and counts.clusters:
        told.append(
            "The open-ended test is exact for units that are independent of each other; those that are not "
            "are allowed for by their design effect, which is an approximation."
        )
    return told


def _loose_margin(counts: Counts, plan: Plan) -> list[str]:
    """A difference that lets all be lost, by the rate of all arms, which tells nothing of the effect."""
    units, replied = (sum(getattr(each, name) for each in counts.arms) for name in ("units", "replied"))
    if plan.scale != "difference" or replied < ENOUGH_REPLIES or plan.margin > -replied / units:
        return []
    told = (
        f"The margin lets {-100 * plan.margin:g} points be lost, and the reply rate of all arms is "
        f'{100 * replied / units:.2f}%: an arm without a reply would pass, so "not worse" says nothing here.'
    )
    return [told]


def _unequal_delivery(counts: Counts) -> list[str]:
    """Units that are sent to and mature must be as many of the assigned ones in each arm."""
    from scipy.special import chdtrc

    statistic, degrees = 0.0, 0
    for stratum in dict.fromkeys(row.stratum for row in counts.assigned):
        assigned = {row.arm: row.units for row in counts.assigned if row.stratum == stratum and row.units}
        mature = dict.fromkeys(assigned, 0)
        for each in counts.arms:
            if each.stratum == stratum and each.arm in mature:
                mature[each.arm] += each.units
        share = sum(mature.values()) / max(1, sum(assigned.values()))
        if len(assigned) < 2 or not 0 < share < 1:
            continue
        for arm, units in assigned.items():
            statistic += (mature[arm] - share * units) ** 2 / (units * share * (1 - share))
        degrees += len(assigned) - 1
    if not degrees or chdtrc(degrees, statistic) >= ALARM:
        return []
    told = (
        "The share of assigned units that were sent to and are mature differs between the arms (p < 0.001): "
        "something after the assignment treats them unlike."
    )
    return [told]


def _normalised(weights: Mapping[str, float]) -> dict[str, float]:
    total = math.fsum(weights.values())
    return {arm: weight / total for arm, weight in weights.items()} if total else dict(weights)
