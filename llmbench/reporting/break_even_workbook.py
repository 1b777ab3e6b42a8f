"""model.xlsx: the decision as a spreadsheet with live formulas, for those who want to change a number.

Yellow cells are inputs; everything else is computed from them by formulas of the simplest kind, so that any
spreadsheet program shows the same. The base case is that of the report.
"""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any

from llmbench.economics import BreakEvenStudy, listed_price_of
from llmbench.reporting.break_even_workbook_machines import (
    LIMIT,
    MACHINES,
    RENT,
    SPEED,
    limit_note,
    looked_up,
    machine_list,
    machine_rows,
    offer_note,
)

if TYPE_CHECKING:
    from openpyxl.worksheet.worksheet import Worksheet

__all__ = ["workbook"]

_FIRST_API = 5
"""Row of the first API on the sheet of results."""
_FIRST_MONTH = 6
_MONEY, _CENTS, _COUNT, _SHARE = "$#,##0.00", "$0.000000", "#,##0", "0.0%"
_INPUT_FILL, _HEAD_FILL = "FFF7D6", "E5E7EB"


def workbook(study: BreakEvenStudy) -> bytes:
    """The workbook of a study, on the machine that is cheapest at its volume until another one is named."""
    from openpyxl import Workbook

    book = Workbook()
    inputs = book.active
    inputs.title = "Inputs"
    _inputs(book, inputs, study)
    _results(book.create_sheet("Result"), study)
    _months(book.create_sheet("Months"), study)
    machines = book.create_sheet(MACHINES)
    machine_rows(machines, study)
    for cell in machines[1]:
        _heading(cell)
    _widths(machines, 44, 16, 16, 16, 10, 10, 28, 30, 12, 60)
    buffer = BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def _inputs(book: Any, sheet: Worksheet, study: BreakEvenStudy) -> None:
    from openpyxl.workbook.defined_name import DefinedName
    from openpyxl.worksheet.datavalidation import DataValidation

    option, load, costs, money = study.best[0], study.load, study.costs, study.money
    other = study.fallback or ""
    sheet["A1"] = f"{study.model} on machines of one's own, or an API?"
    sheet["A2"] = "Change a yellow cell; the sheets Result and Months follow."
    rows: list[tuple[str, str, float | str, str, str]] = [
        ("machine", "what it runs on", option.name, "@", f"chosen from the sheet {MACHINES}"),
        ("messages", "messages a month", load.messages_per_month, _COUNT, ""),
        ("input_tokens", "tokens read, of one message", load.input_tokens, _COUNT, ""),
        ("output_tokens", "tokens written, of one message", load.output_tokens, _COUNT, ""),
        (
            "gpu_usd_per_hour",
            "rent of one replica, USD an hour",
            looked_up(RENT, study),
            _MONEY,
            f"of the machine, or your own; here {offer_note(study)}",
        ),
        (
            "tokens_per_s",
            "output tokens a second of one replica",
            looked_up(SPEED, study),
            _COUNT,
            "of the machine at these lengths: change it with them, or set your own",
        ),
        ("operations_hours", "people's hours a month", costs.operations_hours, "0.0", ""),
        ("operations_usd_per_hour", "USD for one of them", costs.operations_usd_per_hour, _MONEY, ""),
        ("storage_usd", "storage and the like, USD a month", costs.storage_usd, _MONEY, ""),
        ("spare_replicas", "spare replicas", costs.spare_replicas, _COUNT, "1: one may fail (N+1)"),
        ("peak_to_mean", "busiest hour over the mean one", load.peak_to_mean, "0.00", ""),
        (
            "utilisation_limit",
            "how full a replica may be in it",
            looked_up(LIMIT, study),
            _SHARE,
            limit_note(study),
        ),
        ("month_hours", "hours of a month", costs.month_hours, _COUNT, ""),
        ("fallback_share", "share answered by an API instead", costs.fallback_share, _SHARE, other),
        ("fallback_usd", "USD of a message there", study.fallback_usd, _CENTS, ""),
        ("egress_usd", "USD of traffic for a message", costs.egress_usd_per_message, _CENTS, ""),
        ("migration_usd", "what moving costs, USD once", money.migration_usd, _MONEY, ""),
        ("growth", "growth of messages a month", load.growth_per_month, _SHARE, ""),
        ("discount", "discount a year", money.discount_per_year, _SHARE, ""),
        (
            "api_fall",
            "API prices fall in a year by the factor",
            money.api_fall_per_year,
            "0.0",
            "1: not at all",
        ),
        ("gpu_fall", "rents fall in a year by the factor", money.gpu_fall_per_year, "0.0", "1: not at all"),
    ]
    for at, (name, label, value, form, note) in enumerate(rows, start=4):
        sheet.cell(at, 1, label)
        cell = sheet.cell(at, 2, value)
        cell.number_format = form
        _fill(cell, _INPUT_FILL)
        sheet.cell(at, 3, note)
        book.defined_names[name] = DefinedName(name, attr_text=f"Inputs!$B${at}")
    choice = DataValidation(type="list", formula1=machine_list(study), allow_blank=False)
    choice.add(sheet["B4"])
    sheet.add_data_validation(choice)
    _widths(sheet, 44, 36, 80)
    _bold(sheet["A1"])


