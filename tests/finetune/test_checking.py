from __future__ import annotations

import gzip
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llmbench import finetune
from llmbench.errors import DatasetError, UsageError
from llmbench.matrix.dataset import Dataset
from tests.finetune.conftest import chat, sentence

Write = Callable[..., Path]
GOOD = [chat(sentence(n), sentence(n + 1000, 20)) for n in range(12)]


def found(report: finetune.TrainingReport) -> list[tuple[int | None, str, str]]:
    return [(each.line, each.severity, each.code) for each in report.findings]


def test_check_good_file(write: Write) -> None:
    report = finetune.check(write(GOOD), "gpt-4o-mini")
    assert report.ok
    assert report.findings == ()
    assert (report.examples, report.form, report.refused) == (12, "chat", {"openai": 0})
    assert report.vendor == "openai"
    assert report.tokens is not None
    assert report.tokens.exact
    assert report.lengths is not None
    assert report.lengths.total == report.tokens.tokens == sum(report.by_example.tokens)
    report.refuse_if_bad()


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"{broken", "not_json"),
        (b'{"messages": [NaN]}', "not_json"),
        (b'{"a": Infinity}', "not_json"),
        (b"[1]", "not_object"),
        ("{'é'}".encode("latin-1"), "not_utf8"),
        (b'{"input": 1}', "wrong_format"),
        (json.dumps({"messages": []}).encode(), "empty_messages"),
        (json.dumps({"messages": [{"role": "bot", "content": "x"}]}).encode(), "role"),
        (json.dumps(chat("x", " ")).encode(), "empty_turn"),
        (json.dumps(chat("x")).encode(), "no_assistant"),
        (json.dumps(chat("x", "y", "z")).encode(), "not_last_assistant"),
        (
            b'{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b","weight":2}]}',
            "weight",
        ),
        (
            b'{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b","weight":0}]}',
            "nothing_learned",
        ),
        (
            b'{"messages":[{"role":"user","content":"\\ud800 alone"},{"role":"assistant","content":"b"}]}',
            "half_character",
        ),
        (b'{"prompt":"a","completion":"b","text":"c"}', "several_forms"),
        (b'{"input":{},"preferred_output":[],"non_preferred_output":[]}', "preferences"),
        (b'{"prompt":"a","completion":"b"}', "mixed_forms"),
    ],
)
def test_check_names_a_bad_line(write: Write, line: bytes, code: str) -> None:
    good = b"".join(json.dumps(row).encode() + b"\n" for row in GOOD)
    report = finetune.check(write(good + b"\n" + line + b"\n"))
    assert (14, "error", code) in found(report)
    assert report.errors >= 1
    with pytest.raises(DatasetError, match=r"train\.jsonl:14 "):
        report.refuse_if_bad()


