"""The table provider by feature, from the results of the conformance suite."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from tests.providers.cases import CASES

BEGIN, END = "<!-- table: made by make provider-table -->", "<!-- end of table -->"


class FeatureTable:
    """Results by feature and provider: "yes", "refused", or nothing where it does not apply."""

    def __init__(self) -> None:
        self._cells: dict[str, dict[str, str]] = {}

    def add(self, params: Mapping[str, Any], feature: str, report: pytest.TestReport) -> None:
        """Take one result; of several of one feature the worst stays."""
        name = params.get("case_name") or params["case"]
        row = self._cells.setdefault(feature.format(**params), {})
        if report.failed:
            row[name] = "fails"
        elif report.when == "call" and row.get(name) != "fails":
            refused = dict(report.user_properties).get("outcome") == "refused"
            row[name] = "" if report.skipped else "refused" if refused else "yes"

    @property
    def complete(self) -> bool:
        """Whether every provider has a result in the first row."""
        return bool(self._cells) and all(set(row) == set(CASES) for row in list(self._cells.values())[:1])

    def into(self, document: str) -> str:
        """`document` with the table between its marks."""
        before, _, rest = document.partition(BEGIN)
        _, _, after = rest.partition(END)
        return f"{before}{BEGIN}\n{self._markdown()}\n{END}{after}"

    def _markdown(self) -> str:
        names = list(CASES)
        lines = [f"| | {' | '.join(names)} |", "|---|" + "---|" * len(names)]
        for feature, row in self._cells.items():
            lines.append(f"| {feature} | {' | '.join(row.get(name, '') for name in names)} |")
        return "\n".join(lines)
