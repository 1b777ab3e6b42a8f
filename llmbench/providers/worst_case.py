"""How large and how dear a call can get."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from llmbench.errors import UsageError
from llmbench.types import Message, Usage

if TYPE_CHECKING:
    from llmbench.providers.base import BaseLLMProvider

__all__ = ["output_limit", "worst_case_price", "worst_case_usage"]

_TOKENS_PER_MESSAGE = 16
"""Room for what a chat template adds to a message."""


def worst_case_usage(messages: Sequence[Message], output_tokens: int) -> Usage:
    """Tokens that a call cannot exceed: no tokenizer over bytes makes more tokens than bytes."""
    written = sum(len(message["content"].encode("utf-8", "surrogatepass")) for message in messages)
    return Usage(written + _TOKENS_PER_MESSAGE * (len(messages) + 1), output_tokens)


def output_limit(provider: BaseLLMProvider, model: str, params: Mapping[str, object]) -> int | None:
    """The most tokens an answer can have: `max_tokens`, else the model's own limit where known."""
    given = params.get("max_tokens")
    if isinstance(given, int):
        return given
    try:
        return provider.get_model_info(model).max_output_tokens
    except UsageError:
        return None


def worst_case_price(
    provider: BaseLLMProvider,
    model: str,
    messages: Sequence[Message],
    output_tokens: int | None,
    *,
    batch: bool = False,
) -> float:
    """USD that a call cannot exceed; 0 for a model without a price, which a budget cannot hold.

    `batch`: in a vendor's batch, which costs no more than the standard price where its own is not known.
    """
    # One token where no limit is known: only free and unpriced models are let through without.
    usage = worst_case_usage(messages, output_tokens or 1)
    usd = provider.price_at(model, usage, "batch").usd if batch else None
    return (provider.price(model, usage).usd if usd is None else usd) or 0.0
