from __future__ import annotations

import math
from typing import Any

import pytest

from llmbench.catalog import training_price
from llmbench.errors import UsageError


@pytest.mark.parametrize(
    ("place", "model", "method", "usd"),
    [
        ("openai", "gpt-4o-mini", "lora", 3.0),
        ("openai", "gpt-4o-mini-2024-07-18", "full", 3.0),
        ("openai", "gpt-4o", "lora", 25.0),
        ("openai", "gpt-4.1-mini-2025-04-14", "lora", 5.0),
        ("together", "llama-3.1-8b", "lora", 0.48),
        ("together", "meta-llama/Meta-Llama-3.1-70B-Instruct-Reference", "lora", 2.90),
        ("together", "mistralai/Mixtral-8x7B-Instruct-v0.1", "full", 1.65),
        ("together", "openai/gpt-oss-120b", "lora", 2.50),
        ("together", "qwen/qwen3.5-9b", "lora", 0.34),
    ],
)
def test_listed_prices(place: str, model: str, method: str, usd: float) -> None:
    price = training_price(place, model, method)
    assert price is not None
    assert price.usd_per_million_tokens == usd
    assert price.date.startswith("2026-")
    assert price.source


@pytest.mark.parametrize(
    ("place", "model", "method"),
    [
        ("openai", "gpt-6-luna", "lora"),
        ("azure", "gpt-4o-mini", "lora"),
        ("replicate", "llama-3-8b", "lora"),
        ("together", "openai/gpt-oss-120b", "full"),
        ("together", "someone/something", "lora"),
        ("vllm", "llama-3.1-8b", "lora"),
    ],
)
def test_what_nobody_lists_has_no_price(place: str, model: str, method: str) -> None:
    assert training_price(place, model, method) is None


def test_a_job_is_charged_at_least_the_minimum() -> None:
    price = training_price("together", "llama-3.1-8b")
    assert price is not None
    assert price.usd(1000) == 4.0
    assert price.usd(100_000_000) == pytest.approx(48.0)
    openai = training_price("openai", "gpt-4o-mini")
    assert openai is not None
    assert openai.usd(0) == 0.0


@pytest.mark.parametrize("tokens", [-1, math.nan, math.inf, "1000", None, 10**400])
def test_tokens_that_are_none(tokens: Any) -> None:
    price = training_price("openai", "gpt-4o-mini")
    assert price is not None
    with pytest.raises(UsageError, match="trained_tokens"):
        price.usd(tokens)


def test_a_method_that_is_none() -> None:
    with pytest.raises(UsageError, match="lora, full"):
        training_price("openai", "gpt-4o-mini", "dpo")
