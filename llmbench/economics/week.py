"""How messages are spread over a week: a typical shape, or what a log tells."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import NamedTuple, TypeGuard

from llmbench.economics.workload import DAYS_OF_MONTH, HOURS_OF_WEEK, Workload
from llmbench.errors import UsageError
from llmbench.numbers import is_finite
from llmbench.shown import shown

__all__ = ["MeasuredWorkload", "week_profile", "workload_of_log"]

_SECONDS_OF_DAY = 86_400.0
_SHORTEST_DAYS = 1 / 24
"""A burst of seconds, as a matrix leaves in the ledger, carried on would be millions of messages a month."""
_LEAST_DAYS = 7.0
"""A shorter log has not seen every hour of a week."""
_OFFICE_HOURS = (8, 19)
_WEEKEND, _NIGHT = 0.35, 0.15
"""Of the height of a working day's noon: a shape, to be replaced by a log's own."""


def week_profile(peak_to_mean: float = 3.0) -> tuple[float, ...]:
    """A week of office hours whose busiest hour is `peak_to_mean` times its mean one: 168 numbers, mean 1.

    The shape (busy working days with one hump, quiet nights and weekends) is an assumption; only its
    peak is given. It is raised to the power at which the peak comes out exactly.

    Raises UsageError for a peak below 1 or above 20, where no such week exists.

    >>> week = week_profile(3)
    >>> round(max(week), 6), round(sum(week) / 168, 6)
    (3.0, 1.0)
    """
    if not (is_finite(peak_to_mean) and 1 <= peak_to_mean <= 20):
        raise UsageError(f"peak_to_mean must lie between 1 and 20; it is {peak_to_mean!r}.")
    shape = [_height(day, hour) for day in range(7) for hour in range(24)]
    low, high = 0.0, 64.0
    for _ in range(200):
        power = (low + high) / 2
        raised = [height**power for height in shape]
        low, high = (power, high) if max(raised) / _mean(raised) < peak_to_mean else (low, power)
    raised = [height**high for height in shape]
    mean = _mean(raised)
    return tuple(height / mean for height in raised)


def _height(day: int, hour: int) -> float:
    begin, end = _OFFICE_HOURS
    hump = math.sin(math.pi * (hour + 0.5 - begin) / (end - begin)) if begin <= hour < end else 0.0
    # No two working days alike, so that a steep week still has one peak.
    weekday = 1.0 - 0.04 * abs(day - 1.5)
    return (_NIGHT + (1 - _NIGHT) * hump) * (_WEEKEND if day > 4 else weekday)


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


@shown
class MeasuredWorkload(NamedTuple):
    """A workload as a log tells it, with what one must know to trust it."""

    workload: Workload
    messages: int
    days: float
    """From the first message to the last."""
    without_tokens: int
    """Messages whose tokens are not known; they count as messages, not in the means."""
    input_p95: float
    """Tokens a message, of those whose tokens are known; so is the output's."""
    output_p95: float


def workload_of_log(
    times: Iterable[datetime],
    input_tokens: Sequence[float | None],
    output_tokens: Sequence[float | None],
    cached_tokens: Sequence[float | None] | None = None,
) -> MeasuredWorkload:
    """The workload that a log of messages tells: rate, tokens, share of cached input, hours of the week.

    Times are aware datetimes, and taken as UTC. The month's messages are those of the log's span,
    carried on. A log of less than a week gives no profile: it has not seen all of its hours.

    The cached share is that of the messages whose cached tokens are known.

    Raises UsageError for a log of fewer than 2 messages or of less than an hour, for naive times, for columns
    of different length, and where no message's tokens are known.
    """
    moments = list(times)
    if len(moments) < 2:
        raise UsageError(
            f"A log must hold at least 2 messages to tell a rate; this one holds {len(moments)}."
        )
    if any(moment.tzinfo is None for moment in moments):
        raise UsageError("The log's times have no time zone; add one, such as +00:00.")
    for name, column in (("input_tokens", input_tokens), ("output_tokens", output_tokens)):
        _check_length(name, column, len(moments))
    if cached_tokens is not None:
        _check_length("cached_tokens", cached_tokens, len(moments))
    known = [
        (float(read), float(written))
        for read, written in zip(input_tokens, output_tokens, strict=True)
        if _is_known(read) and _is_known(written)
    ]
    if not known:
        raise UsageError("The log tells no message's input and output tokens; nothing can be priced by it.")
    days = (max(moments) - min(moments)).total_seconds() / _SECONDS_OF_DAY
    if days <= 0:
        raise UsageError("All messages of the log have the same time; their rate cannot be told.")
    if days < _SHORTEST_DAYS:
        raise UsageError(
            f"The log's {len(moments):,} messages came within {days * 24 * 60:.2g} minutes, which tell "
            f"nothing of a month; give a log of an hour at least, better of a week, or messages_per_month."
        )
    # n messages have n - 1 gaps between them.
    per_month = (len(moments) - 1) / days * DAYS_OF_MONTH
    reads, writes = zip(*known, strict=True)
    load = Workload(
        messages_per_month=per_month,
        input_tokens=_mean(reads),
        output_tokens=_mean(writes),
        cached_share=0.0 if cached_tokens is None else _cached_share(input_tokens, cached_tokens),
        profile=_profile(moments) if days >= _LEAST_DAYS else (),
    )
    return MeasuredWorkload(load, len(moments), days, len(moments) - len(known), _p95(reads), _p95(writes))


def _check_length(name: str, column: Sequence[float | None], messages: int) -> None:
    if len(column) != messages:
        raise UsageError(
            f"{name} has {len(column)} values for the {messages} times of the log; give one each."
        )


def _cached_share(input_tokens: Sequence[float | None], cached_tokens: Sequence[float | None]) -> float:
    """Of the input of messages of which both are known: a gap in one column is no message without a cache."""
    known = [
        (float(read), float(cached))
        for read, cached in zip(input_tokens, cached_tokens, strict=True)
        if _is_known(read) and _is_known(cached)
    ]
    total = math.fsum(read for read, _ in known)
    return min(1.0, math.fsum(cached for _, cached in known) / total) if total else 0.0


def _is_known(value: float | None) -> TypeGuard[float]:
    return value is not None and is_finite(value) and value >= 0


def _profile(moments: Sequence[datetime]) -> tuple[float, ...]:
    """Messages of each hour of the week over how often the log's span has that hour."""
    counts = [0.0] * HOURS_OF_WEEK
    slots = [0] * HOURS_OF_WEEK
    hours = sorted(int(moment.timestamp() // 3600) for moment in moments)
    for hour in range(hours[0], hours[-1] + 1):
        slots[_hour_of_week(hour)] += 1
    for hour in hours:
        counts[_hour_of_week(hour)] += 1
    return tuple(count / slot if slot else 0.0 for count, slot in zip(counts, slots, strict=True))


def _hour_of_week(hour: int) -> int:
    moment = datetime.fromtimestamp(hour * 3600, UTC)
    return moment.weekday() * 24 + moment.hour


def _p95(values: Sequence[float]) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, math.ceil(0.95 * len(ordered)) - 1)]
