"""Cost per accepted answer: a cheap model whose answers are thrown away is not cheap."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

from llmbench.economics.checks import check_amount, check_share
from llmbench.errors import UsageError
from llmbench.shown import shown

__all__ = ["AcceptedCost", "accepted_costs"]


@shown
class AcceptedCost(NamedTuple):
    """What one good answer costs of one way to get answers."""

    name: str
    usd_per_message: float
    accepted: float
    """Share of the answers that are good enough, as the evaluation measured."""
    usd_per_accepted: float
    """An answer that is not good is asked for again, until one is; infinite where none is good."""
    usd_with_fallback: float | None
    """What is not good is answered by the fallback instead, and each answer is paid for; None without one."""


def accepted_costs(
    usd_per_message: Mapping[str, float], accepted: Mapping[str, float], *, fallback: str | None = None
) -> list[AcceptedCost]:
    """The cost of a good answer by name, cheapest first; what was not evaluated is left out.

    `fallback` names one of them, which answers where another one's answer was not accepted: its own
    answers are good as often as was measured, and are not asked for again.

    Raises UsageError for a share outside of 0 and 1, a negative cost and a fallback that is not among them.

    >>> found = accepted_costs({"a": 0.001, "b": 0.004}, {"a": 0.5, "b": 0.8}, fallback="b")
    >>> [(row.name, row.usd_per_accepted, row.usd_with_fallback) for row in found]
    [('a', 0.002, 0.003), ('b', 0.005, None)]
    """
    for name, share in accepted.items():
        check_share(f"The accepted share of {name}", share)
    for name, usd in usd_per_message.items():
        check_amount(f"usd_per_message of {name}", usd)
    names = [name for name in usd_per_message if name in accepted]
    if fallback is not None and fallback not in usd_per_message:
        raise UsageError(f"The fallback {fallback!r} is not among {', '.join(usd_per_message)}.")
    found = []
    for name in names:
        usd, share = usd_per_message[name], accepted[name]
        other = None if fallback in (None, name) else usd + (1 - share) * usd_per_message[str(fallback)]
        found.append(AcceptedCost(name, usd, share, usd / share if share else math.inf, other))
    return sorted(found, key=lambda row: row.usd_per_accepted)
