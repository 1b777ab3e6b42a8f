"""What another policy would have cost and replied, from the log of an experiment.

A policy sees a unit's context and gives probabilities to arms. It is sticky: all messages of a unit come
from the arm that its first one got, so that units, not messages, are weighed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import csr_array

from llmbench.abtest.counts import ContextCounts, UnitSums
from llmbench.abtest.off_policy_log import Policy, context_key, not_logged
from llmbench.errors import UsageError
from llmbench.shown import shown
from llmbench.stats import Interval

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "LEAST_EFFECTIVE_UNITS",
    "LEAST_WEIGHTED_REPLIES",
    "PolicyValue",
    "always",
    "by_table",
    "cheapest_arm",
    "evaluate_policy",
    "unit_cost_variances",
]

LEAST_EFFECTIVE_UNITS = 1000
LEAST_WEIGHTED_REPLIES = 20
_MOST_NUMBERS = 2_000_000
"""Held in memory at a time by the bootstrap."""
_PRIOR_UNITS = 50.0
"""Units of the arm's own mean that each context's estimate starts from."""


@shown
@dataclass(frozen=True, slots=True)
class PolicyValue:
    """A policy valued from a log, or why it cannot be."""

    policy: str
    refused: str | None
    """One sentence that says which action or number is in the way; None where it was valued."""
    units: int = 0
    effective_units: float | None = None
    """Kish's: square of the sum of weights over the sum of their squares."""
    weighted_replies: float | None = None
    """Replies that the estimate rests on, by the same formula over units that replied."""
    rate: float | None = None
    """Doubly robust."""
    rate_ci: Interval | None = None
    rate_ipw: float | None = None
    """Self-normalised inverse propensity, to compare with."""
    rate_ipw_ci: Interval | None = None
    cost_per_1000: float | None = None
    """USD per 1,000 units; None where a cost is not known."""
    cost_per_1000_ci: Interval | None = None
    cost_per_1000_ipw: float | None = None


def always(arm: str) -> Policy:
    """Every unit to one arm."""
    return lambda _: {arm: 1.0}


def by_table(column: str, table: Mapping[str, str], default: str) -> Policy:
    """A routing table: the arm of the unit's value in `column`, else `default`.

    The policy raises UsageError for a log without that column.
    """

    def choose(context: Mapping[str, str]) -> dict[str, float]:
        if column not in context:
            raise UsageError(
                f"The policy looks at {column!r}, and the log has the context columns "
                f"{', '.join(sorted(context)) or 'none'}."
            )
        return {table.get(context[column], default): 1.0}

    return choose


def cheapest_arm(contexts: Sequence[ContextCounts]) -> str:
    """The arm that cost least per message; what the strategy CHEAPEST would have taken.

    Raises UsageError where no cost is known.
    """
    cost: dict[str, list[float]] = {}
    for row in contexts:
        if row.cost_usd is not None and row.messages:
            found = cost.setdefault(row.arm, [0.0, 0.0])
            found[0] += row.cost_usd
            found[1] += row.messages
    if not cost:
        raise UsageError("No cost of any arm is known, so it cannot be told which is the cheapest.")
    return min(sorted(cost), key=lambda arm: cost[arm][0] / cost[arm][1])


def unit_cost_variances(sums: Sequence[UnitSums]) -> dict[str, float]:
    """Variance of the cost of a unit, by arm; arms without two units of known cost have none."""
    totals: dict[str, list[float]] = {}
    for each in sums:
        found = totals.setdefault(each.arm, [0.0, 0.0, 0.0])
        for place, value in enumerate((each.costed_units, each.cost_usd, each.cost_usd_squared)):
            found[place] += value
    return {
        arm: max(0.0, squared - cost**2 / n) / (n - 1) for arm, (n, cost, squared) in totals.items() if n > 1
    }


