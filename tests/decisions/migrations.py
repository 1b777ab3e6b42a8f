"""Migrations drawn with their truth, and what the real analyses say of them: the `data` of three reports.

Each gate is put at a level: "edge" (the truth lies exactly on the threshold), "clear" (far on the good side,
so that only the other gates matter) or "planned" (as good as the plan expects).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, Literal

import numpy as np

from llmbench.abtest import Plan, analyse
from llmbench.abtest.cells import design_effect, paired_cells
from llmbench.abtest.counts import AssignedCounts, ClusterProducts, CostCounts, Counts, UnitSums
from llmbench.abtest.looks import Look, standing
from llmbench.decision import GatesPlan, MeanGate, RatesGate, ShareGate, SureGate, plan_gates
from llmbench.economics import MonteCarlo, Uncertainty, monte_carlo
from llmbench.economics.monte_carlo import _costs
from llmbench.matrix.compare import compare
from llmbench.matrix.summary import ItemScores
from llmbench.stats import mean_and_standard_error, sequential_inflation
from tests.decisions.worlds import (
    BASELINE_MISSING,
    COSTS,
    PRODUCTS,
    SEED,
    WEIGHT_SHARES,
    WEIGHTS,
    Numbers,
    Product,
    product,
    true_factors,
)

Level = Literal["edge", "clear", "planned"]

QUALITY = {"edge": -0.03, "clear": 0.07, "planned": 0.005}
MISSING = {"edge": 0.03, "clear": 0.002, "planned": 0.008}
REPLIES = {"edge": 0.9, "clear": 1.3, "planned": 1.02}
VALUE = {"edge": 0.0, "clear": 0.17, "planned": 0.12}
"""Net value of a lead over what the control's replies are worth: over rate times value of a reply."""
LEAST_SAVING = 500.0
WANTED_POWER = 0.8
DRAWS = 2000
NOW = datetime(2026, 11, 1, tzinfo=UTC)

_BUCKETS = np.exp(1.0 * np.array([-1.96, -1.44, -1.15, -0.93, -0.76, -0.6, -0.45, -0.32, -0.19, -0.06, 0.06,
                                  0.19, 0.32, 0.45, 0.6, 0.76, 0.93, 1.15, 1.44, 1.96]))  # fmt: skip
COST_OF_LEADS: Numbers = _BUCKETS / _BUCKETS.mean()
"""Twenty costs of a lead, equally frequent, mean 1: a skewed law."""
DEARER = 1.6
"""What a lead that replied costs over one that did not: it was written to again."""


def draw_scores(
    of: Product, items: int, quality: Level, missing: Level, rng: np.random.Generator
) -> tuple[dict[str, ItemScores], list[str]]:
    """Scores of the baseline and of candidates that are all as good as each other, and each item's thread."""
    if of.thread > 1:
        sizes = 1 + rng.geometric(1 / of.thread, items) * (rng.random(items) < 0.6)
        thread = np.repeat(np.arange(items), sizes)[:items]
    else:
        thread = np.arange(items)
    threads = int(thread[-1]) + 1
    right = rng.beta(3.0, 2.0, threads) * 0.45 + 0.3  # of the baseline: 0.3 to 0.75
    gain, loss = (of.discordant + sign * QUALITY[quality] / of.weight / 2 for sign in (1, -1))

    def uniform() -> Numbers:
        own, common = rng.random(items), rng.random(threads)[thread]
        return np.where(rng.random(items) < of.alike, common, own)

    base = uniform() < right[thread]
    weight = rng.choice(WEIGHTS, items, p=WEIGHT_SHARES) if of.graded else np.ones(items)
    scores = {"baseline": _scores(base * weight, rng.random(items) < BASELINE_MISSING)}
    mean_right = 0.3 + 0.45 * 0.6 + gain - loss
    for number in range(of.candidates):
        u = uniform()
        ours = np.where(base, u >= loss / right[thread], u < gain / (1 - right[thread]))
        # Missing half as often again where the answer would have been wrong.
        when_wrong = 1.5
        when_right = (1 - when_wrong * (1 - mean_right)) / mean_right
        gone = rng.random(items) < MISSING[missing] * np.where(ours, when_right, when_wrong)
        scores[f"candidate {number}"] = _scores(ours * weight, gone)
    return scores, [str(label) for label in thread]


