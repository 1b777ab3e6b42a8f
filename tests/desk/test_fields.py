from __future__ import annotations

from pathlib import Path

import click
import pytest

from llmbench.cli.report import report
from llmbench.desk.choices import _choices
from llmbench.desk.command import command_line
from llmbench.desk.fields import Field, as_typed, fields_of, given_values
from llmbench.errors import UsageError
from llmbench.reporting import available_notebooks, check_parameters
from llmbench.reporting.parameters import Parameter

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = [ROOT / "notebooks" / f"{name}.ipynb" for name in available_notebooks(ROOT)]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_what_a_form_shows_at_first_is_every_default(path: Path) -> None:
    fields = fields_of(path)
    assert given_values(fields, {field.parameter.name: field.default for field in fields}) == {}
    for field in fields:
        assert field.read(field.default) == field.parameter.default
        assert not field.choices or field.parameter.default in field.choices


def test_choices_are_of_parameters_that_there_are() -> None:
    offered = {
        (path.stem, field.parameter.name) for path in NOTEBOOKS for field in fields_of(path) if field.choices
    }
    assert offered == set(_choices())


VALUES = {
    "text": 'two words, "quoted" and $HOME',
    "empty": "",
    "dash": "-1",
    "count": -3,
    "share": 1e-07,
    "many": 250000.0,
    "loud": True,
    "names": ["a b", "c'd", 1, None],
    "extra": {"gpt-4o": 0.2, "all": [True]},
}


def _declared() -> list[Parameter]:
    defaults = {"str": "x", "int": 0, "float": 0.0, "bool": False, "list": [], "dict": {}}
    return [
        Parameter(name, type(value).__name__, defaults[type(value).__name__], "")
        for name, value in VALUES.items()
    ]


def test_what_is_typed_gives_the_value_back() -> None:
    for parameter in _declared():
        value = VALUES[parameter.name]
        assert Field(parameter).read(as_typed(value)) == value


def test_the_command_line_means_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    import shlex
    import sys

    monkeypatch.setattr(sys, "platform", "linux")
    words = shlex.split(command_line("small", VALUES, fresh=True))
    assert words[:2] == ["llmbench", "report"]
    given, _, _ = report.make_parser(click.Context(report)).parse_args(words[2:])
    assert given["notebooks"] == ("small",)
    assert given["fresh"] is True
    assert check_parameters(_declared(), dict(given["given"])) == VALUES


def test_a_key_that_is_typed_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "correct-horse-battery-staple")
    with pytest.raises(UsageError, match="holds the value of OPENAI_API_KEY"):
        Field(Parameter("note", "str", "", "")).read("it is correct-horse-battery-staple")
