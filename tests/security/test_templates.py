"""Templates and parameters that try to get out: of the sandbox, of the folder."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import jinja2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmbench.errors import LLMBenchError, UsageError
from llmbench.matrix import Dataset, Matrix
from llmbench.matrix.prompts import Prompt, prompts_for
from llmbench.providers.fake import FakeProvider
from tests.security.hostile import HOSTILE, hostile_texts, some

ESCAPES = [
    "{{ ().__class__.__base__.__subclasses__() }}",
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ prompt.__class__.__init__.__globals__ }}",
    "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
    "{{ lipsum.__globals__['os'].system('id') }}",
    "{{ self.__init__.__globals__ }}",
    "{{ self._TemplateReference__context.environment.loader }}",
    "{{ joiner.__init__.__globals__ }}",
    "{{ namespace.__init__.__globals__ }}",
    "{{ dict.__base__.__subclasses__() }}",
    "{{ range.__class__.__call__ }}",
    "{{ prompt|attr('__class__') }}",
    "{{ prompt|attr('\\x5f\\x5fclass\\x5f\\x5f') }}",
    "{{ ['a']|map(attribute='__class__')|list }}",
    "{{ ['a']|selectattr('__class__')|map(attribute='__class__.__mro__')|list }}",
    "{{ [prompt]|groupby('__class__') }}",
    "{{ '{0.__class__}'.format(prompt) }}",
    "{{ '{0.__class__.__mro__}'.format_map({'0': prompt}) }}",
    "{{ ''.format.__globals__ }}",
    "{% include '/etc/passwd' %}",
    "{% extends '/etc/passwd' %}",
    "{% import 'os' as os %}{{ os }}",
    "{% for x in range(10**9) %}a{% endfor %}",
    "{{ 'a' * 10**9 }}",
    "{{ 'a'|center(10**9) }}",
    "{{ 'a'.ljust(10**9) }}",
    "{{ '%0999999999d' % 1 }}",
    "{{ '{:>999999999}'.format(1) }}",
    "{{ 9**9**9 }}",
    "{{ (2).__pow__(10**9) }}",
    "{{ [].append(1) }}",
    "{% set x = {}.update({'a': 1}) %}{{ x }}",
]
FORBIDDEN = ("subclasses", "<class", "<module", "<function", "<bound method", "root:", "uid=", "<built-in")


@pytest.fixture
def items(tmp_path: Path) -> Dataset:
    # Half a character is refused by line, and the giant is too long for a test of each template.
    texts = [text for name, text in HOSTILE.items() if name not in {"surrogate", "giant"}]
    rows = [{"id": k, "prompt": text, "expected": "x"} for k, text in enumerate(texts)]
    (tmp_path / "items.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return Dataset.load(tmp_path / "items.jsonl")


@pytest.mark.parametrize("template", ESCAPES)
def test_a_template_does_not_leave_the_sandbox(items: Dataset, template: str) -> None:
    try:
        prompts = prompts_for(items, {"t": f"{template} {{{{ prompt }}}}"})
        found = prompts[0].messages(items.rows[0])[-1]["content"]
    except UsageError:
        return
    said = found.replace(str(items.rows[0].fields["prompt"]), "")
    assert not any(word in said for word in FORBIDDEN), said[:300]
    assert len(said) < 20_000_000


def test_a_cell_of_the_data_is_never_a_template(items: Dataset) -> None:
    (prompt,) = prompts_for(items, None)
    for item in items.rows:
        assert prompt.messages(item)[-1]["content"].strip() == str(item.fields["prompt"]).strip()


@given(st.text(max_size=60) | st.builds("{{{{ {} }}}}".format, st.text(max_size=30)) | hostile_texts)
@some(40)
def test_any_text_is_a_template_or_refused(template: str) -> None:
    from llmbench.matrix.dataset import Item

    # A template that is none is found by `check`, before any message is written.
    with contextlib.suppress(LLMBenchError, jinja2.TemplateError):
        Prompt("t", template, "prompt").messages(Item("1", {"prompt": "p"}, "4", None, None, 1))


TRAVERSALS = [
    "../../etc/passwd", "..\\..\\x", "/etc/passwd", "a/../../x", "C:\\x", "~/.ssh/id_rsa", "\x00", "a\x00b",
    ".", "..", "", "a" * 5000, "con", "runs/../..", "%2e%2e/x", "file:///etc/passwd", "a/b",
]  # fmt: skip


@pytest.mark.parametrize("name", TRAVERSALS)
def test_a_notebooks_name_is_no_path(project: Path, name: str) -> None:
    from llmbench.reporting.run import find_notebook

    (project / "notebooks").mkdir()
    with pytest.raises(LLMBenchError):
        find_notebook(name, project)


@pytest.mark.parametrize("name", TRAVERSALS)
def test_a_table_stays_in_the_reports_folder(
    project: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pandas as pd

    from llmbench.reporting import Report

    folder = project / "reports" / "r" / "runs" / ".staging-x"
    folder.mkdir(parents=True)
    monkeypatch.setenv("LLMBENCH_RUN_DIR", str(folder))
    report = Report("r", title="R")
    if name == "con":
        return
    with pytest.raises(LLMBenchError):
        report.table(name, pd.DataFrame({"a": [1]}))
    assert [path for path in project.rglob("*") if path.is_file() and path.name != "llmbench.toml"] == []


@pytest.mark.parametrize("name", TRAVERSALS)
def test_a_model_to_be_pulled_is_a_known_name(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from llmbench.providers.model_pull import pull

    monkeypatch.setenv("LLMBENCH_CACHE", str(tmp_path / "cache"))
    with pytest.raises(LLMBenchError):
        pull(name)
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize("name", TRAVERSALS)
def test_a_local_job_is_looked_for_in_its_folder_only(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from llmbench.providers.local_tuning import find_job

    monkeypatch.setenv("LLMBENCH_CACHE", str(tmp_path / "cache"))
    (tmp_path / "job.json").write_text("{}", encoding="utf-8")
    with pytest.raises(LLMBenchError):
        find_job(name)


@pytest.mark.parametrize("member", ["../evil", "/evil", "samples/../../evil", "..\\evil", "samples/\x00"])
def test_members_of_an_archive_are_read_and_never_written(tmp_path: Path, member: str) -> None:
    import zipfile

    from tests.matrix.foreign.test_runners import SAMPLES, header

    folder = tmp_path / "in"
    folder.mkdir()
    with zipfile.ZipFile(folder / "a.eval", "w") as archive:
        archive.writestr("header.json", json.dumps(header()))
        archive.writestr("samples/0_epoch_1.json", json.dumps(SAMPLES[0]))
        archive.writestr(member, "evil")
    before = sorted(tmp_path.rglob("*"))
    with contextlib.suppress(LLMBenchError):
        Matrix.from_results(folder / "a.eval")
    assert sorted(tmp_path.rglob("*")) == before


def test_an_archive_that_grows_without_end_is_refused(tmp_path: Path) -> None:
    import zipfile

    from tests.matrix.foreign.test_runners import header

    with zipfile.ZipFile(tmp_path / "a.eval", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("header.json", json.dumps(header()))
        with archive.open("samples/0_epoch_1.json", "w", force_zip64=True) as member:
            for _ in range(600):
                member.write(b" " * 1_000_000)
    assert (tmp_path / "a.eval").stat().st_size < 1_000_000
    with pytest.raises(LLMBenchError):
        Matrix.from_results(tmp_path / "a.eval")


@pytest.mark.parametrize("name", ["../x", "a/b", "", " ", "\x00", "[x]", "{x}", "a\nb"])
def test_names_of_prompts_are_names(items: Dataset, name: str) -> None:
    provider: Any = FakeProvider("x", self_hosted=True)
    with pytest.raises(LLMBenchError):
        Matrix(items, ["fake/m"], prompts={name: "{{ prompt }}"}, providers={"fake": provider})
