"""The derivations that check what a document claims of APIs and of mixes of them."""

from __future__ import annotations

from collections.abc import Mapping

from llmbench.catalog.claims import ClaimFacts, Document
from llmbench.economics.api import listed_price_of
from llmbench.economics.claim_parts import (
    Derived,
    Rule,
    claimed_number,
    message_usd,
    price_text,
    tidy,
    workload_of,
)
from llmbench.economics.estimate import estimate
from llmbench.errors import UsageError
from llmbench.money import dollars

__all__ = ["API_RULES"]


def _month(claim: ClaimFacts, document: Document) -> Derived:
    model, messages = claim.inputs["model"], claim.inputs.get("messages", document.messages)
    price = listed_price_of(model, document.date)
    if price is None:
        raise UsageError(f"The price book {document.date} has no price of {model}.")
    usd = message_usd(document, model) * messages
    words = (
        f"{messages:,.0f} x ({document.input_tokens:g} x {price.input} + {document.output_tokens:g} x "
        f"{price.output}) / 1M = {dollars(usd)}"
    )
    if isinstance(claim.claimed, float | int) and abs(claim.claimed - usd) > claim.within:
        words += f"; the claim is {claim.claimed / usd - 1:+.1%}"
    return Derived(tidy(usd), words)


def _saving_share(claim: ClaimFacts, document: Document) -> Derived:
    model = claim.inputs["model"]
    own, base = message_usd(document, model), message_usd(document, "gpt-4")
    return Derived(
        100 * (1 - own / base),
        f"1 - {dollars(own * document.messages)} / {dollars(base * document.messages)} = "
        f"{1 - own / base:.2%}",
    )


def _mix(document: Document, shares: Mapping[str, float], messages: float) -> float:
    found = estimate(
        workload_of(document, messages), [], mixes=[shares], baseline="gpt-4", price_book=document.date
    )
    usd = next(row.usd_per_month for row in found.rows if row.name != "gpt-4")
    if usd is None:
        raise UsageError(f"The price book {document.date} does not price every model of {', '.join(shares)}.")
    return usd


def _mix_words(document: Document, shares: Mapping[str, float], messages: float) -> str:
    return " + ".join(
        f"{share:g} x {dollars(message_usd(document, model) * messages)} ({model})"
        for model, share in shares.items()
    )


def _mix_month(claim: ClaimFacts, document: Document) -> Derived:
    shares = claim.inputs["shares"]
    usd = _mix(document, shares, document.messages)
    words = f"{_mix_words(document, shares, document.messages)} = {dollars(usd)}"
    return Derived(
        usd, words, None, {m: s * message_usd(document, m) * document.messages for m, s in shares.items()}
    )


def _mix_saving(claim: ClaimFacts, document: Document) -> Derived:
    shares = claim.inputs["shares"]
    usd, base = _mix(document, shares, document.messages), message_usd(document, "gpt-4") * document.messages
    return Derived(100 * (1 - usd / base), f"1 - {dollars(usd)} / {dollars(base)} = {1 - usd / base:.1%}")


def _mix_saving_either(claim: ClaimFacts, document: Document) -> Derived:
    """The baseline is not named: whichever comes nearest is taken."""
    usd = _mix(document, claim.inputs["shares"], document.messages)
    found = {
        base: 100 * (1 - usd / (message_usd(document, base) * document.messages))
        for base in claim.inputs["baselines"]
    }
    nearest = min(found.values(), key=lambda value: abs(value - claimed_number(claim)))
    told = " and ".join(f"{value:.1f}% against {base}" for base, value in found.items())
    return Derived(nearest, f"the mix costs {dollars(usd)}, which saves {told}", None, found)


def _mix_from_bill(claim: ClaimFacts, document: Document) -> Derived:
    """The bill tells how many messages, if one knows which model it was for."""
    shares, bill = claim.inputs["shares"], claim.inputs["bill"]
    found = {}
    for base in claim.inputs["baselines"]:
        messages = bill / message_usd(document, base)
        found[base] = _mix(document, shares, messages)
    nearest = min(found.values(), key=lambda value: abs(value - claimed_number(claim)))
    told = " or ".join(
        f"{dollars(value)} if the {dollars(bill)} were for {base}" for base, value in found.items()
    )
    return Derived(nearest, f"the mix then costs {told}", None, found)


def _at_least_times(claim: ClaimFacts, document: Document) -> Derived:
    times = message_usd(document, claim.inputs["against"]) / message_usd(document, claim.inputs["model"])
    verdict = "holds" if times >= claimed_number(claim) else "wrong"
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
    whole = message_usd(document, against) / message_usd(document, model)
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
    times = message_usd(document, against) / message_usd(document, model)
    most = max(float(other.input / one.input), float(other.output / one.output))
    words = (
        f"{price_text(message_usd(document, against))} / {price_text(message_usd(document, model))} "
        f"a message = {times:.2f} times"
        f"{': it is dearer' if times < 1 else ''}; at most {most:.3g} times at any mix of input and output"
    )
    impossible = claimed_number(claim) - claim.within > most
    return Derived(times, words, "impossible" if impossible else None, {"at_most": most})


def _times_cheaper_at(claim: ClaimFacts, document: Document) -> Derived:
    """Against a model that the document does not price."""
    given = claim.inputs
    other = (document.input_tokens * given["input"] + document.output_tokens * given["output"]) / 1e6
    own = message_usd(document, given["model"])
    words = (
        f"{given['name']} at {given['input']:g}/{given['output']:g} ({given['source']}) costs "
        f"{dollars(other)} a "
        f"message, {given['model']} {price_text(own)}: {other / own:.2f} times"
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


API_RULES: Mapping[str, Rule] = {
    "at_least_times": _at_least_times,
    "input_price_times": _input_price_times,
    "mix_from_bill": _mix_from_bill,
    "mix_month": _mix_month,
    "mix_saving": _mix_saving,
    "mix_saving_either": _mix_saving_either,
    "month": _month,
    "prices_still_listed": _prices_still_listed,
    "saving_share": _saving_share,
    "times_cheaper": _times_cheaper,
    "times_cheaper_at": _times_cheaper_at,
}