def _scores(values: Numbers, gone: Any) -> ItemScores:
    return ItemScores(
        np.where(gone, np.nan, values), np.where(gone, 0.0, values), np.where(gone, 1.0, values), 1
    )


def matrix_data(of: Product, items: int, quality: Level, missing: Level, rng: np.random.Generator) -> Any:
    """`data` of model_matrix, and the candidate that looks best, which a team would migrate to."""
    scores, threads = draw_scores(of, items, quality, missing, rng)
    found = compare("baseline", scores, threads if of.thread > 1 else None, margin=0.03, confidence=0.95)
    best = max(found, key=lambda c: c.difference if c.difference is not None else -math.inf)
    data = {
        "models": [
            {
                "model": name, "prompt": None, "params": "", "n": int((~np.isnan(each.mean)).sum()),
                "missing": int(np.isnan(each.mean).sum()),
            }
            for name, each in scores.items()
        ],
        "comparisons": [
            {
                "baseline": c.baseline, "candidate": c.candidate, "difference": c.difference,
                "ci": None if c.ci is None else list(c.ci), "n": c.n, "margin": c.margin,
                "verdict": c.verdict, "clusters": c.clusters, "worst_case_low": c.worst_case_low,
                "best_case_high": c.best_case_high,
            }
            for c in found
        ],
    }  # fmt: skip
    return data, best.candidate


def draw_counts(of: Product, leads: int, replies: Level, value: Level, rng: np.random.Generator) -> Counts:
    """Leads split by unit within mailboxes of lognormal size, each with a rate of its own in each arm."""
    spread = 1.0
    count = math.ceil(3 * leads / of.mailbox) + 50
    sizes = 1 + np.floor((of.mailbox - 1) * rng.lognormal(-(spread**2) / 2, spread, count)).astype(np.int64)
    sizes = sizes[: int(np.searchsorted(np.cumsum(sizes), leads)) + 1]
    ratio = REPLIES[replies]
    total = 1 / of.between - 1
    rate = of.reply_rate
    treated = rng.binomial(sizes, 0.5)
    units = {"candidate": treated, "baseline": sizes - treated}
    # A mailbox is half its own and half its arm's: part of it cancels in a comparison, part does not.
    common = rng.beta(rate * total, (1 - rate) * total, len(sizes))
    replied = {}
    for arm, sent in units.items():
        own = rng.beta(rate * total, (1 - rate) * total, len(sizes))
        chance = np.where(rng.random(len(sizes)) < 0.5, common, own) * (ratio if arm == "candidate" else 1.0)
        replied[arm] = rng.binomial(sent, np.minimum(1.0, chance))
    worth = of.value_usd * rate
    cost = {"baseline": 0.35 * worth}
    cost["candidate"] = cost["baseline"] + (ratio - 1) * worth - VALUE[value] * worth
    rates = {"baseline": rate, "candidate": rate * ratio}
    return _counts(units, replied, {arm: cost[arm] / (1 + (DEARER - 1) * rates[arm]) for arm in cost}, rng)


