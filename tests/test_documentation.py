"""What the documents show works: Python blocks run, commands and options exist, links lead somewhere."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest
import yaml

import llmbench.stats
from llmbench.cli import cli
from llmbench.reporting.parameters import check_parameters, read_parameters

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "CHANGELOG.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "data" / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
]
BLOCKS = [
    (document.name, number, language, code)
    for document in DOCUMENTS
    for number, (language, code) in enumerate(
        re.findall(r"```(\w+)\n(.*?)```", document.read_text(encoding="utf-8"), flags=re.DOTALL)
    )
]
PYTHON = [(name, number, code) for name, number, language, code in BLOCKS if language == "python"]
COMMANDS = [
    (name, line.strip())
    for name, _, language, code in BLOCKS
    if language == "bash"
    for line in code.splitlines()
    if line.strip().startswith("llmbench ")
]
PARAMETER_FILES = [
    (name, number, code) for name, number, language, code in BLOCKS if language == "yaml" and code[:1] == "#"
]


@pytest.mark.parametrize(("name", "number", "code"), PYTHON, ids=[f"{n}-{i}" for n, i, _ in PYTHON])
def test_python_blocks_run(name: str, number: int, code: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def _command(words: list[str]) -> tuple[click.Command, list[str]]:
    """The command that the words after `llmbench` name, and what is left of them."""
    command: click.Command = cli
    while isinstance(command, click.Group) and words:
        command, words = command.commands[words[0]], words[1:]
    return command, words


@pytest.mark.parametrize(("name", "line"), COMMANDS)
def test_commands_parse(name: str, line: str) -> None:
    command, words = _command(shlex.split(line, comments=True)[1:])
    command.make_parser(click.Context(command)).parse_args(words)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_what_a_sentence_names_is_there(document: Path) -> None:
    """Commands with their options, targets of make, and files of the repository, in the midst of prose."""
    prose = re.sub(r"```.*?```", "", document.read_text(encoding="utf-8"), flags=re.DOTALL)
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for code in (" ".join(each.split()) for each in re.findall(r"`([^`]+)`", prose)):
        if code.startswith("llmbench ") and "--help" not in code:
            command, words = _command(shlex.split(code)[1:])
            known = {option for each in command.params for option in (*each.opts, *each.secondary_opts)}
            assert {word for word in words if word.startswith("-")} <= known, code
        elif code.startswith("make "):
            assert code.split()[1] in targets, code
        elif re.fullmatch(r"(llmbench|tests|docs|notebooks|data|benchmarks|examples)(/[\w.-]+)+/?", code):
            assert "NAME" in code or (ROOT / code).exists(), code


@pytest.mark.parametrize(("name", "line"), [row for row in COMMANDS if row[1].startswith("llmbench report ")])
def test_reports_and_their_parameters_exist(name: str, line: str) -> None:
    words = shlex.split(line, comments=True)[1:]
    given = [words[at + 1] for at, word in enumerate(words) if word == "-p"]
    there = [name for name in words[1:2] if name != "all"]
    for notebook in there:
        declared = {found.name for found in read_parameters(ROOT / "notebooks" / f"{notebook}.ipynb")}
        assert set(given) <= declared


@pytest.mark.parametrize(("name", "number", "code"), PARAMETER_FILES)
def test_parameter_files_fit_their_notebook(name: str, number: int, code: str) -> None:
    notebook = ROOT / "notebooks" / f"{code.splitlines()[0].lstrip('# ')}.ipynb"
    check_parameters(read_parameters(notebook), yaml.safe_load(code))


def test_the_methods_page_has_every_estimator() -> None:
    page = (ROOT / "docs" / "methods.md").read_text(encoding="utf-8")
    assert [name for name in llmbench.stats.__all__ if name.islower() and f"`{name}`" not in page] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", document.read_text(encoding="utf-8")):
        assert (document.parent / target).exists(), f"{document.name} links to {target}"


def test_the_readme_gives_the_two_commands_first() -> None:
    first_screen = "\n".join((ROOT / "README.md").read_text(encoding="utf-8").splitlines()[:25])
    for words in ("make reports", "make test", "Decide which language model", "docs/report.png"):
        assert words in first_screen
