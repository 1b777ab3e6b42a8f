from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from llmbench import Matrix
from llmbench.matrix.compare import Comparison, compare
from llmbench.matrix.summary import ItemScores
from llmbench.stats import adjust_p_values, paired_difference, paired_margin_test, tango_interval


def scores(values: list[float], repeats: int = 1) -> ItemScores:
    """One answer per item; NaN is missing."""
    array = np.array(values, dtype=float)
    return ItemScores(
        array, np.where(np.isnan(array), 0.0, array), np.where(np.isnan(array), 1.0, array), repeats
    )


def binary(both: int, only_ours: int, only_theirs: int, neither: int) -> tuple[list[float], list[float]]:
    ours = [1.0] * both + [1.0] * only_ours + [0.0] * only_theirs + [0.0] * neither
    theirs = [1.0] * both + [0.0] * only_ours + [1.0] * only_theirs + [0.0] * neither
    return ours, theirs


def one(
    ours: list[float], theirs: list[float], margin: float = 0.03, clusters: list[str] | None = None
) -> Comparison:
    (found,) = compare(
        "base", {"base": scores(theirs), "new": scores(ours)}, clusters, margin=margin, confidence=0.95
    )
    return found


def test_difference_is_candidate_minus_baseline_by_tango() -> None:
    found = one(*binary(100, 5, 15, 80))
    assert found.difference == pytest.approx(-0.05)
    assert found.ci == pytest.approx(tango_interval(5, 15, 200))
    assert (found.baseline, found.candidate, found.n, found.missing) == ("base", "new", 200, 0)
    assert found.p_adjusted == found.p_value
    # sd of the differences by hand: sqrt((20 - 200 * .05**2) / 199), and 2.8016 of its standard errors.
    spread = math.sqrt((20 - 200 * 0.05**2) / 199)
    assert found.mde == pytest.approx((1.959964 + 0.841621) * spread / math.sqrt(200), rel=1e-5)


@pytest.mark.parametrize(
    ("counts", "margin", "verdict"),
    [
        ((100, 40, 10, 50), 0.03, "better"),
        ((400, 3, 3, 194), 0.03, "not worse"),
        ((100, 10, 40, 50), 0.03, "worse"),
        ((100, 20, 22, 58), 0.03, "cannot tell"),
        # Clearly below the baseline, and clearly within a wide margin: good enough is good enough.
        ((400, 5, 25, 170), 0.10, "not worse"),
        # Below 0 for sure, and maybe beyond the margin.
        ((400, 5, 25, 170), 0.03, "worse"),
        # Never seen to differ, on few and on enough items: the interval is ± 3.84 / (n + 3.84).
        ((100, 0, 0, 20), 0.03, "cannot tell"),
        ((100, 0, 0, 25), 0.03, "not worse"),
        ((90, 9, 0, 0), 0.03, "cannot tell"),
    ],
)
def test_verdicts(counts: tuple[int, int, int, int], margin: float, verdict: str) -> None:
    assert one(*binary(*counts), margin=margin).verdict == verdict


def test_fewer_than_a_hundred_items_give_no_verdict() -> None:
    found = one(*binary(10, 70, 0, 10))
    assert found.ci is not None
    assert found.ci.low > 0.5
    assert (found.verdict, found.reason) == ("cannot tell", "90 items are compared, and a verdict needs 100")
    assert found.items_needed == 10


def test_holm_over_all_cells_of_the_matrix() -> None:
    base = [0.0] * 60 + [1.0] * 140
    cells = {"base": scores(base)}
    raw = []
    for k in (30, 18, 8):
        ours = [1.0] * k + base[k:]
        cells[f"gain{k}"] = scores(ours)
        raw.append(paired_difference(ours, base).p_value)
    found = compare("base", cells, None, margin=0.03, confidence=0.95)
    assert [c.p_value for c in found] == raw
    expected, highest = {}, 0.0
    for rank, p in enumerate(sorted(raw)):
        highest = max(highest, min(1.0, p * (len(raw) - rank)))
        expected[p] = highest
    assert [c.p_adjusted for c in found] == pytest.approx([expected[p] for p in raw])


def test_better_needs_the_adjusted_p_value() -> None:
    ours, theirs = binary(140, 14, 4, 42)
    assert one(ours, theirs).verdict == "better"
    cells = {"base": scores(theirs)} | {f"c{k}": scores(ours) for k in range(6)}
    assert {c.verdict for c in compare("base", cells, None, margin=0.03, confidence=0.95)} == {"not worse"}


