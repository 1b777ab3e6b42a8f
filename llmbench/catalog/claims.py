"""What the source document claims in numbers: facts to be derived again, by llmbench.economics.claims."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from llmbench.catalog.fact_files import read_facts

__all__ = ["ClaimFacts", "Document", "document_claims"]


@dataclass(frozen=True, slots=True)
class Document:
    """The workload that the document counts with, and the date of its prices."""

    date: str
    messages: float
    input_tokens: float
    output_tokens: float


@dataclass(frozen=True, slots=True)
class ClaimFacts:
    """One claim, in our own words."""

    id: str
    where: str
    """Section of the document."""
    text: str
    rule: str
    """Which derivation checks it."""
    inputs: Mapping[str, Any]
    claimed: float | tuple[float, float] | None = None
    """The number claimed, or the range; None where the claim holds none."""
    unit: str = ""
    within: float = 0.0
    """How far from the derived number the claimed one may lie and still hold."""
    implied: bool = False
    """Not written in the document; what is written there needs it."""


@cache
def document_claims() -> tuple[Document, tuple[ClaimFacts, ...]]:
    """The document and its claims, in its order."""
    data = read_facts("claims")
    rows = [
        row | {"claimed": tuple(row["claimed"])} if isinstance(row.get("claimed"), list) else row
        for row in data["claim"]
    ]
    return Document(**data["document"]), tuple(ClaimFacts(**row) for row in rows)
