from __future__ import annotations

import json
import math
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.optimize import brentq
from scipy.stats import norm

from llmbench.errors import UsageError
from llmbench.stats import (
    alpha_spending_bounds,
    crossing_probabilities,
    sequential_inflation,
    spending_schedule,
    stagewise_p_value,
)


def cases(validation: Path, method: str) -> list[dict[str, Any]]:
    found = json.loads((validation / "abtest" / "cases.json").read_text(encoding="utf-8"))["cases"]
    return [case for case in found if case["method"] == method]


def equal(looks: int) -> list[float]:
    return [look / looks for look in range(1, looks + 1)]


@pytest.mark.parametrize(
    ("fractions", "alpha", "sides", "kind", "expected", "tolerance"),
    [
        # R's gsDesign with sfLDOF and sfLDPocock, test.type = 1, alpha = .025.
        (equal(4), 0.025, 1, "obrien-fleming", [4.332634, 2.963131, 2.359044, 2.014090], 1e-5),
        (equal(4), 0.025, 1, "pocock", [2.368328, 2.367524, 2.358168, 2.350036], 1e-5),
        # R's rpact and gsDesign, three looks.
        (equal(3), 0.025, 1, "obrien-fleming", [3.7103, 2.5114, 1.9930], 6e-5),
        # DeMets and Lan (1994), Stat Med 13:1341: two-sided 5% (their grid is good to four digits).
        (equal(5), 0.05, 2, "obrien-fleming", [4.8769, 3.3569, 2.6803, 2.2898, 2.0310], 2e-4),
        ([1.0], 0.05, 2, "obrien-fleming", [1.959964], 1e-6),
        ([1.0], 0.05, 1, "pocock", [1.644854], 1e-6),
    ],
)
def test_published_bounds(
    fractions: list[float], alpha: float, sides: int, kind: Any, expected: list[float], tolerance: float
) -> None:
    found = alpha_spending_bounds(fractions, alpha, sides, kind)
    assert found.tolist() == pytest.approx(expected, abs=tolerance)


@pytest.mark.parametrize("kind", ["obrien-fleming", "pocock"])
@pytest.mark.parametrize("sides", [1, 2])
@pytest.mark.parametrize("fractions", [(0.3, 1.0), (0.61, 0.65), (0.9, 0.9999), (0.02, 1.3)])
def test_second_bound_is_that_of_one_integral(fractions: tuple[float, float], sides: int, kind: Any) -> None:
    first, second = fractions
    schedule = spending_schedule(fractions, 0.05, sides, kind)
    low = -schedule.critical_values[0] if sides == 2 else -math.inf

    def reaches(x: float) -> float:
        distance = schedule.critical_values[1] * math.sqrt(second) - x * math.sqrt(first)
        return float(norm.pdf(x) * norm.sf(distance / math.sqrt(second - first)))

    points = list(np.clip([-3, -1, 0, 1, 2, 2.3, 3], max(low, -8), schedule.critical_values[0]))
    ends = sorted({max(low, -9.0), *map(float, points), min(9.0, schedule.critical_values[0])})
    found = sum(quad(reaches, a, b, epsabs=1e-13, limit=400)[0] for a, b in pairwise(ends))
    spent = schedule.spent[1] - schedule.spent[0]
    assert sides * found == pytest.approx(spent, abs=2e-9)


@settings(deadline=None, max_examples=30)
@given(
    st.lists(st.integers(1, 999), min_size=1, max_size=8, unique=True),
    st.sampled_from([0.001, 0.025, 0.05, 0.2]),
    st.sampled_from([1, 2]),
    st.sampled_from(["obrien-fleming", "pocock"]),
)
def test_all_of_alpha_is_spent_and_no_more(
    thousandths: list[int], alpha: float, sides: int, kind: Any
) -> None:
    fractions = [each / 1000 for each in sorted(thousandths)] + [1.0]
    schedule = spending_schedule(fractions, alpha, sides, kind)
    found = crossing_probabilities(schedule.critical_values, fractions, 0.0, sides)
    assert found.total == pytest.approx(alpha, abs=1e-9)
    assert schedule.spent[-1] == pytest.approx(alpha)
    running = np.cumsum(found.upper) + np.cumsum(found.lower)
    assert running.tolist() == pytest.approx(list(schedule.spent), abs=1e-9)
    assert list(schedule.spent) == sorted(schedule.spent)


