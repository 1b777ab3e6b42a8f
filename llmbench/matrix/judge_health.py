"""How a judge did, as far as its own verdicts tell, and whether it judges its own kind."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from llmbench.catalog.models import all_models, canonical_name
from llmbench.errors import UsageError
from llmbench.matrix.judges import Judge
from llmbench.matrix.judging import Judged
from llmbench.matrix.plan import Plan

if TYPE_CHECKING:
    import pandas as pd

    from llmbench.providers.base import BaseLLMProvider

__all__ = ["Judging", "family_warnings", "judging"]

_VENDORS = frozenset({"openai", "anthropic", "gemini", "llama", "mixtral"})


@dataclass(frozen=True, slots=True, eq=False)
class Judging:
    """What the judge of a matrix did. Shares are of verdicts that were read; None where there is none."""

    judge: str
    kind: str
    """rubric or pairwise."""
    table: pd.DataFrame
    """One row per judge call: cell, item_id, repeat, candidate_position (pairwise), verdict, value,
    reason, error, answer_chars, other_chars, cost_usd, latency_ms, replayed."""
    asked: int
    """Judge calls that were meant."""
    failed: int
    """Those without a verdict: their answers have no score."""
    cost_usd: float | None
    """Of the replies, whenever they were paid for; None where one is not known."""
    first_preferred: float | None
    """Pairwise: of the verdicts that were no tie, the share for the answer shown first; 0.5 is fair."""
    orders_agree: float | None
    """Pairwise: of the pairs judged in both orders, the share with the same verdict."""
    ties: float | None
    """Pairwise: share of verdicts that were a tie."""
    warnings: tuple[str, ...] = ()

    def data(self) -> dict[str, Any]:
        """`judge` of the report's result.json; null is unknown."""
        return {
            "judge": self.judge, "kind": self.kind, "asked": self.asked, "failed": self.failed,
            "cost_usd": self.cost_usd, "first_preferred": self.first_preferred,
            "orders_agree": self.orders_agree, "ties": self.ties, "warnings": list(self.warnings),
        }  # fmt: skip


def judging(judge: Judge, judged: Judged, warnings: Sequence[str]) -> Judging:
    """Sum `judged` up."""
    table = judged.table
    read = table[table["error"].isna()]
    replied = table["latency_ms"].notna() | table["cost_usd"].notna() | table["error"].isna()
    costs = table.loc[replied, "cost_usd"]
    first = agree = ties = None
    if len(judge.orders) > 1 and len(read):
        ties = float((read["verdict"] == "tie").mean())
        decided = read[read["verdict"] != "tie"]
        if len(decided):
            shown_first = (decided["candidate_position"] == "first") == (decided["verdict"] == "candidate")
            first = float(shown_first.mean())
        pairs = read.groupby(["cell", "item_id", "repeat"], sort=False)["verdict"].agg(["size", "nunique"])
        both = pairs[pairs["size"] == len(judge.orders)]
        agree = float((both["nunique"] == 1).mean()) if len(both) else None
    return Judging(
        judge=judge.judge,
        kind=judge.name,
        table=table,
        asked=len(table),
        failed=len(table) - len(read),
        cost_usd=float(costs.sum()) if not costs.isna().any() else None,
        first_preferred=first,
        orders_agree=agree,
        ties=ties,
        warnings=tuple(warnings),
    )


def family_warnings(judge: Judge, plan: Plan, providers: Mapping[str, BaseLLMProvider]) -> tuple[str, ...]:
    """A sentence for each judged model of the judge's own family: judges favour their own kind
    (Panickssery et al. 2024, arXiv:2404.13076).
    """
    from llmbench.providers.registry import split_model_id

    endpoint, asked = split_model_id(judge.judge)
    own = _family(asked, providers.get(endpoint))
    said: dict[str, None] = {}
    for cell in plan.cells:
        name = cell.asked_model or cell.model
        if _family(name, providers.get(cell.endpoint or "")) == own:
            said[
                f"The judge {judge.judge} and the candidate {cell.model} are of one family ({own}), and "
                "judges favour their own kind: take another judge, or check it with labels."
            ] = None
    return tuple(said)


def _family(model: str, provider: BaseLLMProvider | None) -> str:
    """The catalog's provider where that is who trains the model, else the word its name begins with.

    >>> _family("gpt-4o", None), _family("Qwen/Qwen2.5-7B-Instruct", None)
    ('openai', 'qwen')
    """
    name = model
    if provider is not None:
        try:
            name = provider.get_model_info(model).name
        except UsageError:
            name = model
    known = canonical_name(name)
    vendor = all_models()[known].provider if known is not None else None
    if vendor in _VENDORS:
        return str(vendor)
    plain = (known or name).rsplit("/", 1)[-1].casefold()
    for word, trained_by in (("llama", "llama"), ("mixtral", "mixtral"), ("mistral", "mixtral")):
        if word in plain:
            return trained_by
    stem = re.match(r"[a-z]+", plain)
    return stem.group() if stem else plain
