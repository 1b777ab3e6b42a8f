"""What a model cannot honour is refused, and what served a call is what is priced."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from llmbench.errors import InvalidRequestError
from llmbench.providers import OpenAIProvider
from llmbench.types import RawAnswer, Usage
from tests.providers.cases import KEY, OPENAI
from tests.providers.vendor_stub import serving

HELLO = [{"role": "user", "content": "hello"}]
MILLION = Usage(1_000_000, 0)


@pytest.fixture
def provider() -> OpenAIProvider:
    return OpenAIProvider({"api_key": KEY})


@pytest.mark.parametrize(
    ("model", "option"),
    [
        ("gpt-5-mini", {"temperature": 0}),
        ("o3", {"stop": ["x"]}),
        ("o3", {"presence_penalty": 1.0}),
        ("gpt-5", {"reasoning_effort": "xhigh"}),
        ("gpt-4o", {"reasoning_effort": "low"}),
    ],
)
def test_what_a_model_does_not_take_is_refused_with_both_names(
    provider: OpenAIProvider, model: str, option: dict[str, Any]
) -> None:
    with pytest.raises(InvalidRequestError, match=f"{model}.*{next(iter(option))}.*openai"):
        provider.request(HELLO, model, **option)


@pytest.mark.parametrize(
    ("model", "option"),
    [
        ("gpt-5-mini", {"temperature": 1}),
        ("gpt-5", {"reasoning_effort": "minimal"}),
        ("gpt-4o", {"temperature": 0}),
        ("a-model-of-next-year", {"temperature": 0, "reasoning_effort": "low"}),
    ],
)
def test_what_it_takes_is_sent(provider: OpenAIProvider, model: str, option: dict[str, Any]) -> None:
    assert provider.request(HELLO, model, **option).params == option


def test_max_tokens_has_the_newer_name_at_openai() -> None:
    with serving(OPENAI) as stub:
        provider = OpenAIProvider({"api_key": KEY, "base_url": stub.url})

        async def ask() -> None:
            await provider.chat_completion(HELLO, "m", max_tokens=9)
            await provider.aclose()

        asyncio.run(ask())
        assert stub.asked[0].body["max_completion_tokens"] == 9
        assert "max_tokens" not in stub.asked[0].body


@pytest.mark.parametrize(
    ("tier", "usd"),
    [
        (None, 2.50), ("default", 2.50), ("auto", 2.50), ("priority", 4.25),
        ("flex", None),  # not listed for gpt-4o: unknown, never the standard price
        ("scale", None),  # capacity of one's own contract
    ],
)  # fmt: skip
def test_the_tier_that_served_is_priced(
    provider: OpenAIProvider, tier: str | None, usd: float | None
) -> None:
    answer = RawAnswer("x", usage=MILLION, metadata={"service_tier": tier} if tier else {})
    price = provider.price_answer("gpt-4o", answer)
    assert price.usd == (None if usd is None else pytest.approx(usd))
    assert price.basis == ("unknown" if usd is None else "priced")
