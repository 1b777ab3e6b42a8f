"""The claims of the source document, derived again by the package's own functions.

A verdict is one of four. *holds*: the derived number is the claimed one, to the digits it is given in.
*wrong*: it is another. *impossible*: no choice of what the document leaves open gives it, because it
contradicts itself or the hardware. *cannot be checked*: what it would take is not known.
"""

from __future__ import annotations

import html
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from llmbench.catalog.claims import ClaimFacts, Document, document_claims
from llmbench.economics.claim_parts import Rule
from llmbench.economics.claim_rules import RULES
from llmbench.errors import UsageError
from llmbench.money import dollars
from llmbench.plain_table import PlainTable
from llmbench.shown import shown
from llmbench.unknown import NONE

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["CheckedClaim", "ClaimAudit", "ClaimVerdict", "audit_claims", "check_claim"]

ClaimVerdict = Literal["holds", "wrong", "impossible", "cannot be checked"]


@shown
class CheckedClaim(NamedTuple):
    """A claim beside what comes out."""

    id: str
    where: str
    claim: str
    claimed: float | tuple[float, float] | None
    derived: float | None
    """The right number in `unit`; None where there is none."""
    unit: str
    verdict: ClaimVerdict
    derivation: str
    """How the right number comes about."""
    detail: Mapping[str, float]
    """Further numbers, such as the break-even against each model."""
    implied: bool


@shown
@dataclass(frozen=True, slots=True)
class ClaimAudit:
    """All claims. Made by `audit_claims`."""

    rows: tuple[CheckedClaim, ...]

    def __iter__(self) -> Iterator[CheckedClaim]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, name: str) -> CheckedClaim:
        for row in self.rows:
            if row.id == name:
                return row
        raise KeyError(name)

    def counts(self) -> dict[str, int]:
        """How many claims have each verdict, in the order of the four."""
        kinds: tuple[ClaimVerdict, ...] = ("holds", "wrong", "impossible", "cannot be checked")
        return {kind: sum(row.verdict == kind for row in self.rows) for kind in kinds}

    def to_pandas(self) -> pd.DataFrame:
        """One row per claim."""
        import pandas as pd

        rows = [row._asdict() | {"detail": dict(row.detail)} for row in self.rows]
        return pd.DataFrame(rows, columns=list(CheckedClaim._fields))

    def _repr_html_(self) -> str:
        rows = [
            (row.claim, number_text(row.claimed, row.unit), number_text(row.derived, row.unit), row.verdict)
            for row in self.rows
        ]
        told = ", ".join(f"{count} {verdict}" for verdict, count in self.counts().items())
        return (
            f"<p>{html.escape(told)}</p>{PlainTable(('claim', 'claimed', 'derived', 'verdict'), rows).html()}"
        )


def audit_claims() -> ClaimAudit:
    """Every claim of the document, in its order, at the document's workload and prices.

    >>> audit = audit_claims()
    >>> audit["cost-gpt-4"].derived, audit["cost-gpt-4"].verdict
    (2700.0, 'wrong')
    """
    document, claims = document_claims()
    return ClaimAudit(tuple(check_claim(claim, document) for claim in claims))


def check_claim(claim: ClaimFacts, document: Document) -> CheckedClaim:
    """One claim. Raises UsageError for a rule that there is not."""
    rule: Rule | None = RULES.get(claim.rule)
    if rule is None:
        raise UsageError(
            f"The claim {claim.id} is to be checked by the rule {claim.rule!r}, which there is not: "
            f"{', '.join(sorted(RULES))}."
        )
    found = rule(claim, document)
    verdict: Any = found.verdict or ("holds" if _holds(claim, found.value) else "wrong")
    note = claim.inputs.get("note") if verdict == "holds" else claim.inputs.get("why")
    return CheckedClaim(
        claim.id,
        claim.where,
        claim.text,
        claim.claimed,
        found.value,
        claim.unit,
        verdict,
        f"{found.words}; {note}" if note else found.words,
        found.detail,
        claim.implied,
    )


def _holds(claim: ClaimFacts, derived: float | None) -> bool:
    if derived is None or claim.claimed is None:
        raise UsageError(f"The claim {claim.id} holds no number to compare, and its rule gives no verdict.")
    if isinstance(claim.claimed, tuple):
        return claim.claimed[0] <= derived <= claim.claimed[1]
    return abs(derived - claim.claimed) <= claim.within * (1 + 1e-12)


def number_text(value: float | tuple[float, float] | None, unit: str) -> str:
    """A number with its unit, as a reader has it; a dash where there is none.

    >>> number_text(2700.0, "USD/month"), number_text(-370.0, "USD"), number_text(96.36, "%")
    ('$2,700', '−$370', '96.4%')
    """
    if value is None:
        return NONE
    if isinstance(value, tuple):
        return " to ".join(number_text(each, unit) for each in value)
    if unit.startswith("USD"):
        cents = abs(value) < 100 and abs(value - round(value)) > 1e-6
        return dollars(value, cents_below=math.inf if cents else 0)
    if unit == "%":
        return f"{value:.3g}%"
    if unit == "times":
        return f"{value:.3g}x"
    return f"{value:,.0f}"
