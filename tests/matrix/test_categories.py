from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from llmbench import Matrix
from llmbench.matrix import Dataset, MatrixResults
from llmbench.stats import adjust_p_values, mean_interval, paired_difference, wilson_interval


@pytest.fixture
def results(numbers: Callable[..., Dataset], fake: Any, matrix: Any) -> MatrixResults:
    """Right on every second item; three categories of 40, 40 and, without a name, 40 items."""

    def reply(messages: Any, _params: Any) -> str:
        number = int(messages[-1]["content"].split()[-1])
        return str(number) if number % 2 == 0 else "no"

    data = numbers(120, category=lambda k: ["a", "b", None][k % 3])
    found: MatrixResults = matrix(data, fake(reply)).run()
    return found


def test_each_category_is_scored_on_its_own_items(results: MatrixResults) -> None:
    found = results.categories()
    assert [(each.category, each.cell, each.n) for each in found] == [
        ("a", "fake/m[prompt]", 40), ("b", "fake/m[prompt]", 40), (None, "fake/m[prompt]", 40),
    ]  # fmt: skip
    for each in found:
        rows = results.answers[[c == each.category for c in results.answers["category"]]]
        assert each.score == rows["score"].mean() == 0.5
        assert each.ci == wilson_interval(20, 40)


def test_items_of_one_customer_widen_the_interval(
    numbers: Callable[..., Dataset], fake: Any, matrix: Any
) -> None:
    data = numbers(80, category=lambda k: "ab"[k % 2], cluster=lambda k: f"c{k // 8}")

    def reply(messages: Any, _params: Any) -> str:
        number = int(messages[-1]["content"].split()[-1])
        return str(number) if number // 8 % 2 else "no"

    results = matrix(data, fake(reply)).run()
    first = results.categories()[0]
    rows = results.answers[results.answers["category"] == "a"]
    low, high = mean_interval(rows["score"].to_numpy(), rows["cluster"].tolist(), value_range=(0, 1))
    assert first.ci == (max(0, low), min(1, high))
    assert first.ci.low < wilson_interval(20, 40).low


def test_differences_within_categories_are_adjusted_for_their_number(tmp_path: Path) -> None:
    path = tmp_path / "results.csv"
    right = {"old": lambda k: k % 2 == 0, "new": lambda k: k % 2 == 0 or (k % 3 == 0 and k % 5 < 3)}
    rows = [f"i{k},{m},{float(f(k))},{'abc'[k % 3]}" for m, f in right.items() for k in range(180)]
    path.write_text("\n".join(["item,model,score,category", *rows]) + "\n", encoding="utf-8")
    results = Matrix.from_results(path)
    found = results.category_differences("new")
    table = results.answers.pivot(index="item_id", columns="cell", values="score")
    category = results.answers.drop_duplicates("item_id").set_index("item_id")["category"]
    expected = [
        paired_difference(*(table.loc[category == name, cell].to_numpy() for cell in ("new", "old")))
        for name in "abc"
    ]
    assert [each.category for each in found] == ["a", "b", "c"]
    assert [each.n for each in found] == [60, 60, 60]
    assert [each.difference for each in found] == pytest.approx([e.difference for e in expected])
    assert [each.ci for each in found] == [e.interval for e in expected]
    adjusted = adjust_p_values([e.p_value for e in expected], "benjamini-hochberg")
    assert [each.p_adjusted for each in found] == pytest.approx(list(adjusted))
    assert found[0].p_adjusted < 0.01 < found[1].p_adjusted
