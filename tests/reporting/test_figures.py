from __future__ import annotations

import matplotlib as mpl
import pytest

from llmbench.errors import UsageError
from llmbench.reporting.figures import DifferenceRow, ForestRow, Plot, difference_forest, figure_svg, forest

SCORES = [
    ForestRow("local/smollm2-135m[few_shot]", 0.7, 0.6, 0.79, 120),
    ForestRow("local/smollm2-135m[zero_shot]", 0.5, None, None, 1, highlight=True),
]
DIFFERENCES = [
    DifferenceRow("b", 0.05, 0.01, 0.09, 120, 0.06, "better"),
    DifferenceRow("c", -0.01, -0.05, 0.03, 120, None, "cannot tell"),
]


def _difference_plot() -> Plot:
    return difference_forest(DIFFERENCES, margin=0.03, baseline="a", xlabel="points")


def _texts(plot: Plot) -> list[str]:
    (axes,) = plot.figure.axes
    return [text.get_text() for text in [*axes.texts, *axes.get_yticklabels()]]


def test_same_numbers_give_the_same_bytes() -> None:
    assert figure_svg(forest(SCORES, xlabel="score").figure) == figure_svg(
        forest(SCORES, xlabel="score").figure
    )
    assert figure_svg(_difference_plot().figure) == figure_svg(_difference_plot().figure)


def test_svg_depends_on_no_style_of_the_kernel_and_has_no_date() -> None:
    plain = figure_svg(forest(SCORES, xlabel="score").figure)
    with mpl.rc_context({"font.size": 25, "svg.fonttype": "none"}):
        assert figure_svg(forest(SCORES, xlabel="score").figure) == plain
    assert b"dc:date" not in plain


def test_forest_shows_estimate_n_and_baseline() -> None:
    texts = _texts(forest(SCORES, xlabel="score"))
    assert "70.0%" in texts
    assert "local/smollm2-135m[few_shot]\nn = 120" in texts
    assert "local/smollm2-135m[zero_shot]\nbaseline, n = 1" in texts


def test_forest_keeps_every_number_in_its_frame() -> None:
    frame = forest(SCORES, xlabel="score").frame
    assert list(frame.columns) == ["label", "estimate", "low", "high", "n", "highlight"]
    assert frame["estimate"].tolist() == [0.7, 0.5]
    assert frame["low"].isna().tolist() == [False, True]


def test_forest_draws_no_interval_where_there_is_none() -> None:
    (axes,) = forest(SCORES[1:], xlabel="score").figure.axes
    assert len(axes.collections) == 0


def test_forest_never_shows_a_share_beyond_its_bounds() -> None:
    (axes,) = forest([ForestRow("a", 0.99, 0.95, 1.0, 50)], xlabel="score").figure.axes
    assert axes.get_xlim()[1] <= 102


def test_difference_shades_from_the_margin_to_zero() -> None:
    plot = _difference_plot()
    (axes,) = plot.figure.axes
    band = axes.patches[0].get_extents().transformed(axes.transData.inverted())
    assert (band.x0, band.x1) == pytest.approx((-3.0, 0.0))
    assert "margin 3" in _texts(plot)
    assert "+5.0: better" in _texts(plot)
    assert "b\nn = 120, detects 6.0" in _texts(plot)
    assert plot.frame["margin"].tolist() == [0.03, 0.03]
    assert plot.frame["baseline"].tolist() == ["a", "a"]


def test_a_label_is_text_and_leaves_room_for_the_plot() -> None:
    label = "$x_{1}$ " + "very " * 40
    plot = forest([ForestRow(label, 0.5, 0.4, 0.6, 10)], xlabel="score")
    figure_svg(plot.figure)  # warns, and so fails, if nothing is left for the axes or a formula is broken
    assert plot.frame["label"].tolist() == [label]
    (shown,) = (text for text in _texts(plot) if "n = 10" in text)
    assert "…" in shown
    assert len(shown) < 60


def test_no_rows_is_refused() -> None:
    with pytest.raises(UsageError, match="at least one row"):
        forest([], xlabel="score")


@pytest.mark.parametrize("difference", [-1.0, 0.0, 1.0])
def test_no_value_is_written_over_the_labels_of_the_rows(difference: float) -> None:
    rows = [
        DifferenceRow("a", difference, difference, difference, 120, None, "cannot tell"),
        DifferenceRow("b", 0.0, None, None, 1, None, "cannot tell"),
    ]
    figure = difference_forest(rows, margin=0.03, baseline="a", xlabel="points").figure
    figure.draw_without_rendering()
    (axes,) = figure.axes
    frame = axes.get_window_extent()
    for text in axes.texts:
        box = text.get_window_extent()
        assert frame.x0 - 1 <= box.x0 < box.x1 <= figure.bbox.x1, text.get_text()
