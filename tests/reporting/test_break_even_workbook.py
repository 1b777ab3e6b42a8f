from __future__ import annotations

from dataclasses import replace
from io import BytesIO

import pytest
from openpyxl import load_workbook

from llmbench.economics import (
    BreakEvenStudy,
    HostingCosts,
    HostingOption,
    Workload,
    api_lines,
    token_prices,
    week_profile,
)
from llmbench.reporting.break_even_workbook import workbook
from tests.reporting.spreadsheet import Spreadsheet
from tests.reporting.studies import STUDIES, make_study


def _open(study: BreakEvenStudy) -> Spreadsheet:
    return Spreadsheet(load_workbook(BytesIO(workbook(study))))


def _row(sheet: Spreadsheet, label: str) -> int:
    for row in range(1, 40):
        if sheet["Result", f"A{row}"] == label:
            return row
    raise AssertionError(label)


@pytest.mark.parametrize("name", STUDIES)
def test_the_base_case_is_that_of_the_report(name: str) -> None:
    study = make_study(**STUDIES[name])  # type: ignore[arg-type]
    sheet = _open(study)
    month = study.best[1]
    assert sheet["Result", f"B{_row(sheet, 'all of it')}"] == pytest.approx(month.usd)
    assert sheet["Result", f"B{_row(sheet, 'how busy the serving ones are')}"] == pytest.approx(
        month.utilisation
    )
    assert sheet["Result", f"B{_row(sheet, 'USD per 1M tokens')}"] == pytest.approx(
        month.usd_per_million_tokens
    )
    for each in study.data()["break_even"]:
        if each["option"] != study.best[0].name:
            continue
        row = _row(sheet, each["against"])
        against = each["against"]
        assert sheet["Result", f"D{row}"] == pytest.approx(study.usd_per_message(against))
        assert sheet["Result", f"E{row}"] == pytest.approx(400_000 * study.usd_per_message(against))
        if each["messages_per_month"] is None:
            assert sheet["Result", f"G{row}"] == "never"
        else:
            assert sheet["Result", f"G{row}"] == pytest.approx(each["messages_per_month"])
            assert (sheet["Result", f"H{row}"] == "yes") is each["below_capacity"]
        flow = study.flow(against)
        assert sheet["Result", f"I{row}"] == pytest.approx(flow.npv)
        assert sheet["Result", f"J{row}"] == ("never" if flow.payback_month is None else flow.payback_month)


def test_five_numbers_change_and_the_answer_moves() -> None:
    sheet = _open(make_study())
    row = _row(sheet, "gpt-4o")
    before = sheet["Result", f"F{row}"]
    for name, value in (
        ("messages", 2_000_000), ("output_tokens", 300), ("gpu_usd_per_hour", 1.0), ("tokens_per_s", 800),
        ("operations_hours", 2),
    ):  # fmt: skip
        sheet.set(name, value)
    load = Workload(2_000_000, 500, 300, profile=week_profile(3))
    option = HostingOption("T4", 1, "m", "awq-int4", 1.0, 800, 800, 800)
    own = option.month(load, HostingCosts(operations_hours=2)).usd
    api = api_lines(load, ["gpt-4o"], price_book="2025-01-23")["gpt-4o"].usd_per_month
    assert api is not None
    assert sheet["Result", f"F{row}"] == pytest.approx(api - own)
    assert sheet["Result", f"F{row}"] != before


def test_tokens_read_have_a_price_where_the_report_reads_none() -> None:
    study = make_study()
    load = replace(study.load, input_tokens=0.0)
    names = [study.baseline, *study.against]
    silent = replace(study, load=load, prices=token_prices(load, names, price_book="2025-01-23"))
    sheet = _open(silent)
    sheet.set("input_tokens", 500)
    row = _row(sheet, "gpt-4o")
    assert sheet["Result", f"D{row}"] == pytest.approx(study.usd_per_message("gpt-4o"))


def test_another_machine_can_be_named() -> None:
    study = make_study()
    sheet = _open(study)
    other = next(option for option in study.working if option is not study.best[0])
    sheet.set("machine", other.name)
    assert sheet["Result", f"B{_row(sheet, 'all of it')}"] == pytest.approx(study.month(other).usd)
    (choice,) = sheet.book["Inputs"].data_validations.dataValidation
    first, _, last = choice.formula1.partition("!")[2].replace("$", "").partition(":")
    names = [cell.value for (cell,) in sheet.book["Machines"][f"{first}:{last}"]]
    assert names == [option.name for option in study.working]


def test_every_formula_can_be_computed() -> None:
    sheet = _open(make_study(growth=0.05))
    for page in sheet.book:
        for line in page.iter_rows():
            for cell in line:
                assert sheet[page.title, cell.coordinate] == sheet[page.title, cell.coordinate]
