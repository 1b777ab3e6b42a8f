from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from llmbench.ledger import Ledger

EXAMPLE = {"messages": [{"role": "user", "content": "2 + 2"}, {"role": "assistant", "content": "4"}]}


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
