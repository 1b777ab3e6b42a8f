from __future__ import annotations

import asyncio
import traceback
from typing import Any

import pytest

from llmbench.errors import ConfigError, ConnectionFailedError, UsageError
from llmbench.providers import CustomProvider
from llmbench.types import ChatRequest, Usage

HELLO = [{"role": "user", "content": "hello"}]
REQUEST = ChatRequest("m", HELLO)
URL = "http://127.0.0.1:9/v1"


def test_what_every_body_carries_is_part_of_the_identity() -> None:
    plain = CustomProvider({"base_url": URL}).request_hash(REQUEST)
    one = CustomProvider({"base_url": URL, "body": {"top_k": 1}}).request_hash(REQUEST)
    fifty = CustomProvider({"base_url": URL, "body": {"top_k": 50}}).request_hash(REQUEST)
    assert len({plain, one, fifty}) == 3


def test_own_prices_have_a_date_and_unlisted_models_none() -> None:
    provider = CustomProvider(
        {"base_url": URL, "prices": {"m": {"input": 1.0, "output": 2.0, "as_of": "2026-11-01"}}}
    )
    price = provider.price("m", Usage(1_000_000, 1_000_000))
    assert (price.usd, price.basis, price.as_of) == (3.0, "priced", "2026-11-01")
    assert provider.price("other", Usage(1, 1)).usd is None
    assert [info.name for info in provider.list_models()] == ["m"]
    with pytest.raises(UsageError, match="as_of"):
        CustomProvider({"base_url": URL, "prices": {"m": {"input": 1.0, "output": 2.0}}})


def test_ones_own_machine_charges_nothing_per_call() -> None:
    price = CustomProvider({"base_url": URL, "usd_per_hour": 0.5}).price("m", Usage(10, 10))
    assert (price.usd, price.basis) == (0.0, "self-hosted")


def test_prices_and_hours_exclude_each_other() -> None:
    prices = {"m": {"input": 1.0, "output": 2.0, "as_of": "2026-11-01"}}
    with pytest.raises(UsageError, match="keep one"):
        CustomProvider({"base_url": URL, "usd_per_hour": 0.5, "prices": prices})


def test_an_address_is_needed() -> None:
    with pytest.raises(ConfigError, match="base_url"):
        CustomProvider({})


def test_nothing_listens_means_nothing_billed() -> None:
    with pytest.raises(ConnectionFailedError) as caught:
        asyncio.run(CustomProvider({"base_url": URL, "max_attempts": 1}).chat_completion(HELLO, "m"))
    assert [a.cost for a in caught.value.attempts] == [0.0]


def test_headers_are_masked_like_the_key(stub: Any) -> None:
    provider = CustomProvider({"base_url": stub.url, "headers": {"X-Key": "header-secret-1"}})
    assert "header-secret-1" in provider.secrets()
    assert "header-secret-1" not in repr(provider)


def test_an_error_keeps_no_trace_of_the_request_headers(stub: Any) -> None:
    """aiohttp's own errors show the Authorization header in their repr."""
    provider = CustomProvider({"base_url": URL, "api_key": "sk-very-secret", "max_attempts": 1})
    with pytest.raises(ConnectionFailedError) as caught:
        asyncio.run(provider.chat_completion(HELLO, "m"))
    shown = "".join(traceback.format_exception(caught.value)) + repr(caught.value.__cause__)
    assert "sk-very-secret" not in shown
