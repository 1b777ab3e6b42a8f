from __future__ import annotations

from dataclasses import replace

from llmbench.economics import api_lines, token_prices
from llmbench.reporting.break_even_charts import cost_figure
from llmbench.reporting.break_even_offers import api_table, option_sentence, option_table
from llmbench.unknown import NONE
from tests.reporting.studies import make_study


def test_machines_are_shown_cheapest_first_with_the_reason_of_their_throughput() -> None:
    study = make_study()
    table = option_table(study)
    assert len(table.frame) == len(study.options)
    usd = [float(text.replace(",", "")) for text in table.shown["USD/month"] if text != NONE]
    assert usd == sorted(usd)
    assert set(table.shown["throughput"]) == {"extrapolated, no measurement", "from measurements"}


def test_every_api_of_the_study_is_shown() -> None:
    study = make_study()
    assert set(api_table(study).shown["model"]) == {line.model for line in study.lines}


def test_a_table_of_machines_that_is_cut_says_so() -> None:
    study = make_study()
    assert option_sentence(study) is None
    many = tuple(replace(study.options[0], usd_per_hour=0.5 + step / 100) for step in range(20))
    cut = replace(study, options=many)
    assert len(option_table(cut).shown) == 14
    assert len(option_table(cut).frame) == 20
    told = option_sentence(cut)
    assert told is not None
    assert told.startswith("The first 14 of 20 ways to run llama-3.1-8b are shown")


def test_apis_that_have_no_line_are_in_the_numbers_of_the_figure() -> None:
    study = make_study()
    assert "the CSV has all" not in cost_figure(study).caption
    more = ("mixtral-8x7b", "mixtral-8x22b", "llama-3-70b")
    names = [*study.compared, *more]
    wide = replace(
        study,
        against=(*study.against, *more),
        lines=api_lines(study.load, names, price_book="2025-01-23"),
        prices=token_prices(study.load, names, price_book="2025-01-23"),
    )
    plot = cost_figure(wide)
    assert "The first 7 of 8 APIs; the CSV has all." in plot.caption
    assert {f"{name}_usd" for name in names} < set(plot.frame)
