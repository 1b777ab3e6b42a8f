"""From counts and a plan to a result."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from llmbench.abtest.cells import (
    Cells,
    DesignEffect,
    arm_design_effect,
    design_effect,
    effective_counts,
    paired_cells,
)
from llmbench.abtest.counts import Counts, UnitSums
from llmbench.abtest.effect import Effect, effects_by_holm
from llmbench.abtest.guardrails import check_guardrails
from llmbench.abtest.health import Health, check_health, split_shares
from llmbench.abtest.looks import Look, LookBook, Occasion, deviations, look_now, standing
from llmbench.abtest.money import ArmCost, Money, arm_cost, compare_money, draw_units
from llmbench.abtest.needed import daily_units, days_until, units_still_needed
from llmbench.abtest.plan import Plan, planned_units
from llmbench.abtest.results import AbResult, ArmResult, Bayes, Comparison, Power, Sequential
from llmbench.abtest.results_data import comparison_of
from llmbench.abtest.segments import segment_effects
from llmbench.abtest.supplementary import OtherAnalysis, other_analyses
from llmbench.errors import LedgerError, UsageError
from llmbench.stats import Interval, adjust_p_values, wilson_interval

__all__ = ["analyse"]

_RACES = 5


def analyse(
    counts: Counts, plan: Plan, looks: LookBook | None = None, now: datetime | None = None
) -> AbResult:
    """The result of an experiment as of `counts.as_of`.

    `looks` (a `Ledger`) remembers what was seen when, and this run if it is a look; without it every run is
    taken for the first one. `now` is when it is seen (aware; default: the present). Raises UsageError for
    counts and a plan that do not go together.
    """
    _check(counts, plan)
    moment = now or datetime.now(UTC)
    for _ in range(_RACES):
        frozen = looks.frozen_plan(plan.experiment_id) if looks else None
        before = [Look(*each) for each in looks.looks(plan.experiment_id)] if looks else []
        result, new = _analyse(counts, plan, frozen, before, moment)
        if new is None or looks is None:
            return result
        made = looks.record_look(
            plan.experiment_id, new.number, cut_off=new.cut_off, units=new.units, information=new.information,
            parameters=result.plan.frozen()
            | {"planned_units": _planned(result), "shares": dict(result.planned_shares)},
            comparisons=new.comparisons, seen_at=moment,
        )  # fmt: skip
        if made:
            return result
    raise LedgerError(
        f"The look at {plan.experiment_id} could not be recorded: other processes look at it at the same "
        "time."
    )


def _analyse(
    counts: Counts, given: Plan, frozen: Mapping[str, Any] | None, before: Sequence[Look], now: datetime
) -> tuple[AbResult, Look | None]:
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
    treatments = [arm for arm in counts.arm_names if arm != plan.control]
    weights = {each.stratum: each.expected for each in health.strata}
    cells = {arm: paired_cells(counts.arms, arm, plan.control, weights) for arm in treatments}
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
    information = _information(plan, cells, planned_shares, planned, units)
    occasion = _occasion(counts, plan, cells, information, pooled, before, health)
    shows = health.healthy and occasion.shows_effect

    decided = {name: comparison_of(dict(c), look.number) for name, (look, c) in standing(before).items()}
    fresh: dict[str, Effect] = {}
    if shows and occasion.kind in {"look", "again"}:
        earlier = standing([look for look in before if look.cut_off < counts.as_of])
        decided = {name: comparison_of(dict(c), look.number) for name, (look, c) in earlier.items()}
        open_ones = {n: c for n, c in cells.items() if n not in decided and c.information > 0}
        family = len(treatments) - sum(c.verdict in {"better", "not worse"} for c in decided.values())
        fresh = effects_by_holm(plan, open_ones, occasion.fractions, design, family) if open_ones else {}
    elif occasion.kind == "over" and before:
        for each in before[-1].comparisons:
            decided.setdefault(each["treatment"], comparison_of(dict(each), before[-1].number))

    costs, money = _money(counts, plan, cells, design, show=shows)
    number = len(occasion.fractions)
    comparisons = _comparisons(plan, treatments, cells, fresh, decided, money, number, health, shows=shows)
    new = None
    if fresh and occasion.kind == "look":
        new = Look(
            number, counts.as_of, units, occasion.fractions[-1], [each.data() for each in comparisons], now
        )
    widen = {
        arm: math.sqrt(max(1.0, found.ratio)) if found is not None and not math.isnan(found.ratio) else 1.0
        for arm, found in design.items()
    }
    effects = {arm: _design_of(plan, found) for arm, found in design.items() if found is not None}
    worst = max((value for value, _ in effects.values()), default=1.0)
    rate = planning_rate or 0.0
    needed = units_still_needed(counts, plan, shares, planned_shares, rate, planned, occasion, worst)
    compared = [cells[arm] for arm in treatments if cells[arm].information > 0]
    others: list[OtherAnalysis] = []
    if shows:
        others = [row for c in compared for row in other_analyses(counts, plan, c, design[c.treatment])]
    result = AbResult(
        counts=counts,
        plan=plan,
        health=health,
        arms=tuple(_arm(counts, plan, arm, costs[arm], show=shows) for arm in _ordered(counts, plan)),
        comparisons=comparisons,
        occasion=occasion,
        looks=(*before, new) if new else tuple(before),
        shares=shares,
        planned_shares=planned_shares,
        planned_units=planned,
        planning_rate=planning_rate,
        pooled_rate=pooled,
        needed=tuple(needed),
        power=_power(counts, plan, shares, planning_rate, compared, worst),
        money=money if shows else {},
        guardrails=tuple(check_guardrails(counts, plan, treatments, widen)) if health.healthy else (),
        segments=segment_effects(counts, plan, treatments) if shows else None,
        other_analyses=tuple(others),
        deviations=tuple(changed),
        design_effects=effects or None,
    )
    return result, new


def _check(counts: Counts, plan: Plan) -> None:
    names = counts.arm_names
    if counts.experiment_id != plan.experiment_id:
        raise UsageError(
            f"The counts are of experiment {counts.experiment_id!r} and the plan of {plan.experiment_id!r}."
        )
    if plan.control not in names:
        raise UsageError(
            f"control is {plan.control!r}, which is no arm; they are {', '.join(names) or 'none'}."
        )
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


def _information(
    plan: Plan, cells: Mapping[str, Cells], shares: Mapping[str, float], planned: float, units: int
) -> float:
    """The smallest treatment's fraction of the information that the planned units hold.

    Under "fixed" the units themselves are counted. Once they are there a group-sequential test ends as
    well, whatever chance did to the split.
    """
    found = []
    control = shares.get(plan.control, 0.0)
    for arm, each in cells.items():
        share = shares.get(arm, 0.0)
        whole = planned * share * control / (share + control) if share and control else math.inf
        if share > 0:
            found.append(each.information / whole if whole else 0.0)
    information = min(found, default=0.0)
    if found and plan.stopping_rule == "fixed":
        return units / planned
    return max(information, 1.0) if found and units >= planned and information > 0 else information


def _occasion(
    counts: Counts, plan: Plan, cells: Mapping[str, Cells], information: float, pooled: float | None,
    before: Sequence[Look], health: Health,
) -> Occasion:  # fmt: skip
    decided = standing([look for look in before if look.cut_off < counts.as_of])
    again = any(look.cut_off == counts.as_of for look in before)
    if cells and len(decided) == len(cells) and not again:
        fractions = tuple(look.information for look in before)
        last = max(look.number for look, _ in decided.values())
        return Occasion("over", fractions, information, None, f"Decided at look {last}; that stands.")
    if not health.healthy:
        fractions = tuple(look.information for look in before)
        return Occasion(
            "waiting", fractions, information, None, "No look is taken at a split that is broken."
        )
    if not cells:
        return Occasion("waiting", (), information, None, "There is one arm only.")
    smallest = min(min(sum(each.n1), sum(each.n2)) for each in cells.values())
    return look_now(plan, information, smallest * (pooled or 0.0), counts.as_of, before)


def _comparisons(
    plan: Plan,
    treatments: Sequence[str],
    cells: Mapping[str, Cells],
    fresh: Mapping[str, Effect],
    decided: Mapping[str, Comparison],
    money: Mapping[str, Money],
    number: int,
    health: Health,
    *,
    shows: bool,
) -> tuple[Comparison, ...]:
    adjusted = dict(
        zip(fresh, adjust_p_values([each.p_value for each in fresh.values()]), strict=True)
    ) if fresh else {}  # fmt: skip
    found = []
    for arm in treatments:
        net = money[arm].net_value_per_1000 if shows and arm in money else None
        if not health.healthy:
            found.append(Comparison(plan.control, arm, plan.margin, plan.scale, "invalid"))
        elif arm in fresh:
            found.append(_comparison(plan, cells[arm], fresh[arm], adjusted[arm], net, number))
        elif arm in decided:
            # What was decided stands; its money is of all the data there are.
            kept = decided[arm]
            found.append(dataclasses.replace(kept, net_value=net or kept.net_value))
        else:
            found.append(Comparison(plan.control, arm, plan.margin, plan.scale, "cannot tell"))
    return tuple(found)


def _comparison(
    plan: Plan, cells: Cells, effect: Effect, adjusted: float, net: Any, number: int
) -> Comparison:
    from llmbench.abtest.sequences import anytime_interval
    from llmbench.stats import expected_loss, probability_best

    (x1, n1), (x2, n2) = effective_counts(cells)
    bayes = Bayes(float(probability_best((x1, x2), (n1, n2))[0]), float(expected_loss((x1, x2), (n1, n2))[0]))
    own = effect.ratio_ci if plan.scale == "ratio" else effect.difference_ci
    crossed = effect.verdict != "cannot tell"
    if plan.stopping_rule == "fixed":
        # The share of the replies tells of their ratio only.
        always = anytime_interval(plan, cells, 1 - 2 * plan.alpha) if plan.scale == "ratio" else None
        crossed = always is not None and (always.low > plan.margin or always.high < plan.margin)
        sequential = Sequential("anytime", number, crossed, always)
    else:
        sequential = Sequential(plan.stopping_rule, number, crossed, own)
    ratio = effect.ratio if math.isfinite(effect.ratio) else None
    return Comparison(
        plan.control, cells.treatment, plan.margin, plan.scale, effect.verdict, _known(effect.difference),
        effect.difference_ci, ratio, effect.ratio_ci, _known(effect.p_value), _known(adjusted), effect.method,
        _known(effect.margin_p), net, sequential, bayes, number,
    )  # fmt: skip


def _arm(counts: Counts, plan: Plan, arm: str, cost: ArmCost, *, show: bool) -> ArmResult:
    sums = [each for each in counts.arms if each.arm == arm]
    units, replied = sum(each.units for each in sums), sum(each.replied for each in sums)
    served = [each.served_by_other for each in sums]
    known = [each for each in served if each is not None]
    return ArmResult(
        arm,
        sum(each.messages for each in sums),
        units,
        replied if show else None,
        replied / units if show and units else None,
        _rate_interval(counts, plan, arm, sums, replied, units) if show and units else None,
        cost if show else cost._replace(per_reply=None, per_reply_ci=None),
        sum(known) if known and len(known) == len(served) else None,
        sum(each.units for each in counts.assigned if each.arm == arm),
    )


def _rate_interval(
    counts: Counts, plan: Plan, arm: str, sums: Sequence[UnitSums], replied: int, units: int
) -> Interval:
    """Wilson's, of the effective number of units where they are clustered."""
    design = arm_design_effect(arm, sums, counts.clusters) if counts.clusters else None
    factor = 1.0 if design is None or math.isnan(design[0]) else max(1.0, design[0])
    n = max(1, round(units / factor))
    return wilson_interval(min(n, round(replied / factor)), n, plan.confidence)


