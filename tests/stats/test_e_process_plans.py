from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest

from llmbench.errors import UsageError
from llmbench.stats import e_process_power, e_process_replies, reply_share_e_process


def by_paths(looks: list[int], share: float, true_ratio: float, **settings: Any) -> list[float]:
    """Every sequence of replies, each with its probability, through the process itself."""
    p = share * true_ratio / (share * true_ratio + 1 - share)
    shown = [0.0] * len(looks)
    alpha = settings.pop("alpha")
    for path in itertools.product((0, 1), repeat=looks[-1]):
        ones = [sum(path[start:stop]) for start, stop in zip([0, *looks], looks, strict=False)]
        twos = [stop - start - x for start, stop, x in zip([0, *looks], looks, ones, strict=False)]
        found = reply_share_e_process(ones, twos, share, **settings)
        chance = p ** sum(path) * (1 - p) ** (len(path) - sum(path))
        passed = np.maximum.accumulate(np.array(found.log_e_values) >= -math.log(alpha))
        for look, yes in enumerate(passed):
            shown[look] += chance * yes
    return shown


@pytest.mark.parametrize("alternative", ["greater", "less"])
@pytest.mark.parametrize(("share", "true_ratio"), [(0.5, 2.5), (0.8, 0.4)])
def test_power_is_that_of_every_path_there_is(alternative: Any, share: float, true_ratio: float) -> None:
    looks = [3, 4, 9]
    settings: dict[str, Any] = {"ratio": 0.9, "alternative": alternative, "alpha": 0.4, "concentration": 6.0}
    found = e_process_power(looks, share, true_ratio, **settings)
    assert found == pytest.approx(by_paths(looks, share, true_ratio, **settings), abs=1e-12)
    assert 0 < found[-1] < 1


def test_power_is_that_of_simulated_experiments() -> None:
    looks, share, ratio = [300, 700, 1200], 0.9, 0.8
    rng = np.random.default_rng(11)
    steps = np.diff([0, *looks])
    ones = rng.binomial(steps, share / (share + (1 - share)), (400, 3))
    shown = np.array(
        [
            np.maximum.accumulate(
                np.array(
                    reply_share_e_process(x, steps - x, share, ratio, "greater").log_e_values
                ) >= math.log(40)
            )
            for x in ones
        ]
    )  # fmt: skip
    found = e_process_power(looks, share, 1.0, ratio)
    assert np.all(np.abs(shown.mean(axis=0) - found) < 4 * math.sqrt(0.25 / 400))


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
@pytest.mark.parametrize(("alternative", "ratio"), [("greater", 0.9), ("less", 0.9), ("greater", 1.0)])
def test_at_the_ratio_itself_it_is_an_error_of_at_most_alpha(
    share: float, alternative: Any, ratio: float
) -> None:
    looks = [25 * look for look in range(1, 201)]
    found = e_process_power(looks, share, ratio, ratio, alternative)
    assert 0 < found[-1] <= 0.025


def test_replies_are_those_that_have_the_power() -> None:
    for share, ratio in ((0.5, 0.9), (0.9, 0.8), (0.1, 0.8)):
        needed = e_process_replies(share, 1.0, ratio)
        ends = [needed * (look + 1) / 20 for look in range(20)]
        assert e_process_power(ends, share, 1.0, ratio)[-1] == pytest.approx(0.8, abs=0.004)


def test_replies_grow_with_what_is_asked_for() -> None:
    base = e_process_replies(0.5)
    assert e_process_replies(0.5, power=0.9) > base
    assert e_process_replies(0.5, alpha=0.0125) > base
    assert e_process_replies(0.5, looks=1) > base > e_process_replies(0.5, looks=100)
    assert e_process_replies(0.5, ratio=0.999) == math.inf
    assert e_process_replies(0.5, true_ratio=0.5, ratio=0.9, alternative="less") < 200


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: e_process_power([], 0.5), "one total per look"),
        (lambda: e_process_power([20, 10], 0.5), "ascend"),
        (lambda: e_process_power([20], 1.0), "share"),
        (lambda: e_process_power([20], 0.5, true_ratio=0.0), "true_ratio must be above 0"),
        (lambda: e_process_power([20], 0.5, alternative="two-sided"), "alternative"),
        (lambda: e_process_replies(0.5, true_ratio=0.9), "no number of replies shows it"),
        (lambda: e_process_replies(0.5, power=0.01), "must be above alpha"),
        (lambda: e_process_replies(0.5, looks=0), "looks"),
    ],
)
def test_bad_input(call: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        call()
