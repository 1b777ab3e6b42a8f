from __future__ import annotations

import pytest

from llmbench.catalog import training_terms
from llmbench.errors import UsageError
from llmbench.finetune import training_cost


@pytest.mark.parametrize(
    ("model", "vendor", "method", "usd"),
    [
        ("gpt-4o", "openai", "lora", 75.0),
        ("gpt-4o-mini-2024-07-18", "openai", "lora", 9.0),
        ("gpt-4.1-mini", "openai", "lora", 15.0),
        ("llama-3.1-8b", "together", "lora", 0.48),
        ("meta-llama/Meta-Llama-3.1-8B-Instruct-Turbo", "together", "full", 0.54),
        ("mixtral-8x7b", "together", "lora", 1.5),  # by all 46.7B parameters, not by the 12.9B in use
        ("llama-3.1-70b", "together", "full", 3.2),
    ],
)
def test_training_cost_by_the_million_tokens(model: str, vendor: str, method: str, usd: float) -> None:
    cost = training_cost(model, vendor, 100_000_000, examples=1000, method=method)  # type: ignore[arg-type]
    assert cost.usd == pytest.approx(100 * usd)
    assert cost.as_of >= "2026-05"
    assert cost.source


def test_a_price_of_a_list_that_was_replaced_says_so() -> None:
    old = training_cost("llama-3.1-8b", "together", 100_000_000)
    assert (old.as_of, old.usd) == ("2026-09-10", 48.0)
    assert "lowered most of its prices on 2026-09-11" in old.note
    assert training_cost("openai/gpt-oss-20b", "together", 100_000_000).note == ""
    assert training_cost("gpt-4o-mini", "openai", 100_000_000, examples=1000).note == ""


@pytest.mark.parametrize(
    ("model", "vendor"), [("llama-3.1-405b", "together"), ("gpt-5", "openai"), ("x", "together")]
)
def test_training_cost_unknown_is_none(model: str, vendor: str) -> None:
    cost = training_cost(model, vendor, 1_000_000, examples=1000)
    assert (cost.usd, cost.usd_low, cost.usd_high) == (None, None, None)
    assert cost.trained_tokens == 1_000_000 * (cost.epochs or 0)
    assert "no price" in cost.note


def test_training_cost_with_a_range() -> None:
    cost = training_cost("llama-3.1-8b", "together", (100_000_000, 90_000_000, 120_000_000), epochs=2)
    assert (cost.usd_low, cost.usd, cost.usd_high) == pytest.approx((86.4, 96, 115.2))


def test_a_small_job_costs_the_least_that_is_charged() -> None:
    cost = training_cost("llama-3.1-8b", "together", (100, 90, 120), epochs=2)
    assert (cost.usd_low, cost.usd, cost.usd_high) == (4.0, 4.0, 4.0)


def test_training_cost_of_seconds() -> None:
    assert training_cost("llama-3-8b", "replicate", 10).usd is None
    assert training_cost("llama-3-8b", "replicate", 10, seconds=100, hardware="gpu-h100").usd == 0.1525
    with pytest.raises(UsageError, match="hardware is 'gpu-x'"):
        training_cost("llama-3-8b", "replicate", 10, seconds=1, hardware="gpu-x")
    with pytest.raises(UsageError, match="seconds must be 0 or more"):
        training_cost("llama-3-8b", "replicate", 10, seconds=-1, hardware="gpu-h100")


def test_default_epochs_follow_the_rule_of_the_cookbook() -> None:
    for examples in (1, 4, 5, 33, 34, 100, 8333, 8334, 12_500, 25_000, 100_000):
        epochs = 3
        if examples * 3 < 100:
            epochs = min(25, 100 // examples)
        elif examples * 3 > 25_000:
            epochs = max(1, 25_000 // examples)
        assert training_terms("openai").default_epochs(examples) == epochs


def test_training_cost_unknown_vendor() -> None:
    with pytest.raises(UsageError, match="no fine-tuning at 'azure'"):
        training_cost("gpt-4o", "azure", 1)
