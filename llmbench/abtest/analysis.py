"""From counts and a plan to a result."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from llmbench.abtest.arm_results import arm_result, costs_and_money
from llmbench.abtest.cells import (
    DesignEffect,
    design_effect,
    paired_cells,
)
from llmbench.abtest.comparisons import as_remembered, compare_arms
from llmbench.abtest.counts import ENOUGH_REPLIES, Counts, Excluded
from llmbench.abtest.cut_off_notes import fingerprint, others_than_seen
from llmbench.abtest.effect import Effect, effects_by_holm
from llmbench.abtest.guardrails import check_guardrails
from llmbench.abtest.health import check_health, split_shares
from llmbench.abtest.information import information_of, occasion_of, power_of
from llmbench.abtest.looks import Look, LookBook, beside, deviations, standing
from llmbench.abtest.needed import units_still_needed
from llmbench.abtest.plan import Plan, planned_units
from llmbench.abtest.planned_power import planned_power
from llmbench.abtest.results import AbResult
from llmbench.abtest.results_data import comparison_of, remembered_data
from llmbench.abtest.segments import segment_effects
from llmbench.abtest.supplementary import OtherAnalysis, other_analyses
from llmbench.errors import LedgerError, UsageError

__all__ = ["analyse"]

_RACES = 5


def analyse(
    counts: Counts,
    plan: Plan,
    looks: LookBook | None = None,
    now: datetime | None = None,
    *,
    counts_at: Callable[[datetime], Counts] | None = None,
) -> AbResult:
    """The result of an experiment as of `counts.as_of`.

    `looks` (a `Ledger`) remembers what was seen when, and this run if it is a look; without it every run is
    taken for the first one. `now` is when it is seen (aware; default: the present). `counts_at` reads the
    source as of an earlier instant: after the look that decided, all that is shown is then of its cut-off.
    Raises UsageError for counts and a plan that do not go together.
    """
    _check(counts, plan)
    moment = now or datetime.now(UTC)
    for _ in range(_RACES):
        frozen = looks.frozen_plan(plan.experiment_id) if looks else None
        before = [Look(*each) for each in looks.looks(plan.experiment_id)] if looks else []
        result, new = _analyse(counts, plan, frozen, before, moment)
        if counts_at is not None and result.occasion.kind == "over" and result.health.healthy:
            then = counts_at(result.looks[-1].cut_off)
            _check(then, plan)
            return _as_decided(result, _analyse(then, plan, frozen, before, moment)[0])
        if new is None or looks is None:
            return result
        made = looks.record_look(
            plan.experiment_id, new.number, cut_off=new.cut_off, units=new.units, information=new.information,
            parameters=result.plan.frozen()
            | {
                "planned_units": _planned(result), "shares": dict(result.planned_shares),
                "arms": list(counts.arm_names), "beside": beside(result.plan),
            },
            comparisons=new.comparisons, seen_at=moment,
        )  # fmt: skip
        if made:
            return result
    raise LedgerError(
        f"The look at {plan.experiment_id} could not be recorded: other processes look at it at the same "
        "time."
    )


def _as_decided(today: AbResult, then: AbResult) -> AbResult:
    """What the last look showed, with what is watched on after it; `today` where the source does not have it
    any more, or its split does not hold now.
    """
    if not then.health.healthy or then.occasion.kind != "again":
        return today
    told = dict.fromkeys((*then.deviations, *today.deviations))
    return dataclasses.replace(
        then, occasion=today.occasion, guardrails=today.guardrails, needed=today.needed,
        deviations=tuple(told), run_as_of=today.counts.as_of,
    )  # fmt: skip


def _analyse(
    counts: Counts, given: Plan, frozen: Mapping[str, Any] | None, before: Sequence[Look], now: datetime
) -> tuple[AbResult, Look | None]:
    if frozen is not None:
        _check_control(counts, given, frozen)
    plan = given if frozen is None else dataclasses.replace(given, **_known_fields(frozen))
    if plan.window_days != given.window_days:
        raise UsageError(
            f"window_days is {given.window_days:g} and was {plan.window_days:g} at the first look at "
            f"{plan.experiment_id}: other replies would count now. Keep it, or give the analysis an "
            "experiment_id of "
            "its own."
        )
    changed = [] if frozen is None else deviations(frozen, given)
    health = check_health(counts, plan)
    shares = split_shares(counts, plan)
    # The arms of the first look are those of the test, whatever the source holds by now.
    arms = _arms_of_the_test(counts, frozen)
    changed += _other_arms(counts, arms)
    treatments = [arm for arm in arms if arm != plan.control]
    present = [arm for arm in treatments if arm in counts.arm_names]
    weights = {each.stratum: each.expected for each in health.strata}
    cells = {arm: paired_cells(counts.arms, arm, plan.control, weights) for arm in present}
    design = {arm: design_effect(each, counts.clusters) for arm, each in cells.items()}
    pooled = _pooled_rate(counts)
    planning_rate = plan.expected_rate if plan.expected_rate is not None else pooled
    if plan.planned_units is not None:
        planned = float(plan.planned_units)
    else:
        planned = planned_units(plan, planning_rate or 0.0, shares)
    units = sum(each.units for each in counts.arms)
    # Information is counted in that of the split as it was planned, whatever the weights are by now.
    planned_shares = dict((frozen or {}).get("shares") or shares)
    information = information_of(plan, cells, planned_shares, planned, units)
    occasion = occasion_of(counts, plan, cells, information, pooled, before, health)
    shows = health.healthy and occasion.shows_effect

    # Looks on later data tell nothing of what was known at this cut-off.
    past = [look for look in before if look.cut_off <= counts.as_of]
    earlier = [look for look in past if look.cut_off < counts.as_of]
    decided = {name: comparison_of(dict(c), look.number) for name, (look, c) in standing(earlier).items()}
    fresh: dict[str, Effect] = {}
    if shows and occasion.kind in {"look", "again"}:
        open_ones = {n: c for n, c in cells.items() if n not in decided and c.information > 0}
        family = len(treatments) - sum(c.verdict in {"better", "not worse"} for c in decided.values())
        if open_ones:
            fresh = effects_by_holm(plan, open_ones, occasion.fractions, design, family, planned)

    costs, money = costs_and_money(counts, plan, cells, design, occasion.fractions, show=shows)
    number = len(occasion.fractions)
    comparisons = compare_arms(plan, treatments, cells, fresh, decided, money, number, health, shows=shows)
    rows_changed = False
    if health.healthy and past and occasion.kind in {"again", "over"}:
        again = occasion.kind == "again"
        comparisons, differs = as_remembered(comparisons, past[-1], again=again)
        changed += differs
        rows_changed = again and (bool(differs) or others_than_seen(counts, past[-1]))
    new = None
    if fresh and occasion.kind == "look":
        # What the ledger remembers beside what is shown.
        shown = [remembered_data(each) | {"rows": fingerprint(counts)} for each in comparisons]
        new = Look(number, counts.as_of, units, occasion.fractions[-1], shown, now)
    widen = {
        arm: math.sqrt(max(1.0, found.ratio)) if found is not None and not math.isnan(found.ratio) else 1.0
        for arm, found in design.items()
    }
    effects = {arm: _design_of(plan, found) for arm, found in design.items() if found is not None}
    worst = max((value for value, _ in effects.values()), default=1.0)
    # What is still needed goes by the replies that came, once there are some: the rate of all arms together.
    seen = sum(each.replied for each in counts.arms) >= ENOUGH_REPLIES
    seen_rate = pooled if seen and pooled is not None and pooled < 1 else planning_rate
    rate = seen_rate or 0.0
    needed = units_still_needed(counts, plan, shares, planned_shares, rate, planned, occasion, worst)
    compared = [cells[arm] for arm in present if cells[arm].information > 0]
    others: list[OtherAnalysis] = []
    if shows:
        others = [row for c in compared for row in other_analyses(counts, plan, c, design[c.treatment])]
    result = AbResult(
        counts=counts,
        plan=plan,
        health=health,
        arms=tuple(arm_result(counts, plan, arm, costs[arm], show=shows) for arm in _ordered(counts, plan)),
        comparisons=comparisons,
        occasion=occasion,
        # Those on later data have not happened yet, as of this run's.
        looks=(*past, new) if new else tuple(past),
        shares=shares,
        planned_shares=planned_shares,
        planned_units=planned,
        planning_rate=planning_rate,
        pooled_rate=pooled,
        needed=tuple(needed),
        power=power_of(counts, plan, shares, seen_rate, compared, worst),
        money=money if shows else {},
        guardrails=tuple(check_guardrails(counts, plan, present, widen)) if health.healthy else (),
        segments=segment_effects(counts, plan, present) if shows else None,
        other_analyses=tuple(others),
        deviations=tuple(changed),
        design_effects=effects or None,
        rows_changed=rows_changed,
        uncompared=tuple(
            Excluded(
                f"units of epochs or campaigns without both {arm} and {plan.control}: not compared there",
                cells[arm].left_out,
            )
            for arm in present
            if cells[arm].left_out
        ),
        planned_power=planned_power(plan, seen_rate, planned_shares, planned, worst),
    )
    return result, new


def _check(counts: Counts, plan: Plan) -> None:
    names = counts.arm_names
    if counts.experiment_id != plan.experiment_id:
        raise UsageError(
            f"The counts are of experiment {counts.experiment_id!r} and the plan of {plan.experiment_id!r}."
        )
    if not names:
        left = ", ".join(f"{each.rows:,} {each.reason}" for each in counts.excluded)
        raise UsageError(
            "No lead was in the experiment before the cut-off "
            f"({counts.as_of.astimezone(UTC):%Y-%m-%d %H:%M} UTC): give a later as_of. "
            f"Left out: {left or 'nothing'}."
        )
    if plan.control not in names:
        raise UsageError(f"control is {plan.control!r}, which is no arm; they are {', '.join(names)}.")
    if not math.isclose(counts.window_days, plan.window_days):
        raise UsageError(
            f"The counts have a reply window of {counts.window_days:g} days and the plan one of "
            f"{plan.window_days:g}."
        )
    for each in counts.arms:
        if not 0 <= each.replied <= each.units:
            raise UsageError(
                f"Arm {each.arm!r} has {each.replied} replies of {each.units} units; a unit replies once "
                "or not."
            )
    for name, mapping in (("split", plan.split or {}), ("fixed_costs_usd", plan.fixed_costs_usd)):
        for arm in mapping:
            if arm not in names:
                raise UsageError(f"{name} names {arm!r}, which is no arm; they are {', '.join(names)}.")


def _check_control(counts: Counts, given: Plan, frozen: Mapping[str, Any]) -> None:
    control = frozen.get("control", given.control)
    if control not in counts.arm_names:
        raise UsageError(
            f"control was {control!r} at the first look at {given.experiment_id}, and is no arm now; "
            "they are "
            f"{', '.join(counts.arm_names)}. Keep the names of the arms, or give the analysis an "
            "experiment_id "
            "of its own."
        )


def _arms_of_the_test(counts: Counts, frozen: Mapping[str, Any] | None) -> list[str]:
    return sorted((frozen or {}).get("arms") or counts.arm_names)


def _other_arms(counts: Counts, arms: Sequence[str]) -> list[str]:
    gone = [
        f"arm {arm!r} was there at the first look and is not in the source now; what was decided of "
        "it stands, "
        "and it still counts among the treatments that alpha is shared by."
        for arm in arms
        if arm not in counts.arm_names
    ]
    new = [
        f"arm {arm!r} was not there at the first look, so it is not tested; give it an experiment of its own."
        for arm in counts.arm_names
        if arm not in arms
    ]
    return gone + new


def _known_fields(frozen: Mapping[str, Any]) -> dict[str, Any]:
    names = {each.name for each in dataclasses.fields(Plan)}
    return {name: value for name, value in frozen.items() if name in names}


def _planned(result: AbResult) -> int | None:
    return math.ceil(result.planned_units) if math.isfinite(result.planned_units) else None


def _ordered(counts: Counts, plan: Plan) -> list[str]:
    return [*(arm for arm in counts.arm_names if arm != plan.control), plan.control]


def _pooled_rate(counts: Counts) -> float | None:
    units = sum(each.units for each in counts.arms)
    return sum(each.replied for each in counts.arms) / units if units else None


def _design_of(plan: Plan, found: DesignEffect) -> tuple[float, int]:
    return (found.ratio if plan.scale == "ratio" else found.difference), found.clusters
