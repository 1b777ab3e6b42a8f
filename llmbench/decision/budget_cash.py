"""The cash of a migration's months, for any number of draws at once. The formulas stand in `budget`."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from llmbench.decision.budget_parts import BudgetUncertainty, Commitment, Line, OneOffCosts, check_range
from llmbench.decision.effects import ReplyEffect, check_amount
from llmbench.decision.ramp import RampMonth
from llmbench.economics.correlation import correlated
from llmbench.economics.uncertainty import Range, triangular
from llmbench.errors import UsageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Sampler = Callable[[np.random.Generator, int], Floats]
    Cost = float | Range | Sampler

__all__ = ["Cash", "Draw", "Plan", "cash_of", "drawn_values", "kept_commitments", "stated_values"]

_TOGETHER = ("messages", "lengths")
"""What `BudgetUncertainty.correlation` is of."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The stated months of the horizon."""

    messages: tuple[float, ...]
    ramp: tuple[RampMonth, ...]
    hosting: tuple[tuple[float, ...], tuple[float, ...]]
    """The baseline's and the candidate's, at the rents of each month."""
    falls: tuple[tuple[float, ...], tuple[float, ...]]
    """Prices of tokens over today's, of both."""
    commitments: tuple[Commitment, ...]
    kept: tuple[Commitment, ...]
    penalties: Mapping[int, float]
    one_off: OneOffCosts
    off: int | None
    """The month in which the old model is turned off; None: not within the horizon."""
    value_per_reply: float


class Draw(NamedTuple):
    """One value per draw."""

    factors: Mapping[str, Floats]
    usd: tuple[Floats, Floats]
    """Per message, of the baseline and the candidate."""
    change: Floats
    """Replies per message."""


class Cash(NamedTuple):
    """Draws x months, the first of which is today: `after` is the sum of what stands below it."""

    before: Floats
    after: Floats
    api: Floats
    hosting: Floats
    idle: Floats
    dual: Floats
    """Messages that both answer, and people while both run."""
    one_off: Floats
    quality: Floats
    full: Floats
    """The saving, were all moved and nothing owed."""
    bills: Mapping[Line, Floats]
    """After, without today, before what is committed."""


def cash_of(plan: Plan, draw: Draw) -> Cash:
    """The months of the plan for each draw."""
    import numpy as np

    factors = draw.factors
    moved, doubled, old, new, both = (
        np.array([getattr(step, name) for step in plan.ramp])
        for name in ("moved", "doubled", "old_on", "new_on", "both_on")
    )
    messages = factors["messages"][:, None] * np.array(plan.messages)
    each = [usd[:, None] * np.array(fall) for usd, fall in zip(draw.usd, plan.falls, strict=True)]
    rent = [factors["hosting"][:, None] * np.array(usd) for usd in plan.hosting]
    bills: dict[Line, Floats] = {
        "baseline-api": messages * each[0] * (1 - moved),
        "candidate-api": messages * each[1] * (moved + doubled),
        "baseline-hosting": rent[0] * old,
        "candidate-hosting": rent[1] * new,
    }
    unmoved: dict[Line, Floats] = {"baseline-api": messages * each[0], "baseline-hosting": rent[0]}
    before = unmoved["baseline-api"] + unmoved["baseline-hosting"] + _idle(plan.commitments, unmoved)
    idle = _idle(plan.kept, bills)
    shadow = messages * each[1] * doubled
    people = factors["one_off"][:, None] * plan.one_off.dual_running_usd * both
    api = bills["baseline-api"] + bills["candidate-api"] - shadow
    hosting = bills["baseline-hosting"] + bills["candidate-hosting"]
    won = plan.value_per_reply * draw.change[:, None] * messages
    once = np.zeros_like(messages)
    for month, usd in plan.penalties.items():
        once[:, month - 1] += usd
    if plan.off is not None:
        once[:, plan.off - 1] += factors["one_off"] * plan.one_off.decommission_usd
    after = api + hosting + idle + shadow + people + once - won * moved
    today = factors["one_off"] * plan.one_off.today_usd

    def with_today(later: Floats, first: Floats | None = None) -> Floats:
        return np.column_stack([np.zeros_like(today) if first is None else first, later])

    return Cash(
        before=with_today(before),
        after=with_today(after, today),
        api=with_today(api),
        hosting=with_today(hosting),
        idle=with_today(idle),
        dual=with_today(shadow + people),
        one_off=with_today(once, today),
        quality=with_today(0.0 - won * moved),
        full=with_today(messages * (each[0] - each[1]) + rent[0] - rent[1] + won),
        bills=bills,
    )


