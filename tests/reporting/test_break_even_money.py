from __future__ import annotations

import pytest

from llmbench.reporting.break_even_money import cash_figure, money_table
from tests.reporting.studies import make_study


def test_the_table_and_the_figure_have_the_same_cash() -> None:
    study = make_study()
    cash = cash_figure(study, "gpt-4").frame
    table = money_table(study)
    assert list(cash["month"]) == list(range(study.money.months + 1))
    assert cash["cumulative_usd_fall_1"].iloc[0] == pytest.approx(-study.money.migration_usd)
    assert set(table.shown["against"]) == {study.baseline, *study.against}
    assert list(cash.columns[1:]) == [f"cumulative_usd_fall_{fall}" for fall in (1, 3, 10)]
