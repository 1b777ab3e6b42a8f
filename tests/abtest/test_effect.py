from __future__ import annotations

import math
from statistics import NormalDist
from typing import Any

import numpy as np
import pytest
from scipy.stats import betabinom

from llmbench.abtest import Plan
from llmbench.abtest.bounds import confidence_of, critical_value, repeated_p_value
from llmbench.abtest.cells import Cells, DesignEffect, design_effect, paired_cells
from llmbench.abtest.counts import ClusterProducts
from llmbench.abtest.effect import (
    difference_interval,
    effects_by_holm,
    margin_z,
    method_of,
    ratio_interval,
    verdict_of,
)
from llmbench.stats import (
    Interval,
    alpha_spending_bounds,
    asymptotic_difference_sequence,
    cluster_moments,
    clustered_comparison,
    margin_test,
    rate_difference_interval,
    rate_ratio_interval,
    reply_share_e_process,
)
from llmbench.stats.e_process import log_e_values_of_shares


def plan(**changes: Any) -> Plan:
    return Plan("mail-7", **{"control": "b", "stopping_rule": "fixed", **changes})


def cells(x1: int, n1: int, x2: int, n2: int, name: str = "a") -> Cells:
    return paired_cells([(name, "", n1, x1), ("b", "", n2, x2)], name, "b")


def effect(found: Cells, given: Plan, fractions: tuple[float, ...] = (1.0,), design: Any = None) -> Any:
    return effects_by_holm(given, {found.treatment: found}, fractions, {found.treatment: design}, 1)[
        found.treatment
    ]


@pytest.mark.parametrize(
    ("interval", "verdict"),
    [
        ((1.01, 1.3), "better"),
        ((0.92, 1.3), "not worse"),
        ((0.92, 0.98), "not worse"),
        ((0.85, 1.3), "cannot tell"),
        ((0.80, 0.95), "cannot tell"),
        ((0.60, 0.89), "worse"),
        ((math.nan, math.nan), "cannot tell"),
        ((0.95, math.inf), "not worse"),
    ],
)
def test_verdict_of_an_interval(interval: tuple[float, float], verdict: str) -> None:
    assert verdict_of(Interval(*interval), 0.9, 1.0) == verdict


def test_one_look_at_equal_arms_is_miettinen_and_nurminen() -> None:
    found = effect(cells(300, 10_000, 310, 10_000), plan())
    assert found.ratio_ci == pytest.approx(rate_ratio_interval(300, 10_000, 310, 10_000))
    assert found.difference_ci == pytest.approx(rate_difference_interval(300, 10_000, 310, 10_000))
    assert found.margin_p == pytest.approx(margin_test(300, 10_000, 310, 10_000, 0.9).p_value)
    assert "skewness" not in found.method


def test_lopsided_arms_are_corrected_for_skewness() -> None:
    found = effect(cells(540, 18_000, 62, 2000), plan())
    assert found.ratio_ci == pytest.approx(rate_ratio_interval(540, 18_000, 62, 2000, method="scas"))
    assert "SCAS" in found.method


@pytest.mark.parametrize(("treated", "method"), [(2_999, "miettinen-nurminen"), (3_000, "scas")])
def test_arms_of_three_to_one_are_lopsided_as_in_a_simulation(treated: int, method: str) -> None:
    assert method_of(cells(90, treated, 31, 1_000)) == method


@pytest.mark.parametrize("x1", range(240, 340, 3))
@pytest.mark.parametrize("fractions", [(1.0,), (0.25,), (0.3, 0.55), (0.25, 0.5, 0.75, 1.0)])
def test_interval_p_value_and_verdict_never_disagree(x1: int, fractions: tuple[float, ...]) -> None:
    given = plan(stopping_rule="group-sequential" if fractions != (1.0,) else "fixed", margin=0.8)
    found = effect(cells(x1, 10_000, 280, 10_000), given, fractions)
    assert (found.margin_p < 0.025) == (found.ratio_ci.low > 0.8)
    assert (found.p_value < 0.05) == (not found.ratio_ci.low <= 1 <= found.ratio_ci.high)


def test_bounds_are_those_of_spending() -> None:
    given = plan(stopping_rule="group-sequential")
    fractions = (0.25, 0.5, 0.75, 1.0)
    bounds = alpha_spending_bounds(fractions, alpha=0.025, sides=1)
    assert [critical_value(given, fractions[: k + 1], 0.025) for k in range(4)] == pytest.approx(list(bounds))
    assert critical_value(plan(), (1.0,), 0.025) == pytest.approx(1.959964, abs=1e-6)
    assert confidence_of(1.959964) == pytest.approx(0.95, abs=1e-6)
    assert confidence_of(30.0) < 1