def test_not_worse_is_adjusted_over_all_cells_of_the_matrix() -> None:
    base = [1.0] * 300 + [0.0] * 300
    cells, raw = {"base": scores(base)}, {}
    for k in (5, 20, 24, 28):
        # k items lost and k won: no difference, less and less surely.
        ours = [0.0] * k + base[k:300] + [1.0] * k + base[300 + k :]
        cells[f"c{k}"] = scores(ours)
        raw[f"c{k}"] = paired_margin_test(ours, base, -0.03).p_value
        assert one(ours, base).verdict == "not worse"
        assert one(ours, base).p_not_worse_adjusted == raw[f"c{k}"] < 0.025
    found = {c.candidate: c for c in compare("base", cells, None, margin=0.03, confidence=0.95)}
    expected = dict(zip(raw, adjust_p_values(list(raw.values())), strict=True))
    assert {name: c.p_not_worse_adjusted for name, c in found.items()} == expected
    # Holm: each smaller p-value is held against a stricter level, and the first to fail ends it.
    assert [c.verdict for c in found.values()] == ["not worse", "not worse", "not worse", "not worse"]
    crowd = cells | {f"more{k}": cells["c28"] for k in range(6)}
    found = {c.candidate: c for c in compare("base", crowd, None, margin=0.03, confidence=0.95)}
    assert found["c5"].verdict == "not worse"
    alone = found["c28"]
    assert alone.ci is not None
    assert alone.ci.low > -0.03
    assert alone.p_not_worse_adjusted == pytest.approx(7 * raw["c28"])
    assert alone.verdict == "cannot tell"
    assert "above the margin of −3.0 points, but the p-value adjusted for 10 comparisons" in alone.reason
    assert alone.items_needed is not None
    assert alone.items_needed > 100


def test_several_cells_at_the_margin_are_rarely_called_not_worse() -> None:
    rng = np.random.default_rng(20250123)
    items, margin, runs, false = 300, 0.05, 300, 0
    for _ in range(runs):
        base = (rng.random(items) < 0.7).astype(float)
        cells = {"base": scores(list(base))}
        for k in range(6):
            # A tenth of the right answers lost and a fifteenth of the wrong ones won: 7 less 2 points.
            flips = rng.random(items) < np.where(base == 1, 0.1, 0.02 / 0.3)
            cells[f"c{k}"] = scores(list(np.where(flips, 1 - base, base)))
        found = compare("base", cells, None, margin=margin, confidence=0.95)
        false += any(c.verdict in {"better", "not worse"} for c in found)
    # The rule allows .025 (7.5 of 300, three standard errors more are 16); by the intervals alone 41.
    assert false <= 16


def test_worse_needs_the_adjusted_p_value() -> None:
    theirs, ours = binary(140, 16, 4, 42)
    assert one(ours, theirs, margin=0.001).verdict == "worse"
    cells = {"base": scores(theirs)} | {f"c{k}": scores(ours) for k in range(9)}
    (found, *_) = compare("base", cells, None, margin=0.001, confidence=0.95)
    assert found.ci is not None
    assert found.ci.high < -found.margin
    assert found.verdict == "cannot tell"
    assert "the interval lies below 0, but the p-value adjusted for 9 comparisons" in found.reason


def test_missing_answers_are_bounded_with_the_adjusted_p_value() -> None:
    ours, theirs = binary(400, 9, 9, 182)
    holes = [math.nan] * 6 + ours[6:]
    assert one(holes, theirs).verdict == "not worse"
    cells = {"base": scores(theirs)} | {f"c{k}": scores(holes) for k in range(4)}
    (found, *_) = compare("base", cells, None, margin=0.03, confidence=0.95)
    assert found.worst_case_low is not None
    assert found.worst_case_low > -0.03
    assert found.p_not_worse_adjusted is not None
    assert found.p_not_worse_adjusted < 0.025
    assert (found.verdict, found.missing) == ("cannot tell", 6)
    assert "6 items lack an answer" in found.reason


def test_clusters_widen_the_interval_and_leave_the_difference() -> None:
    ours, theirs = binary(80, 20, 12, 48)
    labels = [f"c{k // 8}" for k in range(160)]
    alone, clustered = one(ours, theirs), one(ours, theirs, clusters=labels)
    assert alone.difference == clustered.difference
    assert alone.ci is not None
    assert clustered.ci is not None
    assert clustered.ci.high - clustered.ci.low > alone.ci.high - alone.ci.low
    # The definition: sums of residuals by cluster, C/(C-1), t with C-1 degrees of freedom.
    from scipy.special import stdtrit

    difference = np.array(ours) - np.array(theirs)
    sums = (difference - difference.mean()).reshape(20, 8).sum(axis=1)
    error = math.sqrt(20 / 19 * (sums**2).sum()) / 160
    half = stdtrit(19, 0.975) * error
    assert clustered.ci == pytest.approx((difference.mean() - half, difference.mean() + half))


