from __future__ import annotations

import pandas as pd
import pytest

from llmbench.abtest.source import OutcomeSource, Replies, Sends
from llmbench.abtest.totals import read_totals
from llmbench.errors import UsageError
from tests.abtest.worlds import wide_world

pytest.importorskip("duckdb")


def test_read_totals_are_plain_sums_by_arm() -> None:
    world = wide_world(3)
    arm_map = {"mixtral": "mixtral", "mixtral-8x7b": "mixtral", "gpt-4o": "gpt-4o"}
    sends = Sends(world, arm="arm", replied_at="replied_at", cost="cost")
    totals = read_totals(OutcomeSource(experiment_id="e", sends=sends, arm_map=arm_map))
    assert [row.arm for row in totals] == ["gpt-4o", "mixtral"]
    for row in totals:
        rows = world[world["arm"].map(arm_map) == row.arm]
        assert (row.rows, row.replies, row.costed_rows) == (
            len(rows),
            rows["replied_at"].count(),
            rows["cost"].count(),
        )
        assert row.cost_usd == pytest.approx(rows["cost"].sum())
        assert (row.first_sent, row.last_sent) == (rows["sent_at"].min(), rows["sent_at"].max())


@pytest.mark.parametrize("values", [["Y", "N", "N"], [True, False, False], [1, 0, 0]])
def test_read_totals_of_yes_or_no(values: list[object]) -> None:
    table = pd.DataFrame(
        {
            "unit_id": ["a", "b", "c"],
            "arm": ["x"] * 3,
            "replied": values,
            "sent_at": pd.to_datetime(["2025-01-06"] * 3, utc=True),
        }
    )
    (total,) = read_totals(OutcomeSource(experiment_id="e", sends=Sends(table, arm="arm", replied="replied")))
    assert (total.rows, total.replies, total.cost_usd) == (3, 1, None)


def test_read_totals_refuse_several_tables() -> None:
    with pytest.raises(UsageError, match="one wide table"):
        read_totals(
            OutcomeSource(experiment_id="e", sends=Sends("a.csv", arm="arm"), replies=Replies("r.csv"))
        )