def _results(sheet: Worksheet, study: BreakEvenStudy) -> None:
    names = study.cheapest_first
    sheet["A1"] = "A month, by API"
    _bold(sheet["A1"])
    head = (
        "API", "USD per 1M tokens read", "USD per 1M tokens written", "USD a message", "API, USD a month",
        "saved by own machines, USD a month", "cost of one serving replica is met at, messages a month",
        "and one replica carries so many", "NPV, USD", "payback, month",
    )  # fmt: skip
    _head(sheet, _FIRST_API - 1, head)
    last = _FIRST_API + len(names) - 1
    own = last + 3
    for row, name in enumerate(names, start=_FIRST_API):
        price = study.prices[name]
        sheet.cell(row, 1, name)
        for column, usd, tokens in (
            (2, price.input_usd, study.load.input_tokens),
            (3, price.output_usd, study.load.output_tokens),
        ):
            cell = sheet.cell(row, column, usd / tokens * 1e6 if tokens else _listed_input(study, name))
            _fill(cell, _INPUT_FILL)
            cell.number_format = "$0.00##"
        met = (
            f"=IF(D{row}>B${own + 8},(gpu_usd_per_hour*month_hours*(1+spare_replicas)"
            f'+B${own + 4}+B${own + 5})/(D{row}-B${own + 8}),"never")'
        )
        formulas = (
            (f"=(input_tokens*B{row}+output_tokens*C{row})/1000000", _CENTS),
            (f"=messages*D{row}", _MONEY),
            (f"=E{row}-B${own + 7}", _MONEY),
            (met, _COUNT),
            (
                f'=IF(G{row}="never","-",IF(G{row}*(1-fallback_share)<=B${own},"yes","none below capacity"))',
                "@",
            ),
            (f"=Months!{_letters(row - _FIRST_API)[0]}{_FIRST_MONTH - 3}", _MONEY),
            (f"=Months!{_letters(row - _FIRST_API)[0]}{_FIRST_MONTH - 2}", "0"),
        )
        for column, (formula, form) in enumerate(formulas, start=4):
            cell = sheet.cell(row, column, formula)
            cell.number_format = form
    sheet.cell(own - 1, 1, "Own machines, a month")
    _bold(sheet.cell(own - 1, 1))
    _own(sheet, own)
    _widths(sheet, 46, 18, 18, 14, 16, 18, 22, 22, 16, 16)


def _listed_input(study: BreakEvenStudy, name: str) -> float | None:
    """What reading costs where nothing is read yet: the number of tokens may be changed."""
    price = listed_price_of(name, study.lines.price_book)
    return None if price is None else float(price.input) * (1 - study.line(name).discount)


def _own(sheet: Worksheet, own: int) -> None:
    """Rows of the machines' month: others refer to them by their place below `own`."""
    busy = f"=messages*(1-fallback_share)*utilisation_limit/(B{own}*peak_to_mean*(B{own + 1}-spare_replicas))"
    rows = (
        (
            "messages that one replica carries",
            "=tokens_per_s/output_tokens*3600*month_hours*utilisation_limit/peak_to_mean",
            _COUNT,
        ),
        (
            "serving replicas and spare ones",
            f"=MAX(1,ROUNDUP(messages*(1-fallback_share)/B{own}-0.000000001,0))+spare_replicas",
            _COUNT,
        ),
        ("how busy the serving ones are", busy, _SHARE),
        ("rent", f"=B{own + 1}*gpu_usd_per_hour*month_hours", _MONEY),
        ("people", "=operations_hours*operations_usd_per_hour", _MONEY),
        ("storage", "=storage_usd", _MONEY),
        ("traffic, and what an API answers instead", f"=messages*B{own + 8}", _MONEY),
        ("all of it", f"=SUM(B{own + 3}:B{own + 6})", _MONEY),
        ("USD that each message adds", "=(1-fallback_share)*egress_usd+fallback_share*fallback_usd", _CENTS),
        ("USD per 1M tokens", f"=B{own + 7}/(messages*(input_tokens+output_tokens))*1000000", _MONEY),
    )
    for at, (label, formula, form) in enumerate(rows):
        sheet.cell(own + at, 1, label)
        cell = sheet.cell(own + at, 2, formula)
        cell.number_format = form


