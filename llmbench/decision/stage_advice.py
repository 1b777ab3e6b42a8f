"""The document's advice by stage, worked out again: what it costs, what costs less, and whether it stands.

What the document claims is checked at its own volume by `llmbench.economics.audit_claims`; here the same
advice is priced at the reader's volume, with machines as `llmbench.economics` counts them: whole replicas, a
spare one, people. An alternative is of the same class: models that are sold as its like. That is a matter of
names, not of measured quality, which only an evaluation on one's own items tells.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from llmbench.catalog import canonical_name
from llmbench.decision.effects import check_amount
from llmbench.decision.stage_costs import CLASSES, Priced, Way, api_way, hosted_way, mixed_way
from llmbench.economics.claims import audit_claims
from llmbench.economics.hosting import HostingCosts, HostingOption
from llmbench.economics.week import week_profile
from llmbench.economics.workload import Workload
from llmbench.errors import UsageError
from llmbench.money import dollars
from llmbench.plain_table import PlainTable
from llmbench.shown import shown

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["DOCUMENT_STAGES", "StageAdvice", "StageRow", "StageVerdict", "stage_advice"]

StageVerdict = Literal["holds", "numbers fail", "fails"]
"""Of "numbers fail" the advice stands at the reader's volume, and the document's own numbers do not."""


class _Stage(NamedTuple):
    """What the document says of a stage."""

    users: str
    advice: str
    messages: float
    claimed: float | tuple[float, float]
    claims: tuple[str, ...]
    """Those of llmbench.economics.claims that it rests on."""


DOCUMENT_STAGES: Mapping[str, _Stage] = MappingProxyType(
    {
        "early": _Stage("0 to 1,000", "gpt-4o-mini", 10_000, 50.0, ("early-50",)),
        "growth": _Stage(
            "1,000 to 10,000",
            "80% mixtral-8x7b, 20% gpt-4o",
            100_000,
            150.0,
            ("growth-150", "growth-85"),
        ),
        "scale": _Stage(
            "10,000 and more",
            "llama-3.1-70b on a machine of one's own, gpt-4o as the fallback",
            500_000,
            430.0,
            ("70b-380", "fallback-50", "stage-500k", "breakeven-20k", "quality"),
        ),
        # No volume is given there: as many messages a user as in its first two stages.
        "enterprise": _Stage(
            "100,000 and more",
            "a fine-tuned llama-3.1-70b on machines of one's own",
            1_000_000,
            (500.0, 1000.0),
            ("enterprise", "fine-tuned-33x", "quality"),
        ),
    }
)
_FALLBACK_SHARE = 50 / 0.00325 / 500_000
"""What the document's $50 of gpt-4o buy of its 500,000 messages: 3.1%."""


@shown
class StageRow(NamedTuple):
    """One stage."""

    stage: str
    users: str
    advice: str
    claimed_usd: float | tuple[float, float]
    """A month, in the document, at its own volume."""
    messages_per_month: float
    """Counted with here."""
    derived_usd: float | None
    """What the advice costs a month; None where it cannot be had or priced."""
    how: str
    """Which machine, or at whose price."""
    alternative: str | None
    """The cheapest of the same class that is sold; None: there is none that costs less."""
    alternative_usd: float | None
    break_even_messages: float | None
    """From how many messages a month some machine costs less than the alternative; None: never, or none."""
    verdict: StageVerdict
    reasons: tuple[str, ...]
    """What is wrong with the advice at this volume and today."""
    document_errors: tuple[str, ...]
    """Claims it rests on that do not hold at the document's own volume, each with the derivation."""
    unchecked: tuple[str, ...]
    """Claims that nobody can check without more data."""

    def claimed_text(self, show: Callable[[float], str] = dollars) -> str:
        """What the document says that it costs a month: an amount, or a range of them."""
        usd = self.claimed_usd
        return " to ".join(show(each) for each in usd) if isinstance(usd, tuple) else show(usd)


@shown
@dataclass(frozen=True, slots=True)
class StageAdvice:
    """The four stages. Made by `stage_advice`."""

    rows: tuple[StageRow, ...]
    price_book: str
    today: date
    input_tokens: float
    output_tokens: float

    def __getitem__(self, stage: str) -> StageRow:
        for row in self.rows:
            if row.stage == stage:
                return row
        raise KeyError(stage)

    def data(self) -> list[dict[str, Any]]:
        """`stages` of result.json."""
        lists = ("reasons", "document_errors", "unchecked")
        return [row._asdict() | {name: list(getattr(row, name)) for name in lists} for row in self.rows]

    def to_pandas(self) -> pd.DataFrame:
        """One row per stage; NaN is unknown."""
        import pandas as pd

        frame = pd.DataFrame(self.rows, columns=list(StageRow._fields))
        for name in ("reasons", "document_errors", "unchecked"):
            frame[name] = ["; ".join(getattr(row, name)) for row in self.rows]
        money = ["derived_usd", "alternative_usd", "break_even_messages"]
        frame[money] = frame[money].astype("float64")
        return frame

    def table(self) -> PlainTable:
        """As it is shown."""
        body = [
            (
                row.stage,
                row.advice,
                row.verdict,
                "; ".join((*row.reasons, *row.document_errors)),
                "" if row.alternative is None else row.alternative,
                f"{row.messages_per_month:,.0f}",
                row.claimed_text(),
                dollars(row.derived_usd),
                "" if row.alternative is None else dollars(row.alternative_usd),
            )
            for row in self.rows
        ]
        head = (
            "stage",
            "advice",
            "verdict",
            "why",
            "instead",
            "messages",
            "claimed",
            "costs",
            "instead costs",
        )
        return PlainTable(head, body, texts=5)

    def __str__(self) -> str:
        told = "; ".join(
            f"{words}: {', '.join(stages)}"
            for verdict, words in _VERDICTS.items()
            if (stages := [row.stage for row in self.rows if row.verdict == verdict])
        )
        return (
            f"{told}, at {self.input_tokens:g} input and {self.output_tokens:g} output tokens a message, "
            f"price book {self.price_book}, {self.today}"
        )

    def _repr_html_(self) -> str:
        return f"<p>{html.escape(str(self))}.</p>{self.table().html()}"


