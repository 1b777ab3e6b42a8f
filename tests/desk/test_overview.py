from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from llmbench.desk import reports
from llmbench.desk.outcome import outcome_html
from llmbench.reporting.run import ReportRun
from llmbench.results import Decision
from tests.reporting.conftest import HOSTILE, Project


def test_a_report_is_shown_with_its_verdict_and_age(good_run: ReportRun, reports_project: Project) -> None:
    found = reports()
    line = next(each for each in found.lines if each.notebook == "small")
    assert (line.question, line.decision) == ("Is it so?", Decision.NO_GO)
    assert line.generated_at is not None
    later = found._replace(now=line.generated_at + timedelta(days=3))._repr_html_()
    assert "3 days ago" in later
    assert 'href="reports/small/report.html"' in later
    assert "<script" not in later
    assert "NO-GO" in later
    row = found.to_pandas().set_index("notebook").loc["small"]
    assert row["decision"] == "NO_GO"
    assert row["report"] == "reports/small/report.html"


def test_links_are_from_the_folder_of_the_notebook(
    good_run: ReportRun, reports_project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(reports_project.root / "notebooks")
    assert 'href="../reports/small/report.html"' in reports()._repr_html_()
    assert 'href="../reports/small/report.html"' in outcome_html(good_run.path.parent)


def test_the_outcome_has_the_verdict_and_the_first_figures(
    good_run: ReportRun, reports_project: Project
) -> None:
    page = outcome_html(good_run.folder)
    assert "NO-GO" in page
    assert page.count("<img ") == 2
    assert "<script" not in page
    assert HOSTILE not in page
    assert "more figure" not in page


def test_what_is_no_figure_of_ours_is_left_out(
    good_run: ReportRun, reports_project: Project, tmp_path: Path
) -> None:
    folder = tmp_path / "small"
    folder.mkdir()
    (folder / "result.json").write_bytes((good_run.folder / "result.json").read_bytes())
    executed = (good_run.folder / "executed.ipynb").read_text()
    (folder / "executed.ipynb").write_text(executed.replace("<figcaption>", "<figcaption><i>"))
    assert "<img " not in outcome_html(folder)
    (folder / "executed.ipynb").write_text('{"cells": [{"outputs": [{"data": 1}]}]}')
    assert "<img " not in outcome_html(folder)


def test_a_result_that_cannot_be_read_is_a_sentence(project: Path) -> None:
    (project / "notebooks").mkdir()
    (project / "notebooks" / "mine.ipynb").write_text("{}")
    assert "mine: not run yet" in repr(reports())
    assert reports()._repr_html_().count(">–</td>") == 2  # there is nothing that could be known
    folder = project / "reports" / "mine"
    folder.mkdir(parents=True)
    (folder / "result.json").write_text("{")
    (line,) = reports().lines
    assert line.decision is None
    assert "mine/result.json cannot be read" in line.summary
    shown = reports()._repr_html_()
    assert "cannot be read" in shown
    assert shown.count(">unknown</td>") == 3  # its verdict, when it was made, and what it cost
    assert "cannot be read" in outcome_html(folder)


def test_without_notebooks_it_says_what_to_do(project: Path) -> None:
    assert "llmbench init" in reports()._repr_html_()
    assert "llmbench init" in repr(reports())
