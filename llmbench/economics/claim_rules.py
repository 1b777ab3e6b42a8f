"""The derivations that check a document's claims, by name."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from llmbench.catalog.claims import ClaimFacts, Document
from llmbench.economics.api import listed_price_of
from llmbench.economics.api_lines import api_lines
from llmbench.economics.break_even import break_even
from llmbench.economics.estimate import estimate
from llmbench.economics.hosting import HostingCosts
from llmbench.economics.workload import Workload
from llmbench.errors import UsageError
from llmbench.money import dollars

__all__ = ["DOCUMENT_MODELS", "RULES", "Derived"]

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
_HOURS = HostingCosts().month_hours
_SECONDS = _HOURS * 3600


class Derived(NamedTuple):
    """What a rule comes to. `verdict` None: the number decides."""

    value: float | None
    words: str
    verdict: str | None = None
    detail: Mapping[str, float] = {}


def _load(document: Document, messages: float | None = None) -> Workload:
    return Workload(messages or document.messages, document.input_tokens, document.output_tokens)


def _each(document: Document, model: str) -> float:
    """USD per message at the document's lengths and prices."""
    usd = api_lines(_load(document, 1.0), [model], price_book=document.date)[model].usd_per_message
    if usd is None:
        raise UsageError(f"The price book {document.date} has no price of {model}.")
    return usd


def _month(claim: ClaimFacts, document: Document) -> Derived:
    model, messages = claim.inputs["model"], claim.inputs.get("messages", document.messages)
    price = listed_price_of(model, document.date)
    if price is None:
        raise UsageError(f"The price book {document.date} has no price of {model}.")
    usd = _each(document, model) * messages
    words = (
        f"{messages:,.0f} x ({document.input_tokens:g} x {price.input} + {document.output_tokens:g} x "
        f"{price.output}) / 1M = {dollars(usd)}"
    )
    if isinstance(claim.claimed, float | int) and abs(claim.claimed - usd) > claim.within:
        words += f"; the claim is {claim.claimed / usd - 1:+.1%}"
    return Derived(_tidy(usd), words)


def _saving_share(claim: ClaimFacts, document: Document) -> Derived:
    model = claim.inputs["model"]
    own, base = _each(document, model), _each(document, "gpt-4")
    return Derived(
        100 * (1 - own / base),
        f"1 - {dollars(own * document.messages)} / {dollars(base * document.messages)} = "
        f"{1 - own / base:.2%}",
    )


def _mix(document: Document, shares: Mapping[str, float], messages: float) -> float:
    found = estimate(
        _load(document, messages), [], mixes=[shares], baseline="gpt-4", price_book=document.date
    )
    usd = next(row.usd_per_month for row in found.rows if row.name != "gpt-4")
    if usd is None:
        raise UsageError(f"The price book {document.date} does not price every model of {', '.join(shares)}.")
    return usd


def _mix_words(document: Document, shares: Mapping[str, float], messages: float) -> str:
    return " + ".join(
        f"{share:g} x {dollars(_each(document, model) * messages)} ({model})"
        for model, share in shares.items()
    )


def _mix_month(claim: ClaimFacts, document: Document) -> Derived:
    shares = claim.inputs["shares"]
    usd = _mix(document, shares, document.messages)
    words = f"{_mix_words(document, shares, document.messages)} = {dollars(usd)}"
    return Derived(
        usd, words, None, {m: s * _each(document, m) * document.messages for m, s in shares.items()}
    )


def _mix_saving(claim: ClaimFacts, document: Document) -> Derived:
    shares = claim.inputs["shares"]
    usd, base = _mix(document, shares, document.messages), _each(document, "gpt-4") * document.messages
    return Derived(100 * (1 - usd / base), f"1 - {dollars(usd)} / {dollars(base)} = {1 - usd / base:.1%}")


def _mix_saving_either(claim: ClaimFacts, document: Document) -> Derived:
    """The baseline is not named: whichever comes nearest is taken."""
    usd = _mix(document, claim.inputs["shares"], document.messages)
    found = {
        base: 100 * (1 - usd / (_each(document, base) * document.messages))
        for base in claim.inputs["baselines"]
    }
    nearest = min(found.values(), key=lambda value: abs(value - _number(claim)))
    told = " and ".join(f"{value:.1f}% against {base}" for base, value in found.items())
    return Derived(nearest, f"the mix costs {dollars(usd)}, which saves {told}", None, found)


