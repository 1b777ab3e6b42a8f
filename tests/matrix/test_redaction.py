from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from llmbench.errors import UsageError
from llmbench.ledger import Ledger
from llmbench.matrix import Dataset, Matrix, MatrixResults
from llmbench.matrix.redaction import REDACTED, redacted
from llmbench.providers.fake import FakeProvider


@pytest.fixture
def results(write: Callable[..., Any], ledger: Ledger) -> MatrixResults:
    """Answers that repeat the name of the customer, changed in case and blanks, and a short code."""
    rows = [
        {"id": "c1", "prompt": "Write to them", "expected": "Dear Ada Lovelace", "name": "Ada Lovelace",
         "code": "XY", "category": "vip", "contact": {"mail": "ada@example.org", "tags": ["north"]},
         "cluster": "acme", "history": ["Ada  Lovelace wrote", {"from": "ada@example.org"}]},
        {"id": "c2", "prompt": "Write to him", "expected": "no", "name": None, "code": "ZZ",
         "category": "vip", "contact": None, "cluster": "acme", "history": None},
    ]  # fmt: skip
    said = iter(["Dear ADA\n lovelace, ada@example.org XY", "ZZ"])
    provider = FakeProvider(lambda *_: next(said), self_hosted=True, ledger=ledger)
    data = Dataset.load(write(rows), cluster_column="cluster")
    return Matrix(data, ["fake/m"], ledger=ledger, providers={"fake": provider}).run(concurrency=1)


def everything(results: MatrixResults) -> str:
    items = [repr(item) for item in results.dataset.rows]
    return results.answers.to_csv() + "".join(items)


def test_values_are_out_of_sight_wherever_they_are_repeated(results: MatrixResults) -> None:
    found = redacted(results, ["name", "contact"])
    text = everything(found).casefold()
    for value in ("lovelace", "ada@example.org", "north"):
        assert value in everything(results).casefold()
        assert value not in text
    assert found.answers["answer"][0] == f"Dear {REDACTED}, {REDACTED} XY"
    assert found.dataset.rows[1].fields["name"] is None  # nothing was there
    assert found.cells == results.cells  # scores and costs stay


def test_a_short_value_is_only_hidden_where_it_is_all(results: MatrixResults) -> None:
    found = redacted(results, ["code"])
    assert found.answers["answer"].tolist() == ["Dear ADA\n lovelace, ada@example.org XY", REDACTED]


def test_roles_become_numbers(results: MatrixResults) -> None:
    found = redacted(results, ["id", "category", "cluster", "expected"])
    assert [(i.id, i.category, i.cluster, i.expected) for i in found.dataset.rows] == [
        ("id 1", "category 1", "cluster 1", REDACTED), ("id 2", "category 1", "cluster 1", REDACTED),
    ]  # fmt: skip
    assert found.answers["item_id"].tolist() == ["id 1", "id 2"]
    assert "Dear Ada" not in everything(found)
    assert found.categories()[0].category == "category 1"


def test_all_answers(results: MatrixResults) -> None:
    found = redacted(results, ["answer"])
    assert found.answers["answer"].tolist() == [REDACTED] * 2
    assert found.answers["score"].tolist() == results.answers["score"].tolist()


def test_nothing_to_hide_is_the_same(results: MatrixResults) -> None:
    assert redacted(results, []) is results


def test_a_name_that_is_no_column(results: MatrixResults) -> None:
    with pytest.raises(UsageError, match=r"names 'nmae', which is no column; they are .*Did you mean 'name'"):
        redacted(results, ["nmae"])
