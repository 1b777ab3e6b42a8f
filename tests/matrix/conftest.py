from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from llmbench.ledger import Ledger
from llmbench.matrix import Dataset, Matrix, MatrixResults, RecordedModel
from llmbench.providers.fake import FakeProvider

PRICES = {
    "good": {"input": 1, "output": 2},
    "bad": {"input": 10, "output": 20},
    "m": {"input": 1, "output": 2},
}


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Write rows as JSONL and return the path."""

    def _write(rows: Sequence[Mapping[str, Any]], name: str = "items.jsonl") -> Path:
        path = tmp_path / name
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        return path

    return _write


@pytest.fixture
def recorded(write: Callable[..., Path], ledger: Ledger) -> Callable[..., MatrixResults]:
    """Results of recorded models given as columns of answers; "1" is right everywhere."""

    def _recorded(
        answers: Mapping[str, Sequence[Any]], extra: Mapping[str, Sequence[Any]] | None = None, **options: Any
    ) -> MatrixResults:
        columns = {**answers, **(extra or {})}
        n = len(next(iter(columns.values())))
        rows = [
            {
                "id": f"i{k}",
                "prompt": f"q{k}",
                "expected": "1",
                **{c: values[k] for c, values in columns.items()},
            }
            for k in range(n)
        ]
        load = {"cluster_column": "cluster"} if "cluster" in columns else {}
        models = [
            RecordedModel(
                name, name,
                cost_column=f"{name}_usd" if f"{name}_usd" in columns else None,
                latency_column=f"{name}_ms" if f"{name}_ms" in columns else None,
            )
            for name in answers
        ]  # fmt: skip
        return Matrix(Dataset.load(write(rows), **load), models, ledger=ledger, **options).results()

    return _recorded


@pytest.fixture
def numbers(write: Callable[..., Path]) -> Callable[[int], Dataset]:
    """n items "word 0", "word 1", ... whose right answer is their number."""

    def _numbers(n: int, **columns: Callable[[int], Any]) -> Dataset:
        rows = [
            {
                "id": f"i{k}",
                "prompt": f"word {k}",
                "expected": str(k),
                **{c: f(k) for c, f in columns.items()},
            }
            for k in range(n)
        ]
        cluster = {"cluster_column": "cluster"} if "cluster" in columns else {}
        return Dataset.load(write(rows), **cluster)

    return _numbers


def number_in(messages: Sequence[Mapping[str, str]]) -> int:
    return int(messages[-1]["content"].split()[-1])


def echo(messages: Sequence[Mapping[str, str]], _params: Mapping[str, Any]) -> str:
    """Right for every item of `numbers`."""
    return str(number_in(messages))


@pytest.fixture
def fake(ledger: Ledger) -> Callable[..., FakeProvider]:
    def _fake(script: Any = echo, **config: Any) -> FakeProvider:
        return FakeProvider(script, **{"prices": PRICES, "ledger": ledger, "max_attempts": 1, **config})

    return _fake


@pytest.fixture
def matrix(ledger: Ledger) -> Callable[..., Matrix]:
    """A matrix over endpoint "fake" and the test's ledger."""

    def _matrix(
        dataset: Dataset, provider: FakeProvider, models: Any = ("fake/m",), **options: Any
    ) -> Matrix:
        options = {"params": {"temperature": 0, "max_tokens": 4}, **options}
        return Matrix(dataset, list(models), ledger=ledger, providers={"fake": provider}, **options)

    return _matrix
