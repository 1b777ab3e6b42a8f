from __future__ import annotations

import json
import math
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import beta, binom

from llmbench.errors import UsageError
from llmbench.stats import reply_share_e_process
from llmbench.stats.e_process import log_e_values_of_shares


def cases(validation: Path) -> dict[str, dict[str, Any]]:
    found = json.loads((validation / "abtest" / "cases.json").read_text(encoding="utf-8"))["cases"]
    return {case["id"]: case for case in found}


def howards_concentration(replies: float, alpha: float) -> float:
    """Of a mixture that is tightest after so many draws: Howard et al. (2021), proposition 3 and below."""
    tail = 2 * math.log(1 / alpha)
    return replies / (tail + math.log(1 + tail)) - 1


@pytest.mark.parametrize(
    ("name", "alternative", "alpha"),
    [("howard-bb2-log", "two-sided", 0.05), ("howard-bb1-log", "greater", 0.1)],
)
def test_published_beta_binomial_mixture(validation: Path, name: str, alternative: Any, alpha: float) -> None:
    # s above expectation and variance v: of draws with chance g = .2, v / (g h) of them.
    case = cases(validation)[name]
    g, h, v, s = (case["inputs"][key] for key in ("g", "h", "v", "s"))
    draws = v / (g * h)
    found = reply_share_e_process(
        [round(draws * g + s)],
        [round(draws * h - s)],
        share=g,
        alternative=alternative,
        concentration=howards_concentration(case["inputs"]["v_opt"] / (g * h), alpha),
        centre=None,
    )
    assert found.log_e_values[0] == pytest.approx(case["expected"]["log_e"], abs=case["tolerance"])


@pytest.mark.parametrize("letter", ["a", "b", "d", "f"])
def test_published_confidence_sequence(validation: Path, letter: str) -> None:
    case = cases(validation)[f"howard-bernoulli-cs-{letter}"]
    x, n = case["inputs"]["successes"], case["inputs"]["n"]
    concentration = howards_concentration(case["inputs"]["t_opt"], case["inputs"]["alpha_opt"])
    found = reply_share_e_process([x], [n - x], 0.5, concentration=concentration, centre=None).interval
    # With an even assignment the share is that of the odds.
    shares = [1.0 if math.isinf(ratio) else ratio / (1 + ratio) for ratio in found]
    assert shares == pytest.approx(case["expected"], abs=case["tolerance"])


@pytest.mark.parametrize("alternative", ["two-sided", "greater", "less"])
@pytest.mark.parametrize("centre", [1.0, None, 0.5])
def test_evidence_is_the_mixture_integral(alternative: Any, centre: float | None) -> None:
    share, ratio, k, x1, x2 = 0.9, 0.8, 50.0, 181, 12
    null = ratio * share / (ratio * share + 1 - share)
    about = null if centre is None else centre * share / (centre * share + 1 - share)
    prior = beta(k * about, k * (1 - about))
    low, high = {"two-sided": (0.0, 1.0), "greater": (null, 1.0), "less": (0.0, null)}[alternative]

    def integrand(q: float) -> float:
        log_ratio = x1 * math.log(q / null) + x2 * math.log((1 - q) / (1 - null))
        return float(prior.pdf(q) * math.exp(log_ratio))

    ends = sorted({low, high, *np.clip([0.8, 0.85, 0.9, 0.95, 0.99], low, high)})
    total = sum(quad(integrand, a, b, limit=200)[0] for a, b in pairwise(ends))
    expected = math.log(total / (prior.cdf(high) - prior.cdf(low)))
    found = reply_share_e_process(
        [x1], [x2], share, ratio, alternative, concentration=k, centre=centre
    ).log_e_values[0]
    assert found == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("share", [0.5, 0.9])
@pytest.mark.parametrize("ratio", [0.8, 1.0, 1.25])
@pytest.mark.parametrize("alternative", ["two-sided", "greater", "less"])
@pytest.mark.parametrize("centre", [1.0, None])
def test_evidence_is_at_most_one_on_average(
    share: float, ratio: float, alternative: Any, centre: float | None
) -> None:
    n = 60
    e = np.exp(
        [
            reply_share_e_process([x], [n - x], share, ratio, alternative, centre=centre).log_e_values[0]
            for x in range(n + 1)
        ]
    )

    def mean(true_ratio: float) -> float:
        q = true_ratio * share / (true_ratio * share + 1 - share)
        return float(e @ binom.pmf(np.arange(n + 1), n, q))

    assert mean(ratio) == pytest.approx(1.0)
    if alternative != "two-sided":
        for factor in (0.95, 0.7, 0.2):
            inside = ratio * factor if alternative == "greater" else ratio / factor
            assert mean(inside) < 1


