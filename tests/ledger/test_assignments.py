from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from llmbench.errors import UsageError
from llmbench.ledger import Ledger

AT = datetime(2026, 11, 1, tzinfo=UTC)


def assign(ledger: Ledger, unit: str, arm: str = "a/m", epoch: int = 1, probability: float = 0.5) -> None:
    asyncio.run(
        ledger.record_assignment("x", unit, epoch=epoch, arm=arm, probability=probability, assigned_at=AT)
    )


def test_first_row_of_a_unit_and_epoch_stays(ledger: Ledger) -> None:
    assign(ledger, "u", "a/m")
    assign(ledger, "u", "b/m")
    found = ledger.assigned("x", "u")
    assert found is not None
    assert (found.arm, found.probability, found.assigned_at) == ("a/m", 0.5, AT)
    assert len(list(ledger.assignments("x"))) == 1


def test_newest_epoch_counts(ledger: Ledger) -> None:
    assign(ledger, "u", "a/m", epoch=1)
    assign(ledger, "u", "b/m", epoch=3)
    assign(ledger, "u", "c/m", epoch=2)
    found = ledger.assigned("x", "u")
    assert found is not None
    assert (found.epoch, found.arm) == (3, "b/m")


def test_unit_that_was_never_assigned(ledger: Ledger) -> None:
    assert ledger.assigned("x", "u") is None
    assert ledger.epochs("x") == []


@pytest.mark.parametrize("probability", [0.0, -0.1, 1.1, float("nan")])
def test_probability_that_is_none(ledger: Ledger, probability: float) -> None:
    with pytest.raises(UsageError, match="above 0 and at most 1"):
        assign(ledger, "u", probability=probability)


def test_epochs_count_changes_of_the_weights(ledger: Ledger) -> None:
    weights = [{"a": 0.9, "b": 0.1}, {"b": 0.1, "a": 0.9}, {"a": 0.5, "b": 0.5}, {"a": 0.9, "b": 0.1}]
    assert [ledger.open_epoch("x", each, AT) for each in weights] == [1, 1, 2, 3]
    assert [each.weights for each in ledger.epochs("x")] == [weights[0], weights[2], weights[3]]
    assert ledger.open_epoch("y", weights[0], AT) == 1


def test_many_open_one_epoch(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    Ledger(path).close()

    def open_it(_: int) -> int:
        with Ledger(path) as ledger:
            return ledger.open_epoch("x", {"a": 1.0}, AT)

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(open_it, range(16))) == {1}


def test_weights_are_the_same_however_they_are_written(ledger: Ledger) -> None:
    assert ledger.open_epoch("w", {"a/m": 1, "b/m": 3.0}, AT) == 1
    assert ledger.open_epoch("w", {"b/m": 3, "a/m": 1.0}, AT) == 1


@pytest.mark.parametrize("weights", [{}, {"a/m": -0.1}, {"a/m": float("nan")}, {"a/m": float("inf")}])
def test_weights_that_cannot_be_meant(ledger: Ledger, weights: dict[str, float]) -> None:
    with pytest.raises(UsageError, match="weights of an epoch"):
        ledger.open_epoch("w", weights, AT)
    assert ledger.epochs("w") == []


def test_assignments_are_read_by_the_page(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("llmbench.ledger.assignments._ROWS_A_PAGE", 2)
    for n in range(4):
        assign(ledger, f"u{n}")
    found = ledger.assignments("x")
    assert next(found).unit_id == "u0"
    assert [each.unit_id for each in found] == ["u1", "u2", "u3"]


def describe(ledger: Ledger, unit: str, attributes: dict[str, object]) -> None:
    asyncio.run(
        ledger.record_assignment(
            "x", unit, epoch=1, arm="a/m", probability=0.5, assigned_at=AT, attributes=attributes
        )
    )


def test_what_is_known_of_a_unit_is_kept_with_its_assignment(ledger: Ledger) -> None:
    describe(ledger, "u", {"mailbox": "böx", "size": 3, "trial": True, "industry": None})
    describe(ledger, "u", {"mailbox": "other"})
    assign(ledger, "v")
    u, v = ledger.assignments("x")
    assert u.attributes == {"mailbox": "böx", "size": "3", "trial": "true"}
    assert v.attributes == {}
    found = ledger.assigned("x", "u")
    assert found == u


def test_units_are_described_later_by_what_is_not_there_yet(ledger: Ledger) -> None:
    assign(ledger, "u", epoch=1)
    assign(ledger, "u", "b/m", epoch=2)
    describe(ledger, "v", {"size": "small"})
    known = {"u": {"size": "big", "mailbox": "b1"}, "v": {"size": "small", "mailbox": "b2"}, "w": {"size": 1}}
    assert ledger.describe_units("x", known) == 2
    assert [each.attributes for each in ledger.assignments("x")] == [
        {"size": "big", "mailbox": "b1"}, {"size": "big", "mailbox": "b1"},
        {"size": "small", "mailbox": "b2"},
    ]  # fmt: skip
    with pytest.raises(UsageError, match="'size' of the unit 'v' is 'small' in the ledger"):
        ledger.describe_units("x", {"u": {"wave": "1"}, "v": {"size": "large"}})
    assert "wave" not in next(ledger.assignments("x")).attributes  # all or none


@pytest.mark.parametrize(
    ("attributes", "told"),
    [({"": "x"}, "name"), ({"Arm": "x"}, "'Arm'"), ({"size": [1]}, "'size'"), ({"x": float("nan")}, "'x'")],
)
def test_attributes_that_cannot_be_kept(ledger: Ledger, attributes: dict[str, object], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        describe(ledger, "u", attributes)
    with pytest.raises(UsageError, match=told):
        ledger.describe_units("x", {"u": attributes})


def test_a_forgotten_unit_leaves_no_attribute(ledger: Ledger) -> None:
    describe(ledger, "u", {"mailbox": "her.own@address"})
    ledger.prune(unit_id="u")
    assert list(ledger.assignments("x")) == []
