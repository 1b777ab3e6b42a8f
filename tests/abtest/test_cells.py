from __future__ import annotations

import math

import numpy as np
import pytest

from llmbench.abtest.cells import Cells, arm_design_effect, design_effect, effective_counts, paired_cells
from llmbench.abtest.counts import ClusterProducts
from tests.abtest.made import counted, units_of

EPOCHS = ({"gpt-4o": 0.5, "mixtral": 0.5}, {"gpt-4o": 0.1, "mixtral": 0.9})


def test_one_stratum_is_plain() -> None:
    cells = paired_cells([("a", "", 900, 27), ("b", "", 100, 4), ("c", "", 7, 7)], "a", "b")
    assert cells == Cells("a", "b", ("",), (27,), (900,), (4,), (100,), (0.9,), 0)
    assert cells.rates == pytest.approx((0.03, 0.04))
    assert cells.ratio == pytest.approx(0.75)
    assert cells.difference == pytest.approx(-0.01)
    assert cells.information == pytest.approx(90)
    assert effective_counts(cells) == ((27, 900), (4, 100))


def test_strata_are_not_pooled() -> None:
    # Equal rates in each epoch, and a base rate that triples as the split changes: Simpson's paradox.
    rows = [("a", "1", 500, 5), ("b", "1", 500, 5), ("a", "2", 900, 27), ("b", "2", 100, 3)]
    cells = paired_cells(rows, "a", "b")
    assert cells.ratio == pytest.approx(1.0)
    assert pytest.approx(1.714, abs=1e-3) == (32 / 1400) / (8 / 600)


def test_strata_with_one_arm_are_left_out_and_counted() -> None:
    cells = paired_cells([("a", "1", 500, 5), ("b", "1", 400, 5), ("a", "2", 70, 3)], "a", "b")
    assert (cells.strata, cells.left_out) == (("1",), 70)


def test_weights_give_the_share_of_the_assignment() -> None:
    rows = [("a", "1", 500, 5), ("b", "1", 400, 5)]
    assert paired_cells(rows, "a", "b", {"1": {"a": 45.0, "b": 45.0, "c": 10.0}}).share1 == (0.5,)


def test_without_replies() -> None:
    cells = paired_cells([("a", "", 10, 1), ("b", "", 10, 0)], "a", "b")
    assert math.isinf(cells.ratio)
    assert math.isnan(paired_cells([("a", "", 10, 0), ("b", "", 10, 0)], "a", "b").ratio)
    assert math.isnan(paired_cells([("a", "", 10, 0)], "a", "b").rates[0])


@pytest.mark.parametrize("weights", [EPOCHS[1:], EPOCHS], ids=["one epoch", "two epochs"])
def test_design_effect_is_that_of_the_units(weights: tuple[dict[str, float], ...]) -> None:
    """Against the definition: residuals summed by cluster, unit by unit."""
    units = units_of({"gpt-4o": 0.05, "mixtral": 0.04}, 4000, weights=weights, clusters=60, spread=0.01)
    counts = counted(units)
    cells = paired_cells(counts.arms, "mixtral", "gpt-4o")
    found = design_effect(cells, counts.clusters)
    assert found is not None
    share = dict(zip(cells.strata, np.array(cells.weights) / cells.information, strict=True))
    n = {("mixtral", s): v for s, v in zip(cells.strata, cells.n1, strict=True)}
    n |= {("gpt-4o", s): v for s, v in zip(cells.strata, cells.n2, strict=True)}
    x = {("mixtral", s): v for s, v in zip(cells.strata, cells.x1, strict=True)}
    x |= {("gpt-4o", s): v for s, v in zip(cells.strata, cells.x2, strict=True)}
    for scale, slopes in (("difference", (1.0, -1.0)), ("ratio", (1 / cells.rates[0], -1 / cells.rates[1]))):
        totals: dict[int, float] = {}
        plain = 0.0
        for u in units:
            key = u["arm"], u["stratum"]
            b = share[u["stratum"]] * slopes[u["arm"] == "gpt-4o"]
            rate = x[key] / n[key]
            totals[u["cluster"]] = totals.get(u["cluster"], 0.0) + b * (u["replied"] - rate) / n[key]
            plain += (b / n[key]) ** 2 * rate * (1 - rate)
        clusters = len(totals)
        expected = clusters / (clusters - 1) * sum(t**2 for t in totals.values()) / plain
        assert getattr(found, scale) == pytest.approx(expected, rel=1e-9)
    assert found.clusters == 60


def test_clusters_of_one_unit_have_no_effect() -> None:
    n, x = 50.0, 5.0
    products = [
        ClusterProducts("a", "", "a", "", 50, n, x, x),
        ClusterProducts("b", "", "b", "", 40, 40.0, 4.0, 4.0),
        ClusterProducts("a", "", "b", "", 0, 0.0, 0.0, 0.0),
        ClusterProducts("b", "", "a", "", 0, 0.0, 0.0, 0.0),
    ]
    cells = paired_cells([("a", "", 50, 5), ("b", "", 40, 4)], "a", "b")
    found = design_effect(cells, products)
    assert found is not None
    assert found.ratio == pytest.approx(50 / 49)
    assert found.difference == pytest.approx(50 / 49)


def test_without_clusters_there_is_no_design_effect() -> None:
    cells = paired_cells([("a", "", 50, 5), ("b", "", 40, 4)], "a", "b")
    assert design_effect(cells, []) is None
    assert arm_design_effect("a", [], []) is None


def test_effective_counts_have_the_rate_and_its_variance() -> None:
    rows = [("a", "1", 5000, 50), ("b", "1", 5000, 60), ("a", "2", 90_000, 2700), ("b", "2", 10_000, 290)]
    cells = paired_cells(rows, "a", "b")
    (x1, n1), (x2, n2) = effective_counts(cells)
    assert x1 / n1 == pytest.approx(cells.rates[0], rel=0.01)
    assert x2 / n2 == pytest.approx(cells.rates[1], rel=0.01)
    assert n1 < 95_000
    assert n2 < 15_000
