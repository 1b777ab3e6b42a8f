"""Make training.jsonl and validation.jsonl from sentences.toml: `python data/finetune/make_training.py`.

Invented replies to sales e-mails with the tasks of data/sales_tasks.jsonl. Sentences of one label are put
together and their gaps filled by one seed, so no person has written these texts as they stand, and they
are simpler than the held-out ones. No sentence pattern of the validation file is in a training example. A
text that shares eight words in a row with a held-out one is not kept.
"""

from __future__ import annotations

import json
import random
import re
import tomllib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from llmbench.matrix.dataset import Item
from llmbench.matrix.prompts import Prompt

HERE = Path(__file__).resolve().parent
HELD_OUT = HERE.parent / "sales_tasks.jsonl"
SEED = 20250123
TRAINING, VALIDATION = 720, 48
SHARED_WORDS = 8
VALIDATION_SHARE = 6  # one pattern in so many
MANY_TRIES = 400


class Example(NamedTuple):
    """One reply with its task and the right answer."""

    category: str
    label: str
    """What is kept balanced: the answer, or the kind of fact that is asked for."""
    question: str
    text: str
    expected: str

    def messages(self) -> list[dict[str, str]]:
        """The conversation that is trained on, by the prompt short.txt."""
        prompt = Prompt("short", (HERE / "short.txt").read_text(encoding="utf-8"))
        fields = {"category": self.category, "question": self.question, "text": self.text}
        asked = prompt.messages(Item("example", fields, None, None, None, 1))
        return [*({**message} for message in asked), {"role": "assistant", "content": self.expected}]


