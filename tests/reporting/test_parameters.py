from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from llmbench.errors import ReportError, UsageError
from llmbench.reporting.parameters import (
    Parameter,
    check_parameters,
    lint_parameters,
    read_parameter_file,
    read_parameters,
)

CELL = """\
dataset: str = "data/a # b.csv"  # file of items
limit: int = 0  # items to run; 0: all
margin: float = 3  # points that do not matter
fresh: bool = False  # call again
models: list = ["local/smollm2-135m"]  # endpoint/model
prompts: dict = {"zero": "data/zero.txt"}  # name: file
"""
MakeNotebook = Callable[..., Path]


@pytest.fixture
def declared(make_notebook: MakeNotebook) -> tuple[Parameter, ...]:
    return read_parameters(make_notebook(CELL))


def test_read_names_types_defaults_and_helps(declared: tuple[Parameter, ...]) -> None:
    assert [(p.name, p.type, p.default) for p in declared] == [
        ("dataset", "str", "data/a # b.csv"),
        ("limit", "int", 0),
        ("margin", "float", 3.0),
        ("fresh", "bool", False),
        ("models", "list", ["local/smollm2-135m"]),
        ("prompts", "dict", {"zero": "data/zero.txt"}),
    ]
    assert declared[1].help == "items to run; 0: all"
    assert isinstance(declared[2].default, float)


@pytest.mark.parametrize(
    ("name", "given", "expected"),
    [
        ("limit", "16", 16),
        ("limit", " -3 ", -3),
        ("margin", "0.05", 0.05),
        ("margin", "1e-2", 0.01),
        ("margin", 2, 2.0),
        ("fresh", "TRUE", True),
        ("fresh", "false", False),
        ("models", '["a/b", "c/d"]', ["a/b", "c/d"]),
        ("models", ["a/b"], ["a/b"]),
        ("prompts", '{"few": "x.txt"}', {"few": "x.txt"}),
        ("dataset", "16", "16"),
        ("dataset", "", ""),
    ],
)
def test_check_reads_text_as_the_declared_type(
    declared: tuple[Parameter, ...], name: str, given: Any, expected: Any
) -> None:
    checked = check_parameters(declared, {name: given})
    assert checked == {name: expected}
    assert type(checked[name]) is type(expected)


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("limit", "1.5"),
        ("limit", "1_000"),
        ("limit", 1.0),
        ("limit", True),
        ("limit", None),
        ("margin", "nan"),
        ("margin", "inf"),
        ("margin", "three"),
        ("margin", False),
        ("fresh", "yes"),
        ("fresh", 1),
        ("models", "a/b,c/d"),
        ("models", "a b"),
        ("models", "[a/b]"),
        ("models", ""),
        ("models", '{"a": 1}'),
        ("models", [float("nan")]),
        ("prompts", "[]"),
        ("prompts", {1: "a"}),
        ("dataset", 16),
    ],
)
def test_check_refuses_another_type(declared: tuple[Parameter, ...], name: str, given: Any) -> None:
    wanted = next(p.type for p in declared if p.name == name)
    with pytest.raises(UsageError) as caught:
        check_parameters(declared, {name: given})
    message = str(caught.value)
    assert repr(name) in message
    assert f"({wanted})" in message
    assert repr(given) in message


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("12%", "0.12"), ("$20", "20"), ("1,234.50", "1234.5"), ("0,03", "0.03"), ("1,234", "1234"),
        ("1.234,50", None), ("abc", None),
    ],
)  # fmt: skip
def test_check_says_how_a_dressed_number_is_written(
    declared: tuple[Parameter, ...], given: str, meant: str | None
) -> None:
    with pytest.raises(UsageError) as caught:
        check_parameters(declared, {"margin": given})
    assert str(caught.value).endswith(f"not {given!r} (str)" + (f"; write {meant}." if meant else "."))


def test_check_names_the_unknown_the_nearest_and_all(declared: tuple[Parameter, ...]) -> None:
    with pytest.raises(UsageError) as caught:
        check_parameters(declared, {"limits": 3}, where="model_matrix")
    assert str(caught.value) == (
        "model_matrix has no parameter 'limits': did you mean 'limit'? "
        "It takes: dataset, limit, margin, fresh, models, prompts."
    )


