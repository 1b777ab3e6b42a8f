"""Whether a log can tell anything of a policy: what it may do must have had a chance in the log."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from llmbench.abtest.counts import ContextCounts
from llmbench.errors import UsageError

__all__ = ["Policy", "context_key", "not_logged"]

_CHANCE, _REACHED = 6.0, 0.98
"""Standard deviations by which, and share of the units up to which, an arm reached too few of them."""

Policy = Callable[[Mapping[str, str]], Mapping[str, float]]
"""Probabilities of the arms, by context."""


def not_logged(rows: Sequence[ContextCounts], policy: Policy) -> str | None:
    """The first action of the policy that the log gave no chance to, as a sentence; None: it can be valued.

    Raises UsageError for a policy whose probabilities do not add up to 1.
    """
    arms = {row.arm for row in rows}
    seen = {(context_key(row), row.arm) for row in rows}
    if any(row.probability is None for row in rows):
        return "The log does not say with which probability each unit got its arm."
    bad = next((row for row in rows if not 0 < float(row.probability or 0.0) <= 1), None)
    if bad is not None:
        return f"The log gives {bad.arm} with the probability {bad.probability!r}, which cannot be one."
    for row in rows:
        chosen = policy(row.context)
        if any(p < 0 for p in chosen.values()) or not math.isclose(
            math.fsum(chosen.values()), 1.0, abs_tol=1e-9
        ):
            raise UsageError(
                f"A policy gives probabilities that add up to 1; for {dict(row.context)} it gives "
                f"{dict(chosen)}."
            )
        where = _where(row.context)
        for arm in (arm for arm, p in chosen.items() if p > 0):
            if arm not in arms:
                return f"{arm} has logged probability 0: no unit of the log was ever given to it."
            if row.probability == 1 and row.arm != arm:
                return (
                    f"{arm} has logged probability 0{where}: that traffic went to {row.arm} with "
                    "probability 1."
                )
            if (context_key(row), arm) not in seen:
                return f"{arm} has logged probability 0{where}: no such unit was given to it."
    return _partly_not_logged(rows, policy)


def _partly_not_logged(rows: Sequence[ContextCounts], policy: Policy) -> str | None:
    """An action that was open to a part of the units only, such as an arm that came in a later epoch.

    The units that an arm got, each times one over its probability, add up to all units where every one
    could have got it; where they fall short by more than chance, some could not.
    """
    parts: dict[tuple[tuple[tuple[str, str], ...] | None, str], list[float]] = {}
    for row in rows:
        for arm in (arm for arm, p in policy(row.context).items() if p > 0):
            for key in (None, context_key(row)):
                found = parts.setdefault((key, arm), [0.0, 0.0, 0.0])
                found[0] += row.units
                if row.arm == arm:
                    p = float(row.probability or 1.0)
                    found[1] += row.units / p
                    found[2] += row.units * (1 - p) / p**2
    for (key, arm), (units, reached, variance) in parts.items():
        if units - reached > _CHANCE * math.sqrt(variance) and reached < _REACHED * units:
            where = _where(dict(key)) if key else ""
            return (
                f"{arm} has logged probability 0 for a part of the units{where}: those that it was open to "
                f"are about {reached / units:.0%} of all, so value it on them alone."
            )
    return None


def context_key(row: ContextCounts) -> tuple[tuple[str, str], ...]:
    """What a policy cannot tell apart."""
    return tuple(sorted(row.context.items()))


def _where(context: Mapping[str, str]) -> str:
    return f" where {', '.join(f'{k} is {v}' for k, v in sorted(context.items()))}" if context else ""