def _counts(units: Any, replied: Any, base_cost: dict[str, float], rng: np.random.Generator) -> Counts:
    arms, costs, products = [], [], []
    for arm in sorted(units):
        n, x = int(units[arm].sum()), int(replied[arm].sum())
        usd = squared = of_replied = 0.0
        for did, how_many in ((False, n - x), (True, x)):
            each = base_cost[arm] * (DEARER if did else 1.0) * COST_OF_LEADS
            drawn = rng.multinomial(how_many, np.full(len(each), 1 / len(each)))
            usd += float(drawn @ each)
            squared += float(drawn @ each**2)
            of_replied += float(drawn @ each) if did else 0.0
            costs += [
                CostCounts(arm, "", did, int(m), float(c)) for m, c in zip(drawn, each, strict=True) if m
            ]
        arms.append(
            UnitSums(arm, "", n, x, 2 * n, x, 4.0 * n, float(x), 2.0 * x, n, x, usd, squared, of_replied, 0)
        )
        products += [
            ClusterProducts(
                arm, "", other, "", int(((units[arm] > 0) & (units[other] > 0)).sum()),
                float(units[arm] @ units[other]), float(units[arm] @ replied[other]),
                float(replied[arm] @ replied[other]), len(units[arm]),
            )
            for other in sorted(units)
        ]  # fmt: skip
    return Counts(
        experiment_id="migration", as_of=NOW, window_days=14.0, arms=tuple(arms),
        assigned=tuple(AssignedCounts(a.arm, "", a.units, 0.5, None) for a in arms),
        clusters=tuple(products), costs=tuple(costs), data_until=NOW, simulated=True,
    )  # fmt: skip


def ab_data(of: Product, leads: int, replies: Level, value: Level, rng: np.random.Generator) -> Any:
    """`data` of ab_test: of the look that decided, or of the last one."""
    batch = math.ceil(1.02 * leads / of.looks) if of.looks > 1 else leads
    parts = [draw_counts(of, batch, replies, value, rng) for _ in range(of.looks)]
    planned_units = leads if of.looks > 1 else sum(each.units for each in parts[0].arms)
    plan = Plan(
        "migration", control="baseline", margin=0.9, looks=of.looks, planned_units=planned_units,
        stopping_rule="group-sequential" if of.looks > 1 else "fixed", value_per_reply_usd=of.value_usd,
        bootstrap=1000, seed=int(rng.integers(2**31)),
    )  # fmt: skip
    book = Looks()
    for number in range(1, of.looks + 1):
        now = NOW + timedelta(days=7 * number)
        found = analyse(together(parts[:number], now), plan, book, now=now)
        if standing([Look(*each) for each in book.looks("migration")]):
            break
    return found.data()


class Looks:
    """What a ledger remembers of an experiment, in memory."""

    def __init__(self) -> None:
        self._looks: list[Any] = []
        self._plan: dict[str, Any] | None = None

    def looks(self, experiment_id: str) -> list[Any]:
        return list(self._looks)

    def frozen_plan(self, experiment_id: str) -> dict[str, Any] | None:
        return self._plan

    def record_look(
        self, experiment_id: str, number: int, *, cut_off: datetime, units: int, information: float,
        parameters: Mapping[str, Any], comparisons: Sequence[Mapping[str, Any]], seen_at: datetime,
    ) -> bool:  # fmt: skip
        self._plan = self._plan or dict(parameters)
        self._looks.append((number, cut_off, units, information, comparisons, seen_at))
        return True


def together(parts: Sequence[Counts], now: datetime) -> Counts:
    """Counts of leads in other mailboxes: sums add up."""
    one = parts[0]
    if len(parts) == 1:
        return replace(one, as_of=now, data_until=now)
    arms = [
        UnitSums(*each[0][:2], *map(sum, zip(*(e[2:] for e in each), strict=True)))
        for each in _same([part.arms for part in parts])
    ]
    products = [
        ClusterProducts(*each[0][:4], *map(sum, zip(*(e[4:] for e in each), strict=True)))
        for each in _same([part.clusters for part in parts])
    ]
    costs: dict[tuple[str, bool, float | None], int] = {}
    for part in parts:
        for c in part.costs:
            key = (c.arm, c.replied, c.cost_usd)
            costs[key] = costs.get(key, 0) + c.units
    return replace(
        one, as_of=now, data_until=now, arms=tuple(arms), clusters=tuple(products),
        assigned=tuple(AssignedCounts(a.arm, "", a.units, 0.5, None) for a in arms),
        costs=tuple(CostCounts(arm, "", did, n, usd) for (arm, did, usd), n in costs.items()),
    )  # fmt: skip


def _same(parts: Sequence[Sequence[Any]]) -> list[tuple[Any, ...]]:
    """The rows of all parts side by side: all have the same, in the same order."""
    return list(zip(*parts, strict=True))


