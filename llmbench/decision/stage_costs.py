"""What a way to answer messages costs, and the cheapest of its class that is sold today."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from types import MappingProxyType
from typing import NamedTuple

from llmbench.catalog.gpu_offers import gpu_offers
from llmbench.economics.api_lines import ApiLine, api_lines
from llmbench.economics.break_even import break_even_of
from llmbench.economics.hosting import HostingCosts, HostingOption, cheapest
from llmbench.economics.options import hosting_options
from llmbench.economics.workload import Workload
from llmbench.errors import UsageError

__all__ = ["CLASSES", "Priced", "Way", "api_way", "hosted_way", "mixed_way"]

CLASSES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "small": (
            "gpt-4o-mini",
            "llama-3.1-8b",
            "mixtral-8x7b",
            "gpt-4.1-mini",
            "gpt-5-mini",
            "gpt-6-luna",
            "claude-haiku-5-5",
            "gemini-3.5-flash-lite",
            "mistral-small-2603",
        ),
        "large": (
            "gpt-4",
            "gpt-4o",
            "gpt-4.1",
            "gpt-5",
            "gpt-6.1-terra",
            "gpt-6.1-sol",
            "claude-sonnet-5-5",
            "gemini-4-argon",
            "mistral-large-4",
        ),
        "70b": ("llama-3-70b", "llama-3.1-70b", "llama-3.3-70b", "mixtral-8x22b", "gpt-oss-120b"),
    }
)
"""Models that are sold as each other's like: small and large lines of vendors, and open weights of 70 to 140
billion parameters. By name, not by measured quality."""


class Way(NamedTuple):
    """A way to answer the messages."""

    usd: float | None
    """A month; None where it cannot be had or priced."""
    how: str
    alternative: str | None
    """The cheapest of the same class that is sold, which may be the way itself; None: there is none."""
    alternative_usd: float | None
    break_even_messages: float | None
    reasons: tuple[str, ...]
    """What is wrong with it, apart from its cost."""


@dataclass(frozen=True)
class Priced:
    """A workload, and what it is priced with."""

    load: Workload
    book: str
    today: date
    notice_days: float
    classes: Mapping[str, Sequence[str]]
    costs: HostingCosts
    options: Sequence[HostingOption] | None

    @cached_property
    def lines(self) -> dict[str, ApiLine]:
        """By model: those of all classes, and those advised."""
        names = dict.fromkeys((*(n for names in (*CLASSES.values(), *self.classes.values()) for n in names),))
        return {line.model: line for line in api_lines(self.load, list(names), price_book=self.book)}

    def days_left(self, model: str) -> int | None:
        """Until the model ends where it is priced; None: not known."""
        ends = self.lines[model].shutdown_date
        return None if ends is None else (date.fromisoformat(ends) - self.today).days

    def usd_per_message(self, model: str) -> float | None:
        """At its API, sold or not; None where the book has no price."""
        return self.lines[model].usd_per_message

    def sold(self, kind: str) -> list[tuple[float, str]]:
        """USD per message and model of those of a class that do not end soon, cheapest first."""
        found = []
        for model in self.classes[kind]:
            usd, left = self.usd_per_message(model), self.days_left(model)
            if usd is not None and (left is None or left > self.notice_days):
                found.append((usd, model))
        return sorted(found)

    def ending(self, model: str) -> list[str]:
        """Why the model is not to be built on, where it ends."""
        left = self.days_left(model)
        if left is None or left > self.notice_days:
            return []
        ends = self.lines[model].shutdown_date
        if left <= 0:
            return [f"{model} has ended on {ends}"]
        return [f"{model} ends on {ends}, in {left} days"]

    def price_of(self, model: str) -> str:
        """Whose price it is, and of when."""
        line = self.lines[model]
        return f"{model} at the price of {line.price_as_of}" if line.price_as_of else f"{model} has no price"


def api_way(priced: Priced, model: str, kind: str) -> Way:
    """One model's API."""
    return mixed_way(priced, {model: (kind, 1.0)})


def mixed_way(priced: Priced, shares: Mapping[str, tuple[str, float]]) -> Way:
    """Each model with its class and its share of the messages; the alternative has the same shares."""
    messages = priced.load.messages_per_month
    usd, other = 0.0, 0.0
    missing, instead, reasons = False, [], []
    for model, (kind, share) in shares.items():
        own = priced.usd_per_message(model)
        if own is None:
            missing = True
            reasons.append(f"the price book {priced.book} has no price of {model}")
        usd += share * messages * (own or 0.0)
        reasons += priced.ending(model)
        sold = priced.sold(kind)
        if sold:
            other += share * messages * sold[0][0]
            instead.append(sold[0][1] if share == 1 else f"{share:.0%} {sold[0][1]}")
    found = len(instead) == len(shares)
    return Way(
        None if missing else round(usd, 6),
        ", ".join(priced.price_of(model) for model in shares),
        ", ".join(instead) if found else None,
        round(other, 6) if found else None,
        None,
        tuple(reasons),
    )


def hosted_way(priced: Priced, model: str, kind: str, fallback: tuple[str, str, float] | None) -> Way:
    """A model on machines of one's own. `fallback`: an API, its class, and the share that falls back to it.

    The alternative is the API of the cheapest model of the same class, with the same share of a fallback.
    """
    load, costs, reasons = priced.load, priced.costs, []
    own_share, extra, other = 1.0, 0.0, (0.0, "")
    sold = priced.sold(kind)
    if fallback is not None:
        name, its_kind, share = fallback
        own_share, costs = 1 - share, replace(costs, fallback_share=share)
        reasons += priced.ending(name)
        usd, replaced = priced.usd_per_message(name), priced.sold(its_kind)
        if usd is None:
            reasons.append(f"the price book {priced.book} has no price of {name}")
            return Way(None, "", None, None, None, tuple(reasons))
        extra = usd
        other = (usd, name) if not priced.ending(name) or not replaced else replaced[0]
    each = own_share * sold[0][0] + (1 - own_share) * other[0] if sold else None
    told = f"the API of {sold[0][1]}" if sold else None
    if told and other[1]:
        told += f" with {1 - own_share:.1%} {other[1]}"
    other_usd = None if each is None else round(each * load.messages_per_month, 6)
    try:
        options = priced.options
        if options is None:
            options = hosting_options([model], load, gpu_offers())
        option, month = cheapest(options, load, costs, extra)
    except UsageError as error:
        reasons.append(str(error).rstrip("."))
        return Way(None, "", told, other_usd, None, tuple(reasons))
    volume = None
    if each is not None:
        volumes = [
            break_even_of(one, load, costs, each, fallback_usd_per_message=extra).first
            for one in options
            if one.works
        ]
        volume = min((at for at in volumes if at is not None), default=None)
        if volume is None:
            reasons.append(f"no machine that carries {model} costs less than {told}, at any volume")
        elif volume > load.messages_per_month:
            reasons.append(f"machines cost less than {told} only from {volume:,.0f} messages a month on")
    how = f"{month.replicas} x {option.hardware}, {option.dtype}, {option.offer} ({option.price_as_of})"
    return Way(round(month.usd, 6), how, told, other_usd, volume, tuple(reasons))
