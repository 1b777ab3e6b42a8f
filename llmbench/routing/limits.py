"""What a router may use: requests, tokens and calls in flight of a model, and dollars of all."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, fields

from llmbench.errors import UsageError

__all__ = ["Budgets", "Limit", "Spending", "Window"]

_MINUTE = 60.0


@dataclass(frozen=True, slots=True)
class Limit:
    """Limits of one model at one endpoint; None is no limit.

    A call that would pass one goes to the next model of its route, and waits where there is none.
    """

    requests_per_minute: int | None = None
    """Of any 60 seconds."""
    tokens_per_minute: int | None = None
    """Input and output, of any 60 seconds. A call is counted as about as many as it may use until
    its answer tells."""
    concurrency: int | None = None
    """Calls in flight."""
    answer_within_s: float | None = None
    """A longer call is given up and made anew at the next model, where the route has one."""
    slow_above_ms: float | None = None
    """While the median of its last answers is above, the next model is asked first."""

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            if value is not None and (isinstance(value, bool) or not value > 0):
                raise UsageError(f"{each.name} must be more than 0; it is {value!r}.")


@dataclass(frozen=True, slots=True)
class Budgets:
    """USD that a router may spend; None is no limit.

    The worst case of every attempt is set aside before it is sent and settled at its charge after
    it, so a budget is never exceeded at known prices, also with many calls in flight. `per_hour`
    and `per_day` are of any 60 minutes and 24 hours and count what the ledger holds of them when
    the router starts; other processes that spend meanwhile are not seen.
    """

    per_run: float | None = None
    """In the life of the router."""
    per_hour: float | None = None
    per_day: float | None = None

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            if value is not None and (isinstance(value, bool) or not 0 <= value < math.inf):
                raise UsageError(f"{each.name} must be USD from 0 on; it is {value!r}.")

    @property
    def any(self) -> bool:
        """Whether there is a limit at all."""
        return any(limit is not None for limit in self.by_span().values())

    def by_span(self) -> Mapping[float, float | None]:
        """Limits by their seconds."""
        return {math.inf: self.per_run, 3600.0: self.per_hour, 86_400.0: self.per_day}


class Window:
    """Requests and tokens of one model within the last minute."""

    def __init__(self, limit: Limit) -> None:
        self._limit = limit
        self._entries: deque[list[float]] = deque()  # [when, tokens], in the order of time
        self._tokens = 0.0

    def free_at(self, now: float, tokens: float) -> float:
        """When a call of `tokens` fits: `now`, later, or infinity where it never will."""
        self._forget(now)
        rpm, tpm = self._limit.requests_per_minute, self._limit.tokens_per_minute
        if tpm is not None and tokens > tpm:
            return math.inf
        count, used = len(self._entries), self._tokens
        at = now
        for when, each in self._entries:
            if (rpm is None or count < rpm) and (tpm is None or used + tokens <= tpm):
                break
            count, used, at = count - 1, used - each, when + _MINUTE
        return at

    def enter(self, now: float, tokens: float) -> list[float]:
        """Count a call; `settle` its entry once its tokens are known."""
        entry = [now, tokens]
        self._entries.append(entry)
        self._tokens += tokens
        return entry

    def settle(self, entry: list[float], tokens: float) -> None:
        """Put the `tokens` a call has used in the place of those that were expected."""
        if self._entries and entry[0] >= self._entries[0][0]:
            self._tokens += tokens - entry[1]
            entry[1] = tokens

    def _forget(self, now: float) -> None:
        while self._entries and self._entries[0][0] + _MINUTE <= now:
            self._tokens -= self._entries.popleft()[1]
        if not self._entries:
            self._tokens = 0.0


class Spending:
    """Dollars spent and set aside, against every limit of `budgets`."""

    def __init__(self, budgets: Budgets) -> None:
        self._spans = {span: limit for span, limit in budgets.by_span().items() if limit is not None}
        self._spent: dict[float, deque[list[float]]] = {span: deque() for span in self._spans}
        self._sums = dict.fromkeys(self._spans, 0.0)
        self.reserved = 0.0
        self.in_flight = 0

    def lacking(self, now: float, worst_usd: float) -> str | None:
        """Which limit has no room for `worst_usd`; None if all have."""
        for span, limit in self._spans.items():
            self._forget(span, now)
            used = self._sums[span] + self.reserved
            # A hair for sums of many small floats; it buys no call.
            if used + worst_usd > limit * (1 + 1e-12):
                name = "hour" if span == 3600.0 else "day" if span == 86_400.0 else "run"
                return (
                    f"${used:.6f} of the budget of ${limit:.6f} a {name} is used or set aside, and the next "
                    f"call might cost ${worst_usd:.6f}"
                )
        return None

    def reserve(self, worst_usd: float) -> None:
        """Set it aside."""
        self.reserved += worst_usd
        self.in_flight += 1

    def settle(self, now: float, worst_usd: float, charged_usd: float) -> None:
        """Put what was charged in the place of what was set aside."""
        self.in_flight -= 1
        self.reserved = self.reserved - worst_usd if self.in_flight else 0.0
        self.add(now, charged_usd)

    def add(self, when: float, usd: float) -> None:
        """Count what was spent at `when`, in the order of time."""
        for span, entries in self._spent.items():
            self._sums[span] += usd
            grain = 0.0 if span == math.inf else span / 3600
            # Entries of one moment are one: an hour has at most 3,600 of them, a run has one.
            if entries and (span == math.inf or when - entries[-1][0] < grain):
                entries[-1][1] += usd
                entries[-1][2] = when
            else:
                entries.append([when, usd, when])

    def add_past(self, when: float, usd: float) -> None:
        """Count what was spent before this router; it is none of its run."""
        for span, entries in self._spent.items():
            if span != math.inf:
                self._sums[span] += usd
                entries.append([when, usd, when])

    def _forget(self, span: float, now: float) -> None:
        entries = self._spent[span]
        while entries and entries[0][2] + span <= now:
            self._sums[span] -= entries.popleft()[1]
        if not entries:
            self._sums[span] = 0.0
