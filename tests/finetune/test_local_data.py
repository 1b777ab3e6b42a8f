"""What is learned of an example, and in which order."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from llmbench.errors import DatasetError
from llmbench.finetune.local_data import IGNORED, Encoded, batches, encode, read_examples

END = 0


class Letters:
    """Every character is a token; `|` ends a turn, and is the end token."""

    eos_token_id: int | None = END

    def __call__(self, text: str, *, add_special_tokens: bool) -> dict[str, list[int]]:
        assert not add_special_tokens
        return {"input_ids": [END if letter == "|" else ord(letter) for letter in text]}

    def apply_chat_template(
        self, conversation: list[Any], *, tokenize: bool, add_generation_prompt: bool
    ) -> str:
        if conversation[0]["role"] == "tool":
            raise ValueError("no tools here")
        text = "".join(f"{turn['role'][0]}:{turn['content']}|\n" for turn in conversation)
        return text + ("a:" if add_generation_prompt else "")


def turns(*pairs: tuple[str, str]) -> dict[str, Any]:
    return {"messages": [{"role": role, "content": content} for role, content in pairs]}


def learned(encoded: Encoded) -> str:
    letters = (("|" if k == END else chr(k)) if k != IGNORED else "." for k in encoded.labels)
    return "".join(letters)


def test_only_the_answer_is_learned_with_its_end() -> None:
    encoded = encode(turns(("system", "S"), ("user", "hi"), ("assistant", "yes")), Letters())
    assert learned(encoded) == "." * len("s:S|\nu:hi|\na:") + "yes|"
    assert len(encoded.ids) == len(encoded.labels)


def test_every_answer_of_a_conversation_is_learned() -> None:
    row = turns(("user", "a"), ("assistant", "B"), ("user", "c"), ("assistant", "D"))
    assert learned(encode(row, Letters())).replace(".", "") == "B|\nD|"


def test_an_answer_of_weight_0_is_not_learned() -> None:
    row = turns(("user", "a"), ("assistant", "B"), ("user", "c"), ("assistant", "D"))
    row["messages"][1]["weight"] = 0
    assert learned(encode(row, Letters())).replace(".", "") == "D|"


def test_a_completion_and_a_text_end_with_the_end_token() -> None:
    assert learned(encode({"prompt": "ab", "completion": "c"}, Letters())) == "..c|"
    assert learned(encode({"text": "abc"}, Letters())) == "abc|"


def test_what_cannot_be_learned_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="f:3 has nothing to learn"):
        encode(turns(("user", "a")), Letters(), "f:3")
    with pytest.raises(DatasetError, match=r"f:3 does not suit.*no tools here"):
        encode(turns(("tool", "a"), ("assistant", "b")), Letters(), "f:3")
    row = {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "tool_calls": []}]}
    with pytest.raises(DatasetError, match="tool calls"):
        encode(row, Letters(), "f:3")
    path = tmp_path / "long.jsonl"
    rows = [turns(("user", "a"), ("assistant", "b")), turns(("user", "a" * 90), ("assistant", "b"))]
    path.write_text("\n".join(json.dumps(row) for row in rows) + "\n\n", encoding="utf-8")
    with pytest.raises(DatasetError, match=r"long.jsonl:2 has 98 tokens, and at most 50"):
        read_examples(path, Letters(), 50)
    assert [example.line for example in read_examples(path, Letters(), 98)] == [1, 2]


def test_a_template_that_rewrites_the_past_is_refused() -> None:
    class Forgetful(Letters):
        def apply_chat_template(
            self, conversation: list[Any], *, tokenize: bool, add_generation_prompt: bool
        ) -> str:
            return super().apply_chat_template(
                conversation[-1:], tokenize=tokenize, add_generation_prompt=add_generation_prompt
            )

    row = turns(("user", "a"), ("assistant", "B"), ("user", "c"), ("assistant", "D"))
    with pytest.raises(DatasetError, match="rewrites earlier turns"):
        encode(row, Forgetful(), "f:1")


def test_an_epoch_is_every_example_once_in_an_order_of_its_own() -> None:
    examples = [Encoded([1] * (k % 7 + 1), [1] * (k % 7 + 1), k) for k in range(101)]
    first, again = batches(examples, 8, 3, 0), batches(examples, 8, 3, 0)
    assert first == again
    assert sorted(example.line for batch in first for example in batch) == list(range(101))
    assert first != batches(examples, 8, 3, 1)
    assert first != batches(examples, 8, 4, 0)
    spread = [max(len(e.ids) for e in b) - min(len(e.ids) for e in b) for b in first]
    assert sum(spread) / len(spread) < 3  # alike go together: little is padded