def test_bounds_of_the_looks_so_far_are_those_of_the_whole_plan() -> None:
    whole = alpha_spending_bounds([0.2, 0.35, 0.8, 1.0])
    assert alpha_spending_bounds([0.2, 0.35]).tolist() == pytest.approx(whole[:2].tolist(), abs=1e-10)


def test_crossings_are_those_of_simulated_motion() -> None:
    fractions, bounds, drift = [0.15, 0.4, 0.5, 1.0], [2.6, 2.3, 2.4, 2.0], 1.7
    rng = np.random.default_rng(20250123)
    steps = np.diff([0.0, *fractions])
    paths = (rng.normal(size=(400_000, 4)) * np.sqrt(steps) + drift * steps).cumsum(axis=1)
    z = paths / np.sqrt(fractions)
    for sides in (1, 2):
        crossed = (z >= bounds) | ((z <= -np.array(bounds)) & (sides == 2))
        first = np.where(crossed.any(axis=1), crossed.argmax(axis=1), -1)
        up = [np.mean((first == look) & (z[:, look] > 0)) for look in range(4)]
        down = [np.mean((first == look) & (z[:, look] < 0)) for look in range(4)]
        found = crossing_probabilities(bounds, fractions, drift, sides)
        assert list(found.upper) == pytest.approx(up, abs=0.003)
        assert list(found.lower) == pytest.approx(down, abs=0.003)


def test_naive_peeking_inflates_as_published(validation: Path) -> None:
    found = cases(validation, "sequential.naive_peeking_type1_upper")
    assert len(found) == 2
    for case in found:
        looks, z = case["inputs"]["looks"], case["inputs"]["z"]
        crossing = crossing_probabilities([z] * looks, equal(looks))
        assert sum(crossing.upper) == pytest.approx(
            case["expected"]["upper_exit_prob"], abs=case["tolerance"]
        )
        assert crossing.total == pytest.approx(case["expected"]["two_sided"], abs=case["tolerance"])
    # McPherson and Armitage (1971), as Jennison and Turnbull's (2000) table 2.1 has it.
    for looks, expected in [
        (1, 0.05),
        (2, 0.083),
        (3, 0.107),
        (4, 0.126),
        (5, 0.142),
        (10, 0.193),
        (20, 0.248),
    ]:
        assert crossing_probabilities([1.959964] * looks, equal(looks)).total == pytest.approx(
            expected, abs=5.1e-4
        )


def classical(looks: int, delta: float, alpha: float = 0.05) -> list[float]:
    """Wang and Tsiatis's bounds, c (k/K)^(delta - 1/2): delta 0 is O'Brien and Fleming, 1/2 Pocock."""
    shape = np.array(equal(looks)) ** (delta - 0.5)
    c = brentq(lambda c: crossing_probabilities(c * shape, equal(looks)).total - alpha, 1, 5)
    return list(c * shape)


def test_classical_designs_have_their_published_bounds(validation: Path) -> None:
    (case,) = cases(validation, "sequential.obrien_fleming_bounds")
    assert classical(4, 0.0) == pytest.approx(case["expected"], abs=case["tolerance"])
    (case,) = cases(validation, "sequential.wang_tsiatis_final_bound")
    bounds = classical(7, case["inputs"]["delta"])
    assert bounds[-1] == pytest.approx(case["expected"]["final_bound"], abs=case["tolerance"])
    # Pocock (1977), five looks.
    assert classical(5, 0.5) == pytest.approx([2.413] * 5, abs=6e-4)


def test_inflation_of_the_classical_design(validation: Path) -> None:
    (case,) = cases(validation, "sequential.inflation_factor")
    bounds, one_look = classical(5, 0.0), norm.ppf(0.975) + norm.ppf(0.8)
    drift = brentq(lambda d: sum(crossing_probabilities(bounds, equal(5), d).upper) - 0.8, 1, 6)
    assert 100 * (drift / one_look) ** 2 == pytest.approx(
        case["expected"]["max_n_percent"], abs=case["tolerance"]
    )