def test_missing_is_left_out_and_bounded() -> None:
    ours, theirs = binary(400, 3, 3, 194)
    assert one(ours, theirs).verdict == "not worse"
    few = one([math.nan] * 5 + ours[5:], theirs)
    assert (few.n, few.missing, few.verdict) == (595, 5, "not worse")
    assert few.worst_case_low == pytest.approx(tango_interval(3, 8, 600).low)
    many = one([math.nan] * 30 + ours[30:], theirs)
    assert many.verdict == "cannot tell"
    assert "30 items lack an answer" in many.reason
    # The other way round: worse on what was answered, and the missing could make up for it.
    ours, theirs = binary(100, 10, 40, 50)
    assert one(ours, theirs).verdict == "worse"
    assert one(ours[:-50] + [math.nan] * 50, theirs).verdict == "cannot tell"
    assert one(ours[:-5] + [math.nan] * 5, theirs).verdict == "worse"
    # Missing in the baseline counts as right there in the worst case.
    ours, theirs = binary(100, 40, 10, 50)
    assert one(ours, [math.nan] * 3 + theirs[3:]).verdict == "better"
    assert one(ours, theirs[:-50] + [math.nan] * 50).verdict == "cannot tell"


def test_better_that_missing_answers_could_undo_is_only_not_worse() -> None:
    ours, theirs = binary(400, 25, 8, 167)
    assert one(ours, theirs).verdict == "better"
    assert one([math.nan] * 12 + ours[12:], theirs).verdict == "not worse"


def test_nothing_in_common_is_unknown() -> None:
    found = one([math.nan] * 120, [1.0] * 120)
    assert (found.n, found.difference, found.ci, found.p_value, found.p_adjusted) == (
        0,
        None,
        None,
        None,
        None,
    )
    assert (found.verdict, found.items_needed) == ("cannot tell", None)


def test_items_needed_is_about_right() -> None:
    ours, theirs = binary(100, 20, 20, 60)
    found = one(ours, theirs)
    assert found.verdict == "cannot tell"
    assert found.items_needed is not None
    # A true difference of 0 is 3 points above the margin; variance 40/200 = .2 (n - 1: .201).
    assert found.items_needed == pytest.approx((2.8016 / 0.03) ** 2 * 0.2 * 200 / 199 - 200, abs=2)
    # So many items of the same kind do settle it, with the same shares.
    factor = math.ceil((found.items_needed + 200) / 200)
    assert one(*binary(100 * factor, 20 * factor, 20 * factor, 60 * factor)).verdict == "not worse"

    same = one(*binary(60, 0, 0, 60))
    assert same.items_needed == 5
    assert one(*binary(65, 0, 0, 60)).verdict == "not worse"


def test_items_that_only_one_got_right_are_counted_and_tested() -> None:
    ours, theirs = binary(59, 6, 16, 80)
    found = one([*ours, math.nan], [*theirs, 1.0])
    assert (found.n, found.only_candidate, found.only_baseline, found.clusters) == (161, 6, 16, None)
    assert found.p_mcnemar == pytest.approx(0.052479, abs=5e-7)
    graded = one([0.5] * 120, [0.0, 1.0] * 60)
    assert (graded.only_candidate, graded.only_baseline, graded.p_mcnemar) == (None, None, None)


def test_few_clusters_are_warned_of(tmp_path: Path) -> None:
    ours, theirs = [1.0, 1.0, 0.0, 1.0] * 60, [1.0, 0.0, 0.0, 1.0] * 60
    for count, warned in ((39, True), (40, False)):
        path = tmp_path / f"{count}.csv"
        lines = [
            f"{name},{place},{scores[place]},c{place % count}"
            for name, scores in (("old", theirs), ("new", ours))
            for place in range(240)
        ]
        path.write_text("\n".join(["model,item,score,cluster", *lines]) + "\n", encoding="utf-8")
        results = Matrix.from_results(path)
        assert results.comparisons[0].clusters == count
        reasons = results.verdict().reasons
        assert any(f"{count} clusters only" in reason for reason in reasons) == warned


def test_missing_answers_are_no_want_of_items() -> None:
    ours, theirs = binary(600, 30, 5, 320)
    ours = [*ours, *[math.nan] * 45]
    theirs = [*theirs, *[1.0] * 45]
    found = one(ours, theirs)
    assert found.verdict == "cannot tell"
    assert "items lack an answer" in found.reason
    assert found.items_needed is None


def test_items_without_spread_are_counted_by_clusters() -> None:
    """Two clusters of 100 alike items are two observations, not 200."""
    labels = [f"c{place // 100}" for place in range(200)]
    found = one([1.0] * 200, [1.0] * 200, clusters=labels)
    assert found.verdict == "cannot tell"
    assert found.items_needed is not None
    assert found.items_needed > 5_000
