from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from llmbench import finetune
from llmbench.errors import DatasetError, UsageError
from llmbench.finetune.reading import compared_text, turns
from llmbench.finetune.shingles import likeness, shingles
from tests.finetune.conftest import chat, sentence

Write = Callable[..., Path]
ROWS = [chat(sentence(n), sentence(n + 5000, 10)) for n in range(400)]


def parts(found: finetune.Split) -> dict[str, list[str]]:
    return {name: path.read_text(encoding="utf-8").splitlines() for name, path in found.paths.items()}


def sides(found: finetune.Split) -> dict[str, str]:
    return {line: name for name, lines in parts(found).items() for line in lines}


def test_split_takes_every_line_once_and_in_order(write: Write, tmp_path: Path) -> None:
    source = write(ROWS)
    found = finetune.split(source, tmp_path / "out")
    lines = source.read_text(encoding="utf-8").splitlines()
    got = parts(found)
    assert sorted(line for part in got.values() for line in part) == sorted(lines)
    for name, part in got.items():
        assert part == [line for line in lines if line in set(part)]
        assert found.examples[name] == len(part) == found.groups[name]
    assert got["train"]
    assert 0.72 < len(got["train"]) / 400 < 0.88
    told = json.loads((tmp_path / "out" / "split.json").read_text(encoding="utf-8"))
    assert told["sha256"] == found.sha256
    assert told["examples"] == dict(found.examples)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "split.json", "test.jsonl", "train.jsonl", "validation.jsonl",
    ]  # fmt: skip


def test_split_does_not_depend_on_order_or_on_other_lines(write: Write, tmp_path: Path) -> None:
    first = sides(finetune.split(write(ROWS), tmp_path / "a"))
    shuffled = random.Random(1).sample(ROWS, len(ROWS))
    assert sides(finetune.split(write(shuffled), tmp_path / "b")) == first
    more = sides(
        finetune.split(write([*ROWS, *(chat(sentence(n), "x") for n in range(900, 1100))]), tmp_path / "c")
    )
    assert {line: more[line] for line in first} == first
    other = sides(finetune.split(write(ROWS), tmp_path / "d", seed=1))
    assert other != first


def test_split_keeps_conversations_together(write: Write, tmp_path: Path) -> None:
    rows = [chat(sentence(n), sentence(n + 99), conversation_id=n % 40) for n in range(200)]
    for number, row in enumerate(rows):
        if number % 2:
            row["metadata"] = {"conversation_id": row.pop("conversation_id")}
    found = finetune.split(write(rows), tmp_path / "out", fractions=(0.6, 0.2, 0.2))
    side = {}
    for line, name in sides(found).items():
        row = json.loads(line)
        key = row.get("conversation_id", row.get("metadata", {}).get("conversation_id"))
        assert side.setdefault(key, name) == name
    assert sum(found.groups.values()) == 40


def test_split_keeps_prompts_together_but_for_case_and_signs(write: Write, tmp_path: Path) -> None:
    rows = []
    for number in range(100):
        rows += [chat(sentence(number), sentence(number + 500)), chat(sentence(number).upper() + " !", "x")]
    for lines in parts(finetune.split(write(rows), tmp_path / "out", near=None)).values():
        kept = [json.loads(line)["messages"][0]["content"].lower().rstrip(" !") for line in lines]
        assert all(kept.count(prompt) == 2 for prompt in kept)


def test_split_no_near_duplicate_is_on_another_side(write: Write, tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = []
    for number in range(120):
        words = sentence(number, 50).split()
        rows += [chat(" ".join(words), "Yes."), chat(" ".join([*words[:25], "now", *words[25:]]), "Yes.")]
    found = finetune.split(write(rows), tmp_path / "out", fractions=(0.5, 0.25, 0.25))
    texts = {
        name: [shingles(compared_text(turns(json.loads(line), "chat"))) for line in lines]
        for name, lines in parts(found).items()
    }
    for one, other in (("train", "test"), ("train", "validation"), ("validation", "test")):
        assert max(likeness(a, b) for a in texts[one] for b in texts[other]) < 0.8
    assert found.joined == 120
    apart = finetune.split(write(rows), tmp_path / "apart", fractions=(0.5, 0.25, 0.25), near=None)
    assert apart.examples != found.examples


def test_split_does_not_put_a_template_into_one_part(write: Write, tmp_path: Path) -> None:
    rows = [{"prompt": f"{sentence(1, 60)} {n}", "completion": "Yes."} for n in range(300)]
    found = finetune.split(write(rows), tmp_path / "out")
    assert found.left_apart == 300
    assert "300 examples are alike in groups of more than 50" in found.notes[0]
    assert found.examples["test"] > 10
    assert "300 examples" in str(found)


def test_split_in_two(write: Write, tmp_path: Path) -> None:
    found = finetune.split(write(ROWS), tmp_path / "out", fractions=(0.9, 0.1))
    assert list(found.paths) == ["train", "test"]
    assert list(found.to_pandas()["part"]) == ["train", "test"]
    assert "<table>" in found._repr_html_()


def test_split_keeps_bytes_and_mends_line_ends(write: Write, tmp_path: Path) -> None:
    lines = [json.dumps({"text": sentence(n)}, indent=None).replace(":", " :").encode() for n in range(60)]
    found = finetune.split(write(b"\r\n".join(lines)), tmp_path / "out")
    assert sorted(b"".join(path.read_bytes() for path in found.paths.values()).splitlines()) == sorted(lines)


@pytest.mark.parametrize(
    "fractions", [(0.8, 0.1), (0.5, 0.6, -0.1), (0.0, 0.5, 0.5), (float("nan"), 0.5, 0.5), (1.0,), ()]
)
def test_split_refuses_fractions(write: Write, tmp_path: Path, fractions: tuple[float, ...]) -> None:
    with pytest.raises(UsageError, match="fractions are shares of one"):
        finetune.split(write(ROWS), tmp_path / "out", fractions)


def test_split_refuses_bad_lines_and_writes_nothing(write: Write, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"train\.jsonl:401 is not JSON .Expecting property name"):
        finetune.split(write(b"".join(json.dumps(r).encode() + b"\n" for r in ROWS) + b"{"), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_split_refuses_too_few(write: Write, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="too few for the part"):
        finetune.split(write(ROWS[:1]), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_split_refuses_a_missing_conversation(write: Write, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"train\.jsonl:1 has no 'thread'"):
        finetune.split(write(ROWS), tmp_path / "out", conversation="thread")


def test_split_refuses_to_write_over_its_source(write: Write, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is the file that is read"):
        finetune.split(write(ROWS), tmp_path)