def _mix_from_bill(claim: ClaimFacts, document: Document) -> Derived:
    """The bill tells how many messages, if one knows which model it was for."""
    shares, bill = claim.inputs["shares"], claim.inputs["bill"]
    found = {}
    for base in claim.inputs["baselines"]:
        messages = bill / _each(document, base)
        found[base] = _mix(document, shares, messages)
    nearest = min(found.values(), key=lambda value: abs(value - _number(claim)))
    told = " or ".join(
        f"{dollars(value)} if the {dollars(bill)} were for {base}" for base, value in found.items()
    )
    return Derived(nearest, f"the mix then costs {told}", None, found)


def _at_least_times(claim: ClaimFacts, document: Document) -> Derived:
    times = _each(document, claim.inputs["against"]) / _each(document, claim.inputs["model"])
    verdict = "holds" if times >= _number(claim) else "wrong"
    words = (
        f"{claim.inputs['model']} costs {times:.1f} times less than {claim.inputs['against']} "
        f"at these lengths"
    )
    return Derived(times, f"{words}, which is more", verdict)


def _input_price_times(claim: ClaimFacts, document: Document) -> Derived:
    model, against = claim.inputs["model"], claim.inputs["against"]
    one, other = listed_price_of(model, document.date), listed_price_of(against, document.date)
    if one is None or other is None:
        raise UsageError(f"The price book {document.date} does not price {model} and {against}.")
    times = float(other.input / one.input)
    whole = _each(document, against) / _each(document, model)
    words = (
        f"{other.input} / {one.input} = {times:.1f} for input alone; {whole:.1f} at the document's lengths"
    )
    return Derived(times, words, None, {"at_these_lengths": whole})


def _times_cheaper(claim: ClaimFacts, document: Document) -> Derived:
    """Impossible where no mix of input and output tokens gives it."""
    model, against = claim.inputs["model"], claim.inputs["against"]
    one, other = listed_price_of(model, document.date), listed_price_of(against, document.date)
    if one is None or other is None:
        raise UsageError(f"The price book {document.date} does not price {model} and {against}.")
    times = _each(document, against) / _each(document, model)
    most = max(float(other.input / one.input), float(other.output / one.output))
    words = (
        f"{_price(_each(document, against))} / {_price(_each(document, model))} a message = "
        f"{times:.2f} times"
        f"{': it is dearer' if times < 1 else ''}; at most {most:.3g} times at any mix of input and output"
    )
    impossible = _number(claim) - claim.within > most
    return Derived(times, words, "impossible" if impossible else None, {"at_most": most})


def _times_cheaper_at(claim: ClaimFacts, document: Document) -> Derived:
    """Against a model that the document does not price."""
    given = claim.inputs
    other = (document.input_tokens * given["input"] + document.output_tokens * given["output"]) / 1e6
    own = _each(document, given["model"])
    words = (
        f"{given['name']} at {given['input']:g}/{given['output']:g} ({given['source']}) costs "
        f"{dollars(other)} a "
        f"message, {given['model']} {_price(own)}: {other / own:.2f} times"
    )
    return Derived(other / own, words)


def _prices_still_listed(claim: ClaimFacts, document: Document) -> Derived:
    models = claim.inputs["models"]
    pairs = {m: (listed_price_of(m, document.date), listed_price_of(m)) for m in models}
    same = [
        m for m, (then, now) in pairs.items()
        if then and now and (then.input, then.output) == (now.input, now.output)
    ]  # fmt: skip
    if len(same) == len(models):
        dates = {now.as_of for _, now in pairs.values() if now}
        return Derived(None, f"the vendor's list of {min(dates)} still has the same prices", "holds")
    changed = ", ".join(m for m in models if m not in same)
    return Derived(
        None, f"the list has changed for {changed} since, and no older one is kept", "cannot be checked"
    )


def _unchecked(claim: ClaimFacts, _: Document) -> Derived:
    return Derived(None, str(claim.inputs["reason"]), "cannot be checked")


def _gpu_month(claim: ClaimFacts, _: Document) -> Derived:
    rent = claim.inputs["usd_per_hour"]
    words = f"{rent:g} x {_HOURS:g} h = {dollars(rent * _HOURS)}; {dollars(rent * 720)} for 30 days of 24 h"
    return Derived(_tidy(rent * _HOURS), words)


def _fixed(given: Mapping[str, Any]) -> tuple[float, float]:
    """Rent of one replica and what stands beside it, a month."""
    return given["usd_per_hour"] * _HOURS, given.get("operations_usd", 0.0) + given.get("storage_usd", 0.0)