def saving(of: Product, fixed_usd: float, seed: int, stated: float = 0.0) -> MonteCarlo:
    return monte_carlo(
        [of.option], {"baseline": of.prices}, of.load, replace(COSTS, storage_usd=fixed_usd), draws=DRAWS,
        seed=seed, uncertainty=Uncertainty(correlation=stated),
    )  # fmt: skip


def true_saving(of: Product, rng: np.random.Generator, together: float = 0.0) -> float:
    """USD a month without fixed costs, where the world is as it is and not as it was stated."""
    factors, throughput = true_factors(rng, together)
    own, api = _costs(
        [of.option], {"baseline": of.prices}, of.load, COSTS, of.load.messages_per_month, factors, throughput,
        None,
    )  # fmt: skip
    return float(api[0, 0] - own[0, 0])


def money_data(
    of: Product, level: Level, rng: np.random.Generator, together: float = 0.0, stated: float = 0.0
) -> tuple[Any, bool | None]:
    """`data` of break_even; at the edge fixed costs eat the true saving up to the threshold.

    Volume, tokens and peak are correlated by `together`, and by `stated` as the analysis is told.

    With it whether the range from 5% to 95% covers the truth; None away from the edge, where none is drawn.
    """
    truth = true_saving(of, rng, together)
    fixed = truth - LEAST_SAVING if level == "edge" else 0.0
    found = saving(of, fixed, int(rng.integers(2**31)), stated)
    low, middle, high = found.saving_quantiles(of.option.name, "baseline")
    data = {
        "monte_carlo": [
            {
                "against": "baseline", "option": of.option.name, "p10": low, "p50": middle, "p90": high,
                "probability_cheaper": found.probability_cheaper(of.option.name, "baseline"),
            }
        ]
    }  # fmt: skip
    if level != "edge":
        return data, None
    low, high = found.saving_interval(of.option.name, "baseline", 0.9)
    return data, low <= LEAST_SAVING <= high


@cache
def planned(number: int) -> GatesPlan:
    """Items and leads of a product, by a large pilot of it."""
    of = product(number)
    rng = np.random.default_rng([SEED, number, 1])
    scores, threads = draw_scores(of, 40_000, "planned", "clear", rng)
    difference = scores["candidate 0"].mean - scores["baseline"].mean
    known = ~np.isnan(difference)
    labels = [label for label, there in zip(threads, known, strict=True) if there]
    error = mean_and_standard_error(difference[known], labels).standard_error
    counts = draw_counts(of, 400_000, "planned", "planned", rng)
    cells = paired_cells(counts.arms, "candidate", "baseline")
    design = design_effect(cells, counts.clusters)
    assert design is not None
    rate = of.reply_rate
    worth = of.value_usd * rate
    inflation = 1.0
    if of.looks > 1:
        fractions = [(look + 1) / of.looks for look in range(of.looks)]
        inflation = sequential_inflation(fractions, alpha=0.025, sides=1, power=0.95)
    # Of half the leads in each arm; the spread of the costs is small beside that of the replies.
    spread = 2000 * of.value_usd * math.sqrt(rate * (1 - rate) * max(1.0, design.difference))
    return plan_gates(
        [
            MeanGate(
                "quality", QUALITY["planned"], QUALITY["edge"], error * math.sqrt(known.sum()),
                among=of.candidates, missing=MISSING["planned"] + BASELINE_MISSING,
            ),
            ShareGate("missing", MISSING["planned"], MISSING["edge"]),
            RatesGate(
                "replies", REPLIES["planned"] * rate, rate, REPLIES["edge"],
                design_effect=max(1.0, design.ratio) * inflation,
            ),
            MeanGate("value", 1000 * VALUE["planned"] * worth, 0.0, spread, sample="leads"),
            SureGate("split", 0.999),
        ],
        WANTED_POWER,
        usd_per_unit={"items": 0.03, "leads": 0.001},
    )  # fmt: skip


def product_of(migration: int) -> tuple[Product, GatesPlan]:
    number = migration % PRODUCTS
    return product(number), planned(number)
