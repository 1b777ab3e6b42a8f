"""How a judge did, as far as its own verdicts tell, and whether it judges its own kind."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from llmbench.catalog.models import all_models, canonical_name
from llmbench.errors import UsageError
from llmbench.matrix.judges import Judge, Pairwise
from llmbench.matrix.judging import Judged
from llmbench.matrix.plan import Plan
from llmbench.shown import shown
from llmbench.stats import Interval, bootstrap_interval, cohen_kappa, mean_interval

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from llmbench.providers.base import BaseLLMProvider

__all__ = ["Judging", "family_warnings", "judging"]

_LEAST_FOR_CORRELATION = 20
_VENDORS = frozenset({"openai", "anthropic", "gemini", "llama", "mixtral"})


@shown
@dataclass(frozen=True, slots=True, eq=False)
class Judging:
    """What the judge of a matrix did. Shares are of verdicts that were read; None where there is none."""

    judge: str
    kind: str
    """rubric or pairwise."""
    table: pd.DataFrame
    """One row per judge call: cell, item_id, repeat, candidate_position (pairwise), verdict, value,
    reason, error, answer_chars, other_chars, cost_usd, latency_ms, replayed."""
    opponent: str | None
    """Pairwise: the cell, or the column of the data set, that every cell was compared with."""
    asked: int
    """Judge calls that were meant."""
    failed: int
    """Those without a verdict: their answers have no score."""
    cost_usd: float | None
    """Of the replies, whenever they were paid for; None where one is not known."""
    first_preferred: float | None
    """Pairwise: of the verdicts that were no tie, the share for the answer shown first; 0.5 is fair."""
    first_preferred_ci: Interval | None
    orders_agree: float | None
    """Pairwise: of the pairs judged in both orders, the share with the same verdict."""
    orders_kappa: float | None
    """Pairwise: Cohen's kappa between the verdicts in one order and in the other; 1 is full agreement, 0
    what chance gives."""
    ties: float | None
    """Pairwise: share of verdicts that were a tie."""
    longer_preferred: float | None
    """Pairwise: of the verdicts that were no tie, on answers of unequal length, the share for the longer."""
    longer_preferred_ci: Interval | None
    length_correlation: float | None
    """Rubric: Spearman's rank correlation of score and length of the answer, within cells."""
    length_correlation_ci: Interval | None
    warnings: tuple[str, ...] = ()

    def data(self) -> dict[str, Any]:
        """`judge` of the report's result.json; null is unknown."""
        return {
            "judge": self.judge, "kind": self.kind, "asked": self.asked, "failed": self.failed,
            "cost_usd": self.cost_usd, "first_preferred": self.first_preferred,
            "first_preferred_ci": _pair(self.first_preferred_ci), "orders_agree": self.orders_agree,
            "orders_kappa": self.orders_kappa, "ties": self.ties, "longer_preferred": self.longer_preferred,
            "longer_preferred_ci": _pair(self.longer_preferred_ci),
            "length_correlation": self.length_correlation,
            "length_correlation_ci": _pair(self.length_correlation_ci), "warnings": list(self.warnings),
        }  # fmt: skip


def judging(judge: Judge, judged: Judged, warnings: Sequence[str]) -> Judging:
    """Sum `judged` up."""
    table = judged.table
    read = table[table["error"].isna()]
    replied = table["latency_ms"].notna() | table["cost_usd"].notna() | table["error"].isna()
    costs = table.loc[replied, "cost_usd"]
    pairwise = len(judge.orders) > 1
    decided = read[read["verdict"] != "tie"] if pairwise else read[:0]
    for_candidate = decided["verdict"] == "candidate"
    first = _share((decided["candidate_position"] == "first") == for_candidate, decided["item_id"])
    unequal = decided["answer_chars"] != decided["other_chars"]
    longer = (decided["answer_chars"] > decided["other_chars"]) == for_candidate
    long = _share(longer[unequal], decided.loc[unequal, "item_id"])
    agree = None
    if pairwise:
        pairs = read.groupby(["cell", "item_id", "repeat"], sort=False)["verdict"].agg(["size", "nunique"])
        both = pairs[pairs["size"] == len(judge.orders)]
        agree = float((both["nunique"] == 1).mean()) if len(both) else None
    by_length = _Share(None, None) if pairwise else _rank_correlation(read)
    return Judging(
        judge=judge.judge,
        kind=judge.name,
        table=table,
        opponent=(judge.opponent_cell or judge.against) if isinstance(judge, Pairwise) else None,
        asked=len(table),
        failed=len(table) - len(read),
        cost_usd=float(costs.sum()) if not costs.isna().any() else None,
        first_preferred=first.value,
        first_preferred_ci=first.interval,
        orders_agree=agree,
        orders_kappa=_orders_kappa(read) if pairwise else None,
        ties=float((read["verdict"] == "tie").mean()) if pairwise and len(read) else None,
        longer_preferred=long.value,
        longer_preferred_ci=long.interval,
        length_correlation=by_length.value,
        length_correlation_ci=by_length.interval,
        warnings=tuple(warnings),
    )


def _orders_kappa(read: pd.DataFrame) -> float | None:
    """Of the verdicts on pairs that were judged in both orders."""
    pairs = read.pivot(
        index=["cell", "item_id", "repeat"], columns="candidate_position", values="verdict"
    ).dropna()
    if pairs.shape[1] < 2 or not len(pairs):
        return None
    found = cohen_kappa(pairs["first"], pairs["second"])
    return None if math.isnan(found) else found


class _Share(NamedTuple):
    value: float | None
    interval: Interval | None


def _share(found: pd.Series, items: pd.Series) -> _Share:
    """Share of True; verdicts on one item, in both orders or on several cells, belong together."""
    if not len(found):
        return _Share(None, None)
    low, high = mean_interval(found.to_numpy(dtype=float), items.to_numpy(), value_range=(0, 1))
    known = not math.isnan(low)
    return _Share(float(found.mean()), Interval(max(0.0, low), min(1.0, high)) if known else None)


def _rank_correlation(read: pd.DataFrame) -> _Share:
    """Of score and length as ranks within their cell: a good model that writes much is no bias."""
    ranks = read.groupby("cell", sort=False)[["value", "answer_chars"]].rank()
    centred = (ranks - ranks.groupby(read["cell"]).transform("mean")).to_numpy(dtype=float)
    if len(centred) < _LEAST_FOR_CORRELATION:
        return _Share(None, None)

    def correlation(rows: NDArray[np.float64]) -> float:
        score, length = rows.T
        spread = math.sqrt(float(score @ score) * float(length @ length))
        return float(score @ length) / spread if spread else math.nan

    value = correlation(centred)
    if math.isnan(value):
        return _Share(None, None)
    low, high = bootstrap_interval(centred, correlation, read["item_id"].to_numpy(), method="percentile")
    return _Share(value, None if math.isnan(low) else Interval(low, high))


def _pair(interval: Interval | None) -> list[float] | None:
    return None if interval is None else [interval.low, interval.high]


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