def test_inflation_gives_the_power_that_was_asked_for() -> None:
    factor = sequential_inflation(equal(4), 0.025, 1, "pocock", 0.9)
    drift = (norm.ppf(0.975) + norm.ppf(0.9)) * math.sqrt(factor)
    bounds = alpha_spending_bounds(equal(4), 0.025, 1, "pocock")
    assert sum(crossing_probabilities(bounds, equal(4), drift, 1).upper) == pytest.approx(0.9, abs=1e-8)
    assert sequential_inflation([1.0]) == pytest.approx(1.0)


def test_stagewise_p_agrees_with_the_bounds() -> None:
    fractions = [0.3, 0.6, 1.0]
    for sides in (1, 2):
        schedule = spending_schedule(fractions, 0.05, sides)
        for look in range(3):
            seen = fractions[: look + 1]
            critical = schedule.critical_values[look]
            for sign in (1, -1) if sides == 2 else (1,):
                at = stagewise_p_value(sign * critical, schedule.critical_values[: look + 1], seen, sides)
                assert at == pytest.approx(schedule.spent[look], abs=1e-9)
            beyond = stagewise_p_value(critical + 0.1, schedule.critical_values[: look + 1], seen, sides)
            assert beyond < schedule.spent[look]
    assert stagewise_p_value(1.3, [], [0.4]) == pytest.approx(norm.sf(1.3))


def test_stagewise_p_is_uniform_without_an_effect() -> None:
    fractions = [0.4, 0.7, 1.0]
    bounds = alpha_spending_bounds(fractions, 0.1, 1, "pocock")
    rng = np.random.default_rng(20250123)
    z = (rng.normal(size=(400, 3)) * np.sqrt(np.diff([0.0, *fractions]))).cumsum(axis=1) / np.sqrt(fractions)
    p = []
    for path in z:
        last = int(np.argmax(path >= bounds)) if (path >= bounds).any() else 2
        p.append(stagewise_p_value(float(path[last]), bounds[: last + 1], fractions[: last + 1]))
    assert np.quantile(p, [0.1, 0.5, 0.9]).tolist() == pytest.approx([0.1, 0.5, 0.9], abs=0.06)


def test_confidences_belong_to_the_bounds() -> None:
    schedule = spending_schedule([0.5, 1.0])
    for critical, confidence in zip(schedule.critical_values, schedule.confidences, strict=True):
        assert norm.ppf(0.5 + confidence / 2) == pytest.approx(critical)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"information_fractions": []}, "empty"),
        ({"information_fractions": [0.0, 1.0]}, "begin at 0.0001"),
        ({"information_fractions": [0.5, 0.5]}, "ascend"),
        ({"information_fractions": [0.9, 0.5]}, "ascend"),
        ({"information_fractions": [1.0, 1.2]}, "Only the last"),
        ({"information_fractions": [0.5, math.nan]}, r"information_fractions\[1\] is missing"),
        ({"alpha": 0.0}, "alpha"),
        ({"alpha": 0.7, "sides": 1}, "below 0.5"),
        ({"sides": 3}, "sides must be 1 or 2"),
        ({"kind": "haybittle"}, "kind must be one of"),
    ],
)
def test_bad_input_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        alpha_spending_bounds(**{"information_fractions": [0.5, 1.0], **change})


def test_bad_bounds_are_refused() -> None:
    with pytest.raises(UsageError, match="one per look"):
        crossing_probabilities([2.0], [0.5, 1.0])
    with pytest.raises(UsageError, match="above 0"):
        crossing_probabilities([2.0, math.nan], [0.5, 1.0])
    with pytest.raises(UsageError, match="one per earlier look"):
        stagewise_p_value(2.0, [], [0.5, 1.0])
    with pytest.raises(UsageError, match="must end at 1"):
        sequential_inflation([0.5, 0.9])
    assert crossing_probabilities([math.inf, 1.959964], [0.5, 1.0]).total == pytest.approx(0.05, abs=1e-6)
