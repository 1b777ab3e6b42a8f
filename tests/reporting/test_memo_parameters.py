"""Parameters of the memo that cannot be meant: one sentence each, with the name."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from llmbench.errors import UsageError
from llmbench.reporting.memo_parameters import check_memo_parameters, commitment_of, day_of, uncertainty_of
from tests.reporting.memos import parameters


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("messages_per_month", -1.0, "a number from 0"),
        ("messages_per_month", 1e300, "a number from 0"),
        ("growth_per_month", 3.0, "a number from -0.99 to 1"),
        ("horizon_months", 0, "a number from 1 to 120"),
        ("value_per_reply_usd", -1.0, "a number from 0"),
        ("api_fall_per_year", 0.0, "a number from 1"),
        ("draws", 1, "a number from 100"),
        ("reply_rate", 1.0, "to below 1"),
        ("volumes", [0], "holds numbers above 0"),
        ("values_per_reply", ["a"], "holds numbers above 0"),
        ("stage", "half", "there is no 'half'"),
        ("runs", {"matrix": "x"}, "names matrix"),
        ("runs", {"ab_test": "../x"}, "name of a folder"),
        ("names", {"mixtral": 5}, "needs the name of a model"),
        ("usage_usd", {"gpt-4o": -1}, "USD from 0 up"),
        ("as_of", "9999-12-31", "a day such as"),
        ("as_of", "tomorrow", "a day such as"),
    ],
)
def test_a_value_that_cannot_be_meant_is_named(name: str, value: Any, words: str) -> None:
    with pytest.raises(UsageError, match=f"Parameter '{name}'") as refused:
        check_memo_parameters(parameters(**{name: value}))
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)


def test_the_defaults_can_be_meant() -> None:
    check_memo_parameters(parameters())
    assert day_of("2025-04-02") == date(2025, 4, 2)
    assert day_of("today") == day_of("")


@pytest.mark.parametrize(
    "entry",
    [
        "PTU",
        {"name": "PTU"},
        {"name": "PTU", "until": "2026-01-01"},
        {"name": 5, "usd_per_month": 1, "until": "2026-01-01"},
        {"name": "PTU", "usd_per_month": -1, "until": "2026-01-01"},
        {"name": "PTU", "usd_per_month": 1, "until": "2025-13-01"},
        {"name": "PTU", "usd_per_month": 1, "until": "2026-01-01", "covers": "rent"},
        {"name": "PTU", "usd_per_month": 1, "until": "2026-01-01", "price": 2},
    ],
)
def test_a_commitment_that_cannot_be_meant_is_named(entry: Any) -> None:
    with pytest.raises(UsageError, match="Parameter 'commitments'"):
        commitment_of(entry, date(2025, 4, 2))


def test_a_commitment_is_paid_until_its_day() -> None:
    found = commitment_of({"name": "PTU", "usd_per_month": 400, "until": "2025-10-02"}, date(2025, 4, 2))
    assert (found.months, found.usd_per_month, found.penalty_usd) == (6, 400, None)


@pytest.mark.parametrize(
    "given",
    [
        *({"messages": [1, 2]}, {"messages": 5}, {"rain": [1, 1, 1]}, {"messages": [2, 1, 0]}),
        *({"correlation": 1}, {"correlation": [0, 0, 1]}, {"correlation": "much"}),
    ],
)
def test_a_range_that_cannot_be_meant_is_named(given: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="Parameter 'uncertainty'"):
        uncertainty_of(given)
