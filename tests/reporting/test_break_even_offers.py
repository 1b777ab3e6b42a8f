from __future__ import annotations

from llmbench.reporting.break_even_offers import api_table, option_table
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
