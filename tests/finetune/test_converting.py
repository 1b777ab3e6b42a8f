from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from llmbench import finetune
from llmbench.errors import DatasetError, UsageError
from tests.finetune.conftest import chat

Write = Callable[..., Path]
PAIRS = [{"prompt": f"q{n}", "completion": f"a{n}"} for n in range(3)]


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def plain(messages: Sequence[Mapping[str, Any]]) -> str:
    return "\n".join(f"{message['role']}: {message['content']}" for message in messages)


def test_convert_there_and_back(write: Write, tmp_path: Path) -> None:
    there, back = tmp_path / "chat.jsonl", tmp_path / "pairs.jsonl"
    done = finetune.convert(write(PAIRS), there, "openai")
    assert (done.form, done.rows_read, done.rows_written) == ("chat", 3, 3)
    assert read(there) == [chat(f"q{n}", f"a{n}") for n in range(3)]
    finetune.convert(there, back, "replicate")
    assert read(back) == PAIRS


def test_convert_keeps_the_form_that_is_taken(write: Write, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    assert finetune.convert(write(PAIRS), out, "together").form == "completion"
    assert finetune.convert(write([{"text": "a"}]), out, "replicate").form == "text"
    assert finetune.convert(write(PAIRS), out, "together", form="chat").form == "chat"


def test_convert_conversations_to_pairs_gives_a_row_for_each_answer(write: Write, tmp_path: Path) -> None:
    row = chat("q1", "a1", "q2", "a2", system="Be brief.")
    row["messages"][2]["weight"] = 0
    out = tmp_path / "out.jsonl"
    done = finetune.convert(write([row]), out, "replicate", render=plain)
    assert read(out) == [
        {"prompt": "system: Be brief.\nuser: q1\nassistant: a1\nuser: q2", "completion": "a2"}
    ]
    assert done.rows_written == 1
    del row["messages"][2]["weight"]
    assert finetune.convert(write([row]), out, "replicate", render=plain).rows_written == 2


def test_convert_weights_mean_the_same_at_together(write: Write, tmp_path: Path) -> None:
    row = chat("q1", "a1", "q2", "a2", system="s")
    row["messages"][2]["weight"] = 0
    there, back = tmp_path / "together.jsonl", tmp_path / "openai.jsonl"
    finetune.convert(write([row]), there, "together")
    # A weight anywhere makes Together train on what has none, so everything gets one.
    assert [message["weight"] for message in read(there)[0]["messages"]] == [0, 0, 0, 0, 1]
    assert finetune.check(there, vendor="together").count("trained_input") == 0
    assert finetune.check(write([row]), vendor="together").count("trained_input") == 1
    finetune.convert(there, back, "openai")
    assert ["weight" in message for message in read(back)[0]["messages"]] == [False, False, True, False, True]
    assert read(back)[0]["messages"][4]["weight"] == 1


CALL = {"role": "assistant", "tool_calls": [{"id": "c", "function": {"name": "f", "arguments": "{}"}}]}


@pytest.mark.parametrize(
    ("row", "to", "reason"),
    [
        (chat("a", "b", "c", "d"), "replicate", "more than one question and one answer"),
        (chat("a", "b", system="s"), "replicate", "more than one question and one answer"),
        ({"text": "a"}, "openai", "is of the form text"),
        (
            {"messages": [{"role": "user", "content": "a"}, CALL, {"role": "assistant", "content": "b"}]},
            "replicate",
            "with tool_calls, which has no place",
        ),
        (
            {
                "messages": [
                    {"role": "user", "content": "a", "weight": 1},
                    {"role": "assistant", "content": "b"},
                ]
            },
            "openai",
            "of weight 1 that is not an assistant's",
        ),
        (
            {
                "messages": [
                    {"role": "user", "content": "a", "name": "Jo"},
                    {"role": "assistant", "content": "b"},
                ]
            },
            "together",
            'dropping=\\["name"\\]',
        ),
        (
            {"messages": [{"role": "developer", "content": "a"}, *chat("a", "b")["messages"]]},
            "together",
            "role 'developer'",
        ),
        (
            {
                "messages": [
                    {"role": "user", "content": [{"type": "image_url"}]},
                    {"role": "assistant", "content": "b"},
                ]
            },
            "replicate",
            "not text alone",
        ),
        (chat("a", "b", note="x"), "together", 'the key note, .*dropping=\\["extra_keys"\\]'),
        ({**PAIRS[0], "id": 3}, "openai", "the key id"),
        (chat("a"), "openai", "nothing to learn"),
    ],
)
def test_convert_refuses_what_would_be_lost(
    write: Write, tmp_path: Path, row: dict[str, Any], to: str, reason: str
) -> None:
    out = tmp_path / "out.jsonl"
    with pytest.raises(DatasetError, match=rf"train\.jsonl:1 .*{reason}"):
        finetune.convert(write([row]), out, to)
    assert not out.exists()
    assert [path.name for path in tmp_path.iterdir()] == ["train.jsonl"]


def test_convert_drops_what_may_be_dropped_and_says_so(write: Write, tmp_path: Path) -> None:
    row = chat("a", "b", note="x")
    row["messages"][0] |= {"name": "Jo"}
    row["messages"][1] |= {"weight": 1}
    out = tmp_path / "out.jsonl"
    done = finetune.convert(write([row]), out, "together", dropping=["name", "extra_keys", "weight"])
    assert read(out) == [chat("a", "b")]
    assert done.dropped == {"extra_keys": 1, "name": 1, "weight": 1}
    assert "without name in 1 rows" in str(done)


def test_convert_one_form_a_file(write: Write, tmp_path: Path) -> None:
    done = finetune.convert(write([PAIRS[0], chat("a", "b")]), tmp_path / "out.jsonl", "together")
    assert done.form == "completion"
    assert read(done.path)[1] == {"prompt": "a", "completion": "b"}


def test_convert_refuses_parameters(write: Write, tmp_path: Path) -> None:
    source = write(PAIRS)
    with pytest.raises(UsageError, match="vendor is 'azure'"):
        finetune.convert(source, tmp_path / "o", "azure")
    with pytest.raises(UsageError, match="openai takes chat"):
        finetune.convert(source, tmp_path / "o", "openai", form="text")
    with pytest.raises(UsageError, match="dropping is a list"):
        finetune.convert(source, tmp_path / "o", "openai", dropping=["everything"])
    with pytest.raises(UsageError, match="is the file that is read"):
        finetune.convert(source, source, "openai")


def test_convert_names_a_line_that_cannot_be_written(write: Write, tmp_path: Path) -> None:
    source = write([{"prompt": "a", "completion": "b"}])
    source.write_text(source.read_text() + '{"prompt": "\\ud83d", "completion": "b"}\n')
    with pytest.raises(
        DatasetError, match=r":2 holds half of a surrogate pair, which is no text\nNothing was"
    ):
        finetune.convert(source, tmp_path / "out.jsonl", "openai")
    assert not (tmp_path / "out.jsonl").exists()
