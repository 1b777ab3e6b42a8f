"""Threads for a model, on machines other than this one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from llmbench.providers import machine


@pytest.mark.parametrize(
    ("cores", "load", "threads"),
    [(1, 0.0, 1), (2, 0.0, 1), (4, 0.1, 2), (8, 0.5, 4), (64, 1.0, 4), (8, 6.0, 1), (3, 0.0, 1)],
)
def test_default_threads(monkeypatch: pytest.MonkeyPatch, cores: int, load: float, threads: int) -> None:
    monkeypatch.setattr(machine, "_usable_cores", lambda: cores)
    monkeypatch.setattr(os, "getloadavg", lambda: (load, load, load), raising=False)
    assert machine.default_threads() == threads


@pytest.mark.parametrize(
    ("share", "cores"),
    [("max 100000", 8), ("150000 100000", 1), ("400000 100000", 4), ("50000 100000", 1), ("?", 8)],
)
def test_usable_cores_in_a_container(monkeypatch: pytest.MonkeyPatch, share: str, cores: int) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    monkeypatch.setattr(Path, "read_text", lambda *_, **__: share)
    assert machine._usable_cores() == cores


def test_available_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "read_text", lambda *_, **__: "MemTotal: 9 kB\nMemAvailable:  1000 kB\n")
    assert machine.available_memory() == 1_024_000


def test_available_memory_where_the_system_does_not_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: object, **__: object) -> str:
        raise FileNotFoundError

    monkeypatch.setattr(Path, "read_text", missing)
    assert machine.available_memory() is None
