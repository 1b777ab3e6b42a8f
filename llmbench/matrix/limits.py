"""Whether a budget can hold the calls of a plan, and whether they are recorded."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from llmbench.errors import BudgetExceededError, UsageError
from llmbench.matrix.checks import smallest
from llmbench.providers.worst_case import output_limit, worst_case_price
from llmbench.types import Usage

if TYPE_CHECKING:
    from llmbench.ledger import Ledger
    from llmbench.matrix.plan import Plan
    from llmbench.providers.base import BaseLLMProvider
    from llmbench.routing.limits import Limit

__all__ = [
    "batched_endpoints",
    "check_budget",
    "check_recorded",
    "checked_limits",
    "spent_before",
]


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


def checked_limits(limits: Mapping[str, Limit], plan: Plan, judges: Collection[str]) -> dict[str, Limit]:
    """The same. Raises UsageError for a name that the plan does not call, and for what is no Limit."""
    from llmbench.routing.limits import Limit

    models = [cell.model for cell in plan.cells if cell.endpoint] + list(judges)
    known = {name for model in models for name in (model.partition("/")[0], model)}
    for name, limit in limits.items():
        if not isinstance(limit, Limit):
            raise UsageError(f"limits[{name!r}] is {limit!r}; give a llmbench.routing.Limit(...).")
        if name not in known:
            raise UsageError(
                f"limits names {name!r}, which this matrix does not call; it calls "
                f"{', '.join(sorted(known)) or 'nothing'}."
            )
    return dict(limits)


def batched_endpoints(
    providers: Mapping[str, BaseLLMProvider], batch: bool | Collection[str]
) -> frozenset[str]:
    """The endpoints that are asked in batches: those named, or with True all that can be.

    Raises UsageError for a name that is no endpoint of the matrix, or that has no batches.
    """
    if isinstance(batch, bool):
        return frozenset(name for name, provider in providers.items() if batch and provider.has_batches)
    names = {batch} if isinstance(batch, str) else set(batch)
    for name in sorted(names):
        if name not in providers or not providers[name].has_batches:
            able = sorted(one for one, provider in providers.items() if provider.has_batches)
            raise UsageError(
                f"batch names {name!r}, which is no endpoint of this matrix with batches; "
                f"there {'are ' + ', '.join(able) if able else 'is none'}."
            )
    return frozenset(names)


def check_recorded(providers: Mapping[str, BaseLLMProvider]) -> None:
    """Refuse, with UsageError, a provider whose answers would be paid for and then lost."""
    for name, provider in providers.items():
        if provider.recorder is None:
            raise UsageError(
                f"The provider of endpoint {name!r} records to no ledger; give it ledger=..., "
                "the same as the matrix's."
            )
