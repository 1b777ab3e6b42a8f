from __future__ import annotations

import csv
import math
from collections import defaultdict
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from llmbench.errors import UsageError
from llmbench.stats import cohen_kappa


def test_is_observed_over_chance_agreement() -> None:
    random = np.random.default_rng(1)
    for _ in range(20):
        a, b = random.integers(0, 4, size=(2, 50))
        labels = range(4)
        observed = np.mean([x == y for x, y in zip(a, b, strict=True)])
        chance = sum(np.mean(a == label) * np.mean(b == label) for label in labels)
        assert cohen_kappa(a, b) == pytest.approx((observed - chance) / (1 - chance), abs=1e-12)


def test_full_agreement_is_exactly_one_and_order_does_not_matter() -> None:
    assert cohen_kappa([0.1, 0.2, 0.3], [0.1, 0.2, 0.3]) == 1
    assert cohen_kappa(["a", "b", "b"], ["b", "b", "a"]) == cohen_kappa(["b", "b", "a"], ["a", "b", "b"])
    assert cohen_kappa([1, 0], [0, 1]) == -1


def test_one_label_throughout_and_no_items_tell_nothing() -> None:
    assert math.isnan(cohen_kappa(["tie"] * 5, ["tie"] * 5))
    assert math.isnan(cohen_kappa([], []))


def test_published_agreement_between_the_orders_of_a_judge(validation: Path) -> None:
    folder = validation / "judges"
    with (folder / "judgments.csv").open(encoding="utf-8", newline="") as file:
        judged = defaultdict(list)
        for row in csv.DictReader(file):
            judged[row["subset"], row["judge"], row["prompt"]].append(row)
    checked = 0
    with (folder / "published_statistics.csv").open(encoding="utf-8", newline="") as file:
        for published in csv.DictReader(file):
            rows = judged.get((published["subset"], published["judge"], published["prompt"]), [])
            gold = [row["gold"] for row in rows]
            orders = [[row[name] for row in rows] for name in ("winner_orig_order", "winner_swapped_order")]
            if not rows:
                continue
            right = [[given == truth for given, truth in zip(order, gold, strict=True)] for order in orders]
            for name, order in zip(("correct_False", "correct_True"), right, strict=True):
                assert published[name].startswith(f"{sum(order)} / {len(rows)} ")
            both = sum(a and b for a, b in zip(*right, strict=True))
            assert published["correct_both"].startswith(f"{both} / {len(rows)} ")
            if all(given in {"1", "2"} for order in orders for given in order):
                agreement = float(published["kappa_agreement"])
                assert cohen_kappa(*orders) == pytest.approx(agreement, abs=1e-12)
                checked += 1
    assert checked == 65


@pytest.mark.parametrize(
    ("a", "b", "message"),
    [
        ([1, 2], [1], "a has 2 labels and b has 1"),
        ([1, None], [1, 2], r"a\[1\] is missing"),
        ([1, 2], [math.nan, 2], r"b\[0\] is missing"),
        ("yes", "yes", "a must be a list"),
        ([[1]], [[1]], r"a\[0\] must be a label"),
        (pd.Series([1, 2], index=[0, 1]), pd.Series([1, 2], index=[1, 0]), "differ in order"),
    ],
)
def test_what_cannot_be_meant(a: object, b: object, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        cohen_kappa(a, b)  # type: ignore[arg-type]