_VERDICTS: Mapping[StageVerdict, str] = {
    "holds": "the advice holds",
    "numbers fail": "the advice stands, its numbers do not",
    "fails": "the advice fails",
}


def stage_advice(
    messages_per_month: float | Mapping[str, float] | None = None,
    input_tokens: float = 500.0,
    output_tokens: float = 200.0,
    *,
    today: date,
    price_book: str = "current",
    options: Sequence[HostingOption] | None = None,
    costs: HostingCosts | None = None,
    peak_to_mean: float = 3.0,
    notice_days: int = 90,
    worth_usd: float = 100.0,
    classes: Mapping[str, Sequence[str]] | None = None,
) -> StageAdvice:
    """The document's advice for its four stages at `messages_per_month` (one number, or one by stage; None:
    the document's own) of these lengths.

    A stage fails where its model has ended at its vendor or ends within `notice_days` of `today`, where it
    cannot be run or priced, where its machines do not pay, or where something of the same class (`CLASSES`,
    or `classes`) costs at least `worth_usd` less a month, an hour of people. Its numbers fail where a claim
    that it rests on does not hold. `options` are machines for llama-3.1-70b (None: all of the committed
    offers that answer in time).

    Raises UsageError for volumes and lengths that are not above 0, an unknown book, stage or class.

    >>> found = stage_advice(today=date(2025, 1, 23), price_book="2025-01-23")
    >>> [(row.stage, row.derived_usd, row.verdict) for row in found.rows][:2]
    [('early', 1.95, 'numbers fail'), ('growth', 98.6, 'numbers fail')]
    """
    for name, value in (("input_tokens", input_tokens), ("output_tokens", output_tokens)):
        check_amount(name, value, above=True)
    check_amount("peak_to_mean", peak_to_mean, least=1.0)
    check_amount("notice_days", notice_days)
    check_amount("worth_usd", worth_usd)
    volumes = _volumes(messages_per_month)
    audit = audit_claims()
    strange = sorted(set(classes or {}) - set(CLASSES))
    if strange:
        raise UsageError(f"There is no class {', '.join(strange)}; there is {', '.join(CLASSES)}.")
    given = {
        kind: tuple(canonical_name(name) or name for name in names)
        for kind, names in {**CLASSES, **(classes or {})}.items()
    }
    rows = []
    for stage, said in DOCUMENT_STAGES.items():
        load = Workload(volumes[stage], input_tokens, output_tokens, profile=week_profile(peak_to_mean))
        priced = Priced(load, price_book, today, notice_days, given, costs or HostingCosts(), options)
        way = _way(stage, priced)
        claims = [audit[name] for name in said.claims]
        errors = tuple(
            f"that {each.claim}, is {each.verdict}: {each.derivation}"
            for each in claims
            if each.verdict in ("wrong", "impossible")
        )
        reasons = list(way.reasons)
        instead, usd = way.alternative, way.alternative_usd
        cheaper = instead is not None and usd is not None and (way.usd is None or usd < way.usd)
        if cheaper and way.usd is not None and way.usd - (usd or 0.0) >= worth_usd:
            reasons.append(f"{instead} costs {dollars(usd)} a month, {dollars(way.usd - (usd or 0.0))} less")
        rows.append(
            StageRow(
                stage=stage,
                users=said.users,
                advice=said.advice,
                claimed_usd=said.claimed,
                messages_per_month=volumes[stage],
                derived_usd=way.usd,
                how=way.how,
                alternative=instead if cheaper else None,
                alternative_usd=usd if cheaper else None,
                break_even_messages=way.break_even_messages,
                verdict="fails" if reasons else "numbers fail" if errors else "holds",
                reasons=tuple(reasons),
                document_errors=errors,
                unchecked=tuple(each.claim for each in claims if each.verdict == "cannot be checked"),
            )
        )
    return StageAdvice(tuple(rows), price_book, today, input_tokens, output_tokens)


def _way(stage: str, priced: Priced) -> Way:
    if stage == "early":
        return api_way(priced, "gpt-4o-mini", "small")
    if stage == "growth":
        return mixed_way(priced, {"mixtral-8x7b": ("small", 0.8), "gpt-4o": ("large", 0.2)})
    fallback = ("gpt-4o", "large", _FALLBACK_SHARE) if stage == "scale" else None
    return hosted_way(priced, "llama-3.1-70b", "70b", fallback)


def _volumes(given: float | Mapping[str, float] | None) -> dict[str, float]:
    own = {stage: said.messages for stage, said in DOCUMENT_STAGES.items()}
    if isinstance(given, Mapping):
        strange = set(given) - set(own)
        if strange:
            raise UsageError(f"There is no stage {', '.join(sorted(strange))}; there is {', '.join(own)}.")
        own |= dict(given)
    elif given is not None:
        own = dict.fromkeys(own, given)
    return {
        stage: check_amount(f"messages_per_month of {stage}", value, above=True)
        for stage, value in own.items()
    }
