"""A model as the document describes it: facts and prices in one value."""

from __future__ import annotations

from llmbench.catalog.books import price_book
from llmbench.catalog.models import all_models, model_facts
from llmbench.catalog.prices import TokenPrice
from llmbench.catalog.tuned_models import tuned_base
from llmbench.types import ModelCapability, ModelInfo

__all__ = ["model_info", "models_of", "unlisted_model_info"]


def model_info(model: str, *, provider: str, backend: str | None, book: str = "current") -> ModelInfo:
    """The document's view of a model at one provider; prices from `book`, None where unknown.

    A tuned model has the limits of its base, and prices of its own.
    """
    place = backend or provider
    base = tuned_base(model, place)
    facts = model_facts(base or model)
    name = model if base else facts.name
    own = facts.local and place in {"vllm", "ollama", "local"}
    price = None if own else price_book(book).find(name, place)
    return ModelInfo(
        name=name,
        provider=provider,
        capabilities=[ModelCapability.CHAT] if base else list(facts.capabilities),
        cost_per_1k_input_tokens=0.0 if own else float(price.input / 1000) if price else None,
        cost_per_1k_output_tokens=0.0 if own else float(price.output / 1000) if price else None,
        context_window=facts.context,
        supports_fine_tuning=not base and ModelCapability.FINE_TUNING in facts.capabilities,
        supports_local_deployment=facts.local,
        max_output_tokens=facts.max_output,
        price_as_of=price.as_of if price else None,
        shutdown_date=facts.shutdown.get(place),
    )


def models_of(provider: str, *, backend: str | None, book: str = "current") -> list[ModelInfo]:
    """Every model that the catalog lists for a provider (and backend, where one is given)."""
    return [
        model_info(facts.name, provider=provider, backend=backend, book=book)
        for facts in all_models().values()
        if facts.provider == provider and (backend is None or backend in facts.backends)
    ]


def unlisted_model_info(model: str, *, provider: str, price: TokenPrice | None, own: bool) -> ModelInfo:
    """A model that the catalog need not know, at a price of the user's; `own`: on one's own machine."""
    free = 0.0 if own else None
    return ModelInfo(
        name=model,
        provider=provider,
        capabilities=[ModelCapability.CHAT],
        cost_per_1k_input_tokens=float(price.input / 1000) if price else free,
        cost_per_1k_output_tokens=float(price.output / 1000) if price else free,
        context_window=None,
        supports_fine_tuning=False,
        supports_local_deployment=own,
        price_as_of=price.as_of if price else None,
    )
