from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from llmbench.errors import DatasetError, UsageError
from llmbench.matrix import Dataset, Item, JsonSchema, Similarity
from llmbench.matrix.graders import grader_for

CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


def item(expected: Any = None) -> Item:
    return Item("1", {}, expected, None, None, 1)


@pytest.mark.parametrize(
    ("answer", "score", "note"),
    [
        ('{"city": "Bonn"}', 1.0, None),
        ('```json\n{"city": "Bonn"}\n```', 1.0, None),
        ('{"city": 3}', 0.0, "at ['city']: 3 is not of type 'string'"),
        ('Here it is: {"city": "Bonn"}', 0.0, "does not parse"),
        ('{"city": "Bonn", "city": "Ulm"}', 0.0, "twice"),
        ('{"city": NaN}', 0.0, "does not parse"),
        ("[" * 100_000, 0.0, "does not parse"),
        ("", 0.0, "does not parse"),
    ],
)
def test_json_schema(answer: str, score: float, note: str | None) -> None:
    grade = JsonSchema(CITY).grade(answer, item())
    assert grade.score == score
    assert note in (grade.note or "") if note else grade.note is None


def test_each_item_may_have_its_schema(write: Callable[..., Path]) -> None:
    rows: list[Mapping[str, Any]] = [{"prompt": "a", "expected": '{"type": "array"}'}]
    data = Dataset.load(write(rows))
    grader = grader_for("json_schema", data)
    assert grader.grade("[1]", data.rows[0]).score == 1.0  # type: ignore[union-attr]
    assert grader.grade("{}", data.rows[0]).score == 0.0  # type: ignore[union-attr]


@pytest.mark.parametrize("schema", ["{", '{"type": "nothing"}', "7"])
def test_a_broken_schema_is_found_before_the_run(write: Callable[..., Path], schema: str) -> None:
    data = Dataset.load(write([{"prompt": "a", "expected": schema}]))
    with pytest.raises(DatasetError, match="no JSON schema"):
        grader_for("json_schema", data)


def test_a_reference_elsewhere_is_never_fetched() -> None:
    grader = JsonSchema({"$ref": "http://127.0.0.1:9/schema.json"})
    with pytest.raises(Exception, match=r"127\.0\.0\.1"):
        grader.grade("{}", item())


@pytest.mark.parametrize(
    ("method", "answer", "score"),
    [
        ("levenshtein", "KITTEN.", 4 / 7),
        ("ratio", "sitting", 1.0),
        ("token_sort", "sitting", 1.0),
        ("token_set", "now sitting", 1.0),
        ("partial", "he is sitting there", 1.0),
        ("jaro_winkler", "", 0.0),
    ],
)
def test_similarity(method: str, answer: str, score: float) -> None:
    assert Similarity(method).grade(answer, item("sitting")).score == pytest.approx(score)


def test_similarity_from_a_threshold_on() -> None:
    assert Similarity(threshold=0.5).grade("kitten", item("sitting")).score == 1.0
    assert Similarity(threshold=0.6).grade("kitten", item(["sitting", "lion"])).score == 0.0
    with pytest.raises(UsageError, match="jaro"):
        Similarity("jaro")