@pytest.mark.parametrize("alpha", [1e-6, 0.001, 0.025, 0.2])
def test_the_repeated_p_value_is_the_alpha_of_the_bound(alpha: float) -> None:
    given = plan(stopping_rule="group-sequential")
    fractions = (0.3, 0.6)
    z = critical_value(given, fractions, alpha)
    assert repeated_p_value(given, fractions, z) == pytest.approx(alpha, rel=1e-4)
    assert repeated_p_value(given, fractions, -1.0) > 0.4
    assert math.isnan(repeated_p_value(given, fractions, math.nan))


def test_looks_make_the_interval_wider() -> None:
    given = plan(stopping_rule="group-sequential")
    c = cells(300, 10_000, 310, 10_000)
    widths = [
        effect(c, given, fractions).ratio_ci.high - effect(c, given, fractions).ratio_ci.low
        for fractions in ((0.25,), (0.25, 0.5), (0.25, 0.5, 0.75), (0.25, 0.5, 0.75, 1.0))
    ]
    assert widths == sorted(widths, reverse=True)
    assert widths[-1] > effect(c, plan()).ratio_ci.high - effect(c, plan()).ratio_ci.low


def test_a_design_effect_is_as_if_there_were_fewer_units() -> None:
    plain = effect(cells(3000, 100_000, 3100, 100_000), plan())
    wide = effect(cells(3000, 100_000, 3100, 100_000), plan(), design=DesignEffect(2.0, 2.0, 10_000))
    half = effect(cells(1500, 50_000, 1550, 50_000), plan())
    assert wide.ratio_ci == pytest.approx(half.ratio_ci, rel=2e-3)
    assert wide.margin_p == pytest.approx(half.margin_p, rel=0.05)
    assert wide.p_value > plain.p_value
    assert "design effect 2.00 of 10,000 clusters" in wide.method
    # Few clusters: Student's t; a design effect below 1 is taken for chance.
    few = effect(cells(3000, 100_000, 3100, 100_000), plan(), design=DesignEffect(0.5, 0.5, 10))
    assert few.ratio_ci.low < plain.ratio_ci.low


def test_difference_scale() -> None:
    given = plan(scale="difference", margin=-0.005)
    found = effect(cells(300, 10_000, 310, 10_000), given)
    assert found.difference_ci is not None
    assert found.difference_ci.low < -0.005 < 0 < found.difference_ci.high
    assert found.verdict == "cannot tell"
    assert effect(cells(30_000, 10**6, 30_100, 10**6), given).verdict == "not worse"


def test_strata_are_used_by_every_estimator() -> None:
    rows = [("a", "1", 5000, 50), ("b", "1", 5000, 50), ("a", "2", 90_000, 2700), ("b", "2", 10_000, 300)]
    found = effect(paired_cells(rows, "a", "b"), plan())
    assert found.ratio == pytest.approx(1.0)
    assert found.ratio_ci.low < 1 < found.ratio_ci.high
    assert found.p_value > 0.95
    assert "stratified over 2 strata" in found.method
    anytime = effect(paired_cells(rows, "a", "b"), plan(stopping_rule="anytime"))
    assert anytime.ratio_ci.low < 1 < anytime.ratio_ci.high
    # Pooled, the same counts say that a is far better.
    assert effect(cells(2750, 95_000, 350, 15_000), plan()).verdict == "better"


def test_tiny_counts_are_tested_exactly() -> None:
    found = effect(cells(9, 100, 7, 100), plan(margin=0.5))
    assert "Chan" in found.method
    assert found.margin_p == pytest.approx(margin_test(9, 100, 7, 100, 0.5, method="chan-exact").p_value)
    assert (found.verdict == "not worse") <= (found.margin_p < 0.025)


def test_tiny_counts_are_tested_exactly_at_each_look_of_several() -> None:
    """By the level of the look: what the score passes and the exact test does not is not shown."""
    given = plan(stopping_rule="group-sequential", margin=0.5)
    fractions = (0.25, 0.5, 0.75, 1.0)
    group = cells(14, 100, 10, 100)
    found = effect(group, given, fractions)
    assert "margin by Chan's exact test at the level of this look" in found.method
    exact = margin_test(14, 100, 10, 100, 0.5, method="chan-exact").p_value
    z = NormalDist().inv_cdf(1 - exact)
    assert found.margin_p == pytest.approx(repeated_p_value(given, fractions, z), rel=1e-4)
    # Just as under "fixed", at the level that the spending leaves to the look.
    nominal = 1 - NormalDist().cdf(critical_value(given, fractions, 0.025))
    for x1 in range(10, 40):
        shown = effect(cells(x1, 100, 10, 100), given, fractions)
        exact = margin_test(x1, 100, 10, 100, 0.5, method="chan-exact").p_value
        if shown.verdict in {"better", "not worse"}:
            assert exact <= nominal
        assert (shown.verdict in {"better", "not worse"}) <= (shown.margin_p <= 0.025)


