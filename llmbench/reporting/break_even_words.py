"""What the notebook `break_even` says in sentences: the verdict and its reasons."""

from __future__ import annotations

import math

from llmbench.economics import BreakEvenStudy
from llmbench.economics.api_lines import NO_BATCH_PRICE
from llmbench.money import dollars
from llmbench.reporting.break_even_inputs import Question, stale_prices
from llmbench.results import Decision, Verdict
from llmbench.unknown import UNKNOWN

__all__ = [
    "NO_SHARES",
    "binding_constraint",
    "each_text",
    "usd_text",
    "verdict",
    "volume_text",
    "would_pay",
]

NO_SHARES = (
    "No share of good answers is given: run model_matrix and name its result.json as matrix_result, or set "
    "accepted."
)
"""What is said where nothing was evaluated."""
_SURE, _UNLIKELY = 0.9, 0.1
"""Shares of the draws from which on a side is called the cheaper one."""


def verdict(question: Question) -> Verdict:
    """Whether a model belongs on machines of one's own at this volume.

    GO: cheaper than the API decided against in nine of ten draws, and what moving costs comes back within
    the horizon. With conditions where that rests on a throughput nobody measured, or on messages that wait
    for a machine rented at night only. NO_GO: cheaper in fewer
    than one of ten. HOLD in between.
    """
    study = question.study
    option, month = study.best
    probability = study.probability(study.baseline)
    bill = study.usd_per_month(study.baseline)
    flow = study.flow(study.baseline)
    cheaper = month.usd < bill
    if cheaper and probability >= _SURE and flow.payback_month is not None:
        decision = Decision.GO_WITH_CONDITIONS if option.extrapolated else Decision.GO
        answer = "Self-hosting pays"
    elif probability <= _UNLIKELY:
        decision, answer = Decision.NO_GO, "Self-hosting does not pay"
    else:
        decision, answer = Decision.HOLD, "Self-hosting may or may not pay"
    job = study.job
    if job is not None and job[1].usd < min(bill, month.usd):
        return Verdict(
            Decision.GO_WITH_CONDITIONS,
            f"Self-hosting pays at {study.load.messages_per_month:,.0f} messages a month that can "
            f"wait, as a job at "
            f"night: {study.model} on {job[0].hardware} for {job[1].hours:,.0f} hours costs "
            f"{usd_text(job[1].usd)} a "
            f"month, {_api_words(study)} {usd_text(bill)}; always on it would be {usd_text(month.usd)}.",
            _reasons(question, probability),
        )
    summary = (
        f"{answer} at {study.load.messages_per_month:,.0f} messages a month: {study.model} on a "
        f"machine of one's own "
        f"costs {usd_text(month.usd)} a month, {_api_words(study)} {usd_text(bill)}."
    )
    return Verdict(decision, summary, _reasons(question, probability))


def _api_words(study: BreakEvenStudy) -> str:
    return "its own API" if study.baseline == study.model else f"the API of {study.baseline}"


def _reasons(question: Question, probability: float) -> list[str]:
    study = question.study
    reasons = [would_pay(study), binding_constraint(study), *_of_log(question)]
    if study.draws:
        reasons.append(
            f"Of {study.draws:,} draws of what is not known (volume, lengths, prices, hours, "
            f"throughput), it is cheaper "
            f"than {_api_words(study)} in {probability:.0%}."
        )
    good = _good_answers(question)
    if good:
        reasons.append(good)
    line = study.line(study.baseline)
    if line.ended(question.today):
        reasons.append(
            f"{study.baseline} is no longer sold where it was priced (ended {line.shutdown_date}): "
            f"its last price is a "
            f"yardstick. {_still_sold(question)}"
        )
    if question.unpriced:
        reasons.append(
            f"Left out, because the price book {study.lines.price_book} has no price: "
            f"{', '.join(question.unpriced)}."
        )
    full = [name for name in study.compared if NO_BATCH_PRICE in study.line(name).note]
    if full:
        reasons.append(
            f"The price book {study.lines.price_book} has no batch price of {', '.join(full)}: messages that "
            f"can wait are charged like the others there. Where vendors sell batches, they cost half."
        )
    return [*reasons, *stale_prices(question)]


def _of_log(question: Question) -> list[str]:
    """What the workload of a log rests on; nothing where it was stated."""
    found, load = question.measured, question.study.load
    if found is None:
        return []
    span = f"{found.days:.1f} days" if found.days >= 1 else f"{found.days * 24:.2g} hours"
    told = (
        f"The workload is that of {found.messages:,} messages in {span}, carried on to a month: "
        f"{load.input_tokens:,.0f} tokens read and {load.output_tokens:,.0f} written of one."
    )
    if not found.workload.profile:
        told += (
            f" Less than a week shows neither its quiet days nor its peaks: the busiest hour is taken for "
            f"{load.peak_to_mean:g} times the mean."
        )
    if found.without_tokens:
        have = "has" if found.without_tokens == 1 else "have"
        told += f" {found.without_tokens:,} of them {have} no tokens, and count only as messages."
    return [told]


