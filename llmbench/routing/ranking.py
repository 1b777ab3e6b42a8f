"""The order in which CHEAPEST, FASTEST and BEST_QUALITY ask models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from llmbench.catalog import count_tokens
from llmbench.errors import UsageError
from llmbench.routing.speeds import Speeds
from llmbench.routing.targets import same_model
from llmbench.types import Message, Usage

if TYPE_CHECKING:
    from llmbench.routing.targets import Target

__all__ = ["ASSUMED_OUTPUT_TOKENS", "Ranking", "by_price", "by_quality", "by_speed"]

ASSUMED_OUTPUT_TOKENS = 256
"""Length of an answer for which neither max_tokens nor an earlier answer speaks."""
MINIMUM_ANSWERS = 20
"""Answers of like length that a measured time must rest on."""
_ASSUMED_TOKENS_PER_S = 30.0
"""Of one's own endpoint before it was measured."""


class Ranking(NamedTuple):
    """Targets in order, a note on each, and why."""

    targets: list[Target]
    notes: list[str]
    reason: str


def by_price(
    targets: Sequence[Target],
    messages: Sequence[Message],
    options: Mapping[str, Any],
    speeds: Speeds,
    *,
    allow_unpriced: bool,
) -> Ranking:
    """By the price of this very request: its input counted offline, its answer of max_tokens, else of
    the usual length. One's own endpoint costs its `usd_per_hour` for as long as an answer takes.

    Raises UsageError where no model has a price.
    """
    output = options.get("max_tokens")
    if type(output) is not int:
        output = speeds.usual_length(targets) or ASSUMED_OUTPUT_TOKENS
    priced: list[tuple[float, int, Target, str]] = []
    unpriced: list[tuple[Target, str]] = []
    for place, target in enumerate(targets):
        usd, note = _price(target, messages, output, speeds)
        if usd is None:
            unpriced.append((target, note))
        else:
            priced.append((usd, place, target, note))
    priced.sort(key=lambda row: row[:2])
    if not priced and not (allow_unpriced and unpriced):
        names = ", ".join(target.id for target, _ in unpriced) or "none"
        raise UsageError(
            f"CHEAPEST needs a price, and none is known for the models at hand ({names}); give prices in "
            "prices.toml, or allow_unpriced=True."
        )
    kept = [(target, note) for _, _, target, note in priced]
    kept += unpriced if allow_unpriced else []
    left_out = "" if allow_unpriced or not unpriced else f"; left out without a price: {len(unpriced)}"
    first = f"{kept[0][0].id} at {kept[0][1]}"
    reason = f"{first} is the cheapest of {len(kept)} for about {output:,} tokens of answer{left_out}"
    return Ranking([target for target, _ in kept], [note for _, note in kept], reason)


def _price(
    target: Target, messages: Sequence[Message], output: int, speeds: Speeds
) -> tuple[float | None, str]:
    provider = target.provider
    if provider.self_hosted:
        if provider.usd_per_hour is None:
            return 0.0, "$0: one's own, and no usd_per_hour is given"
        speed = speeds.of(target, output)
        seconds = speed.p50_ms / 1000 if speed else output / _ASSUMED_TOKENS_PER_S
        how = "measured" if speed else f"assumed, {_ASSUMED_TOKENS_PER_S:g} tokens/s"
        usd = provider.usd_per_hour * seconds / 3600 / max(1, provider.concurrency)
        return usd, (
            f"${usd:.6f}: {seconds:.1f} s ({how}) of ${provider.usd_per_hour:g} an hour, shared by "
            f"{max(1, provider.concurrency)} calls at a time"
        )
    tokens = count_tokens(messages, target.model, provider=provider.name).tokens
    usd_or_none = provider.price(target.model, Usage(tokens, output)).usd
    if usd_or_none is None:
        return None, "no known price"
    return usd_or_none, f"${usd_or_none:.6f}"


def by_speed(
    targets: Sequence[Target], declared: Sequence[str], options: Mapping[str, Any], speeds: Speeds
) -> Ranking:
    """By the median time of answers of like length (the 95th percentile breaks ties), from 20 answers
    on; models without so many come after, in the declared order: one's own machines first, then as the
    routing table has it.
    """
    given = options.get("max_tokens")
    length = given if type(given) is int else None
    measured, rest = [], []
    for place, target in enumerate(targets):
        speed = speeds.of(target, length)
        if speed is not None and speed.n >= MINIMUM_ANSWERS:
            note = f"p50 {speed.p50_ms:,.0f} ms, p95 {speed.p95_ms:,.0f} ms (n = {speed.n})"
            measured.append((speed.p50_ms, speed.p95_ms, place, target, note))
        else:
            n = speed.n if speed else 0
            note = f"{n} answers of like length are fewer than {MINIMUM_ANSWERS}: declared order"
            rest.append((not target.provider.self_hosted, _place(target, declared), place, target, note))
    measured.sort(key=lambda row: row[:3])
    rest.sort(key=lambda row: row[:3])
    ordered = [(row[3], row[4]) for row in (*measured, *rest)]
    if measured:
        reason = f"{ordered[0][0].id} is the fastest measured: {ordered[0][1]}"
        reason += f"; {len(rest)} not measured enough" if rest else ""
    else:
        reason = f"no model has {MINIMUM_ANSWERS} answers of like length yet: declared order, one's own first"
    return Ranking([target for target, _ in ordered], [note for _, note in ordered], reason)


def by_quality(
    targets: Sequence[Target], declared: Sequence[str], measured: Mapping[str, float] | None
) -> Ranking:
    """By the score of a matrix where one is given, else by the declared order."""
    rows = []
    for place, target in enumerate(targets):
        score = _score(target, measured or {})
        if score is not None:
            rows.append((0, -score, place, target, f"score {score:.3f}"))
        elif measured:
            rows.append((1, 0.0, place, target, "not in the matrix"))
        else:
            rows.append((1, float(_place(target, declared)), place, target, "declared order"))
    rows.sort(key=lambda row: row[:3])
    best = rows[0]
    if best[0] == 0:
        reason = f"{best[3].id} has the best measured score, {-best[1]:.3f}"
    else:
        reason = "no measured score is given: declared order"
    return Ranking([row[3] for row in rows], [row[4] for row in rows], reason)


def _score(target: Target, measured: Mapping[str, float]) -> float | None:
    if target.id in measured:
        return measured[target.id]
    return next((score for name, score in measured.items() if same_model(name, target.model)), None)


def _place(target: Target, declared: Sequence[str]) -> int:
    names = (n for n, name in enumerate(declared) if name == target.id or same_model(name, target.model))
    return next(names, len(declared))
