"""The form without a browser; tests/real/test_desk.py has it in one."""

from __future__ import annotations

import builtins
from pathlib import Path
from typing import Any

import pytest

from llmbench.desk import ReportForm, form
from llmbench.errors import UsageError
from llmbench.reporting.run import ReportRun
from llmbench.results import Decision
from tests.reporting.conftest import Project, write_notebook


@pytest.fixture
def small(good_run: ReportRun, reports_project: Project) -> ReportForm:
    found = form("small")
    assert isinstance(found, ReportForm)
    return found


def shown(output: Any) -> str:
    return "".join(each["data"]["text/html"] for each in output.outputs)


def test_each_type_has_its_control(small: ReportForm) -> None:
    kinds = {name: type(control).__name__ for name, control in small.rows.controls.items()}
    assert kinds["loud"] == "Checkbox"
    assert {kinds[name] for name in ("greeting", "repeat", "share", "names", "extra")} == {"Text"}
    assert small.rows.controls["names"].value == '["ada", "grace"]'
    assert "application/vnd.jupyter.widget-view+json" in small._repr_mimebundle_()


def test_choices_are_a_list_to_choose_from(project: Path) -> None:
    cells = ['scale: str = "ratio"  # or difference', 'stopping_rule: str = "own"  # another word']
    write_notebook(project / "notebooks" / "ab_test.ipynb", ["\n".join(cells)], {0: ["parameters"]})
    found = ReportForm()
    assert found.rows.controls["scale"].options == (("ratio", "ratio"), ("difference", "difference"))
    assert type(found.rows.controls["stopping_rule"]).__name__ == "Text"


def test_what_is_typed_is_checked_at_once(small: ReportForm) -> None:
    assert "llmbench report small</pre>" in small.command.value
    small.rows.controls["repeat"].value = "twice"
    assert (
        "Parameter &#x27;repeat&#x27; takes a whole number (int), not &#x27;twice&#x27;"
        in small.command.value
    )
    assert small.run_button.disabled
    assert small.quote_button.disabled
    small.rows.controls["repeat"].value = "5"
    small.rows.controls["loud"].value = True
    assert "llmbench report small -p repeat 5 -p loud true</pre>" in small.command.value
    assert not small.run_button.disabled
    small.fresh.value = True
    assert "--fresh</pre>" in small.command.value
    small.start.notebook.click()
    assert small.rows.values() == {}
    assert "from the notebook" in small.start.note.value


def test_a_parameter_is_found_by_words_of_its_help(small: ReportForm) -> None:
    small.rows.find.value = "Shouted whether"
    visible = [name for name, row in small.rows._rows.items() if row.box.layout.display != "none"]
    assert visible == ["loud"]
    small.rows.find.value = ""
    assert all(row.box.layout.display is None for row in small.rows._rows.values())


def test_a_quote_is_of_what_is_typed_now(small: ReportForm) -> None:
    small.quote().join(30)
    assert "is not known before it runs" in shown(small.quoted)
    small.rows.controls["repeat"].value = "7"
    assert shown(small.quoted) == ""


def test_the_newest_result_is_shown_with_its_tables(small: ReportForm) -> None:
    page = shown(small.result)
    assert "NO-GO" in page
    assert "<img " in page
    assert [value for _, value in small.tables.options] == ["", "answers"]
    small.tables.value = "answers"
    assert "answers.csv" in shown(small.table)
    small.tables.value = ""
    assert shown(small.table) == ""


def test_a_run_goes_from_the_button_to_the_result(
    small: ReportForm, reports_project: Project, tmp_path: Path
) -> None:
    found = ReportForm("small", tmp_path)
    assert "not run yet" in shown(found.result)
    found.rows.controls["share"].value = "0.25"
    told: list[str] = []
    found.status.observe(lambda change: told.append(change["new"]), names="value")
    found.run_button.click()
    assert found.background is not None
    assert found.run_button.disabled
    assert found.report.disabled
    assert found.background.wait(60) == "done"
    assert "done in" in found.status.value
    assert told[0] == "<p>starting</p>"
    assert any("running, " in line for line in told)
    assert any("writing the report" in line for line in told)
    assert found.background.result is not None
    assert found.background.result.decision == Decision.NO_GO
    assert (tmp_path / "small" / "report.html").is_file()
    assert not found.run_button.disabled
    assert found.cancel_button.disabled
    assert "NO-GO" in shown(found.result)
    assert '"share": 0.25' in (tmp_path / "small" / "result.json").read_text()
    assert found.made_with.value == ""


def test_a_notebook_that_is_broken_is_a_sentence(project: Path) -> None:
    for name, cell in (("bad", "n = 1"), ("good", "n: int = 1  # n")):
        write_notebook(project / "notebooks" / f"{name}.ipynb", [cell], {0: ["parameters"]})
    found = ReportForm("bad")
    assert "line 1 of the parameters cell is not" in found.command.value
    assert found.run_button.disabled
    found.report.value = "good"
    assert not found.run_button.disabled
    found.report.value = "bad"
    assert found.run_button.disabled


def test_what_cannot_be_opened_says_so(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="has no report; it has none"):
        form()
    write_notebook(project / "notebooks" / "mine.ipynb", ["n: int = 1  # n"], {0: ["parameters"]})
    with pytest.raises(UsageError, match="has no notebook 'yours'; it has mine"):
        form("yours")
    real = builtins.__import__

    def without(name: str, *args: Any) -> Any:
        if name == "ipywidgets":
            raise ImportError(name)
        return real(name, *args)

    monkeypatch.setattr(builtins, "__import__", without)
    assert "needs ipywidgets: pip install" in str(form())
