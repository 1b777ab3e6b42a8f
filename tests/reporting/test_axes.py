from __future__ import annotations

from itertools import combinations

from llmbench.reporting.axes import label_points, log_axis
from llmbench.reporting.figures import new_figure


def test_names_do_not_cover_each_other_or_the_points() -> None:
    figure, axes = new_figure()
    points = [
        ("left one", 1.0, 5.0),
        ("near", 1.05, 5.1),
        ("nearer", 1.1, 5.0),
        ("at the far right", 9.0, 5.0),
    ]
    axes.plot([x for _, x, _ in points], [y for *_, y in points], "o")
    log_axis(axes)
    label_points(axes, points)
    renderer = figure.canvas.get_renderer()  # type: ignore[attr-defined]
    boxes = [text.get_window_extent(renderer) for text in axes.texts]
    assert [text.get_text() for text in axes.texts] == [name for name, *_ in points]
    assert not any(one.overlaps(other) for one, other in combinations(boxes, 2))
    assert all(box.x1 <= figure.bbox.x1 for box in boxes)
    for _, x, y in points:
        across, up = axes.transData.transform((x, y))
        assert not any(box.contains(across, up) for box in boxes)


def test_a_crowd_is_named_all_the_same() -> None:
    _, axes = new_figure()
    axes.plot([1] * 30, [1] * 30, "o")
    label_points(axes, [(f"name {k}", 1.0, 1.0) for k in range(30)])
    assert len(axes.texts) == 30
