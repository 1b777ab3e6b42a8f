from __future__ import annotations

import sys

import pytest

from llmbench.errors import UsageError
from llmbench.reporting.break_even_sliders import answer, sliders
from tests.reporting.studies import make_study

STATED = {
    "messages_per_month": 400_000.0, "operations_hours": 8.0, "spare_replicas": 1, "utilisation_limit": 0.7,
}  # fmt: skip


def test_the_stated_numbers_give_the_studys_answer() -> None:
    study = make_study()
    option, month = study.best
    told = answer(study, **STATED)  # type: ignore[arg-type]
    assert f"{month.replicas} x {option.hardware}" in told
    assert f"${month.usd:,.0f} a month" in told
    assert "more than the API of llama-3.1-8b ($56.00)" in told


def test_five_numbers_move_it() -> None:
    study = make_study()
    for name, value in (
        ("messages_per_month", 9e6), ("operations_hours", 0.0), ("spare_replicas", 0),
        ("utilisation_limit", 0.1), ("rent", 0.5),
    ):  # fmt: skip
        assert answer(study, **(STATED | {name: value})) != answer(study, **STATED), name  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="utilisation_limit"):
        answer(study, **(STATED | {"utilisation_limit": 0.0}))  # type: ignore[arg-type]


def test_without_ipywidgets_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    assert "pip install" in sliders(make_study())
