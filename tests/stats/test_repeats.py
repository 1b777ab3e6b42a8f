from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from llmbench.errors import UsageError
from llmbench.stats import pass_at_k, pass_hat_k, variance_components


@pytest.mark.parametrize(
    ("n", "c", "k"), [(n, c, k) for n in (1, 4, 6) for c in range(n + 1) for k in range(1, n + 1)]
)
def test_are_the_shares_of_all_draws(n: int, c: int, k: int) -> None:
    answers = [1] * c + [0] * (n - c)
    draws = list(itertools.combinations(answers, k))
    assert pass_at_k(n, c, k) == pytest.approx(np.mean([any(draw) for draw in draws]), abs=1e-12)
    assert pass_hat_k(n, c, k) == pytest.approx(np.mean([all(draw) for draw in draws]), abs=1e-12)


def test_one_try_is_the_share_of_right_answers() -> None:
    assert pass_at_k(10, 3, 1) == pytest.approx(0.3)
    assert pass_hat_k(10, 3, 1) == pytest.approx(0.3)


def test_the_products_of_the_paper() -> None:
    for n, c, k in [(200, 13, 100), (200, 1, 10), (100, 95, 6)]:
        product = 1 - math.prod(1 - k / i for i in range(n - c + 1, n + 1))
        assert pass_at_k(n, c, k) == pytest.approx(product, abs=1e-12)


def test_one_value_per_item_and_unknown_where_too_few_answers() -> None:
    found = pass_at_k([4, 4, 1], [0, 4, 1], 2)
    assert list(found[:2]) == [0, 1]  # type: ignore[index]
    assert math.isnan(found[2])  # type: ignore[index]
    assert list(pass_hat_k(4, [0, 4, 3], 4)) == [0, 1, 0]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("n", "c", "k", "message"),
    [
        (3, 4, 1, "c must not exceed n"),
        (3, 1, 0, "k must be at least 1"),
        (3, 1.5, 1, "c must be whole numbers"),
        (-1, -1, 1, "n must be whole numbers"),
        ([1, 2], [1], 1, "n has 2 values and c has 1"),
        (None, 1, 1, "n is missing"),
        ("3", 1, 1, "n must be"),
    ],
)
def test_what_cannot_be_meant(n: object, c: object, k: int, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        pass_at_k(n, c, k)  # type: ignore[arg-type]


def test_components_are_those_of_the_analysis_of_variance() -> None:
    random = np.random.default_rng(3)
    counts = [3, 1, 4, 2, 5]
    groups = [random.normal(mean, 1, size=count) for mean, count in enumerate(counts)]
    values = np.concatenate(groups)
    labels = np.repeat(list("abcde"), counts)
    n, k = len(values), len(groups)
    within = sum(((group - group.mean()) ** 2).sum() for group in groups) / (n - k)
    mean_square = sum(len(group) * (group.mean() - values.mean()) ** 2 for group in groups) / (k - 1)
    typical = (n - sum(count**2 for count in counts) / n) / (k - 1)
    found = variance_components(values, labels)
    assert found.within == pytest.approx(within)
    assert found.between == pytest.approx((mean_square - within) / typical)
    assert (found.items, found.answers) == (5, n)


def test_components_of_a_known_truth() -> None:
    random = np.random.default_rng(4)
    items, repeats = 2000, 3
    chances = random.beta(2, 2, size=items)
    values = (random.random((repeats, items)) < chances).astype(float)
    found = variance_components(values.ravel(), np.tile(np.arange(items), repeats))
    assert found.between == pytest.approx(0.05, abs=0.006)  # of Beta(2, 2)
    assert found.within == pytest.approx(0.2, abs=0.006)  # E p(1 - p)
    assert found.standard_error(1) == pytest.approx(math.sqrt(0.25 / items), rel=0.02)
    assert found.standard_error(math.inf) == math.sqrt(found.between / items)


def test_components_that_cannot_be_told() -> None:
    once = variance_components([1, 0], ["a", "b"])
    assert math.isnan(once.between)
    assert math.isnan(once.within)
    one_item = variance_components([1, 0, 1], ["a", "a", "a"])
    assert math.isnan(one_item.between)
    assert one_item.within == pytest.approx(1 / 3)
    assert math.isnan(variance_components([], []).within)
    assert variance_components([1, 0, 0, 1], ["a", "a", "b", "b"]).between == 0
    with pytest.raises(UsageError, match="repeats must be above 0"):
        once.standard_error(0)
