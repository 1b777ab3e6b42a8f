"""How large and how dear a call can get, whether a budget can hold that, and whether it is recorded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from llmbench.errors import BudgetExceededError, UsageError
from llmbench.matrix.checks import smallest
from llmbench.types import Message, Usage

if TYPE_CHECKING:
    from llmbench.ledger import Ledger
    from llmbench.matrix.plan import Plan
    from llmbench.providers.base import BaseLLMProvider

__all__ = [
    "check_budget",
    "check_recorded",
    "output_limit",
    "spent_before",
    "worst_case_price",
    "worst_case_usage",
]

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
    provider: BaseLLMProvider, model: str, messages: Sequence[Message], output_tokens: int | None
) -> float:
    """USD that a call cannot exceed; 0 for a model without a price, which a budget cannot hold."""
    # One token where no limit is known: only free and unpriced models are let through without.
    return provider.price(model, worst_case_usage(messages, output_tokens or 1)).usd or 0.0


def spent_before(ledger: Ledger, run_id: str | None, providers: Mapping[str, BaseLLMProvider]) -> float:
    """USD that an earlier part of the run was charged; an unknown charge counts as the worst case."""
    total = 0.0
    for call in ledger.calls(run_id) if run_id else ():
        provider = providers.get(call.endpoint)
        if call.cost is not None:
            total += call.cost
        elif provider is not None:
            limit = output_limit(provider, call.model, call.params)
            total += worst_case_price(provider, call.model, call.messages, limit)
    return total


def check_budget(
    plan: Plan, providers: Mapping[str, BaseLLMProvider], budget_usd: float, *, allow_unpriced: bool
) -> None:
    """Refuse, before any call, a budget that cannot be kept: UsageError for what is no budget and for
    a priced model without a limit of its answers, BudgetExceededError for one without a price.
    """
    smallest("budget_usd", budget_usd)
    for cell in plan.cells:
        if cell.endpoint is None or cell.asked_model is None:
            continue
        provider = providers[cell.endpoint]
        price = provider.price(cell.asked_model, Usage(1, 1))
        if price.usd is None and not allow_unpriced:
            raise BudgetExceededError(
                f"The price of {cell.model} is not known, so no budget can hold it; give its price in "
                "llmbench.toml, or allow_unpriced=True."
            )
        if price.usd and output_limit(provider, cell.asked_model, cell.options) is None:
            raise UsageError(
                f"{cell.label} has no max_tokens, so the worst case of a call is not known; "
                "add max_tokens to params to run within a budget."
            )


def check_recorded(providers: Mapping[str, BaseLLMProvider]) -> None:
    """Refuse, with UsageError, a provider whose answers would be paid for and then lost."""
    for name, provider in providers.items():
        if provider.recorder is None:
            raise UsageError(
                f"The provider of endpoint {name!r} records to no ledger; give it ledger=..., "
                "the same as the matrix's."
            )