@pytest.mark.parametrize("alternative", ["two-sided", "greater", "less"])
def test_chance_of_ever_passing_the_bound_is_exactly_enumerated(alternative: Any) -> None:
    # A look after each of 250 replies: the distribution over the paths that have not passed yet.
    share, ratio, alpha, n = 0.9, 0.9, 0.1, 250
    null = ratio * share / (ratio * share + 1 - share)
    under_way, passed = np.array([1.0]), 0.0
    for look in range(1, n + 1):
        under_way = np.append(under_way * (1 - null), 0.0) + np.append(0.0, under_way * null)
        counts = np.arange(look + 1)
        odds = math.log(share / (1 - share))
        logs = log_e_values_of_shares(counts, look - counts, odds + math.log(ratio), odds, alternative, 50.0)
        over = logs >= math.log(1 / alpha)
        passed += under_way[over].sum()
        under_way[over] = 0.0
    assert 0.02 < passed <= alpha


@pytest.mark.parametrize("alternative", ["two-sided", "greater", "less"])
@pytest.mark.parametrize("centre", [1.0, None])
def test_interval_is_what_the_test_does_not_reject(alternative: Any, centre: float | None) -> None:
    counts: dict[str, Any] = {
        "replied1": [100, 90], "replied2": [9, 15], "share": [0.9, 0.8], "centre": centre,
    }  # fmt: skip
    low, high = reply_share_e_process(**counts, alternative=alternative).interval
    grid = np.exp(np.linspace(-2.5, 2.5, 251))
    kept = [
        ratio
        for ratio in grid
        if reply_share_e_process(**counts, ratio=ratio, alternative=alternative).log_e_values[-1]
        < math.log(20)
    ]
    assert kept == [ratio for ratio in grid if low < ratio < high]
    assert (low == 0) is (alternative == "less")
    assert math.isinf(high) is (alternative == "greater")


def test_replies_of_one_share_add_up_and_epochs_multiply() -> None:
    first = reply_share_e_process([40], [9], 0.8)
    second = reply_share_e_process([70, 30], [3, 2], 0.9)
    both = reply_share_e_process([70, 40, 30], [3, 9, 2], [0.9, 0.8, 0.9])
    assert both.log_e_values[-1] == pytest.approx(first.log_e_values[-1] + second.log_e_values[-1])
    columns = reply_share_e_process([[70, 40], [30, 0]], [[3, 9], [2, 0]], [0.9, 0.8])
    assert columns.log_e_values[-1] == pytest.approx(both.log_e_values[-1])
    assert columns.interval == pytest.approx(both.interval)


def test_p_values_never_rise() -> None:
    found = reply_share_e_process([60, 10, 200], [20, 40, 200], 0.5)
    assert found.log_e_values[0] > found.log_e_values[1]
    assert found.p_values[1] == found.p_values[0] == pytest.approx(math.exp(-found.log_e_values[0]))
    assert found.p_value == found.p_values[-1]


def test_arms_without_replies() -> None:
    assert reply_share_e_process([0], [0], 0.9).interval == (0.0, math.inf)
    assert reply_share_e_process([0], [0], 0.9).p_value == 1.0
    low, high = reply_share_e_process([500], [0], 0.5).interval
    assert low > 5
    assert math.isinf(high)
    low, high = reply_share_e_process([0], [500], 0.5).interval
    assert low == 0.0
    assert high < 0.2


def test_extreme_counts_stay_finite() -> None:
    for alternative in ("greater", "less"):
        for counts in ([10**6], [3]), ([3], [10**6]), ([10**7], [10**7]):
            found = reply_share_e_process(*counts, 0.5, alternative=alternative)
            assert not math.isnan(found.log_e_values[0])
            assert found.interval.low < found.interval.high


def test_epochs_that_contradict_each_other_leave_a_point() -> None:
    low, high = reply_share_e_process([900, 100], [100, 900], [0.5, 0.51]).interval
    assert low == high == pytest.approx(1.0, abs=0.1)


def test_base_rate_is_of_no_matter() -> None:
    # The evidence sees replies only, so any number of units may lie behind them.
    rng = np.random.default_rng(20250123)
    rates = rng.uniform(0.005, 0.1, size=(2_000, 28))
    x1, x2 = (rng.binomial(units, rates).cumsum(axis=1) for units in (180, 20))
    odds = math.log(9)
    logs = log_e_values_of_shares(x1, x2, odds, odds)
    assert (logs.max(axis=1) >= math.log(20)).mean() < 0.05


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"replied1": []}, "replied1 is empty"),
        ({"replied1": [1, 2, 3]}, "of one shape"),
        ({"replied2": [1, -2]}, "none of them negative"),
        ({"replied2": [1, 0.5]}, "whole numbers"),
        ({"share": 1.0}, "strictly between 0 and 1"),
        ({"share": [0.5, 0.5, 0.5]}, "share must be one number"),
        ({"ratio": 0}, "ratio must be above 0"),
        ({"concentration": -1}, "concentration must be above 0"),
        ({"centre": 0}, "centre must be above 0"),
        ({"alternative": "bigger"}, "alternative must be one of"),
        ({"confidence": 95}, "confidence is a share"),
    ],
)
def test_bad_input_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        reply_share_e_process(**{"replied1": [1, 2], "replied2": [1, 2], "share": 0.5, **change})
