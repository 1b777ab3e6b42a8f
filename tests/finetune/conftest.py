from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from llmbench.ledger import Ledger

WORDS = [
    "river", "copper", "lantern", "gentle", "harvest", "window", "signal", "morning", "ladder", "marble",
    "quiet", "orbit", "velvet", "thunder", "pepper", "canvas", "meadow", "silver", "anchor", "bridge",
]  # fmt: skip
EXAMPLE = {"messages": [{"role": "user", "content": "2 + 2"}, {"role": "assistant", "content": "4"}]}


def chat(*turns: str, system: str | None = None, **more: Any) -> dict[str, Any]:
    """A row of messages: a user's turn, an assistant's, and so on."""
    messages = [{"role": "system", "content": system}] if system else []
    messages += [
        {"role": "assistant" if number % 2 else "user", "content": text} for number, text in enumerate(turns)
    ]
    return {"messages": messages, **more}


def sentence(seed: int, length: int = 40) -> str:
    """Words that differ with the seed, the same each time."""
    state, found = seed * 2654435761 + 1, []
    for _ in range(length):
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        found.append(f"{WORDS[(state >> 33) % len(WORDS)]}{(state >> 40) % 50}")
    return " ".join(found)


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Writes rows, or bytes as they are, to a file."""

    def made(rows: Iterable[dict[str, Any]] | bytes, name: str = "train.jsonl") -> Path:
        path = tmp_path / name
        if isinstance(rows, bytes):
            path.write_bytes(rows)
        else:
            path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        return path

    return made


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project, which is the current folder."""
    (tmp_path / "llmbench.toml").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LLMBENCH_LEDGER", raising=False)
    return tmp_path


@pytest.fixture
def ledger(project: Path) -> Iterator[Ledger]:
    with Ledger(project / "jobs.db") as found:
        yield found


@pytest.fixture
def training(project: Path) -> Path:
    path = project / "training.jsonl"
    path.write_text(f"{json.dumps(EXAMPLE)}\n" * 10, encoding="utf-8")
    return path
