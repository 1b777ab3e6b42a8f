"""What a tuned model costs and from how many requests on it has earned its training.

A tuned model is cheaper or dearer a request than what it replaces, because its prompt is shorter or its
tokens are dearer; training is paid once, hosting by the month. All amounts are USD.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

from llmbench.errors import UsageError
from llmbench.money import dollars

__all__ = ["Payback", "RequestCost", "payback"]


class RequestCost(NamedTuple):
    """What one way of answering costs; None is not known."""

    name: str
    usd_per_request: float | None
    hosting_usd_per_month: float = 0.0
    """Whatever it costs however many requests there are: a dedicated endpoint, a machine."""
    training_usd: float | None = 0.0
    """Paid once."""

    @property
    def usd_per_1k_requests(self) -> float | None:
        """Of the requests alone."""
        return None if self.usd_per_request is None else 1000 * self.usd_per_request

    def usd_per_month(self, requests: float) -> float | None:
        """Without the training."""
        if self.usd_per_request is None:
            return None
        return self.usd_per_request * requests + self.hosting_usd_per_month


@dataclass(frozen=True, slots=True)
class Payback:
    """A tuned model against what it would replace. Made by `payback`."""

    tuned: RequestCost
    against: RequestCost
    requests_per_month: float
    saving_per_month: float | None
    """At that volume, without the training; negative where the tuned model costs more. None: not known."""
    break_even_requests: float | None
    """Requests after which training and hosting are earned, at that volume; None: never, or not known."""
    break_even_months: float | None
    reason: str
    """In a sentence, with the numbers in it."""

    @property
    def known(self) -> bool:
        """Whether all prices are."""
        return self.saving_per_month is not None and self.tuned.training_usd is not None


def payback(tuned: RequestCost, against: RequestCost, requests_per_month: float) -> Payback:
    """When what a request saves has paid for the training of `tuned`, at `requests_per_month`.

    Raises UsageError for a negative amount or volume.

    >>> few_shot = RequestCost("few-shot", 0.003)
    >>> payback(RequestCost("tuned", 0.001, 0, 50), few_shot, 10_000).break_even_requests
    25000.0
    >>> print(payback(RequestCost("tuned", 0.003, 0, 50), few_shot, 10_000).reason)
    A request of tuned is not cheaper than one of few-shot, so that its training is never earned by cost.
    """
    _check(tuned)
    _check(against)
    if not (math.isfinite(requests_per_month) and requests_per_month >= 0):
        raise UsageError(f"requests_per_month must be a number from 0 up; it is {requests_per_month!r}.")

    def found(reason: str, saving: float | None = None, months: float | None = None) -> Payback:
        requests = None if months is None else months * requests_per_month
        return Payback(tuned, against, requests_per_month, saving, requests, months, reason)

    mine, theirs = tuned.usd_per_month(requests_per_month), against.usd_per_month(requests_per_month)
    if mine is None or theirs is None:
        which = " and ".join(each.name for each in (tuned, against) if each.usd_per_request is None)
        return found(f"What a request costs is not known of {which}.")
    saving = theirs - mine
    if tuned.training_usd is None:
        return found(f"What the training of {tuned.name} costs is not known.", saving)
    if requests_per_month == 0:
        return found("Without a request nothing is earned.", saving)
    if saving <= 0:
        return found(_never(tuned, against), saving)
    months = tuned.training_usd / saving
    return found(
        f"{tuned.name} saves {dollars(saving)} a month against {against.name} at {requests_per_month:,.0f} "
        f"requests, and has earned its training of {dollars(tuned.training_usd)} after {_span(months)}.",
        saving,
        months,
    )


def _never(tuned: RequestCost, against: RequestCost) -> str:
    cheaper = (tuned.usd_per_request or 0.0) < (against.usd_per_request or 0.0)
    if not cheaper:
        return (
            f"A request of {tuned.name} is not cheaper than one of {against.name}, so that its training is "
            "never earned by cost."
        )
    apart = (against.usd_per_request or 0.0) - (tuned.usd_per_request or 0.0)
    least = (tuned.hosting_usd_per_month - against.hosting_usd_per_month) / apart
    return (
        f"Hosting {tuned.name} costs more than its requests save against {against.name}; it pays from "
        f"{least:,.0f} requests a month on."
    )


def _span(months: float) -> str:
    if months < 0.1:
        return "less than three days"
    return f"{months:,.1f} months" if months < 1000 else "more than a lifetime"


def _check(cost: RequestCost) -> None:
    for name in ("usd_per_request", "hosting_usd_per_month", "training_usd"):
        value = getattr(cost, name)
        if value is not None and not (math.isfinite(value) and value >= 0):
            raise UsageError(f"{name} of {cost.name!r} must be an amount from 0 up; it is {value!r}.")