def evaluate_policy(
    name: str,
    contexts: Sequence[ContextCounts],
    policy: Policy,
    *,
    confidence: float = 0.95,
    draws: int = 2000,
    seed: int = 20250123,
    cost_variances: Mapping[str, float] | None = None,
) -> PolicyValue:
    """The rate and the cost that `policy` would have had with the units of the log.

    `cost_variances`: variance of the cost of a unit, by arm (`unit_cost_variances`). The log has only sums of
    cost by context, so that without them the cost has no interval; with them it is a little too wide, since
    they hold what differs between contexts as well.

    Self-normalised inverse propensity weighting: Swaminathan and Joachims (2015), NeurIPS. Doubly robust with
    cross-fitting over the folds: Dudik, Langford and Li (2011), ICML; Chernozhukov et al. (2018), Econom. J.
    21:C1. Intervals: bootstrap over units, percentile. Refuses, and says why, where the log cannot tell.
    """
    rows = [row for row in contexts if row.units > 0]
    if not rows:
        return PolicyValue(name, "The log has no unit with a context.")
    why = not_logged(rows, policy)
    if why is not None:
        return PolicyValue(name, why, sum(row.units for row in rows))
    target = [dict(policy(row.context)) for row in rows]
    weight = np.array(
        [
            chosen.get(row.arm, 0.0) / float(row.probability or 1.0)
            for row, chosen in zip(rows, target, strict=True)
        ]
    )
    units = np.array([row.units for row in rows], dtype=float)
    replied = np.array([row.replied for row in rows], dtype=float)
    total = int(units.sum())
    effective = _kish(weight, units)
    replies = _kish(weight, units * replied)
    if effective < LEAST_EFFECTIVE_UNITS:
        why = (
            f"The log is worth {effective:,.0f} units for this policy, and {LEAST_EFFECTIVE_UNITS:,} are "
            "needed."
        )
    elif replies < LEAST_WEIGHTED_REPLIES:
        why = f"{replies:,.1f} weighted replies bear on this policy, and {LEAST_WEIGHTED_REPLIES} are needed."
    if why is not None:
        return PolicyValue(name, why, total, effective, replies)
    costs = None
    if all(row.cost_usd is not None for row in rows):
        costs = np.array([float(row.cost_usd or 0.0) / row.units for row in rows])
    outcomes = {"rate": replied} if costs is None else {"rate": replied, "cost": 1000 * costs}
    found: dict[str, list[NDArray[np.float64]]] = {}
    for sizes in _samples(units, draws, seed):
        for name_of, outcome in outcomes.items():
            robust = _doubly_robust(rows, target, weight, outcome, sizes)
            found.setdefault(name_of, []).append(robust)
            found.setdefault(f"{name_of}_ipw", []).append(_self_normalised(weight, outcome, sizes))
    estimates = {key: np.concatenate(parts) for key, parts in found.items()}
    point = {key: float(value[0]) for key, value in estimates.items()}
    if costs is not None and cost_variances is not None:
        variance = np.array([cost_variances.get(row.arm, math.nan) for row in rows])
        error = 1000 * math.sqrt(float(units @ (weight**2 * np.where(weight > 0, variance, 0.0)))) / total
        estimates["cost"][1:] += error * np.random.default_rng([seed, 1]).standard_normal(draws)
    interval = {key: _percentile(value[1:], confidence) for key, value in estimates.items()}
    if cost_variances is None:
        interval.pop("cost", None)
    return PolicyValue(
        name, None, total, effective, replies, point["rate"], interval["rate"], point["rate_ipw"],
        interval["rate_ipw"], point.get("cost"), interval.get("cost"), point.get("cost_ipw"),
    )  # fmt: skip


def _samples(units: NDArray[np.float64], draws: int, seed: int) -> Iterator[NDArray[np.float64]]:
    """How often each kind of unit is in a sample, some samples at a time; the first one is the log itself."""
    rng = np.random.default_rng(seed)
    total = int(units.sum())
    at_once = max(1, _MOST_NUMBERS // len(units))
    yield units[np.newaxis, :]
    for start in range(0, draws, at_once):
        size = min(at_once, draws - start)
        yield rng.multinomial(total, units / total, size=size).astype(float)


def _doubly_robust(
    rows: Sequence[ContextCounts],
    target: Sequence[Mapping[str, float]],
    weight: NDArray[np.float64],
    outcome: NDArray[np.float64],
    sizes: NDArray[np.float64],
) -> NDArray[np.float64]:
    """One value a row of `sizes` (how often each kind of unit is in the sample).

    The model of the outcome is the mean by context and arm in the other folds, drawn to the arm's mean
    there; it is fitted anew in each sample.
    """
    folds = sorted({row.fold for row in rows})
    arms = sorted({row.arm for row in rows})
    contexts = {key: number for number, key in enumerate(dict.fromkeys(context_key(row) for row in rows))}
    cell = np.array([contexts[context_key(row)] * len(arms) + arms.index(row.arm) for row in rows])
    fold = np.array([folds.index(row.fold) for row in rows])
    count, width = len(folds), len(contexts) * len(arms)
    # Each kind of unit falls into one cell of one fold, so that nearly all of this matrix is zero.
    ones = np.ones(len(rows))
    into = csr_array((ones, (np.arange(len(rows)), fold * width + cell)), shape=(len(rows), count * width))
    units = (sizes @ into).reshape(len(sizes), count, len(contexts), len(arms))
    sums = ((sizes * outcome) @ into).reshape(units.shape)
    # Of one fold nothing is left to fit on, so that the model is of all.
    others_n = units.sum(axis=1, keepdims=True) - (units if count > 1 else 0.0)
    others_y = sums.sum(axis=1, keepdims=True) - (sums if count > 1 else 0.0)
    of_arm = others_y.sum(axis=2, keepdims=True) / np.maximum(others_n.sum(axis=2, keepdims=True), 1.0)
    model = (others_y + _PRIOR_UNITS * of_arm) / (others_n + _PRIOR_UNITS)
    own = model.reshape(len(sizes), -1)[:, fold * width + cell]
    choice = np.zeros((len(rows), len(arms)))
    for number, chosen in enumerate(target):
        for arm, probability in chosen.items():
            if probability > 0:
                choice[number, arms.index(arm)] = probability
    expected = np.zeros((len(sizes), len(rows)))
    context = cell // len(arms)
    for number, _ in enumerate(arms):
        place = fold * width + context * len(arms) + number
        expected += choice[:, number] * model.reshape(len(sizes), -1)[:, place]
    found: NDArray[np.float64] = (sizes * (expected + weight * (outcome - own))).sum(axis=1) / sizes.sum(
        axis=1
    )
    return found


def _self_normalised(
    weight: NDArray[np.float64], outcome: NDArray[np.float64], sizes: NDArray[np.float64]
) -> NDArray[np.float64]:
    weights = sizes @ weight
    found: NDArray[np.float64] = (sizes @ (weight * outcome)) / np.where(weights > 0, weights, np.nan)
    return found


def _percentile(drawn: NDArray[np.float64], confidence: float) -> Interval:
    low, high = np.nanquantile(drawn, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(float(low), float(high))


def _kish(weight: NDArray[np.float64], units: NDArray[np.float64]) -> float:
    squares = float(units @ weight**2)
    return float(units @ weight) ** 2 / squares if squares else 0.0
