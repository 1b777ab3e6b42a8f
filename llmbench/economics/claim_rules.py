"""The derivations that check a document's claims, by name."""

from __future__ import annotations

from collections.abc import Mapping

from llmbench.catalog.claims import ClaimFacts, Document
from llmbench.economics.claim_parts import Derived, Rule
from llmbench.economics.claim_rules_api import API_RULES
from llmbench.economics.claim_rules_hosting import HOSTING_RULES

__all__ = ["RULES"]


def _unchecked(claim: ClaimFacts, _: Document) -> Derived:
    return Derived(None, str(claim.inputs["reason"]), "cannot be checked")


RULES: Mapping[str, Rule] = {**API_RULES, **HOSTING_RULES, "unchecked": _unchecked}
"""By the name that facts/claims.toml gives them."""
