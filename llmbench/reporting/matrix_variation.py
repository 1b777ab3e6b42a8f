"""Where the scores of the notebook `model_matrix` come from: kinds of items, prompts, repeats."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from llmbench.numbers import signed_points
from llmbench.reporting.axes import series_style
from llmbench.reporting.figures import PALETTE, Plot, house_style, new_figure
from llmbench.reporting.matrix_tables import FIRST_SCREEN, best_candidate, ranked_cells
from llmbench.reporting.report_table import ReportTable
from llmbench.reporting.wording import category_text, clip, estimate, limits, p_value, percent
from llmbench.unknown import NONE, UNKNOWN

if TYPE_CHECKING:
    import pandas as pd

    from llmbench.matrix import MatrixResults
    from llmbench.matrix.categories import CategoryDifference, CategoryScore
    from llmbench.matrix.summary import CellSummary

__all__ = [
    "category_difference_table",
    "category_figure",
    "category_table",
    "prompt_figure",
    "repeat_table",
    "shown_differences",
]

_MOST_COLUMNS = 24
_MOST_ROWS = 20
_MOST_WORDS_IN_A_HEAD = 6
"""More columns than this have their names set on edge."""
_ROW_INCHES = 0.3
_LABEL_CHARACTERS = 36
_DARK = 0.55
"""Share of the colour scale from which on white text is read better."""


def category_table(results: MatrixResults) -> ReportTable | None:
    """Score of each cell in each category of the data, with its interval; the longer side goes down. None
    where no item has a category.
    """
    import pandas as pd

    found = results.categories()
    if all(each.category is None for each in found):
        return None
    rows = [
        {
            "category": each.category, "cell": each.cell, "n": each.n, "score": each.score,
            "low": limits(each.ci)[0], "high": limits(each.ci)[1],
        }
        for each in found
    ]  # fmt: skip
    categories, _ = _sides(found)
    cells = [cell.cell for cell in ranked_cells(results, FIRST_SCREEN)]
    text = {
        (each.category, each.cell): f"{estimate(each.score, each.ci, percent)}, n {each.n:,}"
        for each in found
    }
    heads = {category: category_text(category) for category in categories}
    if len(cells) > len(categories):
        shown = pd.DataFrame(
            [
                {"cell": cell, **{heads[category]: text[category, cell] for category in categories}}
                for cell in cells
            ]
        )
    else:
        shown = pd.DataFrame(
            [
                {"category": heads[category], **{cell: text[category, cell] for cell in cells}}
                for category in categories
            ]
        )
    return ReportTable(pd.DataFrame(rows), shown, tuple(shown.columns[1:]))


def category_difference_table(results: MatrixResults) -> ReportTable | None:
    """The decisive candidate against the baseline by category, p-values adjusted for the categories; None
    for fewer than two of them, or without a candidate.
    """
    import pandas as pd

    candidate = best_candidate(results)
    found = results.category_differences(candidate) if candidate is not None else ()
    if len(found) < 2:
        return None
    rows = [
        {
            "category": each.category, "candidate": each.candidate, "n": each.n,
            "difference": each.difference, "low": limits(each.ci)[0], "high": limits(each.ci)[1],
            "p_adjusted": each.p_adjusted,
        }
        for each in found
    ]  # fmt: skip
    shown = shown_differences(found, f"{candidate}, difference in points")
    return ReportTable(pd.DataFrame(rows), shown, tuple(shown.columns[1:]))


def shown_differences(found: Sequence[CategoryDifference], heading: str) -> pd.DataFrame:
    """Differences by category as a reader sees them, those under `heading`."""
    import pandas as pd

    return pd.DataFrame(
        [
            {
                "category": category_text(each.category),
                "items": f"{each.n:,}",
                heading: estimate(each.difference, each.ci, signed_points),
                "p adjusted": p_value(each.p_adjusted),
            }
            for each in found
        ]
    )


@house_style()
def category_figure(results: MatrixResults) -> Plot | None:
    """Heat map of the scores, cells down and categories across; None for fewer than two of either."""
    import pandas as pd

    found = results.categories()
    categories, cells = _sides(found)
    if len(categories) < 2 or len(cells) < 2:
        return None
    most = {category: max(e.n for e in found if e.category == category) for category in categories}
    shown = sorted(categories, key=lambda category: -most[category])[:_MOST_COLUMNS]
    shown = [category for category in categories if category in shown]
    rows = [cell.cell for cell in ranked_cells(results, _MOST_ROWS)]
    score = {(each.cell, each.category): each.score for each in found}
    grid = np.array([[_number(score[cell, category]) for category in shown] for cell in rows])
    figure, axes = new_figure(height=1.5 + _ROW_INCHES * len(rows))
    axes.imshow(grid, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for (row, column), value in np.ndenumerate(grid):
        axes.text(
            column,
            row,
            NONE if np.isnan(value) else f"{100 * value:.0f}",
            ha="center",
            va="center",
            fontsize=8,
            color="white" if value > _DARK else PALETTE["ink"],
        )
    edgewise = len(shown) > _MOST_WORDS_IN_A_HEAD
    axes.set_xticks(
        range(len(shown)),
        [f"{clip(category_text(category), 24)}{' ' if edgewise else chr(10)}n = {most[category]:,}"
         for category in shown],
        rotation=60 if edgewise else 0,
        ha="right" if edgewise else "center",
        fontsize=8,
    )  # fmt: skip
    axes.set_yticks(range(len(rows)), [clip(cell, _LABEL_CHARACTERS) for cell in rows], fontsize=8)
    axes.grid(visible=False)
    axes.tick_params(length=0)
    axes.set_title("Score by category, %")
    more = ""
    if len(shown) < len(categories):
        more += f" The {len(shown)} largest of {len(categories)} categories."
    if len(rows) < len(cells):
        more += f" The {_MOST_ROWS} best of {len(cells)} cells, and the baseline."
    more += " The CSV has all." if more else ""
    frame = [{**each._asdict(), "low": limits(each.ci)[0], "high": limits(each.ci)[1]} for each in found]
    return Plot(
        figure,
        pd.DataFrame(frame).drop(columns="ci"),
        "Mean score on the items of each category, cells in the order of their score over all items; n is "
        f"the number of items. Small n means wide intervals, which the table has.{more}",
    )


@house_style()
def prompt_figure(results: MatrixResults) -> Plot | None:
    """Score of each model under each prompt and set of parameters, a line a model: lines that cross mean
    that the best prompt depends on the model. None where no model has two.
    """
    import pandas as pd

    models: dict[str, list[CellSummary]] = {}
    for cell in results.cells:
        models.setdefault(cell.model, []).append(cell)
    varied = {model: cells for model, cells in models.items() if len(cells) > 1}
    if not varied:
        return None
    variants = list(dict.fromkeys(_variant(cell) for cells in varied.values() for cell in cells))
    figure, axes = new_figure(height=3.4)
    # Side by side, so that intervals of one variant do not cover each other.
    offsets = np.linspace(-0.12, 0.12, len(varied)) if len(varied) > 1 else [0.0]
    for number, ((model, cells), offset) in enumerate(zip(varied.items(), offsets, strict=True)):
        colour, stroke = series_style(number)
        known = [cell for cell in cells if cell.score is not None]
        places = [variants.index(_variant(cell)) + offset for cell in known]
        scores = [100 * (cell.score or 0.0) for cell in known]
        for place, cell in zip(places, known, strict=True):
            low, high = limits(cell.score_ci)
            if low is not None and high is not None:
                axes.vlines(place, 100 * low, 100 * high, color=colour, linewidth=1.6)
        axes.plot(
            places,
            scores,
            marker="o",
            markersize=5,
            color=colour,
            linestyle=stroke,
            label=clip(model, _LABEL_CHARACTERS),
        )
    axes.set_xticks(
        range(len(variants)),
        [clip(variant, 28) for variant in variants],
        rotation=20 if len(variants) > 4 else 0,
    )
    axes.set_xlim(-0.5, len(variants) - 0.5)
    axes.set_ylabel("score, %")
    axes.set_title("Prompts and parameters")
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False, fontsize=8)
    frame = pd.DataFrame(
        [
            {
                "model": cell.model, "prompt": cell.prompt, "params": cell.params, "n": cell.n,
                "score": cell.score, "low": limits(cell.score_ci)[0], "high": limits(cell.score_ci)[1],
            }
            for cells in varied.values()
            for cell in cells
        ]
    )  # fmt: skip
    return Plot(
        figure,
        frame,
        f"Mean score with {100 * results.confidence:g}% intervals, over the items each cell answered "
        f"({_range(frame['n'])}). Lines that cross: the better prompt depends on the model. "
        "Differences are tested in the first table, not by these intervals.",
    )


def repeat_table(results: MatrixResults) -> ReportTable | None:
    """What repeats tell of each cell; None where nothing was asked twice."""
    import pandas as pd

    found = results.reliability()
    if not found:
        return None
    shown = [
        {
            "cell": each.cell,
            "items": f"{each.items:,}",
            "answers an item": each.repeats,
            "one of them right": _share(each.pass_at_k),
            "all of them right": _share(each.pass_hat_k),
            "sd between items": _spread(each.between),
            "sd within an item": _spread(each.within),
            "standard error, 1 answer": _share_points(each.se_one),
            "now": _share_points(each.se_now),
            "ever more answers": _share_points(each.se_many),
        }
        for each in found
    ]
    frame = pd.DataFrame(shown)
    return ReportTable(pd.DataFrame([each.data() for each in found]), frame, tuple(frame.columns[1:]))


def _sides(found: tuple[CategoryScore, ...]) -> tuple[list[str | None], list[str]]:
    return list(dict.fromkeys(e.category for e in found)), list(dict.fromkeys(e.cell for e in found))


def _range(counts: pd.Series) -> str:
    least, most = int(counts.min()), int(counts.max())
    return f"n = {least:,}" if least == most else f"n = {least:,} to {most:,}"


def _variant(cell: CellSummary) -> str:
    return f"{cell.prompt}, {cell.params}" if cell.params else cell.prompt


def _number(value: float | None) -> float:
    return float("nan") if value is None else value


def _share(value: float | None) -> str:
    return UNKNOWN if value is None else percent(value)


def _share_points(value: float | None) -> str:
    return UNKNOWN if value is None else f"{100 * value:.1f} points"


def _spread(variance: float | None) -> str:
    return UNKNOWN if variance is None else f"{variance**0.5:.3f}"
