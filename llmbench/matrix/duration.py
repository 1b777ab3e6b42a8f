"""How long the calls of a quote take: by how long calls took before, and by the vendor's rate limits."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from llmbench.matrix.quote import CellQuote, Quote, Range
from llmbench.numbers import known_total

if TYPE_CHECKING:
    from llmbench.matrix.lanes import Lanes
    from llmbench.routing.limits import Limit

__all__ = ["duration", "limit_of"]

_MINUTE = 60.0
_ROLES = ("candidate", "judge")


def limit_of(target: tuple[str, str], limits: Mapping[str, Limit]) -> Limit | None:
    """Of a model at an endpoint: its own, else that of the endpoint, which each of its models has."""
    return limits.get("/".join(target)) or limits.get(target[0])


def duration(quote: Quote, lanes: Mapping[str, Lanes], limits: Mapping[str, Limit]) -> Range:
    """Seconds of the calls that `quote` has to make; None where no latency is known.

    Endpoints work side by side, and the judge after the candidates. An endpoint takes as long as its calls
    took before, over the calls in flight: with the median at the most that it may have (low), with the mean
    at those it begins with (expected), with the 95th percentile there (high). No model is faster than its
    requests and tokens a minute allow. Retries are not in here.
    """
    phases = [
        _slowest(
            _endpoint(cells, lanes[endpoint], limits) for endpoint, cells in _by_endpoint(quote, role).items()
        )
        for role in _ROLES
    ]
    return Range(*(known_total([phase[place] for phase in phases]) for place in range(3)))


def _by_endpoint(quote: Quote, role: str) -> dict[str, list[CellQuote]]:
    found: dict[str, list[CellQuote]] = {}
    for cell in quote.cells:
        if cell.role == role and cell.target is not None and cell.to_make:
            found.setdefault(cell.target[0], []).append(cell)
    return found


def _endpoint(cells: list[CellQuote], lanes: Lanes, limits: Mapping[str, Limit]) -> Range:
    allowed = _allowed_s(cells, limits)
    known = {cell.target: cell.latency_ms for cell in cells if cell.latency_ms is not None}
    low = expected = high = 0.0
    for cell in cells:
        latency = cell.latency_ms or known.get(cell.target)
        if latency is None:
            return Range(allowed or None, None, None)
        low += cell.to_make * latency.p50 / 1000 / lanes.ceiling
        expected += cell.to_make * latency.mean / 1000 / lanes.start
        high += cell.to_make * latency.p95 / 1000 / lanes.start
    return Range(*(max(allowed, seconds) for seconds in (low, expected, max(expected, high))))


def _allowed_s(cells: list[CellQuote], limits: Mapping[str, Limit]) -> float:
    """The least that the limits allow: what fits into the first minute may go at once."""
    longest = 0.0
    for target in {cell.target for cell in cells if cell.target is not None}:
        limit = limit_of(target, limits)
        if limit is None:
            continue
        own = [cell for cell in cells if cell.target == target]
        calls = sum(cell.to_make for cell in own)
        tokens = sum((cell.input_tokens.expected or 0) + (cell.output_tokens.expected or 0) for cell in own)
        for amount, a_minute in ((calls, limit.requests_per_minute), (tokens, limit.tokens_per_minute)):
            if a_minute is not None:
                longest = max(longest, _MINUTE * (math.ceil(amount / a_minute) - 1))
    return longest


def _slowest(endpoints: Iterable[Range]) -> Range:
    found = list(endpoints)
    if not found:
        return Range(0.0, 0.0, 0.0)
    known = [each.low for each in found if each.low is not None]
    return Range(max(known, default=None), _most(e.expected for e in found), _most(e.high for e in found))


def _most(values: Iterable[float | None]) -> float | None:
    found = list(values)
    return None if None in found else max(value for value in found if value is not None)
