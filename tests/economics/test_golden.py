"""The fixtures that the audit of the source document was made with, exactly."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from llmbench.economics import Workload, api_cost, estimate

BOOK = "2025-01-23"


@pytest.fixture
def golden(throughput_data: Path) -> Any:
    return json.loads((throughput_data / "golden.json").read_text(encoding="utf-8"))


def test_cost_per_message_and_month(golden: Any) -> None:
    for model, usd in golden["cost_per_message"].items():
        assert api_cost(model, 500, 200, BOOK) == pytest.approx(usd, rel=1e-12)
    for model, usd in golden["cost_100k"].items():
        assert api_cost(model, 50_000_000, 20_000_000, BOOK) == usd


def test_the_mean_of_two_prices_is_no_price(golden: Any) -> None:
    """$3,150 is 70 million tokens at the mean of $30 and $60; five of seven tokens are input."""
    assert api_cost("gpt-4", 50e6, 20e6, BOOK) == golden["cost_100k"]["gpt-4"] != 70 * (30 + 60) / 2


def test_hybrid(golden: Any) -> None:
    mix = {"gpt-4o": 0.2, "mixtral-8x7b": 0.8}
    found = estimate(Workload(100_000, 500, 200), [], mixes=[mix], price_book=BOOK)
    assert found.rows[-1].usd_per_month == golden["hybrid_20_80"]


def test_break_even_of_the_machine_alone(golden: Any) -> None:
    """730 hours a month; with 720 it would be $378.72."""
    rent = 0.526 * 730
    assert rent == pytest.approx(golden["fixed_g4dn_730h"])
    for model, volume in golden["break_even_infra_only"].items():
        cost = api_cost(model, 500, 200, BOOK)
        assert cost is not None
        assert rent / cost == pytest.approx(volume, abs=0.05)
