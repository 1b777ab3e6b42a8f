"""Units that depend on each other: segments, unwanted events and cost per reply are widened, too."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pytest
from scipy.stats import t as student

from llmbench.abtest import Plan
from llmbench.abtest.cells import design_effect, paired_cells
from llmbench.abtest.counts import Counts
from llmbench.abtest.guardrails import check_guardrails
from llmbench.abtest.money import arm_cost
from llmbench.abtest.segments import segment_effects
from tests.abtest.made import counted, units_of

PLAN = Plan("mail-7", control="gpt-4o", guardrails={"complaints": 1.5})
HALF = ({"gpt-4o": 0.5, "mixtral": 0.5},)
COSTS = {"gpt-4o": 0.004, "mixtral": 0.0006}
SIZE, CORRELATION = 10, 0.15
EFFECT = 1 + (SIZE - 1) * CORRELATION
"""Of clusters that are assigned whole."""


def whole_clusters(clusters: int, seed: int, rate: float = 0.08) -> list[dict[str, Any]]:
    """Clusters of one size, assigned as one; replies and complaints are beta-binomial within each."""
    rng = np.random.default_rng(seed)
    total = 1 / CORRELATION - 1
    own = rng.beta(rate * total, (1 - rate) * total, size=(clusters, 2))
    arms = np.where(rng.random(clusters) < 0.5, "gpt-4o", "mixtral")
    units = []
    for c in range(clusters):
        drawn = rng.random((SIZE, 2)) < own[c]
        units += [
            {
                "arm": str(arms[c]), "stratum": "", "probability": 0.5, "day": 0, "cluster": c,
                "segment": "saas" if c % 2 else "retail", "messages": 1, "replied": bool(drawn[k, 0]),
                "extra": 0, "cost": COSTS[str(arms[c])] * (1 + 5 * bool(drawn[k, 0])), "other": 0,
                "complaint": bool(drawn[k, 1]), "fold": 0,
            }
            for k in range(SIZE)
        ]  # fmt: skip
    return units


def without_clusters(counts: Counts) -> Counts:
    return dataclasses.replace(
        counts, clusters=(), segment_clusters={}, guardrail_clusters={}, cluster_costs=()
    )


def residual_variance(units: list[dict[str, Any]], slopes: dict[str, float], what: str) -> float:
    """The cluster-robust variance by its definition, unit by unit."""
    rate, n = {}, {}
    for arm in slopes:
        mine = [u[what] for u in units if u["arm"] == arm]
        n[arm], rate[arm] = len(mine), sum(mine) / len(mine)
    totals: dict[Any, float] = {}
    for u in units:
        share = slopes[u["arm"]] / n[u["arm"]] * (u[what] - rate[u["arm"]])
        totals[u["cluster"]] = totals.get(u["cluster"], 0.0) + share
    return len(totals) / (len(totals) - 1) * sum(total**2 for total in totals.values())


def test_clusters_of_both_arms_are_counted_once() -> None:
    counts = counted(whole_clusters(80, 1))
    found = design_effect(paired_cells(counts.arms, "mixtral", "gpt-4o"), counts.clusters)
    assert found is not None
    assert found.clusters == 80  # not those of the larger arm alone


@pytest.mark.parametrize("part", ["segment", "guardrail"])
def test_design_effects_of_parts_are_those_of_the_definition(part: str) -> None:
    units = units_of(
        {"gpt-4o": 0.06, "mixtral": 0.05}, 6000, weights=HALF, clusters=50, spread=0.02, complaint=0.04
    )
    counts = counted(units)
    what = "replied" if part == "segment" else "complaint"
    if part == "segment":
        units = [u for u in units if u["segment"] == "saas"]
        products = counts.segment_clusters["industry", "saas"]
        rows = [r[2:] for r in counts.segments if r.segment == "saas"]
    else:
        products, rows = counts.guardrail_clusters["complaints"], [r[1:] for r in counts.guardrails]
    cells = paired_cells(rows, "mixtral", "gpt-4o")  # type: ignore[arg-type]
    found = design_effect(cells, products)
    assert found is not None
    p1, p2 = cells.rates
    plain = {
        arm: p * (1 - p) / n for arm, p, n in (("mixtral", p1, cells.n1[0]), ("gpt-4o", p2, cells.n2[0]))
    }
    for scale, slopes in (("difference", (1.0, -1.0)), ("ratio", (1 / p1, -1 / p2))):
        by_arm = dict(zip(("mixtral", "gpt-4o"), slopes, strict=True))
        expected = residual_variance(units, by_arm, what) / sum(b**2 * plain[a] for a, b in by_arm.items())
        assert getattr(found, scale) == pytest.approx(expected, rel=1e-9)


def test_clusters_widen_segments_guardrails_and_cost_per_reply() -> None:
    counts = counted(whole_clusters(600, 2))
    bare = without_clusters(counts)
    for one, two in zip(
        segment_effects(counts, PLAN, ["mixtral"]).effects,
        segment_effects(bare, PLAN, ["mixtral"]).effects,
        strict=True,
    ):
        wider = math.log(one.ratio_ci.high / one.ratio_ci.low) / math.log(
            two.ratio_ci.high / two.ratio_ci.low
        )
        assert wider == pytest.approx(math.sqrt(EFFECT), rel=0.12)
        assert one.p_value > two.p_value
        assert (one.clusters, two.clusters) == (300, None)
    (one,), (two,) = (check_guardrails(each, PLAN, ["mixtral"], {}) for each in (counts, bare))
    assert one.ratio_ci is not None
    assert two.ratio_ci is not None
    wider = math.log(one.ratio_ci.high / one.ratio_ci.low) / math.log(two.ratio_ci.high / two.ratio_ci.low)
    assert wider == pytest.approx(math.sqrt(EFFECT), rel=0.12)
    assert one.p_value is not None
    assert two.p_value is not None
    assert abs(one.p_value - 0.5) < abs(two.p_value - 0.5)


def test_a_segment_of_one_cluster_is_not_shown() -> None:
    counts = counted(whole_clusters(600, 2))
    both = tuple(
        row._replace(arms_clusters=1, clusters=1) for row in counts.segment_clusters["industry", "saas"]
    )
    alone = dataclasses.replace(
        counts, segment_clusters={**counts.segment_clusters, ("industry", "saas"): both}
    )
    assert segment_effects(alone, PLAN, ["mixtral"]).hidden == (("industry", "saas"),)


def test_fieller_with_clusters_is_that_of_the_definition() -> None:
    units = [u for u in whole_clusters(300, 3) if u["arm"] == "mixtral"]
    counts = counted(units)
    found = arm_cost(counts.arms, 0.001, 0.95, counts.cluster_costs[0])
    plain = arm_cost(counts.arms, 0.001, 0.95)
    n, x = len(units), sum(u["replied"] for u in units)
    rate, cost = x / n, sum(u["cost"] for u in units) / n + 0.001
    sums: dict[Any, Any] = {}
    for u in units:
        residual = np.array([u["cost"] + 0.001 - cost, u["replied"] - rate])
        sums[u["cluster"]] = sums.get(u["cluster"], 0.0) + residual
    table = np.array(list(sums.values()))
    clusters = len(table)
    v = clusters / (clusters - 1) * (table.T @ table) / n**2
    q = student.ppf(0.975, clusters - 1)
    # Fieller: the values r at which |cost - r rate| is just q standard errors.
    roots = np.roots(
        [rate**2 - q**2 * v[1, 1], -2 * (cost * rate - q**2 * v[0, 1]), cost**2 - q**2 * v[0, 0]]
    )
    assert found.per_reply_ci is not None
    assert plain.per_reply_ci is not None
    assert tuple(found.per_reply_ci) == pytest.approx(tuple(sorted(roots.tolist())), rel=1e-9)
    assert found.per_reply == plain.per_reply
    assert found.per_reply_ci.low < plain.per_reply_ci.low
    assert found.per_reply_ci.high > plain.per_reply_ci.high


def test_known_design_effect_keeps_coverage_where_plain_intervals_lose_it() -> None:
    """80 experiments of 160 clusters: the truth is a ratio of 1, and a cost per reply that is known."""
    runs, truth = 80, COSTS["mixtral"] * (1 + 5 * 0.08) / 0.08
    missed = {name: np.zeros(3) for name in ("clustered", "plain")}
    for seed in range(runs):
        counts = counted(whole_clusters(160, 100 + seed))
        for name, each in (("clustered", counts), ("plain", without_clusters(counts))):
            (guard,) = check_guardrails(each, PLAN, ["mixtral"], {})
            shown = segment_effects(each, PLAN, ["mixtral"]).effects
            clusters = next((c for c in each.cluster_costs if c.arm == "mixtral"), None)
            mine = [s for s in each.arms if s.arm == "mixtral"]
            cost = arm_cost(mine, 0.0, 0.95, clusters).per_reply_ci
            assert guard.ratio_ci is not None
            assert cost is not None
            missed[name] += (
                not guard.ratio_ci.low <= 1 <= guard.ratio_ci.high,
                np.mean([not e.ratio_ci.low <= 1 <= e.ratio_ci.high for e in shown]),
                not cost.low <= truth <= cost.high,
            )
    assert (missed["clustered"] / runs < 0.05 + 3 * math.sqrt(0.05 * 0.95 / runs)).all()
    assert (missed["plain"] / runs > 0.12).all()
