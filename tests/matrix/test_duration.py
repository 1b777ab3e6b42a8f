from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from llmbench.matrix.duration import duration
from llmbench.matrix.lanes import Lanes
from llmbench.matrix.quote import CellQuote, PerCall, Quote, Range, clock
from llmbench.routing import Limit

NONE = Range(0.0, 0.0, 0.0)
CELL = CellQuote(
    "a/m[p]", 100, 0, 100, Range(900.0, 1000.0, 2000.0), Range(100.0, 500.0, 900.0), NONE, "",
    target=("a", "m"), latency_ms=PerCall(500.0, 400.0, 900.0),
)  # fmt: skip
LANES = {"a": Lanes(10, 50), "b": Lanes(1, 1)}


def seconds(*cells: CellQuote, **limits: Any) -> Range:
    return duration(Quote(cells), LANES, {name.replace("_", "/"): limit for name, limit in limits.items()})


def test_calls_over_lanes() -> None:
    assert seconds(CELL) == pytest.approx((100 * 0.4 / 50, 100 * 0.5 / 10, 100 * 0.9 / 10))


def test_endpoints_work_side_by_side_and_a_judge_afterwards() -> None:
    slow = replace(CELL, cell="b/m[p]", target=("b", "m"))
    judge = replace(CELL, cell="b/j judges", target=("b", "j"), role="judge", to_make=10)
    assert seconds(CELL, slow).expected == pytest.approx(50)
    assert seconds(CELL, slow, judge).expected == pytest.approx(55)


def test_cells_of_one_endpoint_share_its_lanes() -> None:
    assert seconds(CELL, replace(CELL, cell="a/m[q]")).expected == pytest.approx(10)


def test_no_model_is_faster_than_its_limits() -> None:
    # 40 at once, 40 a minute later, 20 after two.
    assert seconds(CELL, a_m=Limit(requests_per_minute=40)) == (120, 120, 120)
    # 1,500 tokens, 500 a minute.
    assert seconds(CELL, a=Limit(tokens_per_minute=500)) == (120, 120, 120)
    assert seconds(CELL, a_m=Limit(requests_per_minute=100)).expected == pytest.approx(5)


def test_without_a_latency_only_the_limits_tell() -> None:
    unknown = replace(CELL, latency_ms=None)
    assert seconds(unknown) == (None, None, None)
    assert seconds(unknown, a=Limit(requests_per_minute=50)) == (60, None, None)
    assert seconds(replace(unknown, to_make=0)) == (0, 0, 0)


def test_recorded_models_take_no_time() -> None:
    assert seconds(replace(CELL, target=None)) == (0, 0, 0)


def test_clock() -> None:
    assert [clock(each) for each in (61, 3599, 3601, 35_999)] == ["2 min", "60 min", "1.0 h", "10.0 h"]
