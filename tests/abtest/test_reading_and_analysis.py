"""Files of units, read by the query, against the same units counted one by one."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from llmbench.abtest import read_counts
from llmbench.reporting import read_parameters
from llmbench.reporting.ab_source import outcome_source
from tests.abtest.made import counted, units_of, write_tables

NOTEBOOK = Path(__file__).resolve().parents[2] / "notebooks" / "ab_test.ipynb"
NOW = datetime(2026, 12, 1, tzinfo=UTC)
EPOCHS = ({"gpt-4o": 0.5, "mixtral": 0.5}, {"gpt-4o": 0.1, "mixtral": 0.9})


def test_the_query_counts_what_the_analysis_is_tested_on(tmp_path: Path) -> None:
    units = units_of(
        {"gpt-4o": 0.1, "mixtral": 0.1}, 1500, weights=EPOCHS, costs={"gpt-4o": 0.004, "mixtral": 0.0006}
    )
    defaults = {p.name: p.default for p in read_parameters(NOTEBOOK)}
    given = {**defaults, **write_tables(units, tmp_path), "as_of": "2026-11-20"}
    found = read_counts(outcome_source(given), now=NOW)
    expected = counted(units, as_of=80)
    names = {stratum: stratum for stratum in {each.stratum for each in expected.arms}}
    strata = sorted({each.stratum for each in found.arms})
    assert len(strata) == len(names) == 2
    rename = dict(zip(strata, sorted(names), strict=True))
    read = {(each.arm, rename[each.stratum]): each for each in found.arms}
    for each in expected.arms:
        mine = read[each.arm, each.stratum]
        assert mine._replace(stratum=each.stratum)[2:9] == each[2:9]
        assert mine[9:11] == each[9:11]
        assert mine[11:14] == pytest.approx(each[11:14])
        assert mine.served_by_other == each.served_by_other
    assert found.simulated
    assert sum(row.units for row in found.costs) == sum(row.units for row in expected.costs)
    assert sum(row.events for row in found.guardrails) == sum(row.events for row in expected.guardrails)
    assert sum(row.units for row in found.contexts if row.replied) == sum(
        each.replied for each in expected.arms
    )