def _months(sheet: Worksheet, study: BreakEvenStudy) -> None:
    names = study.cheapest_first
    last_api = _FIRST_API + len(names) - 1
    own = last_api + 3
    months = study.money.months
    first, last = _FIRST_MONTH, _FIRST_MONTH + months
    sheet["A1"] = "Cash of each month; month 0 is today"
    _bold(sheet["A1"])
    sheet.cell(first - 3, 1, "NPV")
    sheet.cell(first - 2, 1, "payback")
    _head(sheet, first - 1, ("month", "messages", "own machines"))
    for row in range(first, last + 1):
        month = row - first
        sheet.cell(row, 1, month)
        if not month:
            continue
        sheet.cell(row, 2, f"=messages*(1+growth)^(A{row}-1)").number_format = _COUNT
        own_usd = (
            f"=(MAX(1,ROUNDUP(B{row}*(1-fallback_share)/Result!$B${own}-0.000000001,0))+spare_replicas)"
            f"*gpu_usd_per_hour*month_hours*gpu_fall^(-(A{row}-1)/12)"
            f"+operations_hours*operations_usd_per_hour+storage_usd+B{row}*Result!$B${own + 8}"
        )
        sheet.cell(row, 3, own_usd).number_format = _MONEY
    for place, name in enumerate(names):
        _flow(sheet, name, place, last)
    _widths(sheet, 10, 14, 16, *(16 for _ in range(_COLUMNS * len(names))))


def _flow(sheet: Worksheet, name: str, place: int, last: int) -> None:
    """The four columns of one API."""
    first = _FIRST_MONTH
    cash, total, worth, paid = _letters(place)
    titles = (f"saved against {name}", "all so far", "worth today", "nothing owed")
    _head(sheet, first - 1, titles, column=_FIRST_FLOW + _COLUMNS * place)
    for row in range(first, last + 1):
        begins = row == first
        api = f"B{row}*Result!$D${_FIRST_API + place}*api_fall^(-(A{row}-1)/12)"
        sheet[f"{cash}{row}"] = "=-migration_usd" if begins else f"={api}-C{row}"
        sheet[f"{total}{row}"] = f"={cash}{row}" if begins else f"={total}{row - 1}+{cash}{row}"
        sheet[f"{worth}{row}"] = f"={cash}{row}/(1+discount)^(A{row}/12)"
        sheet[f"{paid}{row}"] = f'=IF({total}{row}>=-0.000000001,A{row},"")'
        for letter in (cash, total, worth):
            sheet[f"{letter}{row}"].number_format = _MONEY
    sheet[f"{cash}{first - 3}"] = f"=SUM({worth}{first}:{worth}{last})"
    sheet[f"{cash}{first - 3}"].number_format = _MONEY
    months = f"{paid}{first}:{paid}{last}"
    sheet[f"{cash}{first - 2}"] = (
        f'=IF(COUNT({months})=0,"never",IF(AND({total}{first}>=0,{total}{last}<0),"never",MIN({months})))'
    )


_FIRST_FLOW, _COLUMNS = 4, 4


def _letters(place: int) -> list[str]:
    """The letters of the columns of one API on the sheet of months."""
    from openpyxl.utils import get_column_letter

    return [get_column_letter(_FIRST_FLOW + _COLUMNS * place + at) for at in range(_COLUMNS)]


def _head(sheet: Worksheet, row: int, titles: tuple[str, ...], column: int = 1) -> None:
    for at, title in enumerate(titles, start=column):
        _heading(sheet.cell(row, at, title))


def _heading(cell: Any) -> None:
    from openpyxl.styles import Alignment

    _fill(cell, _HEAD_FILL)
    _bold(cell)
    cell.alignment = Alignment(wrap_text=True, vertical="top")


def _fill(cell: Any, colour: str) -> None:
    from openpyxl.styles import PatternFill

    cell.fill = PatternFill("solid", fgColor=colour)


def _bold(cell: Any) -> None:
    from openpyxl.styles import Font

    cell.font = Font(bold=True)


def _widths(sheet: Worksheet, *widths: float) -> None:
    from openpyxl.utils import get_column_letter

    for at, width in enumerate(widths, start=1):
        sheet.column_dimensions[get_column_letter(at)].width = width
