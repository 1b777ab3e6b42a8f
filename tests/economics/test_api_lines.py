from __future__ import annotations

import json
from pathlib import Path

import pytest

from llmbench.economics import Workload, api_lines, cached_tokens, estimate, token_prices
from llmbench.economics.api_lines import NO_BATCH_PRICE
from llmbench.errors import UsageError

DOCUMENT = "2025-01-23"
LOAD = Workload(100_000, 500, 200)


def test_golden_costs(throughput_data: Path) -> None:
    golden = json.loads((throughput_data / "golden.json").read_text(encoding="utf-8"))
    lines = api_lines(LOAD, list(golden["cost_100k"]), price_book=DOCUMENT)
    assert {row.model: row.usd_per_month for row in lines} == pytest.approx(golden["cost_100k"], rel=1e-12)
    # Trap 1: five of seven tokens are input, so the mean of both prices is not the price.
    assert lines["gpt-4"].usd_per_month != pytest.approx(3150)


def test_a_shared_beginning_below_1024_tokens_saves_nothing() -> None:
    """Trap 10."""
    full = api_lines(LOAD, ["gpt-4o"])["gpt-4o"].usd_per_month
    short = Workload(100_000, 500, 200, prefix_tokens=500)
    assert api_lines(short, ["gpt-4o"])["gpt-4o"].usd_per_month == full
    long = Workload(100_000, 2000, 200, prefix_tokens=1500)
    # 1,408 of 2,000 tokens are read from the cache, at half the price.
    expected = 100_000 * ((2000 - 1408) * 2.5 + 1408 * 1.25 + 200 * 10) / 1e6
    assert api_lines(long, ["gpt-4o"])["gpt-4o"].usd_per_month == pytest.approx(expected)


def test_cache_rules_by_backend() -> None:
    assert cached_tokens("azure", 1024) == 1024
    assert cached_tokens("together", 5000) == 0
    assert cached_tokens(None, 5000) == 0
    assert cached_tokens("anthropic", 4096) == 4096


def test_batches_are_half_price() -> None:
    waiting = Workload(100_000, 500, 200, batch_share=1.0)
    assert api_lines(waiting, ["gpt-4o"])["gpt-4o"].usd_per_month == pytest.approx(162.5)


def test_without_a_batch_price_what_can_wait_costs_like_the_rest() -> None:
    """An API that has no batches can still be asked; it must not vanish from the comparison."""
    waiting = Workload(100_000, 500, 200, batch_share=1.0)
    line = api_lines(waiting, ["llama-3.1-8b"], price_book=DOCUMENT)["llama-3.1-8b"]
    assert line.usd_per_month == pytest.approx(14)
    assert NO_BATCH_PRICE in line.note
    less = api_lines(waiting, ["llama-3.1-8b", "gpt-4o"], discounts={"all": 0.5})
    assert less["llama-3.1-8b"].usd_per_month == pytest.approx(6.3)
    assert less["gpt-4o"].usd_per_month == pytest.approx(81.25)
    assert NO_BATCH_PRICE not in less["gpt-4o"].note
    assert token_prices(waiting, ["llama-3.1-8b"], price_book=DOCUMENT)["llama-3.1-8b"] == (0.0001, 0.00004)


def test_contract_discounts() -> None:
    lines = api_lines(
        LOAD, ["gpt-4o", "gpt-4o-mini"], discounts={"gpt-4o": 0.2, "all": 0.1}, price_book=DOCUMENT
    )
    assert lines["gpt-4o"].usd_per_month == pytest.approx(260)
    assert lines["gpt-4o-mini"].usd_per_month == pytest.approx(17.55)


def test_every_model_of_the_book_cheapest_first() -> None:
    lines = api_lines(LOAD)
    costs = [row.usd_per_month for row in lines.priced()]
    assert costs == sorted(costs)
    assert {row.model for row in lines} == {row.name for row in estimate(LOAD).rows}


def test_an_unknown_price_stays_unknown_and_last() -> None:
    lines = api_lines(LOAD, ["mixtral-8x22b", "gpt-4o"])
    assert [row.usd_per_month for row in lines] == [pytest.approx(325), None]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"workload": Workload(0, 500, 200)}, "messages_per_month is 0"),
        ({"workload": LOAD, "models": []}, "at least one model"),
        ({"workload": LOAD, "models": ["gpt-4o"], "discounts": {"gpt-4o": 1.0}}, "share from 0"),
        ({"workload": LOAD, "models": ["gpt-4o"], "discounts": {"gpt-4": 0.1}}, "not among"),
        ({"workload": LOAD, "models": ["gpt-4p"]}, "did you mean"),
    ],
)
def test_what_cannot_be_meant(arguments: dict[str, object], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        api_lines(**arguments)  # type: ignore[arg-type]
