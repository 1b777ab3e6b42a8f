"""evaluate against published outcomes of two models, and against its definition by brute force."""

from __future__ import annotations

import csv
import itertools
import json
import math
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from llmbench.errors import UsageError
from llmbench.routing import Curve, category_scores, evaluate, length_scores, oracle_scores, rule_scores
from llmbench.routing.baselines import random_spread
from llmbench.routing.hull import upper_hull

VALIDATION = Path(__file__).resolve().parents[3] / "shared" / "validation" / "routing"
WEAK, STRONG = "mistralai/Mixtral-8x7B-Instruct-v0.1", "gpt-4-1106-preview"


class Outcomes(NamedTuple):
    prompts: list[str]
    weak: np.ndarray
    strong: np.ndarray


def _contaminated(folder: Path) -> set[str]:
    lines = (folder / "contaminated_prompts.jsonl").read_text(encoding="utf-8").splitlines()
    return {json.loads(line)["eval_prompt"] for line in lines}


@pytest.fixture(scope="module")
def gsm8k() -> Outcomes:
    folder = VALIDATION / "gsm8k"
    if not folder.is_dir():
        pytest.skip("the folder of published outcomes (../shared/validation/routing) is absent")
    left_out = _contaminated(folder)
    with (folder / "gsm8k_responses.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["prompt"] not in left_out]
    sides = [np.array([row[model] == "True" for row in rows], dtype=float) for model in (WEAK, STRONG)]
    return Outcomes([row["prompt"] for row in rows], *sides)


@pytest.fixture(scope="module")
def mt_bench() -> Outcomes:
    folder = VALIDATION / "mt_bench"
    if not folder.is_dir():
        pytest.skip("the folder of published outcomes (../shared/validation/routing) is absent")
    left_out = _contaminated(folder)
    questions = [
        json.loads(line) for line in (folder / "question.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    scores: dict[tuple[int, str], list[float]] = {}
    for line in (folder / "judgements.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        scores.setdefault((row["question_id"], row["model"]), []).append(row["score"])
    models = sorted({model for _, model in scores})
    strong = next(model for model in models if "gpt-4" in model)
    weak = next(model for model in models if model != strong)
    kept = [q for q in questions if not left_out & set(q["turns"])]
    sides = [np.array([np.mean(scores[q["question_id"], m]) for q in kept]) for m in (weak, strong)]
    return Outcomes([q["turns"][0] for q in kept], *sides)


def route_llm(scores: np.ndarray, weak: np.ndarray, strong: np.ndarray) -> tuple[float, dict[int, float]]:
    """APGR and CPT as RouteLLM's evaluation computes them: eleven thresholds at tenths of the scores."""
    thresholds = np.quantile(scores, np.linspace(0, 1, 11))
    points = []
    for place, threshold in enumerate(thresholds):
        up = scores > threshold if place == 10 else scores >= threshold
        points.append((up.mean(), np.where(up, strong, weak).mean()))
    share, quality = np.array(sorted(points)).T
    flat = [np.trapezoid(np.full(len(share), side.mean()), share) for side in (weak, strong)]
    apgr = (np.trapezoid(quality, share) - flat[0]) / (flat[1] - flat[0])
    gap = strong.mean() - weak.mean()
    levels = {x: 100 * np.interp(weak.mean() + x / 100 * gap, quality, share) for x in (20, 50, 80)}
    return float(apgr), levels


def brute_force(scores: Any, weak: Any, strong: Any) -> list[tuple[float, float]]:
    """(share, quality) with ties averaged: the mean over every order of the prompts that keeps to the
    scores, at every number of strong calls.
    """
    n = len(scores)
    orders = [
        order
        for order in itertools.permutations(range(n))
        if all(scores[one] >= scores[two] for one, two in itertools.pairwise(order))
    ]
    points = []
    for calls in range(n + 1):
        found = [
            np.mean([strong[i] if i in order[:calls] else weak[i] for i in range(n)]) for order in orders
        ]
        points.append((calls / n, float(np.mean(found))))
    return points


def test_gsm8k_single_models_length_and_oracle(gsm8k: Outcomes) -> None:
    prompts, weak, strong = gsm8k
    found = evaluate(length_scores(prompts), weak, strong, prompts=prompts)
    assert found.n == 1307
    assert found.missing == 0
    assert found.weak_quality == pytest.approx(0.6373, abs=5e-5)
    assert found.strong_quality == pytest.approx(0.8577, abs=5e-5)
    assert found.apgr == pytest.approx(0.598, abs=5e-4)
    assert found.policy("prompt length").apgr == found.apgr
    assert found.policy("prompt length").difference == 0
    assert found.policy("oracle").apgr == pytest.approx(1.12, abs=2e-3)
    assert found.policy("oracle").cpt50 == pytest.approx(0.110, abs=1e-3)
    assert found.policy("random").apgr == pytest.approx(0.5)
    assert found.cpt(0.5) == pytest.approx(0.37, abs=0.01)


def test_gsm8k_random_runs_spread_as_published(gsm8k: Outcomes) -> None:
    _, weak, strong = gsm8k
    random = np.random.default_rng(1)
    runs = [evaluate(random.random(len(weak)), weak, strong).apgr for _ in range(200)]
    assert np.mean(runs) == pytest.approx(0.50, abs=0.005)
    assert np.std(runs) == pytest.approx(0.020, abs=0.003)
    assert random_spread(weak, strong) == pytest.approx(0.0204, abs=5e-5)


def test_gsm8k_in_tenths_as_route_llm(gsm8k: Outcomes) -> None:
    prompts, weak, strong = gsm8k
    noise = np.random.default_rng(0).random(len(prompts)) * 1e-6
    apgr, levels = route_llm(length_scores(prompts) + noise, weak, strong)
    assert apgr == pytest.approx(0.597, abs=2e-3)
    assert levels[50] == pytest.approx(37.0, abs=0.5)
    apgr, levels = route_llm(oracle_scores(weak, strong) + noise, weak, strong)
    assert apgr == pytest.approx(1.115, abs=2e-3)
    assert levels[50] == pytest.approx(11.0, abs=0.1)


def test_mt_bench_single_models_and_length(mt_bench: Outcomes) -> None:
    prompts, weak, strong = mt_bench
    found = evaluate(length_scores(prompts), weak, strong, prompts=prompts)
    assert found.n == 72
    assert found.weak_quality == pytest.approx(8.281, abs=5e-4)
    assert found.strong_quality == pytest.approx(9.212, abs=5e-4)
    assert route_llm(length_scores(prompts), weak, strong)[0] == pytest.approx(0.556, abs=2e-3)
    assert found.apgr == pytest.approx(0.556, abs=0.02)
    # 72 questions cannot tell 0.50 from 0.61.
    assert random_spread(weak, strong) == pytest.approx(0.065, abs=0.005)


def test_mt_bench_oracle_in_tenths(mt_bench: Outcomes) -> None:
    _, weak, strong = mt_bench
    noise = np.random.default_rng(0).random(len(weak)) * 1e-6
    apgr, _ = route_llm(oracle_scores(weak, strong) + noise, weak, strong)
    exact = evaluate(oracle_scores(weak, strong), weak, strong).apgr
    assert exact == pytest.approx(apgr, abs=0.02)


@pytest.mark.parametrize("seed", range(12))
def test_curve_is_the_mean_over_all_orders(seed: int) -> None:
    random = np.random.default_rng(seed)
    n = 6
    scores = random.integers(0, 3, size=n) if seed % 2 else random.random(n)
    weak, strong = random.random(n), random.random(n) + 0.3
    found = evaluate(scores, weak, strong)
    for share, quality in brute_force(scores, weak, strong):
        assert found.at_share(share).quality == pytest.approx(quality)
    area = np.trapezoid([q for _, q in brute_force(scores, weak, strong)], dx=1 / n)
    gap = strong.mean() - weak.mean()
    assert found.apgr == pytest.approx((area - weak.mean()) / gap)


@pytest.mark.parametrize("seed", range(8))
def test_cpt_is_the_first_share_that_reaches_the_level(seed: int) -> None:
    random = np.random.default_rng(seed)
    weak, strong = random.integers(0, 2, 40).astype(float), random.integers(0, 2, 40).astype(float)
    strong[:15] = 1
    found = evaluate(random.random(40), weak, strong)
    for level in (0.0, 0.2, 0.5, 0.8, 1.0):
        share = found.cpt(level)
        target = found.weak_quality + level * (found.strong_quality - found.weak_quality)
        grid = np.linspace(0, 1, 4001)
        first = next(x for x in grid if found.at_share(float(x)).quality >= target - 1e-9)
        assert share == pytest.approx(first, abs=2.6e-4)


def test_cpt_of_a_curve_that_falls_again() -> None:
    # Rises to 0.75 at a quarter, falls back to 0.25, ends at 0.5: np.interp would need it sorted.
    found = evaluate([4, 3, 2, 1], weak=[0, 1, 0, 0], strong=[1, 0, 0, 1])
    assert found.curve.quality.tolist() == [0.25, 0.5, 0.25, 0.25, 0.5]
    assert found.cpt(0.5) == 0.125
    assert found.cpt(1.0) == 0.25


@pytest.mark.parametrize("seed", range(6))
def test_dollars_agree_with_each_threshold_by_hand(seed: int) -> None:
    random = np.random.default_rng(seed)
    n = 30
    scores = random.integers(0, 12, n).astype(float)
    weak, strong = random.random(n), random.random(n) + 0.2
    cheap, dear = random.random(n) * 0.001, 0.002 + random.random(n) * 0.01
    found = evaluate(scores, weak, strong, costs=(cheap, dear))
    for threshold in np.unique(scores):
        up = scores >= threshold
        point = found.curve.at_threshold(float(threshold))
        assert point.strong_share == pytest.approx(up.mean())
        assert point.quality == pytest.approx(np.where(up, strong, weak).mean())
        assert point.cost_usd == pytest.approx(np.where(up, dear, cheap).mean())
        assert found.quality_at_cost(point.cost_usd) == pytest.approx(point.quality)
        assert found.cost_at_quality(point.quality) <= point.cost_usd + 1e-12
    assert found.curve.at_threshold(math.inf).strong_share == 0
    assert math.isnan(found.quality_at_cost(cheap.mean() / 2))
    assert found.quality_at_cost(1.0) == pytest.approx(strong.mean())
    assert found.cost_at_quality(99.0) == math.inf


def test_apgr_in_dollars_equals_that_in_calls_at_one_price() -> None:
    random = np.random.default_rng(3)
    found = evaluate(random.random(50), random.random(50), random.random(50) + 0.5, costs=(0.001, 0.02))
    assert found.apgr_usd == pytest.approx(found.apgr)


@pytest.mark.parametrize("seed", range(10))
def test_hull_is_the_best_mixture_of_two_points(seed: int) -> None:
    random = np.random.default_rng(seed)
    n = 12
    cost, quality = random.integers(0, 9, n).astype(float), random.random(n)
    hull = upper_hull(cost, quality)
    assert (np.diff(hull.cost) > 0).all()
    assert (np.diff(hull.quality) > 0).all()
    for spent in np.linspace(cost.min(), cost.max(), 23):
        best = max(quality[cost <= spent])
        for one, two in itertools.permutations(range(n), 2):
            if cost[one] < spent < cost[two]:
                way = (spent - cost[one]) / (cost[two] - cost[one])
                best = max(best, quality[one] + way * (quality[two] - quality[one]))
        assert hull.quality_at(float(spent)) == pytest.approx(best)


def test_aiq_is_the_area_under_the_hull_over_the_range_of_costs() -> None:
    random = np.random.default_rng(5)
    cheap, dear = random.random(40), 1 + random.random(40) * 3
    found = evaluate(random.random(40), random.random(40), random.random(40) + 0.3, costs=(cheap, dear))
    grid = np.linspace(cheap.mean(), dear.mean(), 20_001)
    hull = found.hull()
    assert found.aiq == pytest.approx(np.mean([hull.quality_at(x) for x in grid]), abs=1e-4)
    assert found.aiq >= np.trapezoid(found.curve.quality, found.curve.cost_usd) / (dear - cheap).mean()


def test_bootstrap_draws_whole_clusters_and_pairs_policies() -> None:
    random = np.random.default_rng(9)
    clusters = np.repeat(np.arange(30), 4)
    weak = random.integers(0, 2, 120).astype(float)
    strong = np.maximum(weak, random.integers(0, 2, 120))
    scores = random.random(120)
    found = evaluate(scores, weak, strong, clusters=clusters.tolist(), bootstraps=60, seed=4)
    # The definition: draw clusters, write their prompts out, evaluate again.
    by_hand = []
    draws = np.random.default_rng(4)
    for _ in range(60):
        rows = np.concatenate([np.flatnonzero(clusters == c) for c in draws.integers(30, size=30)])
        by_hand.append(evaluate(scores[rows], weak[rows], strong[rows]).apgr)
    assert found.apgr_interval == pytest.approx(np.quantile(by_hand, [0.025, 0.975]))
    same = evaluate(scores, weak, strong, clusters=clusters.tolist(), bootstraps=60, seed=4)
    assert same.apgr_interval == found.apgr_interval
    assert found.interval(lambda curve: curve.apgr) == pytest.approx(found.apgr_interval)
    row = found.policy("random")
    assert row.difference_interval == pytest.approx([x - 0.5 for x in found.apgr_interval])
    assert found.interval(lambda curve: curve.apgr, against="random") == pytest.approx(
        row.difference_interval
    )


def test_intervals_cover_the_truth() -> None:
    # 40 samples of 150 prompts from one population: 95% intervals miss its APGR in about 2.
    random = np.random.default_rng(11)
    hard = random.random(40_000)
    weak = (random.random(40_000) > hard).astype(float)
    strong = (random.random(40_000) > hard * 0.5).astype(float)
    truth = evaluate(hard, weak, strong).apgr
    missed = 0
    for _ in range(40):
        rows = random.integers(40_000, size=150)
        low, high = evaluate(hard[rows], weak[rows], strong[rows], bootstraps=150).apgr_interval
        missed += not low <= truth <= high
    assert missed <= 7


def test_missing_quality_is_left_out_never_zero() -> None:
    full = evaluate([4, 3, 2], [0, 1, 0], [1, 1, 0])
    found = evaluate([4, 3, 9, 2, 8], [0, 1, math.nan, 0, 1], [1, 1, 1, 0, math.nan])
    assert (found.n, found.missing) == (3, 2)
    assert found.apgr == full.apgr
    assert any("2 of 5 prompts" in note for note in found.notes)


@pytest.mark.parametrize(
    ("weak", "strong", "said"),
    [([1, 0], [1, 0], "as good as"), ([1, 1], [1, 0], "worse than the weak one by 0.5")],
)
def test_without_a_gap_shares_of_it_are_unknown(weak: list[int], strong: list[int], said: str) -> None:
    found = evaluate([1, 2], weak, strong, bootstraps=100)
    assert math.isnan(found.apgr)
    assert math.isnan(found.cpt(0.5))
    assert math.isnan(found.apgr_interval.low)
    assert found.reason is not None
    assert said in found.reason
    assert found.data()["policies"][0]["apgr"] is None


def test_one_prompt_has_no_interval() -> None:
    found = evaluate([1], [0], [1], bootstraps=100)
    assert found.apgr == 0.5
    assert math.isnan(found.apgr_interval.low)
    assert any("one independent prompt" in note for note in found.notes)


def test_equal_scores_draw_lots() -> None:
    found = evaluate([7] * 4, [0, 1, 0, 0], [1, 1, 0, 1])
    assert found.apgr == pytest.approx(0.5)
    assert any("All scores are equal" in note for note in found.notes)


def test_an_uncertain_gap_is_said() -> None:
    random = np.random.default_rng(2)
    weak, strong = random.integers(0, 2, 60), random.integers(0, 2, 60)
    strong[:4] = 1
    found = evaluate(random.random(60), weak, strong, bootstraps=200)
    assert found.reason is None
    assert math.isnan(found.apgr_interval.low)
    assert any("the gap itself is uncertain" in note for note in found.notes)


def test_category_baseline_learns_from_other_folds_only() -> None:
    random = np.random.default_rng(0)
    labels = random.integers(0, 400, 800).tolist()
    weak, strong = random.random(800), random.random(800) + 0.3
    # Labels that say nothing: a score that had seen its own prompt would look good.
    found = evaluate(category_scores(labels, weak, strong), weak, strong)
    assert found.apgr == pytest.approx(0.5, abs=0.05)
    telling = (strong - weak > 0.3).tolist()
    assert evaluate(category_scores(telling, weak, strong), weak, strong).apgr > 0.7


def test_category_folds_keep_clusters_together() -> None:
    scores = category_scores(["a"] * 4, [0, 0, 0, 0], [1, 1, 0, 0], clusters=[1, 1, 2, 2])
    assert scores.tolist() == [0, 0, 1, 1]


def test_rules_of_the_document_beside_it() -> None:
    prompts = ["Hi", "x" * 300, "y" * 1500, [{"role": "user", "content": "Hello"}]]
    assert rule_scores(prompts).tolist() == [0, 0, 1, 0]
    found = evaluate([1, 2, 3, 4], [0, 1, 0, 1], [1, 1, 1, 1], prompts=prompts)
    row = found.policy("SMART rules (document)")
    assert row.strong_share == 0.25
    assert row.quality == 0.75
    assert {row.name for row in found.policies} == {
        *("router", "random", "oracle", "prompt length"),
        *("SMART rules (document)", "weak alone", "strong alone"),
    }


def test_random_spread_over_all_orders() -> None:
    weak, strong = np.array([0, 1, 0, 0, 1.0]), np.array([1, 1, 1, 0, 0.5])
    runs = [evaluate(order, weak, strong).apgr for order in itertools.permutations(range(5))]
    assert random_spread(weak, strong) == pytest.approx(np.std(runs))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (([1, 2], [0], [1]), "scores has 2 values and weak has 1"),
        (([1, math.nan], [0, 1], [1, 1]), "scores"),
        (([1, math.inf], [0, 1], [1, 1]), "infinite"),
        (([1, 2], [math.nan, 1], [1, math.nan]), "nothing to compare"),
        (([1, 2], [0, 1], [1, 1], 0.1), "pair"),
        (([1, 2], [0, 1], [1, 1], (-0.1, 1)), "negative"),
        (([1, 2], [0, 1], [1, 1], ([0.1], 1)), "1 values for 2 prompts"),
    ],
)
def test_refusals(arguments: tuple[Any, ...], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        evaluate(*arguments)


def test_unknown_costs_tell_no_dollars() -> None:
    found = evaluate([1, 2], [0, 1], [1, 1], costs=([0.1, math.nan], 1))
    assert found.curve.cost_usd is None
    assert math.isnan(found.aiq)
    with pytest.raises(UsageError, match="not known"):
        found.cost_at_quality(0.5)


def test_levels_and_shares_are_checked() -> None:
    curve: Curve = evaluate([1, 2], [0, 1], [1, 1]).curve
    with pytest.raises(UsageError, match="from 0 to 1"):
        curve.cpt(50)
    with pytest.raises(UsageError, match="share"):
        curve.at_share(1.5)


def test_shows_itself() -> None:
    found = evaluate([2, 1], [0, 1], [1, 1], name="<mine>", bootstraps=100)
    assert "&lt;mine&gt;" in found._repr_html_()
    assert found.to_pandas()["name"].iloc[0] == "<mine>"
    assert list(found.curve.to_pandas().columns) == ["threshold", "strong_share", "quality", "cost_usd"]
    json.dumps(found.data(), allow_nan=False)
