from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from llmbench.errors import UsageError
from llmbench.ledger import Ledger
from llmbench.matrix import Dataset, Matrix, MatrixResults
from llmbench.matrix.redaction import REDACTED, redacted, refuse_filter
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


def test_answer_hides_all_answers_and_a_column_of_that_name(
    write: Callable[..., Any], ledger: Ledger
) -> None:
    rows = [{"id": "a", "prompt": "Say hello", "answer": "golden"}]
    provider = FakeProvider(["a secret of the model"], self_hosted=True, ledger=ledger)
    data = Dataset.load(write(rows), expected_column="answer")
    matrix = Matrix(data, ["fake/m"], ledger=ledger, providers={"fake": provider})
    found = redacted(matrix.run(), ["answer"])
    assert found.answers["answer"].tolist() == [REDACTED]
    assert found.answers["expected"].tolist() == [REDACTED]
    assert "golden" not in everything(found)


@pytest.mark.parametrize("name", ["item", "id"])
def test_names_of_items_in_results_of_others(tmp_path: Path, name: str) -> None:
    path = tmp_path / "r.csv"
    text = "item,model,score,category,answer\nuser77,m,1,north,it is user77\nuser78,m,0,north,no\n"
    path.write_text(text)
    found = redacted(Matrix.from_results(path), [name, "category"])
    assert found.answers["item_id"].tolist() == ["id 1", "id 2"]
    assert found.answers["answer"].tolist() == [f"it is {REDACTED}", "no"]
    assert "user7" not in everything(found)
    assert "north" not in everything(found)


def test_a_role_stands_for_its_column(results: MatrixResults, write: Callable[..., Any]) -> None:
    rows = [{"uid": "u1000", "prompt": "u1000?", "gold": "golden", "kind": "vip-kind"}]
    data = Dataset.load(write(rows), id_column="uid", expected_column="gold", category_column="kind")
    of_all = replace(results, dataset=data, answers=results.answers.iloc[:1].assign(item_id="u1000"))
    found = redacted(of_all, ["id", "expected", "category"])
    for value in ("u1000", "golden", "vip-kind"):
        assert value not in everything(found)


def test_notes_of_a_filter_by_a_hidden_column(results: MatrixResults) -> None:
    data = results.dataset.where({"name": ["Ada Lovelace", None], "code": "XY"}).limit(1)
    found = redacted(replace(results, dataset=results.dataset, answers=results.answers), ["name"])
    assert found.dataset.notes == results.dataset.notes
    noted = replace(results.dataset, notes=data.notes)
    assert redacted(replace(results, dataset=noted), ["name"]).dataset.notes == (
        f"1 of 2 items are used (those with {REDACTED})",
        "1 of 1 items are used (limit 1, categories in turn)",
    )
    assert redacted(replace(results, dataset=noted), ["contact"]).dataset.notes == data.notes


@pytest.mark.parametrize(
    ("columns", "where"),
    [
        (["mail"], {"team": 1, "mail": "x"}),
        (["id"], {"uid": "x"}),
        (["item"], {"uid": "x"}),
        (["uid"], {"uid": "x"}),
        (["answer"], {"old": "x"}),
        (["category"], {"kind": "x"}),
    ],
)
def test_a_filter_by_a_hidden_column_is_refused(columns: list[str], where: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=r"where filters by .*: write the rows that are wanted to a file"):
        refuse_filter(columns, where, {"id": "uid", "category": "kind"}, ["old"])
    refuse_filter(columns, {"team": 1}, {"id": "uid", "category": "kind"}, ["old"])


def test_nothing_to_hide_is_the_same(results: MatrixResults) -> None:
    assert redacted(results, []) is results


def test_a_name_that_is_no_column(results: MatrixResults) -> None:
    with pytest.raises(UsageError, match=r"names 'nmae', which is no column; they are .*Did you mean 'name'"):
        redacted(results, ["nmae"])