def _money(
    counts: Counts,
    plan: Plan,
    cells: Mapping[str, Cells],
    design: Mapping[str, DesignEffect | None],
    *,
    show: bool,
) -> tuple[dict[str, ArmCost], dict[str, Money]]:
    fixed, costs = {}, {}
    for arm in counts.arm_names:
        sums = [each for each in counts.arms if each.arm == arm]
        # Fixed costs were for all units that were sent to, also for those that are not mature yet.
        sent = max(sum(d.started for d in counts.days if d.arm == arm), sum(each.units for each in sums))
        fixed[arm] = plan.fixed_costs_usd.get(arm, 0.0) / sent if sent else 0.0
        costs[arm] = arm_cost(sums, fixed[arm], plan.confidence)
    money: dict[str, Money] = {}
    if show and counts.costs:
        draws = draw_units(counts, plan, fixed)
        for arm, each in cells.items():
            found = design[arm]
            spread = (
                1.0
                if found is None or math.isnan(found.difference)
                else math.sqrt(max(1.0, found.difference))
            )
            if each.information > 0 and (made := compare_money(plan, each, costs, draws, spread)) is not None:
                money[arm] = made
    return costs, money


def _design_of(plan: Plan, found: DesignEffect) -> tuple[float, int]:
    return (found.ratio if plan.scale == "ratio" else found.difference), found.clusters


def _power(
    counts: Counts,
    plan: Plan,
    shares: Mapping[str, float],
    rate: float | None,
    compared: Sequence[Cells],
    worst: float,
) -> Power:
    """Of the treatment with the least information."""
    from llmbench.stats import minimum_detectable_effect

    if rate is None or not 0 < rate < 1 or not compared:
        return Power(None, None, None)
    units = planned_units(plan, rate, shares, worst)
    if not math.isfinite(units):
        return Power(None, None, None)
    days = days_until(counts, plan, units, daily_units(counts))
    weakest = min(compared, key=lambda cells: cells.information)
    allocation = sum(weakest.n2) / sum(weakest.n1)
    # As many units, in one stratum, as hold the information that there is.
    present = weakest.information * (1 + allocation) ** 2 / allocation
    mde = minimum_detectable_effect(
        rate,
        present,
        scale=plan.scale,
        alpha=2 * plan.alpha,
        sides=2,
        power=plan.power,
        allocation=allocation,
        design_effect=max(1.0, worst),
    )
    return Power(_known(mde), units, days)


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value