def test_check_refuses_a_value_of_the_environments_secrets(
    declared: tuple[Parameter, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_API_KEY", "very-secret-value")
    with pytest.raises(UsageError, match="SOME_API_KEY") as caught:
        check_parameters(declared, {"models": ["x/y", "Bearer very-secret-value"]})
    assert "very-secret-value" not in str(caught.value)


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        ("limit: int | None = None  # x", "type 'int | None'"),
        ("limit: list[str] = []  # x", r"type 'list\[str\]'"),
        ("limit = 3  # x", "is not `name: type = value"),
        ("limit: int = 2 + 3  # x", "not a literal"),
        ("limit: int = len('a')  # x", "not a literal"),
        ("limit: int = '3'  # x", "default '3'"),
        ("limit: int = True  # x", "default True"),
        ("limit: int = 3", "no `# help`"),
        ("limit: int = 3  # x\nlimit: int = 4  # y", "second time"),
        ("api_key: str = ''  # x", "looks like a secret"),
        ("password: str = ''  # x", "looks like a secret"),
        ("import os", "is not `name: type = value"),
        ("limit: int = (\n 3)  # x", "is not `name: type = value"),
        ("limit: int = ", "is not Python"),
    ],
)
def test_lint_finds(make_notebook: MakeNotebook, source: str, complaint: str) -> None:
    (found,) = lint_parameters(make_notebook(source))

    assert re.search(complaint, found)


def test_lint_passes_what_papermill_reads(make_notebook: MakeNotebook) -> None:
    assert lint_parameters(make_notebook(CELL.replace("a # b", "b"))) == []
    assert lint_parameters(make_notebook("max_tokens: int = 16  # no secret at all")) == []


def test_lint_reports_a_line_that_papermill_drops(
    make_notebook: MakeNotebook, monkeypatch: pytest.MonkeyPatch
) -> None:
    from papermill.translators import PythonTranslator

    monkeypatch.setattr(PythonTranslator, "inspect", classmethod(lambda cls, cell: []))
    assert lint_parameters(make_notebook("limit: int = 3  # x")) == [
        "made.ipynb: papermill cannot read the line of parameter 'limit'; write it simpler."
    ]


@pytest.mark.parametrize("content", ["{}", "not json", "[]"])
def test_read_refuses_what_is_no_notebook(tmp_path: Path, content: str) -> None:
    path = tmp_path / "x.ipynb"
    path.write_text(content)
    with pytest.raises(ReportError, match=r"x\.ipynb is not a notebook"):
        read_parameters(path)


def test_read_refuses_a_notebook_without_the_cell(tmp_path: Path) -> None:
    path = tmp_path / "x.ipynb"
    path.write_text('{"cells": []}')
    with pytest.raises(ReportError, match="has 0 cells tagged `parameters`"):
        read_parameters(path)


def test_file_gives_typed_values(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text("limit: 16\nmodels: [a/b]\nfresh: true\n", encoding="utf-8-sig")
    assert read_parameter_file(path) == {"limit": 16, "models": ["a/b"], "fresh": True}
    path.write_text("# nothing yet\n")
    assert read_parameter_file(path) == {}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a: 1\nb: [1,\n", r"params\.yaml, line 3, is not YAML"),
        (b"- a\n", "must hold one `name: value` a line"),
        (b"1: a\n", "must hold one `name: value` a line"),
        (b"a: !!python/object/apply:os.getcwd []\n", "is not YAML"),
        (b"\xff\xfe\x00", "is not YAML"),
    ],
)
def test_file_that_is_none_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "params.yaml"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=message):
        read_parameter_file(path)


def test_file_that_is_gone_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"gone\.yaml cannot be read"):
        read_parameter_file(tmp_path / "gone.yaml")


def test_one_bare_word_is_a_list_of_it(declared: tuple[Parameter, ...]) -> None:
    assert check_parameters(declared, {"models": "openai/gpt-4o-mini"}) == {"models": ["openai/gpt-4o-mini"]}


def test_an_unquoted_date_of_a_file_is_text(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text("day: 2025-01-23\nmodels: [{name: a, date: 2025-01-24, at: 2025-01-24T10:00:00Z}]\n")
    assert read_parameter_file(path) == {
        "day": "2025-01-23",
        "models": [{"name": "a", "date": "2025-01-24", "at": "2025-01-24T10:00:00+00:00"}],
    }


@pytest.mark.parametrize(
    "content",
    [
        "a: 2026-13-45",
        "a: " + "[" * 3000,
        "a: 0x_",
        "a: &a [*a]",
        "a: " + "9" * 5000,
        "a: !!timestamp x",
        "a0: &a0 [x]\n" + "".join(f"a{k}: &a{k} [{','.join([f'*a{k - 1}'] * 9)}]\n" for k in range(1, 9)),
    ],
    ids=["date", "depth", "number", "circle", "digits", "timestamp", "aliases"],
)
def test_file_that_yaml_cannot_or_should_not_unfold_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "odd.yaml").write_text(content, encoding="utf-8")
    with pytest.raises(UsageError, match=r"odd\.yaml"):
        read_parameter_file(tmp_path / "odd.yaml")
