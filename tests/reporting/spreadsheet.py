"""Computes the formulas of a small workbook: the kinds that model.xlsx uses, and no others."""

from __future__ import annotations

import math
import re
from typing import Any

from openpyxl import Workbook
from openpyxl.formula import Tokenizer
from openpyxl.utils import range_boundaries


def _numbers(values: Any) -> list[float]:
    flat: list[Any] = []
    for value in values:
        flat += value if isinstance(value, list) else [value]
    return [value for value in flat if isinstance(value, int | float) and not isinstance(value, bool)]


def _round_up(value: float, digits: float) -> float:
    scale = 10.0**digits
    return math.copysign(math.ceil(abs(value) * scale), value) / scale


FUNCTIONS: dict[str, Any] = {
    "SUM": lambda *values: math.fsum(_numbers(values)),
    "MAX": lambda *values: max(_numbers(values), default=0.0),
    "MIN": lambda *values: min(_numbers(values), default=0.0),
    "COUNT": lambda *values: len(_numbers(values)),
    "ROUNDUP": _round_up,
    "AND": lambda *values: all(values),
    "INDEX": lambda values, place: values[int(place) - 1],
    "MATCH": lambda value, values, _: values.index(value) + 1,
}


class Spreadsheet:
    """Values of a workbook's cells: `sheet["Result", "B14"]`. Inputs may be changed by their names."""

    def __init__(self, book: Workbook) -> None:
        self.book = book
        self.values: dict[tuple[str, str], Any] = {}

    def set(self, name: str, value: float | str) -> None:
        """Change the cell that `name` stands for."""
        sheet, cell = self._named(name)
        self.book[sheet][cell] = value
        self.values.clear()

    def __getitem__(self, key: tuple[str, str]) -> Any:
        if key not in self.values:
            raw = self.book[key[0]][key[1]].value
            formula = isinstance(raw, str) and raw.startswith("=")
            self.values[key] = self._compute(raw, key[0]) if formula else raw
        return self.values[key]

    def _named(self, name: str) -> tuple[str, str]:
        sheet, _, cell = self.book.defined_names[name].attr_text.partition("!")
        return sheet, cell.replace("$", "")

    def _compute(self, formula: str, sheet: str) -> Any:
        parts: list[str] = []
        functions: list[str] = []
        for token in Tokenizer(formula).items:
            if token.type == "FUNC" and token.subtype == "OPEN":
                functions.append(token.value[:-1])
                parts.append("IF(lambda: " if functions[-1] == "IF" else f"f[{functions[-1]!r}](")
            elif token.type == "FUNC":
                functions.pop()
                parts.append(")")
            elif token.type == "PAREN":
                functions += ["("] if token.subtype == "OPEN" else []
                if token.subtype != "OPEN":
                    functions.pop()
                parts.append(token.value)
            elif token.type == "SEP":  # the branch that is not taken is not computed
                parts.append(", lambda: " if functions[-1] == "IF" else ", ")
            elif token.type == "OPERAND" and token.subtype == "RANGE":
                parts.append(f"cell({token.value!r}, {sheet!r})")
            else:
                parts.append({"^": "**", "=": "==", "<>": "!="}.get(token.value, token.value))
        return eval("".join(parts), {"__builtins__": {}, "cell": self._cell, "f": FUNCTIONS, "IF": _if})

    def _cell(self, reference: str, sheet: str) -> Any:
        if not re.search(r"\d", reference) or reference in self.book.defined_names:
            return self[self._named(reference)]
        if "!" in reference:
            sheet, _, reference = reference.partition("!")
        plain = reference.replace("$", "")
        if ":" not in plain:
            return self[sheet.strip("'"), plain]
        low_column, low_row, high_column, high_row = range_boundaries(plain)
        return [
            self[sheet, self.book[sheet].cell(row, column).coordinate]
            for row in range(low_row, high_row + 1)
            for column in range(low_column, high_column + 1)
        ]


def _if(condition: Any, yes: Any, no: Any) -> Any:
    return yes() if condition() else no()