def make(seed: int = SEED) -> tuple[list[Example], list[Example]]:
    """The training pool and the validation examples: as many of each category and label."""
    source = tomllib.loads((HERE / "sentences.toml").read_text(encoding="utf-8"))
    held_out = shingles(json.loads(line)["text"] for line in HELD_OUT.read_text("utf-8").splitlines())
    training, validation = _pools(source)
    rng = random.Random(seed)  # noqa: S311 - texts, not secrets
    seen: set[str] = set()
    made = []
    for pool, wanted in ((training, TRAINING), (validation, VALIDATION)):
        examples = []
        for category, labels in pool.items():
            for number in range(wanted // len(pool)):
                label = sorted(labels)[number % len(labels)]
                examples.append(_new(category, label, labels[label], source, rng, seen, held_out))
        rng.shuffle(examples)
        made.append(examples)
    return made[0], made[1]


def draw(pool: Sequence[Example], size: int, seed: int) -> list[Example]:
    """`size` examples of the pool, at random by the seed, as evenly over categories and labels as it goes."""
    rng = random.Random(seed * 1_000_003 + size)  # noqa: S311
    groups: dict[str, dict[str, list[Example]]] = defaultdict(lambda: defaultdict(list))
    for example in pool:
        groups[example.category][example.label].append(example)
    found: list[Example] = []
    for number, category in enumerate(sorted(groups)):
        wanted = size // len(groups) + (number < size % len(groups))
        labels = list(groups[category].values())
        rng.shuffle(labels)
        for members in labels:
            rng.shuffle(members)
        depth = max(len(members) for members in labels)
        rows = (members[row] for row in range(depth) for members in labels if row < len(members))
        found += [example for _, example in zip(range(wanted), rows, strict=False)]
    rng.shuffle(found)
    return found


def lines(examples: Iterable[Example]) -> str:
    """Chat JSONL, as the vendors take it."""
    rows = ({"messages": example.messages()} for example in examples)
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def shingles(texts: Iterable[str], words: int = SHARED_WORDS) -> set[tuple[str, ...]]:
    """Every run of so many words, in lower case, without punctuation."""
    found = set()
    for text in texts:
        row = re.findall(r"[\w']+", text.lower())
        found |= {tuple(row[k : k + words]) for k in range(len(row) - words + 1)}
    return found


_Pool = dict[str, dict[str, list[tuple[str, Mapping[str, str]]]]]


def _pools(source: Mapping[str, Any]) -> tuple[_Pool, _Pool]:
    """The sentence patterns for training and for validation, by category and label."""
    pools: tuple[_Pool, _Pool] = ({}, {})

    def add(category: str, label: str, patterns: Sequence[str], fact: Mapping[str, str]) -> None:
        kept = max(1, len(patterns) // VALIDATION_SHARE)
        for pool, part in ((pools[0], patterns[kept:]), (pools[1], patterns[:kept])):
            pool.setdefault(category, {}).setdefault(label, []).extend((text, fact) for text in part)

    for category, table in (("reply_sentiment", "attitude"), ("intent", "kind")):
        for label, patterns in source[table].items():
            add(category, label, patterns, {})
    for fact in source["fact"]:
        add("extraction", fact["question"], fact["texts"], fact)
    return pools


def _new(
    category: str,
    label: str,
    patterns: Sequence[tuple[str, Mapping[str, str]]],
    source: Mapping[str, Any],
    rng: random.Random,
    seen: set[str],
    held_out: set[tuple[str, ...]],
) -> Example:
    for _ in range(MANY_TRIES):
        pattern, fact = rng.choice(patterns)
        slots = _slots(source["slots"], rng)
        parts, expected = [pattern], label
        if fact:
            slots["value"], slots["other"], expected = _values(fact["values"], source["slots"], rng)
        elif len(pattern) < 90 and rng.random() < 0.4:
            parts.append(rng.choice(patterns)[0])  # a second sentence of the same label
        if rng.random() < 0.35:
            parts.insert(0, rng.choice(source["openers"]["any"]))
        if rng.random() < 0.3 and "{person}, " not in pattern:
            parts.append(rng.choice(source["closers"]["any"]))
        text = " ".join(dict.fromkeys(parts)).format_map(slots)
        if text not in seen and not shingles([text]) & held_out:
            seen.add(text)
            return Example(category, label, label if fact else "", text, expected)
    raise RuntimeError(f"no new text for {category} {label!r}; add sentences")


def _slots(words: Mapping[str, Sequence[str]], rng: random.Random) -> dict[str, str]:
    found = {name: rng.choice(words[name]) for name in ("company", "person", "city", "month", "weekday")}
    found |= {name: rng.choice(words[name]) for name in ("team", "tool", "role")}
    return found | {"small": str(rng.randint(2, 28)), "big": str(rng.randint(30, 400))}


def _values(kind: str, words: Mapping[str, Sequence[str]], rng: random.Random) -> tuple[str, str, str]:
    """What the text says of the fact, what it says of another, and the answer."""
    if kind == "number":
        first, second = rng.sample(range(3, 250), 2)
        return str(first), str(second), str(first)
    if kind == "dollars":
        first, second = rng.sample(range(12, 400), 2)
        return f"{first * 100:,}", f"{second * 100:,}", str(first * 100)
    if kind == "thousands":
        first, second = rng.sample(range(3, 60), 2)
        return str(first), str(second), str(first * 1000)
    if kind == "percent":
        first, second = rng.sample(range(3, 40), 2)
        return str(first), str(second), str(first)
    if kind == "phone":
        first, second = (f"555-{number:04d}" for number in rng.sample(range(100, 200), 2))
        return first, second, first
    if kind == "invoice":
        first, second = (str(number) for number in rng.sample(range(10_000, 99_999), 2))
        return first, second, first
    if kind == "role":
        first, second = rng.choice(words["role"]), rng.choice(words["other_role"])
        return first, second, first
    first, second = rng.sample(words[kind], 2)
    return first, second, first


def main() -> None:
    """Write both files."""
    training, validation = make()
    (HERE / "training.jsonl").write_text(lines(training), encoding="utf-8")
    (HERE / "validation.jsonl").write_text(lines(validation), encoding="utf-8")


if __name__ == "__main__":
    main()