def test_check_names_every_problem_of_a_line(write: Write) -> None:
    row = {"messages": [{"role": "bot", "content": "a"}, {"role": "user", "content": ""}, {"role": "user"}]}
    codes = [each.code for each in finetune.check(write([*GOOD, row]), vendor="openai").findings]
    assert codes == ["role", "empty_turn", "empty_turn", "no_assistant"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"\n \n", "nothing but blank lines"),
        (gzip.compress(b"{}", mtime=0), "compressed with gzip"),
        ('{"a": 1}'.encode("utf-16"), "is UTF-16"),
        ('{"a": 1}'.encode("utf-16-le"), "is UTF-16"),
        (b"PAR1....", "is parquet"),
        (b"PK\x03\x04....", "ZIP archive"),
    ],
)
def test_check_file_that_is_none(write: Write, content: bytes, message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        finetune.check(write(content))


def test_check_folder_and_missing_file(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="is a folder"):
        finetune.check(tmp_path)
    with pytest.raises(DatasetError, match="There is no file"):
        finetune.check(tmp_path / "none.jsonl")


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_check_unreadable_file(write: Write) -> None:
    path = write(GOOD)
    path.chmod(0)
    with pytest.raises(DatasetError, match="cannot be read"):
        finetune.check(path)


def test_check_byte_order_mark_and_crlf(write: Write) -> None:
    content = b"\xef\xbb\xbf" + b"".join(json.dumps(row).encode() + b"\r\n" for row in GOOD)
    report = finetune.check(write(content), "gpt-4o-mini")
    assert found(report) == [(1, "error", "byte_order_mark")]
    assert "12 lines end in CRLF, which the vendors take." in report.notes


def test_check_line_of_32_mebibytes(write: Write) -> None:
    good = b"".join(json.dumps(row).encode() + b"\n" for row in GOOD)
    report = finetune.check(write(good + b'"' + b"x" * (33 * 1024 * 1024) + b'"\n' + good))
    assert (13, "error", "line_too_long") in found(report)
    assert report.examples == 25


def test_check_one_line(write: Write) -> None:
    report = finetune.check(write(GOOD[:1]), "gpt-4o-mini")
    assert found(report) == [(None, "error", "too_few")]
    assert report.costs[0].epochs == 25  # OpenAI's rule for few examples
    assert report.findings[0].message == "has 1 example, and openai wants at least 10"
    assert finetune.check(write(GOOD[:1]), vendor="together").ok
    assert "openai wants at least 10 examples; the file has 1." in finetune.check(write(GOOD[:1])).notes


@pytest.mark.parametrize("indent", [None, 1])
def test_check_a_json_array_says_what_to_do(write: Write, indent: int | None) -> None:
    path = write(GOOD)
    path.write_text(json.dumps(GOOD, indent=indent), encoding="utf-8")
    first = finetune.check(path).findings[0]
    assert first.line == 1
    assert first.message.endswith("on a line of its own" if indent is None else "on one line of its own")


def test_check_repeats(write: Write) -> None:
    rows = [*GOOD, GOOD[3], chat(sentence(5), "Another answer.")]
    near = chat(sentence(7), sentence(1007, 20) + " extra")
    report = finetune.check(write([*rows, near]), "gpt-4o-mini")
    assert found(report) == [
        (13, "warning", "duplicate"),
        (14, "warning", "same_prompt"),
        (15, "warning", "same_prompt"),
        (15, "warning", "near_duplicate"),
    ]
    assert report.findings[0].message == "repeats line 4"
    assert report.findings[3].message.startswith("is nearly line 8 (likeness 0.9")
    assert finetune.check(write([*rows, near]), "gpt-4o-mini", near=None).count("near_duplicate") == 0


def test_check_does_not_take_a_template_for_likeness(write: Write) -> None:
    template = "Write a short and friendly e-mail to the person below and never invent anything about them: "
    rows = [chat(template + sentence(n, 6), sentence(n + 500, 12)) for n in range(60)]
    report = finetune.check(write(rows), "gpt-4o-mini", near=0.5)
    assert report.count("near_duplicate") == 0
    assert any("Wording that more than a tenth" in note for note in report.notes)


def test_check_evaluation_overlap(write: Write, tmp_path: Path) -> None:
    question = sentence(99, 30)
    part = chat(f"Please read this. {question} And answer.", "Yes.")
    loud = chat(question.upper() + "!!", "Yes.")
    rows = [*GOOD, chat(question, "Yes."), loud, part]
    items = [{"id": "q1", "prompt": question}, {"id": "q2", "prompt": sentence(98, 30)}]
    report = finetune.check(write(rows), "gpt-4o-mini", evaluation=items)
    codes = [entry for entry in found(report) if "evaluation" in entry[2]]
    assert codes == [
        (13, "error", "evaluation_exact"),
        (14, "error", "evaluation_normalised"),
        (15, "warning", "evaluation_n_gram"),
    ]
    assert "1 of 2 questions of the evaluation set are in the file." in report.notes
    table = tmp_path / "items.csv"
    table.write_text(f"id,prompt\nq1,{question}\n", encoding="utf-8")
    assert finetune.check(write(rows), "gpt-4o-mini", evaluation=table).count("evaluation_exact") == 1
    held_out = write([chat(question, "Yes.")], "test.jsonl")
    assert finetune.check(write(rows), "gpt-4o-mini", evaluation=held_out).count("evaluation_exact") == 1


def test_check_evaluation_as_a_data_set_of_the_matrix(write: Write, tmp_path: Path) -> None:
    table = tmp_path / "items.csv"
    table.write_text(f"id,question\nq1,{sentence(3)}\nq2,{sentence(70)}\n", encoding="utf-8")
    data = Dataset.load(table, prompt_column="question")
    report = finetune.check(write(GOOD), "gpt-4o-mini", evaluation=data)
    assert [each.message for each in report.findings] == ["holds the question 'q1' of the evaluation set"]
    frame = pd.DataFrame({"prompt": [sentence(3)]})
    assert finetune.check(write(GOOD), "gpt-4o-mini", evaluation=frame).count("evaluation_exact") == 1


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 3) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["role", "content", "weight", "tool_calls", "text", "x"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(
        st.dictionaries(
            st.sampled_from(["messages", "prompt", "completion", "text", "tools", "metadata"]),
            json_values,
            max_size=3,
        ),
        min_size=1,
        max_size=4,
    ),
    vendor=st.sampled_from([None, "openai", "together", "replicate"]),
)
def test_check_of_any_json_ends_in_a_report(
    write: Write, rows: list[dict[str, Any]], vendor: str | None
) -> None:
    report = finetune.check(write(rows), vendor=vendor)
    assert report.examples == len(rows)
    assert report.text()


