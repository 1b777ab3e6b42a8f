from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from llmbench.ledger import Ledger
from llmbench.matrix import Dataset, Matrix, MatrixResults
from llmbench.providers.fake import FakeProvider
from llmbench.reporting import matrix_variation as variation
from llmbench.reporting.figures import figure_svg

Ask = Callable[..., MatrixResults]


@pytest.fixture
def ask(tmp_path: Path) -> Ask:
    """Two models; the second needs to be told to think to be right on the odd items too."""

    def reply(messages: Any, params: Any) -> str:
        text = messages[-1]["content"]
        number = int(text.split()[-1])
        return str(number) if number % 2 == 0 or "think" in text or params.get("top_p") == 0.5 else "no"

    def run(
        categories: tuple[str | None, ...] = ("a", "b"), models: tuple[str, ...] = ("x", "y"), **options: Any
    ) -> MatrixResults:
        lines = ["id,prompt,expected,category"]
        lines += [f"i{k},word {k},{k},{categories[k % len(categories)] or ''}" for k in range(24)]
        path = tmp_path / "items.csv"
        path.write_text("\n".join(lines))
        with Ledger(tmp_path / "l.db") as ledger:
            provider = FakeProvider(reply, self_hosted=True, ledger=ledger)
            return Matrix(
                Dataset.load(path), [f"fake/{m}" for m in models], ledger=ledger,
                providers={"fake": provider}, **options,
            ).run()  # fmt: skip

    return run


def test_the_heat_map_has_every_cell_and_category(ask: Ask) -> None:
    results = ask()
    plot = variation.category_figure(results)
    assert plot is not None
    assert set(zip(plot.frame["cell"], plot.frame["category"], strict=True)) == {
        (f"fake/{m}[prompt]", c) for m in "xy" for c in "ab"
    }
    assert plot.frame.set_index(["cell", "category"]).loc[("fake/x[prompt]", "a"), "score"] == 1.0
    assert b"n = 12" in figure_svg(plot.figure) or plot.frame["n"].eq(12).all()


def test_one_category_is_no_map(ask: Ask) -> None:
    assert variation.category_figure(ask(categories=("a",))) is None
    assert variation.category_table(ask(categories=("a",))) is not None


def test_items_without_a_category_have_no_table(ask: Ask) -> None:
    results = ask(categories=(None,))
    assert variation.category_figure(results) is None
    assert variation.category_table(results) is None
    some = variation.category_table(ask(categories=("a", None)))
    assert some is not None
    assert some.shown["category"].tolist() == ["a", "(none)"]


def test_hostile_names_are_drawn_and_not_read(ask: Ask) -> None:
    results = ask(categories=("<script>$x$", "b" * 300, "\u202eodd"), models=("x", "y", "<b>z"))
    plot = variation.category_figure(results)
    assert plot is not None
    assert b"<script>" not in figure_svg(plot.figure)


def test_the_longer_side_goes_down(ask: Ask) -> None:
    few = variation.category_table(ask())
    assert few is not None
    assert few.shown.columns[0] == "category"
    assert few.shown.iloc[0, 1].endswith(", n 12")
    many = variation.category_table(ask(models=("x", "y", "z")))
    assert many is not None
    assert many.shown.columns.tolist() == ["cell", "a", "b"]
    assert len(many.frame) == 6


def test_more_categories_than_fit_are_in_the_csv(ask: Ask) -> None:
    plot = variation.category_figure(ask(categories=tuple(f"c{k}" for k in range(24))))
    assert plot is not None
    assert len(plot.frame) == 48


def test_a_prompt_that_helps_one_model(ask: Ask) -> None:
    results = ask(prompts={"plain": "{{ prompt }}", "think": "think {{ prompt }}"})
    plot = variation.prompt_figure(results)
    assert plot is not None
    assert plot.frame.groupby("prompt")["score"].max().to_dict() == {"plain": 0.5, "think": 1.0}
    assert "n = 24)" in plot.caption


def test_sets_of_parameters_are_variants_too(ask: Ask) -> None:
    results = ask(params=[{"temperature": 0, "top_p": 0.5}, {"temperature": 0, "top_p": 0.9}])
    plot = variation.prompt_figure(results)
    assert plot is not None
    assert plot.frame.groupby("params")["score"].max().to_dict() == {"top_p=0.5": 1.0, "top_p=0.9": 0.5}
    assert variation.prompt_figure(ask()) is None


def test_repeats_are_told_where_there_are_some(ask: Ask) -> None:
    assert variation.repeat_table(ask()) is None
    table = variation.repeat_table(ask(repeats=2))
    assert table is not None
    assert table.shown["answers an item"].tolist() == [2, 2]
    assert table.shown["all of them right"].tolist() == ["50.0%", "50.0%"]
    assert table.shown["sd within an item"].tolist() == ["0.000", "0.000"]
