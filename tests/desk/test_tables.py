from __future__ import annotations

import base64
import re
import sys
from pathlib import Path

import pandas as pd
import pytest

from llmbench.desk import InteractiveTable, interactive, run_tables
from llmbench.errors import UsageError
from llmbench.reporting.run import ReportRun
from tests.reporting.conftest import HOSTILE, Project

NAMES = pd.Series(["=1+1", HOSTILE, "\ud83d"], dtype=object)
FRAME = pd.DataFrame({"name": NAMES, "n": [1, 2, 3], "share": [0.5, None, 0.25]})


def test_the_csv_is_safe_for_a_spreadsheet() -> None:
    page = interactive(FRAME, "mine")._repr_html_()
    found = re.search(r'href="data:text/csv;base64,([^"]+)" download="mine.csv"', page)
    assert found is not None
    lines = base64.b64decode(found[1]).decode().splitlines()
    assert lines[:2] == ["name,n,share", "'=1+1,1,0.5"]
    assert "3 rows" in page


def test_a_long_table_is_not_put_into_the_page() -> None:
    page = interactive(pd.DataFrame({"text": ["x" * 1000] * 3000}))._download()
    assert page == "<p>3,000 rows; too long to download from here.</p>"


def test_without_itables_it_is_plain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "itables", None)
    page = interactive(FRAME)._repr_html_()
    assert "pip install" in page
    assert "<script" not in page
    assert "&lt;script&gt;" in page


def test_itables_fetches_nothing_and_runs_nothing_of_the_data() -> None:
    pytest.importorskip("itables", reason="itables is not installed: the extra notebooks has it")
    page = interactive(FRAME)._repr_html_()
    assert HOSTILE not in page
    assert HOSTILE not in interactive(pd.DataFrame({HOSTILE: [1]}))._repr_html_()
    tags = re.findall(r"<(?:script|link|img|iframe|a)\b[^>]*(?:src|href)=[\"']?(https?:[^\"'> ]+)", page)
    assert [url for url in tags if not url.startswith("https://itables.org/")] == []  # a link in a fallback
    assert "import(" not in page.replace("await import(url)", "")
    assert "unpkg" not in page


def test_tables_of_a_run_are_found_by_name(good_run: ReportRun, reports_project: Project) -> None:
    assert run_tables("small") == ("answers",)
    table = run_tables("small", "answers")
    assert isinstance(table, InteractiveTable)
    assert table.to_pandas()["score"].iloc[0] == 0.25
    assert "answer" in repr(table)
    assert 'href="reports/small/tables/answers.csv"' in table._download()
    with pytest.raises(UsageError, match="has no table 'other'; it has answers"):
        run_tables("small", "other")
    for name in ("gone", "../small", ""):
        with pytest.raises(UsageError, match="no run of"):
            run_tables(name)


def test_a_table_without_columns_is_empty(project: Path) -> None:
    folder = project / "reports" / "mine" / "tables"
    folder.mkdir(parents=True)
    (folder / "none.csv").write_text("\n")
    table = run_tables("mine", "none")
    assert isinstance(table, InteractiveTable)
    assert table.to_pandas().empty
    assert "0 rows" in table._repr_html_()