def test_check_flags_personal_data_without_echoing_it(write: Write) -> None:
    rows = [
        *GOOD,
        chat("Write to jane.doe@example.com or +49 30 1234567.", "Done: DE89 3704 0044 0532 0130 00"),
    ]
    report = finetune.check(write(rows), "gpt-4o-mini")
    assert {each.code for each in report.findings} == {"personal_email", "personal_phone", "personal_iban"}
    shown = report.text() + report._repr_html_() + report.to_pandas().to_string()
    for value in ("jane.doe", "1234567", "3704 0044"):
        assert value not in shown
    assert report.findings[0].line == 13


def test_check_too_long_for_the_base_model(write: Write) -> None:
    rows = [*GOOD, chat(sentence(1, 9000), "Yes.")]
    report = finetune.check(write(rows), "gpt-3.5-turbo")
    assert (13, "error", "too_long") in found(report)
    tokens, cost = report.tokens, report.costs[0]
    assert tokens is not None
    assert tokens.cut > 0
    assert cost.trained_tokens == (tokens.tokens - tokens.cut) * cost.epochs


def test_check_warns_of_a_price_that_was_replaced(write: Write) -> None:
    told = [note for note in finetune.check(write(GOOD)).notes if "2026-09-11" in note]
    assert len(told) == 1
    assert told[0].startswith("Training llama-3.1-8b, ")
    assert told[0] in finetune.check(write(GOOD))._repr_html_()
    assert not [note for note in finetune.check(write(GOOD), "gpt-4o-mini").notes if "2026-09-11" in note]


def test_check_for_together_and_replicate(write: Write) -> None:
    pairs = [{"prompt": sentence(n), "completion": sentence(n + 50, 9)} for n in range(12)]
    report = finetune.check(write(pairs), "llama-3.1-8b")
    assert report.vendor == "together"
    assert report.ok
    assert report.tokens is not None
    assert report.tokens.low <= report.tokens.tokens <= report.tokens.high
    assert [(cost.method, cost.epochs) for cost in report.costs] == [("lora", 1), ("full", 1)]
    assert finetune.check(write(pairs), vendor="openai").count("wrong_format") == 12
    assert finetune.check(write(GOOD), vendor="replicate").count("wrong_format") == 12
    texts = [{"text": sentence(n)} for n in range(12)]
    both = finetune.check(write(texts), "llama-3-8b")
    assert both.refused == {"openai": 12, "together": 0, "replicate": 0}
    assert both.form == "text"
    assert [cost.usd for cost in both.costs if cost.vendor == "replicate"] == [None]


@pytest.mark.parametrize(
    ("turns", "code"),
    [
        (["user", "user", "assistant"], "order"),
        (["developer", "user", "assistant"], "role"),
        (["assistant"], "order"),
    ],
)
def test_check_order_of_turns_at_together(write: Write, turns: list[str], code: str) -> None:
    rows = [{"messages": [{"role": role, "content": sentence(n)} for n, role in enumerate(turns)]}]
    assert (1, "error", code) in found(finetune.check(write(rows), "llama-3.1-8b"))
    assert finetune.check(write(rows)).errors == 0


