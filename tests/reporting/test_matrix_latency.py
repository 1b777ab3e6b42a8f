from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from llmbench import Matrix
from llmbench.matrix import MatrixResults
from llmbench.reporting.figures import figure_svg
from llmbench.reporting.matrix_charts import frontier_figure, money_sentence
from llmbench.reporting.matrix_latency import latency_figure, latency_table, quality_latency_figure


def results(tmp_path: Path, **cost: float | None) -> MatrixResults:
    """Of `old` and `new`: 100 and 200 ms in the middle, right on 3 and on 4 of 5 items."""
    path = tmp_path / "results.jsonl"
    rows = [
        {
            "item": f"i{k}", "model": model, "score": float(k % 5 < right), "cost_usd": cost.get(model),
            "latency_ms": middle + k - 20, "answer": "x",
        }
        for model, middle, right in (("old", 100, 3), ("new", 200, 4))
        for k in range(41)
    ]  # fmt: skip
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return Matrix.from_results(path)


def test_score_against_the_median_time(tmp_path: Path) -> None:
    plot = quality_latency_figure(results(tmp_path))
    assert plot is not None
    frame = plot.frame.set_index("cell")
    assert frame["latency_p50_ms"].to_dict() == {"new": 200, "old": 100}
    assert frame.loc["new", "score"] == pytest.approx(33 / 41)
    assert (frame["latency_low"] < frame["latency_p50_ms"]).all()
    assert [text.get_text() for text in plot.figure.axes[0].texts] == ["new", "old"]


def test_curve_and_table_have_every_answer(tmp_path: Path) -> None:
    found = results(tmp_path)
    plot = latency_figure(found)
    assert plot is not None
    old = plot.frame[plot.frame["cell"] == "old"]
    assert np.allclose(old["latency_ms"], np.arange(80, 121))
    assert np.allclose(old["share"], np.arange(1, 42) / 41)
    table = latency_table(found)
    assert table is not None
    assert table.frame["cell"].tolist() == ["old", "new"]
    assert table.shown["p95, ms"].tolist() == ["from 200 answers on"] * 2


def test_ticks_are_numbers(tmp_path: Path) -> None:
    """Formulas are not parsed in this style, so none may be drawn."""
    found = results(tmp_path, old=0.001, new=0.002)
    for plot in (latency_figure(found), quality_latency_figure(found), frontier_figure(found)):
        assert plot is not None
        figure_svg(plot.figure)
        axes = plot.figure.axes[0]
        ticks = [
            label.get_text() for which in ("major", "minor") for label in axes.get_xticklabels(which=which)
        ]
        assert any(ticks)
        assert not any("mathdefault" in tick for tick in ticks)


@pytest.mark.parametrize(
    ("cost", "drawn", "said"),
    [
        ({"old": 0.001, "new": 0.0}, True, None),
        ({"old": 0.0, "new": 0.0}, False, "charges nothing a call"),
        ({"old": 0.001}, False, "cost of 1 cell is known; two are needed"),
        ({}, False, "Nothing is known of what"),
    ],
)
def test_money_is_drawn_where_there_is_some(
    tmp_path: Path, cost: dict[str, float], drawn: bool, said: str | None
) -> None:
    found = results(tmp_path, **cost)
    assert (frontier_figure(found) is not None) == drawn
    sentence = money_sentence(found)
    assert sentence is None if said is None else said in str(sentence)


def test_own_machines_stand_at_zero_and_nothing_left_of_it(tmp_path: Path) -> None:
    plot = frontier_figure(results(tmp_path, old=0.001, new=0.0))
    assert plot is not None
    low, _ = plot.figure.axes[0].get_xlim()
    ticks = [float(tick) for tick in plot.figure.axes[0].get_xticks() if tick >= low]
    assert min(ticks) == 0
