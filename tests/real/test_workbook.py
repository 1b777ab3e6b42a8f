"""model.xlsx in a real spreadsheet program: what LibreOffice computes is what the report says."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from openpyxl import load_workbook

from llmbench.reporting.break_even_workbook import workbook
from tests.reporting.studies import STUDIES, make_study

OFFICE = shutil.which("soffice") or shutil.which("libreoffice")

pytestmark = pytest.mark.skipif(OFFICE is None, reason="LibreOffice Calc is not installed")


@pytest.mark.parametrize("name", STUDIES)
def test_libreoffice_computes_the_base_case(name: str, tmp_path: Path) -> None:
    study = make_study(**STUDIES[name])  # type: ignore[arg-type]
    (tmp_path / "model.xlsx").write_bytes(workbook(study))
    profile = f"-env:UserInstallation={(tmp_path / 'profile').as_uri()}"
    command = [str(OFFICE), profile, "--headless", "--convert-to", "xlsx:Calc MS Excel 2007 XML"]
    subprocess.run(
        [*command, "--outdir", str(tmp_path / "out"), str(tmp_path / "model.xlsx")],
        check=True,
        timeout=180,
        capture_output=True,
    )
    sheet = load_workbook(tmp_path / "out" / "model.xlsx", data_only=True)["Result"]
    rows = {sheet.cell(row, 1).value: row for row in range(1, 40)}
    month = study.best[1]
    assert sheet.cell(rows["all of it"], 2).value == pytest.approx(month.usd)
    for against in (study.baseline, *study.against):
        found = [sheet.cell(rows[against], column).value for column in range(4, 11)]
        flow, turn = study.flow(against), study.break_even(study.best[0], against)
        assert found[0] == pytest.approx(study.usd_per_message(against))
        assert found[2] == pytest.approx(
            study.load.messages_per_month * study.usd_per_message(against) - month.usd
        )
        expected = "never" if turn.messages_per_month is None else pytest.approx(turn.messages_per_month)
        assert found[3] == expected
        assert found[5] == pytest.approx(flow.npv)
        assert found[6] == ("never" if flow.payback_month is None else flow.payback_month)
