"""What the derivations of a document's claims share: what they come to, and its prices and numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from llmbench.catalog.claims import ClaimFacts, Document
from llmbench.economics.api_lines import api_lines
from llmbench.economics.workload import Workload
from llmbench.errors import UsageError

__all__ = ["Derived", "Rule", "claimed_number", "message_usd", "price_text", "tidy", "workload_of"]


class Derived(NamedTuple):
    """What a rule comes to. `verdict` None: the number decides."""

    value: float | None
    words: str
    verdict: str | None = None
    detail: Mapping[str, float] = {}


Rule = Callable[[ClaimFacts, Document], Derived]
"""From a claim and its document to what it comes to."""


def workload_of(document: Document, messages: float | None = None) -> Workload:
    """The document's messages at its lengths; `messages` a month instead of its own where given."""
    return Workload(messages or document.messages, document.input_tokens, document.output_tokens)


def message_usd(document: Document, model: str) -> float:
    """USD per message at the document's lengths and prices. Raises UsageError for a model without a price."""
    usd = api_lines(workload_of(document, 1.0), [model], price_book=document.date)[model].usd_per_message
    if usd is None:
        raise UsageError(f"The price book {document.date} has no price of {model}.")
    return usd


def claimed_number(claim: ClaimFacts) -> float:
    """The one number that is claimed. Raises UsageError where it is none."""
    if not isinstance(claim.claimed, float | int):
        raise UsageError(f"The claim {claim.id} must hold one number for the rule {claim.rule!r}.")
    return float(claim.claimed)


def price_text(usd: float) -> str:
    """USD of one message, to three digits."""
    return f"${usd:.3g}"


def tidy(usd: float) -> float:
    """Without what binary fractions add."""
    return round(usd, 6)
