"""Where the decision flips: the closed form against months that are added up one by one."""

from __future__ import annotations

import math
from typing import Any

import pytest

from llmbench.decision.effects import ReplyEffect
from llmbench.decision.flip import FlipGrid, flip_grid
from llmbench.economics import Range
from llmbench.errors import UsageError

EFFECT = ReplyEffect(0.03, 0.99, 0.96, 1.02)
VOLUMES = [10_000, 50_000, 250_000, 1_000_000]
VALUES = [0.1, 0.5, 2.0, 5.0, 20.0]


def _grid(**changed: Any) -> FlipGrid:
    given: dict[str, Any] = {
        "volumes": VOLUMES,
        "values_per_reply": VALUES,
        "effect": EFFECT,
        "saving_per_message": 0.0028,
        "one_off_usd": 2000.0,
        "months": 18,
    }
    return flip_grid(**{**given, **changed})


def _by_months(volume: float, value: float, ratio: float, saving: float = 0.0028) -> float:
    """Month by month: replies of the baseline, of the candidate, and both bills."""
    total = -2000.0
    for month in range(1, 19):
        replies = volume * 0.03
        lost = (replies - replies * ratio) * value
        total += (volume * saving - lost) / 1.10 ** (month / 12)
    return total


def test_cells_are_months_added_up() -> None:
    grid = _grid()
    assert (grid.volumes, grid.values) == (tuple(VOLUMES), tuple(VALUES))
    for volume in VOLUMES:
        for value in VALUES:
            cell = grid[volume, value]
            assert cell.net_usd == pytest.approx(_by_months(volume, value, 0.99))
            assert cell.low_usd == pytest.approx(_by_months(volume, value, 0.96))
            assert cell.high_usd == pytest.approx(_by_months(volume, value, 1.02))
            told = "GO" if cell.low_usd > 0 else "NO_GO" if cell.high_usd < 0 else "cannot tell"
            assert cell.verdict == told
    assert {cell.verdict for cell in grid.cells} == {"GO", "NO_GO", "cannot tell"}


def test_lines_are_where_the_verdict_changes() -> None:
    """By bisection over the volume."""
    for line in _grid().lines:
        for found, ratio in ((line.go_from, 0.96), (line.even_at, 0.99), (line.no_go_below, 1.02)):
            low, high = 0.0, 1e12
            if _by_months(high, line.value_per_reply, ratio) < 0:
                assert found is None
                continue
            for _ in range(200):
                middle = (low + high) / 2
                low, high = (
                    (low, middle) if _by_months(middle, line.value_per_reply, ratio) > 0 else (middle, high)
                )
            assert found == pytest.approx(high, rel=1e-9)


def test_values_at_which_it_flips() -> None:
    grid = _grid()
    for volume in VOLUMES:
        value = grid.flip_value(volume, 0.96)
        assert value is not None
        if value:
            assert _by_months(volume, value, 0.96) == pytest.approx(0, abs=1e-6)
            assert grid.flip_volume(value, 0.96) == pytest.approx(volume)
        else:
            assert _by_months(volume, 0.0, 0.96) <= 0
    assert grid.flip_value(1000, 1.02) is None


def test_nothing_spent_once_leaves_the_volume_out_of_it() -> None:
    grid = _grid(one_off_usd=0.0)
    assert grid.flip_value(10, 0.96) == pytest.approx(0.0028 / (0.03 * 0.04))
    assert grid.flip_value(1e6, 0.96) == grid.flip_value(10, 0.96)
    assert {line.go_from for line in grid.lines} == {0.0, None}


def test_range_of_the_saving_widens_the_interval() -> None:
    cell = _grid(saving_per_message=Range(0.002, 0.0028, 0.003))[50_000, 2.0]
    assert cell.low_usd == pytest.approx(_by_months(50_000, 2.0, 0.96, 0.002))
    assert cell.net_usd == pytest.approx(_by_months(50_000, 2.0, 0.99))
    assert cell.high_usd == pytest.approx(_by_months(50_000, 2.0, 1.02, 0.003))


def test_difference_does_as_its_ratio_does() -> None:
    other = ReplyEffect(0.03, -0.0003, -0.0012, 0.0006, scale="difference")
    for one, two in zip(_grid().cells, _grid(effect=other).cells, strict=True):
        assert one.verdict == two.verdict
        assert one[2:5] == pytest.approx(two[2:5])


def test_dearer_candidate_pays_by_its_replies_alone() -> None:
    grid = _grid(saving_per_message=-0.001, effect=ReplyEffect(0.03, 1.2, 1.1, 1.3))
    assert grid[1_000_000, 20.0].verdict == "GO"
    assert grid[1_000_000, 0.1].verdict == "NO_GO"


def test_grid_shows_itself() -> None:
    grid = _grid()
    assert len(grid.to_pandas()) == 20
    assert grid.lines_to_pandas()["go_from"].isna().sum() == sum(line.go_from is None for line in grid.lines)
    assert "NO_GO" in grid._repr_html_()
    with pytest.raises(KeyError):
        grid[1.0, 1.0]


@pytest.mark.parametrize(
    ("what", "options"),
    [
        ("volumes", {"volumes": []}),
        ("volumes", {"volumes": [-1]}),
        ("values_per_reply", {"values_per_reply": []}),
        ("values_per_reply", {"values_per_reply": [math.nan]}),
        ("saving_per_message", {"saving_per_message": math.inf}),
        ("saving_per_message", {"saving_per_message": Range(3, 2, 1)}),
        ("one_off_usd", {"one_off_usd": -1}),
        ("months", {"months": 0}),
        ("months", {"months": 1.5}),
        ("discount_per_year", {"discount_per_year": -1}),
    ],
)
def test_grid_that_cannot_be_meant(what: str, options: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=what):
        _grid(**options)