def _break_even(claim: ClaimFacts, document: Document) -> Derived:
    rent, beside = _fixed(claim.inputs)
    spare = claim.inputs.get("spare", 0)
    found = {}
    for model in DOCUMENT_MODELS:
        volume = break_even(
            _each(document, model), rent, math.inf, fixed_usd_per_month=beside, spare_replicas=spare
        ).messages_per_month
        if volume is not None:
            found[model] = volume
    total = rent * (1 + spare) + beside
    like = claim.inputs["against"]
    needed = total / _number(claim)
    ordered = ", ".join(f"{volume:,.0f} ({model})" for model, volume in sorted(found.items(), key=_volume))
    words = (
        f"{dollars(total)} a month over the cost of a message: {ordered}; the volume claimed takes an API of "
        f"{_price(needed)} a message"
    )
    return Derived(found[like], words, None, found)


def _volume(pair: tuple[str, float]) -> float:
    return pair[1]


def _saving_of_gpu(claim: ClaimFacts, document: Document) -> Derived:
    """No saving can be larger than the bill that it saves."""
    rent, beside = _fixed(claim.inputs)
    found = {
        model: _tidy(_each(document, model) * document.messages - rent - beside) for model in DOCUMENT_MODELS
    }
    most = _each(document, claim.inputs["dearest"]) * document.messages
    like = claim.inputs["against"]
    words = (
        f"the API costs {dollars(_each(document, like) * document.messages)} ({like}) to {dollars(most)} "
        f"({claim.inputs['dearest']}), so no saving is above that; a GPU of {dollars(rent)} loses "
        f"{dollars(-found[like])} and {dollars(-found[claim.inputs['dearest']])}"
    )
    return Derived(found[like], words, "impossible" if _number(claim) > most else None, found)


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
    volume = given["usd_per_hour"] * _HOURS / _each(document, given["against"])
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
    return Derived(_tidy(rent), words, None if _state(found) != "does not fit" else "impossible")


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
    each = _each(document, given["model"])
    bought = _number(claim) / each
    share = bought / given["messages"]
    mentioned = given["mentioned_share"] * given["messages"] * each
    words = (
        f"only if {share:.1%} fall back: {_number(claim):g} / {_price(each)} = {bought:,.0f} messages; the "
        f"{given['mentioned_share']:.0%} of the document's own mix are {dollars(mentioned)}"
    )
    detail = {"share": share, "at_mentioned_share": mentioned}
    return Derived(_number(claim), words, "holds", detail)


def _stage(claim: ClaimFacts, document: Document) -> Derived:
    given = claim.inputs
    api = _each(document, given["model"]) * given["messages"]
    own = given["usd_per_hour"] * _HOURS + given["fallback_usd"]
    words = (
        f"the first machine that holds {given['model']} and the fallback cost {dollars(own)}, with "
        f"a spare one "
        f"{dollars(own + given['usd_per_hour'] * _HOURS)}; {given['model']}'s API alone costs {dollars(api)}"
    )
    return Derived(_tidy(own), words, None, {"api": api})


def _gpu_range(claim: ClaimFacts, _: Document) -> Derived:
    given = claim.inputs
    low, high = given["usd_per_hour"] * _HOURS, given["dearer_usd_per_hour"] * _HOURS
    words = (
        f"{given['offer']} costs {dollars(low)}, two for N+1 {dollars(2 * low)}; {given['dearer_offer']} "
        f"{dollars(high)}; people and fine-tuning come on top"
    )
    return Derived(_tidy(low), words, None, {"dearer": high})


def _number(claim: ClaimFacts) -> float:
    if not isinstance(claim.claimed, float | int):
        raise UsageError(f"The claim {claim.id} must hold one number for the rule {claim.rule!r}.")
    return float(claim.claimed)


def _price(usd: float) -> str:
    """USD of one message, to three digits."""
    return f"${usd:.3g}"


def _tidy(usd: float) -> float:
    """Without what binary fractions add."""
    return round(usd, 6)


RULES: Mapping[str, Callable[[ClaimFacts, Document], Derived]] = {
    "at_least_times": _at_least_times,
    "break_even": _break_even,
    "capacity": _capacity,
    "fallback": _fallback,
    "fit": _fit,
    "fit_month": _fit_month,
    "gpu_month": _gpu_month,
    "gpu_range": _gpu_range,
    "input_price_times": _input_price_times,
    "mix_from_bill": _mix_from_bill,
    "mix_month": _mix_month,
    "mix_saving": _mix_saving,
    "mix_saving_either": _mix_saving_either,
    "month": _month,
    "prices_still_listed": _prices_still_listed,
    "saving_of_gpu": _saving_of_gpu,
    "saving_share": _saving_share,
    "stage": _stage,
    "times_cheaper": _times_cheaper,
    "times_cheaper_at": _times_cheaper_at,
    "unchecked": _unchecked,
    "utilisation": _utilisation,
}
"""By the name that facts/claims.toml gives them."""
