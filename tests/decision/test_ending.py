"""What is spent on models that end."""

from __future__ import annotations

import json
import math
from datetime import date, timedelta
from typing import Any

import pytest

from llmbench.catalog import all_models
from llmbench.decision.ending import ending_models
from llmbench.errors import UsageError

TODAY = date(2026, 11, 28)
USAGE = {
    "gpt-4o": 400.0,  # 2027-01-14
    "openai/gpt-5": 50.0,  # 2026-12-11
    "gpt-4": 30.0,  # 2026-10-23
    "replicate/mixtral-8x7b": 20.0,  # no end there, though Together has ended it
    "vllm/llama-3.1-8b": 0.0,
    "acme/wonder": 10.0,
    "claude-sonnet-4-5": None,  # 2026-11-30
}


def test_rows_are_what_the_catalog_says() -> None:
    found = {row.model: row for row in ending_models(USAGE, TODAY).rows}
    assert {name: row.state for name, row in found.items()} == {
        "gpt-4o": "ends",
        "openai/gpt-5": "ends",
        "gpt-4": "ended",
        "replicate/mixtral-8x7b": "no end known",
        "vllm/llama-3.1-8b": "own machine",
        "acme/wonder": "not in the catalog",
        "claude-sonnet-4-5": "ends",
    }
    row = found["gpt-4o"]
    assert (row.ends, row.days_left, row.announced) == (date(2027, 1, 14), 47, date(2026, 10, 14))
    assert row.source == "OpenAI's deprecations page"
    assert found["replicate/mixtral-8x7b"].ends is None
    assert found["claude-sonnet-4-5"].announced is None


@pytest.mark.parametrize("days", [1, 2, 13, 46, 47, 48, 365])
def test_totals_add_up_what_ends_by_the_day(days: int) -> None:
    """Over the dates of the catalog, day by day."""
    ends = {"gpt-4o": "openai", "openai/gpt-5": "openai"}
    wanted = 0.0
    for name, backend in ends.items():
        day = date.fromisoformat(all_models()[name.rpartition("/")[2]].shutdown[backend])
        if day in {TODAY + timedelta(days=after) for after in range(1, days + 1)}:
            wanted += USAGE[name] or 0.0
    total = ending_models(USAGE, TODAY, [days]).totals[0]
    assert total.usd_per_month == wanted
    assert total.share == pytest.approx(wanted / 510)
    assert ("claude-sonnet-4-5" in total.models) == (days >= 2)


def test_day_of_the_end_has_ended() -> None:
    for today, state in ((date(2027, 1, 13), "ends"), (date(2027, 1, 14), "ended")):
        found = ending_models({"gpt-4o": 1.0}, today)
        assert found.rows[0].state == state
        assert found.ended_usd == (state == "ended")


def test_unknown_is_told_apart_from_never() -> None:
    found = ending_models(USAGE, TODAY)
    assert found.ended_usd == 30
    assert found.unknown_end_usd == 30
    assert found.unpriced == ("claude-sonnet-4-5",)
    assert "which is not never" in str(found)
    assert ending_models({"gpt-4o": None}, TODAY).totals[0].share is None


def test_endpoints_lead_to_their_backends() -> None:
    usage: dict[str, float | None] = {"team/gpt-4o": 1.0, "gpu/gpt-4o": 1.0, "llama/llama-3.1-8b": 1.0}
    found = ending_models(usage, TODAY, backends={"team": "openai", "gpu": "own"})
    assert {row.model: (row.backend, row.state) for row in found.rows} == {
        "team/gpt-4o": ("openai", "ends"),
        "gpu/gpt-4o": ("own", "own machine"),
        "llama/llama-3.1-8b": ("together", "ended"),
    }


def test_own_machine_has_no_day_and_the_day_of_others_is_unknown() -> None:
    usage: dict[str, float | None] = {"gpu/gpt-4o": 1.0, "mixtral-8x22b": 1.0}
    found = ending_models(usage, date(2026, 11, 28), backends={"gpu": "own"})
    shown = {row[0]: (row[2], row[4]) for row in found.table().rows}
    assert shown == {"gpu/gpt-4o": ("–", "–"), "mixtral-8x22b": ("unknown", "unknown")}


def test_result_shows_itself() -> None:
    found = ending_models(USAGE, TODAY)
    frame = found.to_pandas()
    assert len(frame) == len(USAGE)
    assert frame["ends"].isna().sum() == 3
    assert json.loads(json.dumps(found.data()))[0]["ends"] == "2026-10-23"
    assert "2027-01-14" in found._repr_html_()


@pytest.mark.parametrize(
    "options", [{"usage": {}}, {"usage": {"gpt-4o": -1.0}}, {"usage": {"gpt-4o": math.nan}}, {"within": [0]},
                {"within": [1.5]}]
)  # fmt: skip
def test_usage_that_cannot_be_meant(options: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        ending_models(**{"usage": USAGE, "today": TODAY, **options})