def kept_commitments(
    commitments: Sequence[Commitment], used: Mapping[Line, Floats], off: int | None
) -> tuple[tuple[Commitment, ...], dict[int, float]]:
    """Those contracts as they are after the migration, and the penalties by month.

    One that may be ended is ended in the month `off` (None: the old model stays) if what it would still cost
    without being used is more than the penalty, as far as `used`, the bill of each month, is known.
    """
    if off is None:
        return tuple(commitments), {}
    kept, penalties = list(commitments), 0.0
    for place, each in enumerate(commitments):
        if each.penalty_usd is None or each.months < off:
            continue
        trial = [*kept[:place], replace(each, months=off - 1), *kept[place + 1 :]]
        bill = {each.covers: used[each.covers]}
        if float((_idle(kept, bill) - _idle(trial, bill)).sum()) > each.penalty_usd:
            kept, penalties = trial, penalties + each.penalty_usd
    return tuple(kept), {off: penalties} if penalties else {}


def _idle(commitments: Sequence[Commitment], bills: Mapping[Line, Floats]) -> Floats:
    """What is committed above what is used: draws x months."""
    import numpy as np

    total: Floats = np.zeros_like(next(iter(bills.values())))
    for line, bill in bills.items():
        due = [
            math.fsum(each.due(month) for each in commitments if each.covers == line)
            for month in range(1, bill.shape[1] + 1)
        ]
        total = total + np.maximum(0.0, np.array(due) - bill)
    return total


def drawn_values(
    baseline_usd: Cost,
    candidate_usd: Cost,
    effect: ReplyEffect | None,
    uncertainty: BudgetUncertainty,
    draws: int,
    seed: int,
) -> Draw:
    """What is not known, drawn. Raises UsageError for a cost that cannot be meant."""
    import numpy as np

    ranges = uncertainty.ranges
    uniform = np.random.default_rng([seed, 0]).random((draws, len(ranges)))
    together = [list(ranges).index(name) for name in _TOGETHER]
    uniform[:, together] = correlated(uniform[:, together], uncertainty.correlation)
    factors = {name: triangular(uniform[:, place], of) for place, (name, of) in enumerate(ranges.items())}
    usd = [
        _usd(f"{side}_usd", given, factors["lengths"] * factors[f"{side}_price"], seed, place)
        for place, (side, given) in enumerate((("baseline", baseline_usd), ("candidate", candidate_usd)), 1)
    ]
    change = np.zeros(draws)
    if effect is not None:
        change = effect.draw(np.random.default_rng([seed, 3]).standard_normal(draws))
    return Draw(factors, (usd[0], usd[1]), change)


def _usd(name: str, given: Cost, factor: Floats, seed: int, stream: int) -> Floats:
    import numpy as np

    random, draws = np.random.default_rng([seed, stream]), len(factor)
    if callable(given):
        found = np.asarray(given(random, draws), dtype=float)
        if found.shape != (draws,) or not (np.isfinite(found) & (found >= 0)).all():
            raise UsageError(
                f"The function given as {name} must return {draws:,} numbers of at least 0, one per draw."
            )
        return found
    if isinstance(given, tuple):
        return triangular(random.random(draws), check_range(name, Range(*given)))
    return check_amount(name, given) * factor


def stated_values(baseline_usd: Cost, candidate_usd: Cost, effect: ReplyEffect | None, drawn: Draw) -> Draw:
    """The one draw in which everything is as stated: a range at its most likely, a function at its median."""
    import numpy as np

    usd = []
    for given, found in zip((baseline_usd, candidate_usd), drawn.usd, strict=True):
        if callable(given):
            usd.append(np.array([np.median(found)]))
        else:
            usd.append(np.array([given[1] if isinstance(given, tuple) else float(given)]))
    change = 0.0 if effect is None else effect.change(effect.value)
    return Draw({name: np.ones(1) for name in drawn.factors}, (usd[0], usd[1]), np.array([change]))