def test_check_tool_calls_at_together_and_openai(write: Write) -> None:
    call = {"id": "c", "type": "function", "function": {"name": "now", "arguments": "{}"}}
    messages = [
        {"role": "user", "content": "What time is it?"},
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c", "content": "noon"},
        {"role": "assistant", "content": "Noon."},
    ]
    rows = [{"messages": messages, "tools": []}]
    assert finetune.check(write(rows), "llama-3.1-8b").ok
    report = finetune.check(write(rows * 10), "gpt-4o-mini")
    assert report.ok
    assert report.tokens is not None
    assert not report.tokens.exact


def test_check_images_have_no_cost(write: Write) -> None:
    parts = [
        {"type": "text", "text": "What is it?"},
        {"type": "image_url", "image_url": {"url": "https://x"}},
    ]
    rows = [
        {"messages": [{"role": "user", "content": parts}, {"role": "assistant", "content": sentence(n)}]}
        for n in range(10)
    ]
    cost = finetune.check(write(rows), "gpt-4o-mini").costs[0]
    assert (cost.usd, cost.trained_tokens) == (None, None)
    assert "images" in cost.note


def test_check_unknown_model_has_no_price(write: Write) -> None:
    report = finetune.check(write(GOOD), "my/own-model", vendor="together")
    assert [cost.usd for cost in report.costs] == [None, None]
    assert "no price" in report.costs[0].note
    assert any("is not known; lengths were not checked" in note for note in report.notes)


def test_check_model_written_with_its_endpoint(write: Write) -> None:
    report = finetune.check(write(GOOD), "openai/gpt-4o-mini")
    assert (report.vendor, report.base_model) == ("openai", "gpt-4o-mini")
    assert report.costs[0].usd is not None


def test_check_costs_without_a_model(write: Write) -> None:
    costs = finetune.check(write(GOOD)).costs
    assert {cost.vendor for cost in costs} == {"openai", "together", "replicate"}
    for cost in costs:
        assert cost.as_of
        assert cost.source


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"vendor": "azure"}, "vendor is 'azure'"),
        ({"near": 0}, "near is a likeness"),
        ({"keep": 0}, "keep must be"),
        ({"epochs": -1}, "epochs must be"),
        ({"base_model": "gpt-4o", "vendor": "together"}, "gpt-4o is not at together"),
        ({"evaluation": []}, "holds no questions"),
        ({"evaluation": 3}, "is a path"),
        ({"evaluation": [{"question": "x"}]}, "evaluation_column"),
        ({"method": "qlora", "base_model": "llama-3.1-8b"}, "method is 'qlora'"),
    ],
)
def test_check_refuses_what_cannot_be_meant(write: Write, options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        finetune.check(write(GOOD), **options)


def test_check_counts_all_and_keeps_some(write: Write) -> None:
    report = finetune.check(write(GOOD[:1] * 30), "gpt-4o-mini", keep=5)
    assert report.count("duplicate") == 29
    assert len(report.findings) == 5
    assert "and 9 more" not in report.text()
    assert "... and 24 more" in report.text()


def test_check_report_as_tables(write: Write) -> None:
    report = finetune.check(write([*GOOD, GOOD[0]]), "gpt-4o-mini")
    assert list(report.to_pandas()["code"]) == ["duplicate"]
    examples = report.to_pandas("examples")
    assert list(examples["line"]) == list(range(1, 14))
    assert examples["tokens"].sum() == report.tokens.tokens
    assert report.to_pandas("costs")["usd"].iloc[0] == pytest.approx(report.costs[0].usd)
    with pytest.raises(UsageError, match="table is 'none'"):
        report.to_pandas("none")
    assert json.loads(json.dumps(report.summary()))["examples"] == 13
    assert "<table>" in report._repr_html_()


def test_check_escapes_what_it_shows(write: Write) -> None:
    rows = [*GOOD, chat("a", "b", **{"<script>": 1})]
    assert "<script>" not in finetune.check(write(rows), "gpt-4o-mini")._repr_html_()


def test_names_are_functions_whatever_was_imported_first() -> None:
    from llmbench.finetune import checking, costs

    assert finetune.check is checking.check
    assert finetune.training_cost is costs.training_cost