def test_better_and_worse_are_exact_as_well() -> None:
    given = plan(margin=0.9)
    found = {}
    for x1 in range(31):
        shown = effect(cells(x1, 60, 9, 60), given)
        found[x1] = shown.verdict
        if shown.verdict == "better":
            assert margin_test(x1, 60, 9, 60, 1.0, method="chan-exact").p_value <= 0.025
        if shown.verdict == "worse":
            exact = margin_test(x1, 60, 9, 60, 0.9, alternative="less", method="chan-exact").p_value
            assert exact <= 0.025
    assert set(found.values()) == {"worse", "cannot tell", "not worse", "better"}


def test_few_replies_of_strata_or_clusters_are_said_to_be_approximate() -> None:
    rows = [("a", "1", 500, 5), ("b", "1", 500, 5), ("a", "2", 900, 9), ("b", "2", 100, 2)]
    strata = effect(paired_cells(rows, "a", "b"), plan())
    assert strata.method.endswith("; approximate with 7 replies in an arm, no exact test is made over strata")
    clusters = effect(cells(9, 500, 14, 500), plan(), design=DesignEffect(1.0, 1.0, 60))
    assert clusters.method.endswith(
        "; approximate with 9 replies in an arm, no exact test is made of clusters"
    )
    large = effect(cells(9, 50_000, 9, 50_000), plan())
    assert large.method.endswith(
        "; approximate with 9 replies in an arm, no exact test is made of more than 20,000 leads"
    )
    assert "approximate" not in effect(cells(15, 500, 15, 500), plan()).method


@pytest.mark.parametrize(
    "counts", [(0, 900, 0, 100), (0, 900, 3, 100), (5, 900, 0, 100), (900, 900, 100, 100)]
)
@pytest.mark.parametrize("rule", ["fixed", "anytime", "group-sequential"])
def test_arms_without_replies_give_no_wrong_number(counts: tuple[int, int, int, int], rule: str) -> None:
    found = effect(cells(*counts), plan(stopping_rule=rule))
    assert found.verdict in {"cannot tell", "worse", "better", "not worse"}
    low, high = found.ratio_ci
    assert math.isnan(low) or low <= high
    if counts[0] == counts[2] == 0:
        assert found.verdict == "cannot tell"


def test_anytime_is_two_one_sided_processes() -> None:
    given = plan(stopping_rule="anytime")
    found = effect(cells(900, 30_000, 100, 3400), given)
    share = 30_000 / 33_400
    low = reply_share_e_process([900], [100], share, alternative="greater", confidence=0.975).interval.low
    high = reply_share_e_process([900], [100], share, alternative="less", confidence=0.975).interval.high
    assert found.ratio_ci == pytest.approx((low, high))
    assert found.difference_ci is None
    assert "no interval of the difference, because no number of leads is planned" in found.method
    assert found.margin_p == pytest.approx(
        reply_share_e_process([900], [100], share, ratio=0.9, alternative="greater").p_value
    )


def test_anytime_has_an_interval_of_the_difference_where_its_conditions_hold() -> None:
    given = plan(stopping_rule="anytime")

    def found(group: Cells, design: DesignEffect | None = None) -> Any:
        name = group.treatment
        return effects_by_holm(given, {name: group}, (1.0,), {name: design}, 1, 100_000.0)[name]

    group = cells(900, 30_000, 100, 3400)
    shown = found(group)
    (expected,) = asymptotic_difference_sequence([900], [30_000], [100], [3400], 100_000.0, 0.95)
    assert shown.difference_ci == pytest.approx(expected)
    assert shown.method.endswith("; difference by an asymptotic confidence sequence")
    wide = found(group, DesignEffect(4.0, 4.0, 90))
    assert wide.difference_ci.high - wide.difference == pytest.approx(
        2 * (shown.difference_ci.high - shown.difference)
    )
    few = found(cells(900, 30_000, 49, 1700))
    assert few.difference_ci is None
    assert few.method.endswith("because 49 leads of an arm replied and it takes 50")
    eager = found(cells(29_951, 30_000, 1600, 1700))
    assert eager.method.endswith("because 49 leads of an arm did not reply and it takes 50")
    rows = [("a", "1", 5000, 150), ("b", "1", 5000, 150), ("a", "2", 9000, 270), ("b", "2", 1000, 60)]
    strata = found(paired_cells(rows, "a", "b"))
    assert strata.difference_ci is None
    assert "of one split, and there are 2 strata" in strata.method