def _good_answers(question: Question) -> str:
    """What a good answer costs on own machines and at each API that was evaluated; "" where none was."""
    study, share = question.study, question.accepted
    evaluated = [name for name in study.compared if share.get(name)]
    if not share.get(study.model) or not evaluated:
        return ""
    own = study.own_usd_per_message / share[study.model]
    others = "; ".join(
        f"{each_text(study.usd_per_message(name) / share[name])} with {share[name]:.1%} at {name}"
        for name in evaluated
    )
    return (
        f"A good answer costs {each_text(own)} on own machines, where {share[study.model]:.1%} of "
        f"{study.model} are good, and {others}."
    )


def _still_sold(question: Question) -> str:
    """The cheapest API that is still there."""
    for line in question.study.lines.priced():
        if not line.ended(question.today) and line.usd_per_month is not None:
            return f"The cheapest API still sold, {line.model}, costs {usd_text(line.usd_per_month)}."
    return "No API of the price book is still sold."


def would_pay(study: BreakEvenStudy) -> str:
    """Against what it would pay, and from which volume on."""
    pays = sorted(
        (each for each in study.pays.values() if each.messages_per_month is not None),
        key=lambda each: each.messages_per_month or 0.0,
    )
    never = [_api(study, each.against) for each in study.pays.values() if each.messages_per_month is None]
    told = "; ".join(
        f"{_api(study, each.against)} from {volume_text(each.messages_per_month)}" for each in pays
    )
    sentences = []
    if told:
        sentences.append(f"Where it would pay, messages a month: against {told}.")
    if never:
        sentences.append(f"{'Never' if told else 'It never pays'} against {_list(never)}, at any volume.")
    if any(each.against != study.model for each in pays):
        sentences.append("Against another model only if the answers are as good.")
    return " ".join(sentences)


def _api(study: BreakEvenStudy, name: str) -> str:
    return "its own API" if name == study.model else name


def _list(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"


def binding_constraint(study: BreakEvenStudy) -> str:
    """What the money goes to, and what decides."""
    option, month = study.best
    share = {
        "people": month.operations_usd,
        "rent": month.rent_usd,
        "storage": month.storage_usd,
    }
    spare = f", {month.replicas - month.serving} of them spare" if month.replicas > month.serving else ""
    busy = f"{month.utilisation:.1%}" if month.utilisation < 0.1 else f"{month.utilisation:.0%}"
    reach = option.limit(study.costs) / study.load.peak_to_mean
    estimate = ", a throughput that nobody measured" if option.extrapolated else ""
    return (
        f"The cheapest way is {month.replicas:,} x {option.hardware}{spare} at "
        f"{option.dtype}{estimate}: "
        f"{usd_text(share['rent'])} rent, {usd_text(share['people'])} for "
        f"{study.costs.operations_hours:g} hours of people, "
        f"{usd_text(share['storage'])} storage. The serving "
        f"{'one is' if month.serving == 1 else 'ones are'} {busy} busy; "
        f"the week's peaks would let it be {reach:.0%}."
    )


def volume_text(messages: float | None) -> str:
    """A volume to three digits, as one says it.

    >>> volume_text(118147.7), volume_text(2742714), volume_text(None)
    ('118,000', '2.74 million', 'never')
    """
    if messages is None:
        return "never"
    if messages >= 1e6:
        return f"{messages / 1e6:.3g} million"
    digits = max(0, len(f"{messages:.0f}") - 3)
    return f"{round(messages, -digits):,.0f}"


def each_text(usd: float | None) -> str:
    """USD of one message to three digits.

    >>> each_text(0.000195), each_text(0.027), each_text(None)
    ('$0.000195', '$0.027', 'unknown')
    """
    if usd is None:
        return UNKNOWN
    if usd == 0:
        return "$0"
    if math.isinf(usd):
        return "never"  # not one good answer, however often it is asked for
    places = max(2, 2 - math.floor(math.log10(abs(usd))))
    return f"${usd:.{places}f}".rstrip("0").rstrip(".")


def usd_text(usd: float) -> str:
    """A sum of USD: whole dollars from a hundred on.

    >>> usd_text(4.5), usd_text(1234.56), usd_text(-1234.56)
    ('$4.50', '$1,235', '−$1,235')
    """
    return dollars(usd, cents_below=100)
