"""The budget of a migration, month by month: what is spent without it and with it, and when it has paid.

    before = messages x baseline's USD + its machines, or what is committed if that is more
    after  = messages x ((1 - moved) x baseline's USD + (moved + doubled) x candidate's USD)
             + both models' machines while they are on, or what is committed + what is spent once
             - value of the replies that the candidate wins (where asked for)

Month 0 is today: what is spent in advance. A price that falls by the factor f a year is f^(-t/12) of today's
in the month that begins t months from now, and a volume that grows by g is (1 + g)^t of it, as in
`llmbench.economics.cash_flow`. What is not known is drawn, the same draws before and after.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from llmbench.decision.budget_cash import (
    Cash,
    Plan,
    cash_of,
    drawn_values,
    kept_commitments,
    stated_values,
)
from llmbench.decision.budget_parts import (
    BudgetUncertainty,
    Commitment,
    OneOffCosts,
    Payback,
)
from llmbench.decision.budget_result import Budget, BudgetMonth
from llmbench.decision.effects import ReplyEffect, check_amount, check_whole, spread_of
from llmbench.decision.ramp import RampMonth, check_ramp, ramp_by_stage
from llmbench.errors import UsageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from llmbench.decision.budget_cash import Cost

    Floats = NDArray[np.float64]

__all__ = ["twelve_month_budget"]


def twelve_month_budget(
    messages_per_month: float,
    baseline_usd: Cost,
    candidate_usd: Cost,
    *,
    months: int = 12,
    growth_per_month: float = 0.0,
    ramp: Sequence[RampMonth | float] | None = None,
    one_off: OneOffCosts | None = None,
    baseline_hosting_usd: float | Sequence[float] = 0.0,
    candidate_hosting_usd: float | Sequence[float] = 0.0,
    commitments: Sequence[Commitment] = (),
    baseline_fall_per_year: float = 1.0,
    candidate_fall_per_year: float = 1.0,
    hosting_fall_per_year: float = 1.0,
    discount_per_year: float = 0.10,
    effect: ReplyEffect | None = None,
    value_per_reply: float = 0.0,
    uncertainty: BudgetUncertainty | None = None,
    payback_months: int = 24,
    draws: int = 10_000,
    seed: int = 20250123,
) -> Budget:
    """The budget of `months` months, and the payback within `payback_months`.

    `messages_per_month` is the volume of the first month. `baseline_usd` and `candidate_usd` are USD per
    message at the API, or what each message adds on machines of one's own: a number, which the ranges of
    prices and lengths then apply to; or a `Range` or a function (generator, count) -> array, which are taken
    as they are. Hosting is USD a month while the machines are on, one number or one per month (the last goes
    on). `ramp` says what is moved when (None: `ramp_by_stage()`). With `effect` and `value_per_reply` the
    replies count as well; without, the quality is taken to be the same.

    Raises UsageError for numbers that cannot be meant.

    >>> found = twelve_month_budget(100_000, 0.00325, 0.00042, one_off=OneOffCosts(engineering_days=2))
    >>> print(f"{found.totals.saving_usd:.0f} {found.payback.stated}")
    1440 7
    """
    check_amount("messages_per_month", messages_per_month)
    months, payback_months = (
        check_whole(name, value, least=1)
        for name, value in (("months", months), ("payback_months", payback_months))
    )
    draws, seed = check_whole("draws", draws, least=100), check_whole("seed", seed)
    if check_amount("growth_per_month", growth_per_month, least=-1, above=True) > 1:
        raise UsageError(f"growth_per_month must lie between -1 and 1; it is {growth_per_month!r}.")
    check_amount("discount_per_year", discount_per_year, least=-1, above=True)
    check_amount("value_per_reply", value_per_reply)
    horizon = max(months, payback_months)
    steps = check_ramp(ramp_by_stage(months=horizon) if ramp is None else ramp, horizon)
    off = next((place for place, step in enumerate(steps, 1) if step.old_on < 1 and step.moved > 0), None)
    rents = _falling("hosting_fall_per_year", hosting_fall_per_year, horizon)
    hosting = tuple(
        tuple(usd * fall for usd, fall in zip(_monthly(name, given, horizon), rents, strict=True))
        for name, given in (
            ("baseline_hosting_usd", baseline_hosting_usd),
            ("candidate_hosting_usd", candidate_hosting_usd),
        )
    )
    plan = Plan(
        messages=tuple(messages_per_month * (1 + growth_per_month) ** month for month in range(horizon)),
        ramp=steps,
        hosting=(hosting[0], hosting[1]),
        falls=(
            _falling("baseline_fall_per_year", baseline_fall_per_year, horizon),
            _falling("candidate_fall_per_year", candidate_fall_per_year, horizon),
        ),
        commitments=tuple(commitments),
        kept=tuple(commitments),
        penalties={},
        one_off=one_off or OneOffCosts(),
        off=off,
        value_per_reply=value_per_reply,
    )
    given = uncertainty or BudgetUncertainty()
    drawn = drawn_values(baseline_usd, candidate_usd, effect, given, draws, seed)
    stated = stated_values(baseline_usd, candidate_usd, effect, drawn)
    kept, penalties = kept_commitments(plan.commitments, cash_of(plan, stated).bills, off)
    plan = replace(plan, kept=kept, penalties=penalties)
    return _result(cash_of(plan, stated), cash_of(plan, drawn), plan, months, discount_per_year, seed)


def _falling(name: str, fall: float, months: int) -> tuple[float, ...]:
    check_amount(name, fall, least=1)
    return tuple(fall ** (-month / 12) for month in range(months))


def _monthly(name: str, usd: float | Sequence[float], months: int) -> tuple[float, ...]:
    given = list(usd) if isinstance(usd, Sequence) else [usd]
    if not given:
        raise UsageError(f"{name} is empty; give one number, or one per month.")
    found = [check_amount(name, each) for each in given]
    return (*found[:months], *[found[-1]] * (months - len(found)))


def _result(stated: Cash, drawn: Cash, plan: Plan, months: int, discount: float, seed: int) -> Budget:
    import numpy as np

    saving = drawn.before - drawn.after
    rate = (1 + discount) ** (-np.arange(months + 1) / 12)
    shown = saving[:, : months + 1]
    rows = tuple(
        BudgetMonth(
            month=month,
            messages=plan.messages[month - 1] if month else 0.0,
            moved=plan.ramp[month - 1].moved if month else 0.0,
            before_usd=float(stated.before[0, month]),
            after_usd=float(stated.after[0, month]),
            api_usd=float(stated.api[0, month]),
            hosting_usd=float(stated.hosting[0, month]),
            idle_usd=float(stated.idle[0, month]),
            dual_usd=float(stated.dual[0, month]),
            one_off_usd=float(stated.one_off[0, month]),
            quality_usd=float(stated.quality[0, month]),
            **spread_of(shown[:, month])._asdict(),
        )
        for month in range(months + 1)
    )
    running = (shown + drawn.one_off[:, : months + 1]).sum(axis=1) / months
    return Budget(
        rows=rows,
        discount_per_year=discount,
        total_saving=spread_of(shown.sum(axis=1)),
        npv=spread_of(shown @ rate),
        saving_per_month=spread_of(running),
        full_saving_per_month=spread_of(drawn.full[:, months]),
        probability_saving=float((shown.sum(axis=1) > 0).mean()),
        payback=_payback(stated.before - stated.after, saving),
        draws=len(saving),
        seed=seed,
    )


def _payback(stated: Floats, drawn: Floats) -> Payback:
    import numpy as np

    reached = _paid_back(drawn)
    counts = np.array([(reached <= month).mean() for month in range(drawn.shape[1])])

    def by(level: float) -> int | None:
        return next((month for month, share in enumerate(counts) if share >= level - 1e-12), None)

    first = float(_paid_back(stated)[0])
    return Payback(
        None if math.isinf(first) else int(first),
        by(0.1),
        by(0.5),
        by(0.9),
        tuple(float(share) for share in counts),
    )


def _paid_back(saving: Floats) -> Floats:
    """The month from which on all that was saved so far is never below 0 again; infinite: never."""
    import numpy as np

    total = np.cumsum(saving, axis=1)
    good = total >= -1e-9 * np.maximum(1.0, np.abs(total))
    stays = np.logical_and.accumulate(good[:, ::-1], axis=1)[:, ::-1]
    return np.where(stays[:, -1], np.argmax(stays, axis=1).astype(float), np.inf)
