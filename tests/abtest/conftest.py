from __future__ import annotations

from collections.abc import Callable

import pytest

from llmbench.abtest.counts import ClusterProducts, Counts
from tests.abtest.reference import Reference


def assert_same(counts: Counts, expected: Reference) -> None:
    """The query's sums are those of the rules, row by row."""
    found = {(row.arm, row.stratum): row._asdict() for row in counts.arms if row.units}
    assert found.keys() == expected.arms.keys()
    for cell, sums in expected.arms.items():
        for name, value in sums.items():
            assert found[cell][name] == pytest.approx(value, rel=1e-9, abs=1e-12), (cell, name)
    assert {(row.arm, row.stratum): row.units for row in counts.assigned} == expected.assigned
    days = {(row.arm, row.stratum, row.day): list(row[3:]) for row in counts.days}
    assert days.keys() == expected.days.keys()
    for key, values in expected.days.items():
        assert days[key] == pytest.approx(values), key
    segments = {tuple(row[:4]): list(row[4:]) for row in counts.segments}
    assert segments == expected.segments
    guardrails = {tuple(row[:3]): list(row[3:]) for row in counts.guardrails}
    assert guardrails == expected.guardrails
    assert products_of(counts.clusters) == expected.clusters
    assert {key: products_of(rows) for key, rows in counts.segment_clusters.items()} == (
        expected.segment_clusters
    )
    if expected.guardrail_clusters:
        assert products_of(counts.guardrail_clusters["unsubscribes"]) == expected.guardrail_clusters
    if counts.clusters:
        costs = {row.arm: pytest.approx(list(row[1:])) for row in counts.cluster_costs if row.clusters}
        assert costs == expected.cluster_costs
    assert {row.reason: row.rows for row in counts.excluded} == dict(expected.excluded)


def products_of(rows: tuple[ClusterProducts, ...]) -> dict[tuple[str, ...], list[float]]:
    return {tuple(row[:4]): list(row[4:]) for row in rows if row.clusters}


@pytest.fixture
def same() -> Callable[[Counts, Reference], None]:
    return assert_same