def test_anytime_counts_clusters_by_their_design_effect() -> None:
    """A quarter of the replies with a design effect of 1 tell as much as all with one of 4."""
    given = plan(stopping_rule="anytime", concentration=50.0)
    few = effect(cells(500, 10_000, 500, 10_000), given)
    many = effect(cells(2000, 40_000, 2000, 40_000), given, design=DesignEffect(4.0, 4.0, 400))
    alone = effect(cells(2000, 40_000, 2000, 40_000), given)
    width = [math.log(each.ratio_ci.high / each.ratio_ci.low) for each in (few, many, alone)]
    # A little narrower, since the mixture's cost is counted once for four times the data.
    assert width[2] < 0.7 * width[1]
    assert width[1] == pytest.approx(width[0], rel=0.15)
    assert many.margin_p > alone.margin_p
    assert many.p_value >= alone.p_value
    assert (many.verdict != "cannot tell") == (many.margin_p <= 0.025)
    assert "design effect 4.00 of 400 clusters" in many.method


def test_holm_by_hand() -> None:
    given = plan()
    group = {
        "clear": cells(3300, 100_000, 3100, 100_000, "clear"),
        "close": cells(2890, 100_000, 3100, 100_000, "close"),
        "low": cells(2600, 100_000, 3100, 100_000, "low"),
    }
    found = effects_by_holm(given, group, (1.0,), dict.fromkeys(group), 3)
    assert found["clear"].level == pytest.approx(0.025 / 3)
    assert found["clear"].verdict in {"better", "not worse"}
    assert found["close"].level == pytest.approx(0.025 / 2)
    assert found["low"].verdict == "worse"
    assert list(found) == list(group)
    # What an earlier look found not to be worse has left the family; what it found worse has not.
    later = effects_by_holm(given, {"close": group["close"]}, (1.0,), {"close": None}, 1)
    assert later["close"].level == pytest.approx(0.025)


def test_holm_keeps_the_error_of_three_treatments() -> None:
    """All three truly at the margin: at most 2.5% of experiments say "not worse" of any."""
    rng = np.random.default_rng(4)
    wrong = 0
    runs = 400
    for _ in range(runs):
        x2 = int(rng.binomial(20_000, 0.05))
        group = {
            name: cells(int(rng.binomial(20_000, 0.045)), 20_000, x2, 20_000, name)
            for name in ("p", "q", "r")
        }
        found = effects_by_holm(plan(), group, (1.0,), dict.fromkeys(group), 3)
        wrong += any(each.verdict in {"better", "not worse"} for each in found.values())
    assert wrong / runs < 0.025 + 3 * math.sqrt(0.025 * 0.975 / runs)


def test_the_intervals_by_themselves() -> None:
    c = cells(540, 18_000, 62, 2000)
    assert ratio_interval(c, 0.9) == pytest.approx(rate_ratio_interval(540, 18_000, 62, 2000, 0.9, "scas"))
    assert difference_interval(c, 0.9) == pytest.approx(
        rate_difference_interval(540, 18_000, 62, 2000, 0.9, "scas")
    )
    assert margin_z(c, 0.9, "ratio") == pytest.approx(
        margin_test(540, 18_000, 62, 2000, 0.9, method="scas").statistic
    )


