"""What is still needed: units, and the days until they are there and mature."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import date, timedelta
from statistics import median
from typing import NamedTuple

from llmbench.abtest.counts import Counts
from llmbench.abtest.looks import Occasion
from llmbench.abtest.plan import Plan, planned_units

__all__ = ["Needed", "daily_units", "days_until", "units_still_needed"]

_RECENT_DAYS = 14


class Needed(NamedTuple):
    """A goal in mature units of all arms, and how far it is."""

    goal: str
    split: str
    """Shares of the arms, the treatments' first."""
    units: float | None
    """Mature units that the goal takes in all; None where no number is enough."""
    more: float | None
    """Of them not yet assigned and sent to."""
    days: float | None
    """Until they are mature, at the recent rate and with the reply window; None where nothing is sent."""


def daily_units(counts: Counts) -> float | None:
    """Units a day that were first sent to in the last 14 days of sending; None without days.

    Stragglers, whose first message arrived late, do not make a day of sending: that has at least a tenth of
    the median day's units.
    """
    by_day: dict[date, int] = {}
    for row in counts.days:
        by_day[row.day] = by_day.get(row.day, 0) + row.started
    busy = [units for units in by_day.values() if units]
    if not busy:
        return None
    days = [day for day, units in by_day.items() if units >= max(1.0, 0.1 * median(busy))]
    last = max(days)
    since = max(min(days), last - timedelta(days=_RECENT_DAYS - 1))
    units = sum(started for day, started in by_day.items() if since <= day <= last)
    return units / ((last - since).days + 1)


def days_until(counts: Counts, plan: Plan, units: float, rate: float | None) -> float | None:
    """Days from `as_of` until so many units are mature.

    Units that were sent to mature by themselves; what they do not make up has to be sent first, at `rate` a
    day, and then waits for the reply window.
    """
    mature = sum(each.units for each in counts.arms)
    if units <= mature:
        return 0.0
    started: dict[object, int] = {}
    for row in counts.days:
        started[row.day] = started.get(row.day, 0) + row.started
    total = sum(started.values())
    today = counts.as_of.date()
    if units <= total:
        running = 0
        for day in sorted({row.day for row in counts.days}):
            running += started[day]
            if running >= units:
                return max(0.0, (day - today).days + 1 + plan.window_days)
    if not rate or not math.isfinite(units):
        return None
    return (units - max(total, mature)) / rate + plan.window_days


def units_still_needed(
    counts: Counts,
    plan: Plan,
    shares: Mapping[str, float],
    planned_shares: Mapping[str, float],
    rate: float,
    planned: float,
    occasion: Occasion,
    design_effect: float,
) -> list[Needed]:
    """The next look, the end of the plan, the plan's power at the pooled reply rate, and that with arms of
    equal size: there as if the experiment began anew, since units of other shares count for less.
    """
    daily = daily_units(counts)
    arms = [arm for arm in shares if arm != plan.control]
    equal = dict.fromkeys([*arms, plan.control], 1 / (len(arms) + 1))
    found = []
    now_worth = _information_per_unit(shares, plan)
    exchange = _information_per_unit(planned_shares, plan) / now_worth if now_worth else math.inf
    following = occasion.next_fraction
    if following is not None and plan.stopping_rule == "group-sequential" and following < 1 - 1e-9:
        units = _units_at(following, counts, planned * exchange, occasion)
        found.append(_needed("next look", shares, counts, plan, units, daily))
    if plan.stopping_rule != "anytime" and occasion.kind != "over":
        # Units of an earlier, more even split hold more information, so that fewer may do.
        last = planned
        if plan.stopping_rule == "group-sequential":
            last = min(planned, _units_at(1.0, counts, planned * exchange, occasion))
        found.append(_needed("end of the plan", shares, counts, plan, last, daily))
    now = planned_units(plan, rate, shares, design_effect)
    found.append(_needed("planned power at this reply rate", shares, counts, plan, now, daily))
    anew = planned_units(plan, rate, equal, design_effect)
    days = anew / daily + plan.window_days if daily and math.isfinite(anew) else None
    new = anew if math.isfinite(anew) else None
    found.append(Needed("the same in a new test with equal arms", _split(equal, plan), new, new, days))
    return found


def _information_per_unit(shares: Mapping[str, float], plan: Plan) -> float:
    """Of the treatment that gets least."""
    total, control = math.fsum(shares.values()), shares.get(plan.control, 0.0)
    arms = [share for arm, share in shares.items() if arm != plan.control and share > 0]
    return min((share * control / (share + control) for share in arms), default=0.0) / total if total else 0.0


def _units_at(fraction: float, counts: Counts, planned: float, occasion: Occasion) -> float:
    """Mature units at which so much information is there, if all that is planned takes `planned` units of
    the present split.
    """
    mature = sum(each.units for each in counts.arms)
    return mature + max(0.0, fraction - occasion.information) * planned


def _needed(
    goal: str, shares: Mapping[str, float], counts: Counts, plan: Plan, units: float, daily: float | None
) -> Needed:
    if not math.isfinite(units):
        return Needed(goal, _split(shares, plan), None, None, None)
    sent = max(sum(row.started for row in counts.days), sum(each.units for each in counts.arms))
    return Needed(
        goal, _split(shares, plan), units, max(0.0, units - sent), days_until(counts, plan, units, daily)
    )


def _split(shares: Mapping[str, float], plan: Plan) -> str:
    order = [arm for arm in shares if arm != plan.control] + [plan.control]
    return " / ".join(f"{100 * shares.get(arm, 0.0):.3g}" for arm in order)
