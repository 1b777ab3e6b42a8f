from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmbench.errors import UsageError
from llmbench.stats import adjust_p_values

# Mostly small, since that is where the procedures differ.
p_values = st.lists(
    st.one_of(st.floats(0, 0.1), st.floats(0, 1)).map(lambda p: round(p, 4)), min_size=1, max_size=8
)
METHODS = ["holm", "benjamini-hochberg", "benjamini-yekutieli"]


def test_published_case(validation: Path) -> None:
    cases = json.loads((validation / "abtest" / "cases.json").read_text(encoding="utf-8"))["cases"]
    (case,) = [c for c in cases if c["method"] == "multiplicity.benjamini_hochberg"]
    adjusted = adjust_p_values(case["inputs"]["p"], "benjamini-hochberg")
    assert adjusted == pytest.approx(case["expected"]["p_adj"], abs=case["tolerance"])


def test_benjamini_hochberg_published() -> None:
    # tea-tasting's test suite.
    adjusted = adjust_p_values([0.005, 0.06, 0.007, 0.04, 0.01, 0.03], "benjamini-hochberg")
    assert adjusted == pytest.approx([0.02, 0.06, 0.02, 0.048, 0.02, 0.045])


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("holm", [0.03, 0.06, 0.06, 0.02]),
        ("benjamini-hochberg", [0.02, 0.04, 0.04, 0.02]),
        ("benjamini-yekutieli", [0.02 * 25 / 12, 0.04 * 25 / 12, 0.04 * 25 / 12, 0.02 * 25 / 12]),
    ],
)
def test_by_hand(method: Any, expected: list[float]) -> None:
    # Holm: 4 · 0.005, 3 · 0.01, 2 · 0.03, and 1 · 0.04 raised to the one before.
    assert adjust_p_values([0.01, 0.03, 0.04, 0.005], method) == pytest.approx(expected)


def _rejections(p: list[float], alpha: float, method: str) -> set[int]:
    """The step-wise procedures as their papers state them."""
    order = sorted(range(len(p)), key=lambda i: p[i])
    m = len(p)
    if method == "holm":
        rejected: set[int] = set()
        for step, i in enumerate(order):
            if p[i] > alpha / (m - step):
                break
            rejected.add(i)
        return rejected
    harmonic = sum(1 / k for k in range(1, m + 1)) if method == "benjamini-yekutieli" else 1.0
    last = max((k for k in range(1, m + 1) if p[order[k - 1]] <= k * alpha / (m * harmonic)), default=0)
    return set(order[:last])


@settings(max_examples=80, deadline=None)
@given(p_values, st.sampled_from(METHODS), st.sampled_from([0.0101, 0.0499, 0.0503, 0.2007]))
def test_adjusted_values_reject_what_the_procedure_rejects(p: list[float], method: Any, alpha: float) -> None:
    adjusted = adjust_p_values(p, method)
    if min(abs(value - alpha) for value in adjusted) > 1e-12:
        assert {i for i, value in enumerate(adjusted) if value <= alpha} == _rejections(p, alpha, method)


@settings(max_examples=40, deadline=None)
@given(p_values, st.sampled_from(METHODS))
def test_adjusted_values_keep_order_and_never_fall(p: list[float], method: Any) -> None:
    adjusted = adjust_p_values(p, method)
    for raw, value in zip(p, adjusted, strict=True):
        assert raw <= value + 1e-15
        assert value <= 1
    for i in range(len(p)):
        for j in range(len(p)):
            assert p[i] > p[j] or adjusted[i] <= adjusted[j]


@pytest.mark.parametrize("method", METHODS)
def test_nan_passes_through_and_is_not_counted(method: Any) -> None:
    adjusted = adjust_p_values([0.01, math.nan, 0.04, None], method)
    assert [adjusted[0], adjusted[2]] == adjust_p_values([0.01, 0.04], method)
    assert math.isnan(adjusted[1])
    assert math.isnan(adjusted[3])


@pytest.mark.parametrize("method", METHODS)
def test_none_and_one(method: Any) -> None:
    assert adjust_p_values([], method) == []
    assert adjust_p_values([0.03], method) == [0.03]


def test_bad_input_names_the_parameter() -> None:
    with pytest.raises(UsageError, match=r"p\[1\] is 1\.5"):
        adjust_p_values([0.1, 1.5])
    with pytest.raises(UsageError, match="method must be one of"):
        adjust_p_values([0.1], method="bonferroni")  # type: ignore[arg-type]