@pytest.mark.parametrize("sizes", [(45_000, 5000), (5000, 45_000), (10_000, 10_000)], ids=str)
def test_four_looks_keep_the_error_at_the_margin_in_both_directions(sizes: tuple[int, int]) -> None:
    given = plan(stopping_rule="group-sequential")
    fractions = (0.25, 0.5, 0.75, 1.0)
    bounds = [critical_value(given, fractions[: k + 1], 0.025) for k in range(4)]
    rng = np.random.default_rng(7)
    n1, n2 = sizes
    runs = 1500
    wrong = {"not worse": 0, "worse": 0, "peeking": 0}
    for _ in range(runs):
        x1 = np.cumsum(rng.binomial(n1 // 4, 0.03 * 0.9, 4))
        x2 = np.cumsum(rng.binomial(n2 // 4, 0.03, 4))
        z = [
            margin_z(cells(int(x1[k]), n1 // 4 * (k + 1), int(x2[k]), n2 // 4 * (k + 1)), 0.9, "ratio")
            for k in range(4)
        ]
        wrong["not worse"] += any(a >= b for a, b in zip(z, bounds, strict=True))
        wrong["worse"] += any(a <= -b for a, b in zip(z, bounds, strict=True))
        wrong["peeking"] += any(a >= 1.96 for a in z)
    limit = 0.025 + 3 * math.sqrt(0.025 * 0.975 / runs)
    assert wrong["not worse"] / runs < limit
    assert wrong["worse"] / runs < limit
    assert wrong["peeking"] / runs > limit  # the gate sees a method that does not count its looks


def test_clusters_that_reply_alike_keep_the_error() -> None:
    """Accounts of 1 to 6 leads, wholly in one arm, ICC about .2."""
    rng = np.random.default_rng(5)
    runs, clusters = 400, 600
    wrong = {"clustered": 0, "as if independent": 0}
    for _ in range(runs):
        n = rng.integers(1, 7, size=clusters)
        x = rng.binomial(n, rng.beta(0.4, 3.6, size=clusters))
        rows, products = [], []
        for arm, mine in (("a", slice(0, clusters // 2)), ("b", slice(clusters // 2, None))):
            m, y = n[mine].astype(float), x[mine].astype(float)
            rows.append((arm, "", int(m.sum()), int(y.sum())))
            products.append(
                ClusterProducts(arm, "", arm, "", len(m), float(m @ m), float(m @ y), float(y @ y))
            )
            other = "b" if arm == "a" else "a"
            products.append(ClusterProducts(arm, "", other, "", 0, 0.0, 0.0, 0.0))
        found = paired_cells(rows, "a", "b")
        for name, design in (("clustered", design_effect(found, products)), ("as if independent", None)):
            interval = effect(found, plan(), design=design).ratio_ci
            wrong[name] += not interval.low <= 1 <= interval.high
    assert wrong["clustered"] / runs < 0.05 + 3 * math.sqrt(0.05 * 0.95 / runs)
    assert wrong["as if independent"] / runs > 0.09


def test_the_design_effect_is_that_of_the_statistics() -> None:
    """The same moments through the package's own cluster-robust comparison."""
    rng = np.random.default_rng(2)
    n = rng.integers(0, 9, size=(80, 2))
    n[:, 0] += n.sum(axis=1) == 0
    x = rng.binomial(n, 0.2)
    theirs = clustered_comparison(cluster_moments(n, x))
    names = ("a", "b")
    products = [
        ClusterProducts(
            names[i], "", names[j], "", int(((n[:, i] > 0) & (n[:, j] > 0)).sum()), float(n[:, i] @ n[:, j]),
            float(n[:, i] @ x[:, j]), float(x[:, i] @ x[:, j]),
        )
        for i in range(2)
        for j in range(2)
    ]  # fmt: skip
    totals = [(names[i], "", int(n[:, i].sum()), int(x[:, i].sum())) for i in range(2)]
    ours = design_effect(paired_cells(totals, "a", "b"), products)
    assert ours is not None
    # Clusters are at least those of the larger cell; only the factor C / (C - 1) can tell.
    assert ours.difference == pytest.approx(theirs.design_effect, rel=0.01)


@pytest.mark.parametrize("side", ["greater", "less"])
def test_evidence_over_the_design_effect_keeps_the_error_of_clusters(side: Any) -> None:
    """Accounts of 4 leads, ICC .3, twenty looks, exactly at the margin; undivided it errs twice as often."""
    rng = np.random.default_rng(3)
    runs, looks, size, icc, share, margin = 2000, 20, 4, 0.3, 0.9, 0.9
    totals = []
    for arm, rate in ((share, 0.03 * margin), (1 - share, 0.03)):
        clusters = rng.binomial(4000, arm, (runs, looks))
        total = 1 / icc - 1
        of_cluster = betabinom(size, rate * total, (1 - rate) * total).pmf(np.arange(size + 1))
        x = rng.multinomial(clusters, of_cluster / of_cluster.sum()) @ np.arange(size + 1)
        totals.append(x.cumsum(axis=1))
    odds = math.log(share / (1 - share))
    logs = log_e_values_of_shares(totals[0], totals[1], odds + math.log(margin), odds, side)
    design = 1 + (size - 1) * icc
    wrong, naive = ((logs / by >= math.log(40)).any(axis=1).mean() for by in (design, 1.0))
    assert wrong <= 0.025
    assert naive > 0.04
