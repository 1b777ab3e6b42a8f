from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from llmbench.errors import DatasetError, UsageError
from llmbench.matrix import Dataset


@pytest.fixture
def data(tmp_path: Path) -> Dataset:
    rows = [
        f"i{k},p,{'abc'[k % 3]},{'' if k % 5 == 0 else 'de' if k % 2 else 'en'},{k % 4}" for k in range(60)
    ]
    path = tmp_path / "items.csv"
    path.write_text("\n".join(["id,prompt,category,language,level", *rows]) + "\n", encoding="utf-8")
    return Dataset.load(path)


def ids(data: Dataset) -> list[str]:
    return [item.id for item in data.rows]


def test_where_keeps_what_every_column_says(data: Dataset) -> None:
    kept = data.where({"language": "de", "level": [1, 3.0]})
    assert ids(kept) == [f"i{k}" for k in range(60) if k % 5 and k % 2 and k % 4 in {1, 3}]
    assert kept.notes[-1] == f"{len(kept)} of 60 items are used (those with language 'de', level [1, 3.0])"
    assert ids(data.where({"language": None})) == [f"i{k}" for k in range(0, 60, 5)]
    assert ids(data.where({"language": [None, "de", "en"]})) == ids(data)


def test_where_says_what_there_is(data: Dataset) -> None:
    with pytest.raises(DatasetError, match=r"has no column 'lang'; .* Did you mean 'language'\?.* where="):
        data.where({"lang": "de"})
    with pytest.raises(
        DatasetError,
        match=r"no item left with language 'dee'; there is \(empty\), de, en\. Did you mean 'de'",
    ):
        data.where({"language": "dee"})


def test_a_sample_is_random_nested_and_in_order(data: Dataset) -> None:
    sample = data.sample(20, seed=7)
    assert len(sample) == 20
    assert ids(sample) == sorted(ids(sample), key=lambda name: int(name[1:]))
    assert set(ids(data.sample(10, seed=7))) < set(ids(sample))
    assert ids(sample) == ids(data.sample(20, seed=7)) != ids(data.sample(20, seed=8))
    assert ids(data.sample(100)) == ids(data)
    assert sample.notes[-1] == "20 of 60 items are used (a random sample of 20, seed 7)"
    with pytest.raises(UsageError, match="sample"):
        data.sample(0)


def test_every_item_is_as_likely_in_a_sample(data: Dataset) -> None:
    """1,200 samples of 10 of 60: each item 200 times, with a standard deviation of 12.9."""
    found = Counter(name for seed in range(1200) for name in ids(data.sample(10, seed)))
    assert len(found) == 60
    assert all(abs(count - 200) < 4.5 * 12.9 for count in found.values())


def test_load_filters_then_samples_then_limits(data: Dataset) -> None:
    direct = Dataset.load(data.path, where={"category": "a"}, sample=12, seed=3, limit=5)
    assert ids(direct) == ids(data.where({"category": "a"}).sample(12, 3).limit(5))
    assert [note.partition(" (")[0] for note in direct.notes] == [
        "20 of 60 items are used", "12 of 20 items are used", "5 of 12 items are used",
    ]  # fmt: skip
