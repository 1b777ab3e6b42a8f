"""Whether a model can be fine-tuned at a place today, as far as the catalog knows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmbench.catalog.models import all_models, canonical_name
from llmbench.errors import FineTuningUnavailableError
from llmbench.types import ModelCapability

if TYPE_CHECKING:
    from llmbench.providers.base import BaseLLMProvider

__all__ = ["check_tunable", "last_day_of_tuning"]


def last_day_of_tuning(place: str) -> str | None:
    """The ISO date after which `place` takes no new job for any model, where it has named one.

    OpenAI's is on developers.openai.com/api/docs/deprecations.

    >>> last_day_of_tuning("openai"), last_day_of_tuning("together")
    ('2027-01-06', None)
    """
    days = [m.fine_tuning_until[place] for m in all_models().values() if place in m.fine_tuning_until]
    return max(days, default=None)


def check_tunable(provider: BaseLLMProvider, model: str, *, needs_inference: bool) -> None:
    """Refuse, before anything is sent, a model or a date for which the catalog says no.

    `needs_inference`: the place trains no model whose calls it has ended. Raises
    FineTuningUnavailableError with the reason and, where there is one, the date.
    """
    facts = all_models().get(canonical_name(provider._catalog_name(model)) or "")  # noqa: SLF001 - the base's own word
    place, today = provider.backend or provider.name, provider.clock.now().date().isoformat()
    last_day = (facts.fine_tuning_until.get(place) if facts else None) or last_day_of_tuning(place)
    ends = facts.shutdown.get(place) if facts and needs_inference else None
    reason = None
    if last_day is not None and today > last_day:
        reason = f"the vendor takes no new jobs after {last_day}"
    elif facts is not None and ModelCapability.FINE_TUNING not in facts.capabilities:
        tunable = [m.name for m in provider.list_models() if m.supports_fine_tuning]
        reason = f"it cannot be fine-tuned; {', '.join(tunable) or 'no model here'} can"
    elif ends is not None and today >= ends:
        reason = f"it was shut down on {ends}"
    # A model that the catalog does not know is a vendor's newer one or the user's own: the vendor decides.
    if reason:
        raise FineTuningUnavailableError(
            f"{place} cannot fine-tune {model!r}: {reason}.", provider=provider.name, model=model
        )
