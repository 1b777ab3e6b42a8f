"""The derivations that check what a document claims of machines of one's own."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from llmbench.catalog.claims import ClaimFacts, Document
from llmbench.economics.break_even import break_even
from llmbench.economics.claim_parts import Derived, Rule, claimed_number, message_usd, price_text, tidy
from llmbench.economics.workload import HOURS_OF_MONTH
from llmbench.money import dollars

__all__ = ["DOCUMENT_MODELS", "HOSTING_RULES"]

DOCUMENT_MODELS = (
    "gpt-4",
    "gpt-4o",
    "gpt-4o-mini",
    "llama-3.1-70b",
    "llama-3.1-8b",
    "mixtral-8x7b",
    "mixtral-8x22b",
)
"""The models whose month the document prices."""
_HOURS = HOURS_OF_MONTH
_SECONDS = _HOURS * 3600


def _gpu_month(claim: ClaimFacts, _: Document) -> Derived:
    rent = claim.inputs["usd_per_hour"]
    words = f"{rent:g} x {_HOURS:g} h = {dollars(rent * _HOURS)}; {dollars(rent * 720)} for 30 days of 24 h"
    return Derived(tidy(rent * _HOURS), words)


def _fixed(given: Mapping[str, Any]) -> tuple[float, float]:
    """Rent of one replica and what stands beside it, a month."""
    return given["usd_per_hour"] * _HOURS, given.get("operations_usd", 0.0) + given.get("storage_usd", 0.0)


def _break_even(claim: ClaimFacts, document: Document) -> Derived:
    rent, beside = _fixed(claim.inputs)
    spare = claim.inputs.get("spare", 0)
    found = {}
    for model in DOCUMENT_MODELS:
        volume = break_even(
            message_usd(document, model), rent, math.inf, fixed_usd_per_month=beside, spare_replicas=spare
        ).messages_per_month
        if volume is not None:
            found[model] = volume
    total = rent * (1 + spare) + beside
    like = claim.inputs["against"]
    needed = total / claimed_number(claim)
    ordered = ", ".join(f"{volume:,.0f} ({model})" for model, volume in sorted(found.items(), key=_volume))
    words = (
        f"{dollars(total)} a month over the cost of a message: {ordered}; the volume claimed takes an API of "
        f"{price_text(needed)} a message"
    )
    return Derived(found[like], words, None, found)


def _volume(pair: tuple[str, float]) -> float:
    return pair[1]


def _saving_of_gpu(claim: ClaimFacts, document: Document) -> Derived:
    """No saving can be larger than the bill that it saves."""
    rent, beside = _fixed(claim.inputs)
    found = {
        model: tidy(message_usd(document, model) * document.messages - rent - beside)
        for model in DOCUMENT_MODELS
    }
    most = message_usd(document, claim.inputs["dearest"]) * document.messages
    like = claim.inputs["against"]
    words = (
        f"the API costs {dollars(message_usd(document, like) * document.messages)} ({like}) to "
        f"{dollars(most)} ({claim.inputs['dearest']}), so no saving is above that; a GPU of "
        f"{dollars(rent)} loses {dollars(-found[like])} and {dollars(-found[claim.inputs['dearest']])}"
    )
    return Derived(found[like], words, "impossible" if claimed_number(claim) > most else None, found)


def _utilisation(claim: ClaimFacts, document: Document) -> Derived:
    given = claim.inputs
    rate = document.messages * document.output_tokens / _SECONDS
    low, high = rate / given["high"], rate / given["low"]
    words = (
        f"{document.messages / _SECONDS:.3f} messages or {rate:.1f} output tokens a second are "
        f"{low:.1%} to {high:.1%} "
        f"of one {given['gpu']} ({given['low']:g} to {given['high']:g} measured; {given['source']})"
    )
    return Derived(
        100 * high, words, "holds" if low >= given["enough"] else "wrong", {"low": low, "high": high}
    )


def _capacity(claim: ClaimFacts, document: Document) -> Derived:
    given = claim.inputs
    volume = given["usd_per_hour"] * _HOURS / message_usd(document, given["against"])
    rate = volume * document.output_tokens / _SECONDS
    reach = given["limit"] / given["peak_to_mean"]
    words = (
        f"it breaks even at {volume:,.0f} messages or {rate:.0f} output tokens a second round the clock, "
        f"{rate / given['high']:.0%} to {rate / given['low']:.0%} of what it can "
        f"({given['source']}); a week whose peak is "
        f"{given['peak_to_mean']:g} times its mean lets it be {reach:.0%} busy"
    )
    return Derived(
        volume, words, "holds" if rate / given["high"] <= reach else "wrong", {"tokens_per_s": rate}
    )


def _fit(claim: ClaimFacts, _: Document) -> Derived:
    from llmbench.economics.memory import memory_fit

    given = claim.inputs
    found = memory_fit(given["model"], given["gpu"], dtype=given["dtype"])
    smaller = memory_fit(given["model"], given["gpu"], dtype=given["smaller"])
    words = f"{_memory_words(found, given)}; at {given['smaller']} it {_state(smaller)}"
    return Derived(None, words, "holds" if _state(found) != "does not fit" else "wrong")


def _fit_month(claim: ClaimFacts, _: Document) -> Derived:
    from llmbench.economics.memory import memory_fit

    given = claim.inputs
    found = memory_fit(given["model"], given["gpu"], dtype=given["dtype"])
    rent = given["usd_per_hour"] * _HOURS
    words = f"{_memory_words(found, given)}; the first that works is {given['offer']} at {dollars(rent)}"
    return Derived(tidy(rent), words, None if _state(found) != "does not fit" else "impossible")


def _memory_words(found: Any, given: Mapping[str, Any]) -> str:
    return (
        f"{given['model']} at {given['dtype']} weighs {found.weights_gb:.1f} GB and one "
        f"{given['gpu']} leaves "
        f"{found.usable_gb:.1f} GB: it {_state(found)}"
    )


def _state(found: Any) -> str:
    return str(found.state)


def _fallback(claim: ClaimFacts, document: Document) -> Derived:
    """Any sum buys some share: the claim holds, for that share."""
    given = claim.inputs
    each = message_usd(document, given["model"])
    bought = claimed_number(claim) / each
    share = bought / given["messages"]
    mentioned = given["mentioned_share"] * given["messages"] * each
    words = (
        f"only if {share:.1%} fall back: {claimed_number(claim):g} / {price_text(each)} = {bought:,.0f} "
        f"messages; the {given['mentioned_share']:.0%} of the document's own mix are {dollars(mentioned)}"
    )
    detail = {"share": share, "at_mentioned_share": mentioned}
    return Derived(claimed_number(claim), words, "holds", detail)


def _stage(claim: ClaimFacts, document: Document) -> Derived:
    given = claim.inputs
    api = message_usd(document, given["model"]) * given["messages"]
    own = given["usd_per_hour"] * _HOURS + given["fallback_usd"]
    words = (
        f"the first machine that holds {given['model']} and the fallback cost {dollars(own)}, with "
        f"a spare one "
        f"{dollars(own + given['usd_per_hour'] * _HOURS)}; {given['model']}'s API alone costs {dollars(api)}"
    )
    return Derived(tidy(own), words, None, {"api": api})


def _gpu_range(claim: ClaimFacts, _: Document) -> Derived:
    given = claim.inputs
    low, high = given["usd_per_hour"] * _HOURS, given["dearer_usd_per_hour"] * _HOURS
    words = (
        f"{given['offer']} costs {dollars(low)}, two for N+1 {dollars(2 * low)}; {given['dearer_offer']} "
        f"{dollars(high)}; people and fine-tuning come on top"
    )
    return Derived(tidy(low), words, None, {"dearer": high})


HOSTING_RULES: Mapping[str, Rule] = {
    "break_even": _break_even,
    "capacity": _capacity,
    "fallback": _fallback,
    "fit": _fit,
    "fit_month": _fit_month,
    "gpu_month": _gpu_month,
    "gpu_range": _gpu_range,
    "saving_of_gpu": _saving_of_gpu,
    "stage": _stage,
    "utilisation": _utilisation,
}
