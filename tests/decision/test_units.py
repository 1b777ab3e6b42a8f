"""Every unit has its facts and its words."""

from __future__ import annotations

from typing import get_args

from llmbench.decision.units import UNITS, Unit
from llmbench.reporting import memo_tables


def test_every_unit_is_a_row() -> None:
    assert set(UNITS) == set(get_args(Unit)), "`Unit` and `UNITS` of llmbench/decision/units.py differ"


def test_the_memo_can_write_a_number_of_every_unit() -> None:
    without = set(UNITS) ^ set(memo_tables._SHOW)
    assert not without, (
        f"_SHOW of llmbench/reporting/memo_tables.py says how a unit is written; not {without}"
    )
