from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from llmbench.errors import LedgerError
from llmbench.ledger import Ledger

DAY = datetime(2026, 11, 1, tzinfo=UTC)


def look(ledger: Ledger, number: int = 1, day: int = 0, **changes: Any) -> bool:
    given: dict[str, Any] = {
        "cut_off": DAY + timedelta(days=day),
        "units": 1000 * number,
        "information": number / 4,
        "parameters": {"margin": 0.9, "control": "gpt-4o", "guardrails": {"complaints": 1.2}},
        "comparisons": [
            {"treatment": "mixtral", "ratio": 0.98, "ratio_ci": [0.8, None], "verdict": "cannot tell"}
        ],
        "seen_at": DAY + timedelta(days=day, hours=9),
    }
    return ledger.record_look("mail-7", number, **{**given, **changes})


def test_looks_come_back_as_they_were(ledger: Ledger) -> None:
    assert ledger.looks("mail-7") == []
    assert ledger.frozen_plan("mail-7") is None
    assert look(ledger, 1)
    assert look(ledger, 2, day=7, parameters={"margin": 0.8})
    first, second = ledger.looks("mail-7")
    assert (first.number, first.cut_off, first.units, first.information) == (1, DAY, 1000, 0.25)
    assert first.comparisons[0]["ratio_ci"] == [0.8, None]
    assert second.seen_at == DAY + timedelta(days=7, hours=9)
    assert ledger.looks("mail-8") == []


def test_the_first_look_freezes_the_plan(ledger: Ledger) -> None:
    look(ledger, 1)
    look(ledger, 2, day=7, parameters={"margin": 0.8})
    frozen = ledger.frozen_plan("mail-7")
    assert frozen == {"margin": 0.9, "control": "gpt-4o", "guardrails": {"complaints": 1.2}}


def test_the_same_look_or_cut_off_changes_nothing(ledger: Ledger) -> None:
    assert look(ledger, 1)
    assert not look(ledger, 1, day=1, units=7)
    assert not look(ledger, 2, day=0, units=7)
    (kept,) = ledger.looks("mail-7")
    assert kept.units == 1000


def test_many_take_one_look(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    Ledger(path).close()

    def take(number: int) -> bool:
        with Ledger(path) as ledger:
            return look(ledger, 1, day=number)

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(take, range(4))) == 1


def test_a_closed_ledger_takes_no_look(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.db")
    ledger.close()
    with pytest.raises(LedgerError, match="closed"):
        look(ledger)
