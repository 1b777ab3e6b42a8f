"""The few numbers that a memo takes from its sources: quality, replies, traffic, prices, what was spent.

Each says where it comes from. What no source tells is None, and stays unknown.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any, NamedTuple

from llmbench.catalog import canonical_name, price_book
from llmbench.decision.effects import ReplyEffect
from llmbench.decision.gathering import Evidence
from llmbench.decision.sources import Source, same_model
from llmbench.economics import Workload, api_lines
from llmbench.errors import UsageError
from llmbench.numbers import finite
from llmbench.result_data import as_count, ends_of, part_of, row_of, rows_of, text_of
from llmbench.shown import shown

__all__ = [
    "MOST_MESSAGES",
    "Needed",
    "Price",
    "Quality",
    "Traffic",
    "book_of",
    "lengths_apart",
    "measured_quality",
    "measured_replies",
    "needed_evidence",
    "price_of",
    "spent_usd",
    "traffic_of",
    "training_usd",
]


MOST_MESSAGES = 1e12
"""A month, or tokens of one; more is a mistake."""
LENGTHS_APART = 1.25
"""Times that tokens of a message may differ between what was graded and what is paid for."""
_WIDEST = 1e4
"""High over low end of a ratio's interval; a wider one says nothing of the replies."""


@shown
class Quality(NamedTuple):
    """The candidate's score minus the baseline's, on the same items."""

    difference: float
    low: float | None
    high: float | None
    margin: float | None
    """How much lower is still good enough, as that report says."""
    n: int | None
    report: str


@shown
class Traffic(NamedTuple):
    """A month of messages."""

    messages_per_month: float
    input_tokens: float
    output_tokens: float
    of: str
    """Who says so: a report, or "parameters"."""


@shown
class Price(NamedTuple):
    """What a model costs; both None where nobody has a price."""

    usd_per_message: float | None
    usd_per_month: float | None
    """Of machines, however many messages there are."""
    of: str
    day: date | None
    """Of the prices."""
    book: str | None = None
    """The price book they are from."""


@shown
class Needed(NamedTuple):
    """How much more would have to be seen."""

    report: str
    what: str
    """In words: "1,200 more items"."""


def measured_quality(evidence: Evidence) -> Quality | None:
    """Of the fine-tune where there is one about this candidate, else of the matrix."""
    for report in ("fine_tune", "model_matrix"):
        source = evidence.source(report)
        row = _compared(source, "candidate")
        value = finite(row.get("difference"))
        if value is not None:
            low, high = ends_of(row.get("ci"))
            return Quality(value, low, high, finite(row.get("margin")), as_count(row.get("n")), report)
    return None


def measured_replies(evidence: Evidence, reply_rate: float | None = None) -> ReplyEffect | None:
    """What the A/B test says of the replies to a message; None where it has no interval of the ratio.

    `reply_rate`: replies per message of the baseline, where another than the test's counts.
    """
    source = evidence.source("ab_test")
    row = _compared(source, "treatment")
    ratio, (low, high) = finite(row.get("ratio")), ends_of(row.get("ratio_ci"))
    arm = row_of(source.data, "arms", "arm", row.get("control"))
    replies, messages = finite(arm.get("replies")), finite(arm.get("messages"))
    rate = reply_rate or (replies / messages if replies and messages else None)
    if ratio is None or low is None or high is None or rate is None or not 0 < rate < 1:
        return None
    if not 0 < low <= ratio <= high or high / low > _WIDEST:
        return None
    return ReplyEffect(rate, ratio, low, high)


def traffic_of(
    evidence: Evidence, messages: float = 0.0, input_tokens: float = 0.0, output_tokens: float = 0.0
) -> Traffic:
    """The workload that break_even was about, but for what is given (0: not given).

    Raises UsageError where neither says it.
    """
    told = part_of(evidence.source("break_even").data, "workload")
    given = {
        "messages_per_month": messages,
        "input_tokens": input_tokens,
        "output_tokens": output_tokens,
    }
    values: dict[str, float] = {}
    for name, value in given.items():
        known = value or finite(told.get(name))
        if known is None or not 0 < known <= MOST_MESSAGES:
            raise UsageError(
                f"Parameter {name!r} is needed: no break_even result that counts says how much is asked "
                f"(-p {name} NUMBER)."
            )
        values[name] = float(known)
    return Traffic(**values, of="parameters" if any(given.values()) or not told else "break_even")


