"""What a form starts from, without a browser."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from llmbench.desk import ReportForm
from llmbench.desk.fields import Field, fields_of
from llmbench.desk.starting import from_file, from_run, other_parameters
from llmbench.errors import UsageError
from llmbench.reporting.parameters import Parameter
from llmbench.reporting.run import ReportRun
from llmbench.result_files import read_envelope
from llmbench.results import InputFile, ResultEnvelope
from tests.reporting.conftest import Project

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = sorted((ROOT / "reports" / "examples").glob("*/result.json"))

FIELDS = (
    Field(Parameter("sends", "str", "data/sends.csv", "a file")),
    Field(Parameter("repeat", "int", 2, "how often")),
    Field(Parameter("scale", "str", "ratio", "how"), ("ratio", "difference")),
    Field(Parameter("names", "list", [], "to whom")),
    Field(Parameter("loud", "bool", False, "whether")),
)


@pytest.fixture
def run(good_run: ReportRun) -> ResultEnvelope:
    return read_envelope(good_run.folder / "result.json")


@pytest.fixture
def small(good_run: ReportRun, reports_project: Project, tmp_path: Path) -> ReportForm:
    shutil.copytree(reports_project.root / "reports" / "small", tmp_path / "small")
    return ReportForm("small", tmp_path)


def made_with(run: ResultEnvelope, inputs: tuple[str, ...] = (), **parameters: Any) -> ResultEnvelope:
    files = tuple(InputFile(path, "0", None) for path in inputs)
    return dataclasses.replace(run, parameters=parameters, inputs=files)


def start(form: ReportForm, source: str, path: str = "") -> str:
    form.start.path.value = path
    getattr(form.start, source).click()
    return str(form.start.note.value)


def test_the_newest_run_fills_the_form_and_the_command(small: ReportForm) -> None:
    assert (
        "made with other parameters than the form shows: repeat (3 there, 2 here), share (1 there, 0.5"
        in (small.made_with.value)
    )
    small.rows.controls["loud"].value = True
    note = start(small, "run")
    assert 'role="status"' in note
    assert "Filled in from the newest run, of 20" in note
    assert "6 parameters." in note
    assert "<li>" not in note
    assert "llmbench report small -p repeat 3 -p share 1</pre>" in small.command.value
    assert small.made_with.value == ""
    small.rows.controls["repeat"].value = "many"
    assert "repeat (3 there)" in small.made_with.value
    assert "from the notebook" in start(small, "notebook")
    assert small.rows.values() == {}


def test_each_control_says_what_it_is(small: ReportForm) -> None:
    buttons = small.start.notebook, small.start.run, small.start.file
    assert [button.description for button in buttons] == [
        "Start from the notebook", "Start from the newest run", "Start from this file",
    ]  # fmt: skip
    assert all(button.tooltip for button in buttons)
    assert small.start.path.description == "File"
    small.start.path.value = "typed.yaml"
    assert small.rows.values() == {}


def test_a_file_fills_the_form(small: ReportForm, tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("repeat: 7\nnames: [ada]\nshare: many\nrepeets: 1\n")
    small.rows.controls["loud"].value = True
    note = start(small, "file", str(file))
    assert "from the file mine.yaml: 2 parameters" in note
    assert "The notebook has no parameter &#x27;repeets&#x27;" in note
    assert "Parameter &#x27;share&#x27; takes a number" in note
    assert small.rows.values() == {"repeat": 7, "names": ["ada"]}
    assert "cannot be read" in start(small, "file", str(tmp_path / "none.yaml"))
    assert "No file is named" in start(small, "file", " ")
    assert small.rows.values() == {"repeat": 7, "names": ["ada"]}


def test_what_was_run_by_others_is_seen_and_what_is_broken_is_a_sentence(
    small: ReportForm, tmp_path: Path
) -> None:
    result = tmp_path / "small" / "result.json"
    document = json.loads(result.read_text())
    document["parameters"] |= {"repeat": 9, "greeting": "<b>hello"}
    result.write_text(json.dumps(document))
    start(small, "run")
    assert small.rows.values()["repeat"] == 9
    small.rows.controls["greeting"].value = "hello"
    assert "greeting (&lt;b&gt;hello there, hello here)" in small.made_with.value
    result.write_text("{")
    assert "cannot be read" in start(small, "run")
    assert small.made_with.value == ""
    result.unlink()
    assert "not run yet" in start(small, "run")


def test_what_the_notebook_does_not_take_is_left_out_and_said(run: ResultEnvelope, tmp_path: Path) -> None:
    old = made_with(run, sends="x.csv", repeat="many", scale="log", names=["ada"], old=1)
    found = from_run(FIELDS, old, tmp_path)
    assert found.typed == {"sends": "x.csv", "names": '["ada"]'}
    assert found.left_out == (
        "The notebook has no parameter 'old'.",
        "Parameter 'repeat' takes a whole number (int), not 'many' (str).",
        "Parameter 'scale' takes ratio, difference, not 'log'.",
        "That run had no loud: as the notebook has it.",
    )


def test_a_path_that_the_report_lost_is_not_another_file(run: ResultEnvelope, tmp_path: Path) -> None:
    lost = made_with(run, ("x.csv",), sends="x.csv", repeat=2, scale="ratio", names=[], loud=False)
    found = from_run(FIELDS, lost, tmp_path)
    assert "sends" not in found.typed
    assert found.left_out == (
        "Parameter 'sends' named the file 'x.csv', whose folder the report does not keep; type its path.",
    )
    typed: dict[str, str | bool] = {field.parameter.name: field.default for field in FIELDS}
    elsewhere = str(tmp_path / "x.csv")
    assert other_parameters(FIELDS, typed | {"sends": elsewhere}, lost, tmp_path) == ""
    assert "sends (x.csv there, data/sends.csv here)" in other_parameters(FIELDS, typed, lost, tmp_path)
    (tmp_path / "x.csv").touch()
    assert from_run(FIELDS, lost, tmp_path).typed["sends"] == "x.csv"


def test_what_cannot_be_compared_is_said(run: ResultEnvelope, tmp_path: Path) -> None:
    typed: dict[str, str | bool] = {field.parameter.name: field.default for field in FIELDS}
    assert "does not say" in other_parameters(FIELDS, typed, made_with(run), tmp_path)
    said = other_parameters(FIELDS, typed, made_with(run, old=1, repeat=3), tmp_path)
    assert "old (the notebook no longer has it), sends (the run had none), repeat (3 there, 2 here)" in said
    assert said.endswith("scale (the run had none), names (the run had none) and 1 more.")
    assert other_parameters((), {}, made_with(run), tmp_path) == ""


def test_a_file_is_found_from_the_project(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("scale: difference\nloud: yes\n")
    found = from_file(FIELDS, "mine.yaml", tmp_path)
    assert found.typed == {"scale": "difference", "loud": True}
    assert found.left_out == ()
    with pytest.raises(UsageError, match="cannot be found"):
        from_file(FIELDS, "~nobody-of-this-name/x.yaml", tmp_path)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.parent.name)
def test_each_example_fills_its_form_with_what_it_was_made_with(example: Path) -> None:
    fields, made = fields_of(ROOT / "notebooks" / f"{example.parent.name}.ipynb"), read_envelope(example)
    found = from_run(fields, made, ROOT)
    assert found.left_out == ()
    typed = {field.parameter.name: field.default for field in fields} | found.typed
    assert other_parameters(fields, typed, made, ROOT) == ""
