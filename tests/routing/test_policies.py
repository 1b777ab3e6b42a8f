from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

from llmbench.errors import UsageError
from llmbench.routing import evaluate_policy
from llmbench.stats import mean_interval, paired_difference


def three(n: int = 80, seed: int = 1) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    random = np.random.default_rng(seed)
    quality = {name: (random.random(n) < p).astype(float) for name, p in (("s", 0.5), ("m", 0.7), ("l", 0.8))}
    cost = {name: random.random(n) * usd for name, usd in (("s", 0.001), ("m", 0.004), ("l", 0.02))}
    return quality, cost


def test_policy_equals_its_definition() -> None:
    quality, cost = three()
    choices = np.random.default_rng(2).choice(["s", "m", "l"], 80).tolist()
    found = evaluate_policy(choices, quality, cost)
    routed = np.array([quality[c][i] for i, c in enumerate(choices)])
    paid = np.array([cost[c][i] for i, c in enumerate(choices)])
    assert found.quality == pytest.approx(routed.mean())
    assert found.quality_interval == mean_interval(routed, value_range=(0, 1))
    assert found.cost_usd == pytest.approx(paid.mean())
    assert found.cost_interval == mean_interval(paid)
    assert sum(found.shares.values()) == pytest.approx(1)
    for model in quality:
        single = found.against(model)
        assert single.quality == pytest.approx(quality[model].mean())
        assert single.difference == pytest.approx(paired_difference(routed, quality[model]).difference)
        assert single.difference_interval == paired_difference(routed, quality[model]).interval
        assert single.saving_usd == pytest.approx((cost[model] - paid).mean())
    best = [max(quality[m][i] for m in quality) for i in range(80)]
    assert found.oracle_quality == pytest.approx(np.mean(best))
    least = [min(cost[m][i] for m in quality if quality[m][i] == best[i]) for i in range(80)]
    assert found.oracle_cost_usd == pytest.approx(np.mean(least))


def test_a_single_model_as_policy_differs_from_itself_by_nothing() -> None:
    quality, cost = three()
    found = evaluate_policy(["m"] * 80, quality, cost)
    assert found.against("m").difference == 0
    assert found.against("m").saving_usd == 0
    assert found.best_single.model in quality


def test_frames_and_matrices_say_the_same() -> None:
    quality, cost = three()
    numbers = np.random.default_rng(2).integers(0, 3, 80)
    names = [list(quality)[k] for k in numbers]
    one = evaluate_policy(names, quality, cost)
    two = evaluate_policy(names, pd.DataFrame(quality), pd.DataFrame(cost))
    three_ = evaluate_policy(
        numbers.tolist(), np.column_stack(list(quality.values())), np.column_stack(list(cost.values()))
    )
    assert one.quality == two.quality == three_.quality
    assert one.cost_usd == two.cost_usd == three_.cost_usd


def test_costs_by_model_in_another_order() -> None:
    found = evaluate_policy(["a", "b"], {"a": [1, 0], "b": [1, 1]}, {"b": 0.02, "a": 0.01})
    assert found.cost_usd == pytest.approx(0.015)
    assert found.against("b").saving_usd == pytest.approx(0.005)


def test_a_missing_answer_is_left_out_never_zero() -> None:
    found = evaluate_policy(["a", "a", "b"], {"a": [1, math.nan, 0], "b": [0, 1, 1]})
    assert (found.n, found.missing, found.quality) == (2, 1, 1.0)
    assert found.against("a").n == 2
    assert math.isnan(found.cost_usd)
    assert found.oracle_quality == 1.0


def test_unknown_cost_is_unknown() -> None:
    found = evaluate_policy(["a", "b"], {"a": [1, 0], "b": [1, 1]}, {"a": 0.01, "b": None})
    assert math.isnan(found.cost_usd)
    assert found.against("a").cost_usd == 0.01
    assert math.isnan(found.against("a").saving_usd)


def test_clusters_widen_intervals() -> None:
    labels = np.repeat(np.arange(20), 4)
    quality = {"a": np.repeat(np.random.default_rng(0).integers(0, 2, 20), 4).astype(float), "b": np.ones(80)}
    alone = evaluate_policy(["a"] * 80, quality).quality_interval
    grouped = evaluate_policy(["a"] * 80, quality, clusters=labels.tolist()).quality_interval
    assert grouped.high - grouped.low > 1.5 * (alone.high - alone.low)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((["a", "c"], {"a": [1, 1], "b": [0, 0]}), "'c', which is no model"),
        ((["a"], {"a": [1, 1]}), "1 values for 2 prompts"),
        ((["a", "a"], {"a": [1, 1], "b": [0]}), "one per prompt"),
        ((["a", "a"], {}), "no model"),
        ((["a", "a"], {"a": [1, 1]}, {"b": 1}), "nothing for 'a'"),
        ((["a", "a"], {"a": [1, 1]}, {"a": -1.0}), "negative"),
        (([0, 1], [[1, 0], [1, 1]], [0.1, 0.2, 0.3]), "2 by 3"),
        (([None, 1], [[1, 0], [1, 1]]), "missing"),
    ],
)
def test_refusals(arguments: tuple[Any, ...], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        evaluate_policy(*arguments)


def test_shows_itself() -> None:
    quality, cost = three()
    found = evaluate_policy(["s"] * 80, quality, cost, name="<x>")
    assert "&lt;x&gt;" in found._repr_html_()
    table = found.to_pandas()
    assert list(table["policy"]) == ["<x>", "s", "m", "l"]
    assert table["difference_low"].notna().sum() == 3