def price_of(model: str, evidence: Evidence, traffic: Traffic, book: str = "") -> Price:
    """What `model` costs with this traffic: as break_even has it, which also knows machines of one's own;
    by the price book where it does not have it, or was about other messages.
    """
    source = evidence.source("break_even")
    if source.used and not book and traffic.of == "break_even":
        day, listed = _book_day(source), source.envelope.price_book if source.envelope is not None else None
        for row in rows_of(source.data, "api"):
            if same_model(text_of(row.get("model")), model, evidence.subject.names):
                return Price(_amount(row.get("usd_per_message")), None, "break_even", day, listed)
        for row in rows_of(source.data, "options"):
            if row.get("option") == model:
                return Price(None, _amount(row.get("usd_per_month")), "break_even", day, listed)
    if canonical_name(model) is None and canonical_name(model.partition("/")[2]) is None:
        if any(row.get("option") == model for row in rows_of(source.data, "options")):
            return Price(None, None, "break_even has it for another number or length of messages", None)
        return Price(None, None, "no price book and no result has one", None)
    name = book_of(evidence, book)
    load = Workload(traffic.messages_per_month, traffic.input_tokens, traffic.output_tokens)
    line = api_lines(load, [model], price_book=name)[model]
    day = date.fromisoformat(line.price_as_of) if line.price_as_of else None
    return Price(line.usd_per_message, None, f"price book {name}", day, name)


def book_of(evidence: Evidence, given: str = "") -> str:
    """The price book that counts: the one given, else that of break_even, else `current`."""
    source = evidence.source("break_even")
    told = source.envelope.price_book if source.used and source.envelope is not None else None
    try:
        return given or (price_book(told).name if told else "current")
    except UsageError:  # a book of prices of one's own, which only that report had
        return "current"


def spent_usd(evidence: Evidence) -> float | None:
    """What the reports that count have spent on calls; None where one does not know."""
    spent = [
        _amount(source.envelope.spend.actual_usd) for source in evidence.used if source.envelope is not None
    ]
    known = [usd for usd in spent if usd is not None]
    return sum(known) if len(known) == len(spent) else None


def training_usd(evidence: Evidence) -> float | None:
    """What the fine-tune has cost; None where there is none, or nobody knows."""
    return _amount(part_of(evidence.source("fine_tune").data, "costs").get("training_usd"))


def needed_evidence(evidence: Evidence) -> tuple[Needed, ...]:
    """How much more each report says that an answer takes."""
    found = []
    for report in ("model_matrix", "fine_tune"):
        items = as_count(_compared(evidence.source(report), "candidate").get("items_needed"))
        if items:
            found.append(Needed(report, f"{items:,} more items"))
    test = evidence.source("ab_test")
    power = part_of(test.data, "power")
    units = as_count(power.get("units_needed"))
    row = _compared(test, "treatment")
    arms = [row_of(test.data, "arms", "arm", row.get(side)).get("units") for side in ("treatment", "control")]
    seen = sum(as_count(arm) or 0 for arm in arms)
    if units and row.get("verdict") == "cannot tell" and units > seen:
        days = finite(power.get("days_needed"))
        rest = "" if not days else f", about {days * (units - seen) / units:,.0f} days at the present rate"
        found.append(Needed("ab_test", f"{units - seen:,} more leads{rest}"))
    return tuple(found)


def lengths_apart(evidence: Evidence) -> tuple[str, float, float] | None:
    """Where model_matrix and break_even are about messages of other lengths: "read" or "written", tokens a
    message of the one and of the other. None: they differ by at most 25%, or one does not tell.
    """
    told = part_of(evidence.source("break_even").data, "workload")
    models = rows_of(evidence.source("model_matrix").data, "models")
    for side, word in (("input", "read"), ("output", "written")):
        asked = finite(told.get(f"{side}_tokens"))
        sums = [
            (tokens, n)
            for row in models
            if (tokens := finite(part_of(row, "tokens").get(side))) and (n := as_count(row.get("n")))
        ]
        if not asked or not sums:
            continue
        each = sum(tokens for tokens, _ in sums) / sum(n for _, n in sums)
        if not 1 / LENGTHS_APART <= each / asked <= LENGTHS_APART:
            return word, each, asked
    return None


def _compared(source: Source, field: str) -> Mapping[str, Any]:
    """The comparison of the candidate in a report that counts."""
    return row_of(source.data, "comparisons", field, source.candidate)


def _amount(value: Any) -> float | None:
    found = finite(value)
    return found if found is not None and 0 <= found <= MOST_MESSAGES else None


def _book_day(source: Source) -> date | None:
    name = source.envelope.price_book if source.envelope is not None else ""
    try:
        return date.fromisoformat(price_book(name).as_of)
    except (UsageError, ValueError):
        return None
