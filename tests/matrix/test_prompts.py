from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from llmbench.errors import UsageError
from llmbench.matrix import Dataset
from llmbench.matrix.prompts import prompts_for


@pytest.fixture
def data(write: Callable[..., Path]) -> Dataset:
    return Dataset.load(
        write(
            [
                {"id": "a", "text": "Hi {{ secret }}\n---\nbye", "context": "c"},
                {"id": "b", "text": "<b> & 'q'"},
            ]
        ),
        prompt_column="text",
    )


def test_none_sends_the_prompt_column_as_it_is(data: Dataset) -> None:
    (prompt,) = prompts_for(data, None)
    assert prompt.messages(data.rows[0]) == [{"role": "user", "content": "Hi {{ secret }}\n---\nbye"}]
    assert prompt.messages(data.rows[1])[0]["content"] == "<b> & 'q'"


def test_system_message_stands_before_the_first_rule(data: Dataset) -> None:
    (prompt,) = prompts_for(data, {"p": "Be brief.\n---  \n\n{{ prompt }}\n\nAnswer:\n"})
    assert prompt.messages(data.rows[1]) == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "<b> & 'q'\n\nAnswer:"},
    ]


def test_template_from_a_file(data: Dataset, tmp_path: Path) -> None:
    path = tmp_path / "p.txt"
    path.write_text("Say {{ text }}", encoding="utf-8")
    (prompt,) = prompts_for(data, {"p": path})
    assert prompt.messages(data.rows[1])[0]["content"] == "Say <b> & 'q'"
    with pytest.raises(UsageError, match=r"'p': gone\.txt cannot be read"):
        prompts_for(data, {"p": tmp_path / "gone.txt"})


def test_unknown_column_names_template_and_column(data: Dataset) -> None:
    with pytest.raises(UsageError) as caught:
        prompts_for(data, {"plain": "{{ text }}", "wordy": "{{ contxt }}"})
    assert str(caught.value) == (
        "Prompt 'wordy' uses {{ contxt }}, and items.jsonl has no column 'contxt'; its columns are: "
        "id, text, context. Did you mean 'context'?"
    )


def test_missing_cell_is_an_error_unless_asked_for(data: Dataset) -> None:
    (prompt,) = prompts_for(data, {"p": "{{ context }} {{ text }}"})
    with pytest.raises(
        UsageError, match=r"'p' cannot be written for item 'b' \(line 2\): 'context' is undefined"
    ):
        prompt.messages(data.rows[1])
    (prompt,) = prompts_for(data, {"p": "{% if context is defined %}{{ context }}{% endif %} {{ text }}"})
    assert prompt.messages(data.rows[1])[0]["content"] == " <b> & 'q'"


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{{ text", "is not a Jinja2 template"),
        ("{% for %}", "is not a Jinja2 template"),
        ("{{ 1 / 0 }}", "ZeroDivisionError"),
        ("{{ text.__class__.__mro__ }}", "unsafe"),
        ("{{ '' }}", "is empty for item 'a'"),
    ],
)
def test_templates_that_cannot_be_meant(data: Dataset, template: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        prompts_for(data, {"p": template})[0].messages(data.rows[0])


@pytest.mark.parametrize("name", ["", "a[b]", "{x}", " x"])
def test_names_that_would_break_labels(data: Dataset, name: str) -> None:
    with pytest.raises(UsageError, match="cannot be named"):
        prompts_for(data, {name: "{{ text }}"})


def test_no_prompts(data: Dataset, write: Callable[..., Path]) -> None:
    with pytest.raises(UsageError, match="prompts is empty"):
        prompts_for(data, {})
    with pytest.raises(UsageError, match="loaded without a prompt column"):
        prompts_for(Dataset.load(write([{"q": "x"}]), prompt_column=None), None)
    with pytest.raises(UsageError, match="must be a mapping"):
        prompts_for(data, ["{{ text }}"])


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{{ [1, 2]|random }}", r"not a Jinja2 template: line 1: No filter named 'random'"),
        ("{{ lipsum() }}", r"uses {{ lipsum }}, and items\.jsonl has no column 'lipsum'"),
    ],
)
def test_a_prompt_is_the_same_each_time(data: Dataset, template: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        prompts_for(data, {"p": template})


@pytest.mark.parametrize(
    "template",
    [
        "{{ 'a' * 10**9 }}",
        "{{ 10**9 * 'a' }}",
        "{{ [text] * 10**9 }}",
        "{{ 10**(10**10) }}",
        "{{ '%9999999999d' % 1 }}",
        "{% set ns = namespace(x='ab') %}{% for i in range(60) %}{% set ns.x = ns.x + ns.x %}{% endfor %}",
        "{% for i in range(99999) %}{% for j in range(99999) %}{{ text }}{% endfor %}{% endfor %}",
    ],
)
def test_a_template_without_an_end_is_refused_at_once(data: Dataset, template: str) -> None:
    (prompt,) = prompts_for(data, {"p": template})
    with pytest.raises(
        UsageError, match=r"Prompt 'p' fails on item 'b' \(line 2\): .*; correct the template"
    ):
        prompt.messages(data.rows[1])


def test_small_sums_in_a_template_are_as_ever(data: Dataset) -> None:
    (prompt,) = prompts_for(
        data, {"p": "{{ 2**10 + 3 * 2 }} {{ '-' * 3 + '%03d of 1000000 * 2' % 7 }} {{ [1] + [2] }}"}
    )
    assert prompt.messages(data.rows[1])[0]["content"] == "1030 ---007 of 1000000 * 2 [1, 2]"


@pytest.mark.parametrize("text", ["prompts/few_shot.txt", "few_shot.md", "p.jinja2"])
def test_the_name_of_a_file_is_no_template(data: Dataset, text: str) -> None:
    with pytest.raises(UsageError, match=r"is the name of a file, .*; give Path\("):
        prompts_for(data, {"p": text})
