from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from llmbench.errors import DatasetError
from llmbench.ledger import Ledger
from llmbench.matrix import Dataset, Matrix
from llmbench.matrix.hub import read_hub
from llmbench.providers.fake import FakeProvider

ROWS = {
    "question": ["2+2?", "3+3?", "5+5?"],
    "answer": ["4", "6", None],
    "kind": [0, 1, 0],
    "options": [["4", "5"], ["6"], []],
}


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")  # read when huggingface_hub is first imported
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    return datasets


@pytest.fixture
def loaded(library: Any) -> Any:
    features = library.Features(
        {
            "question": library.Value("string"),
            "answer": library.Value("string"),
            "kind": library.ClassLabel(names=["easy", "hard"]),
            "options": library.List(library.Value("string")),
        }
    )
    return library.Dataset.from_dict(ROWS, features=features)


def test_a_loaded_data_set_is_one(loaded: Any) -> None:
    data = Dataset.load(
        loaded, prompt_column="question", expected_column="answer", category_column="kind", limit=3
    )
    assert data.of_hub
    assert [(item.id, item.expected, item.category) for item in data.rows] == [
        ("line-1", "4", "easy"), ("line-2", "6", "hard"), ("line-3", None, "easy"),
    ]  # fmt: skip
    assert data.rows[0].fields["options"] == ["4", "5"]
    assert data.rows[2].fields["options"] is None
    assert data.columns == ("question", "answer", "kind", "options")
    again = Dataset.load(loaded, prompt_column="question")
    assert data.sha256 == again.sha256
    changed = Dataset.load(loaded.select([0, 1]), prompt_column="question")
    assert data.sha256 != changed.sha256


def test_a_matrix_runs_on_it(loaded: Any, tmp_path: Path) -> None:
    data = Dataset.load(loaded.select([0, 1]), prompt_column="question", expected_column="answer")
    with Ledger(tmp_path / "ledger.db") as ledger:
        fake = FakeProvider(["4", "7"], prices={"m": {"input": 1.0, "output": 2.0}}, ledger=ledger)
        results = Matrix(data, ["fake/m"], providers={"fake": fake}, ledger=ledger).run(concurrency=1)
    assert results.cells[0].score == 0.5


def test_several_splits_are_a_question(library: Any, loaded: Any) -> None:
    both = library.DatasetDict({"train": loaded, "test": loaded})
    with pytest.raises(DatasetError, match=r"has the splits train, test; choose one"):
        Dataset.load(both)
    only = library.DatasetDict({"test": loaded})
    assert len(Dataset.load(only, prompt_column="question")) == 3
    with pytest.raises(DatasetError, match="is a stream; load it whole"):
        Dataset.load(loaded.to_iterable_dataset())


def test_a_name_is_loaded_by_the_library(library: Any, loaded: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[Any, ...]] = []

    def load_dataset(path: str, config: str | None, *, split: str | None, revision: str | None) -> Any:
        asked.append((path, config, split, revision))
        return loaded

    monkeypatch.setattr(library, "load_dataset", load_dataset)
    data = Dataset.load("hf:openai/gsm8k@abc123:main:test", prompt_column="question")
    Dataset.load("hf:openai/gsm8k::test", prompt_column="question")
    Dataset.load("hf:openai/gsm8k", prompt_column="question")
    assert asked == [
        ("openai/gsm8k", "main", "test", "abc123"),
        ("openai/gsm8k", None, "test", None),
        ("openai/gsm8k", None, None, None),
    ]
    assert str(data.path) == "hf:openai/gsm8k@abc123:main:test"


def test_files_on_disk_by_the_real_loader(library: Any, tmp_path: Path) -> None:
    """The library's own loading, without the hub: a folder with a data set is a name to it."""
    folder = tmp_path / "mine"
    folder.mkdir()
    lines = [json.dumps({"id": f"i{k}", "prompt": f"p{k}"}) for k in range(4)]
    (folder / "test.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    data = Dataset.load(f"hf:{folder}::test")
    assert [item.id for item in data.rows] == ["i0", "i1", "i2", "i3"]


def test_what_is_not_there_is_said(library: Any) -> None:
    with pytest.raises(DatasetError, match=r"^hf:nobody/nothing cannot be loaded: .+"):
        Dataset.load("hf:nobody/nothing")


@pytest.mark.parametrize("name", ["hf:", "hf::main", "hf:a/b:c:d:e"])
def test_a_name_of_no_form_is_refused(name: str) -> None:
    with pytest.raises(DatasetError, match="names no data set; write hf:owner/name"):
        read_hub(name)


def test_without_the_library_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(DatasetError, match=r"pip install 'llmbench\[huggingface\]'"):
        read_hub("hf:a/b")
