"""The parameters of the notebook `migration_memo`, checked before anything is read."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

from llmbench.decision import STAGES, BudgetUncertainty, Commitment, months_until
from llmbench.decision.facts import MOST_MESSAGES
from llmbench.decision.gathering import REPORTS
from llmbench.economics import Range
from llmbench.errors import UsageError
from llmbench.numbers import finite

__all__ = ["check_memo_parameters", "commitment_of", "day_of", "uncertainty_of"]

_COMMITMENT = {"name", "usd_per_month", "until", "covers", "penalty_usd"}
_RANGES: Mapping[str, tuple[float, float]] = {
    "messages_per_month": (0, MOST_MESSAGES),
    "input_tokens": (0, 1e7),
    "output_tokens": (0, 1e7),
    "growth_per_month": (-0.99, 1),
    "value_per_reply_usd": (0, 1e9),
    "engineering_days": (0, 1e6),
    "usd_per_day": (0, 1e6),
    "evaluation_usd": (0, 1e9),
    "dual_running_usd": (0, 1e9),
    "decommission_usd": (0, 1e9),
    "api_fall_per_year": (1, 1000),
    "horizon_months": (1, 120),
    "payback_months": (1, 120),
    "discount_per_year": (-0.99, 10),
    "draws": (100, 1_000_000),
    "seed": (0, 2**63 - 1),
}
"""What a parameter may be; more or less is a mistake, and its months would not be worth reading."""


def check_memo_parameters(p: Mapping[str, Any]) -> None:
    """Raises UsageError naming the first parameter that cannot be meant."""
    for name, (least, most) in _RANGES.items():
        number = finite(p[name])
        if number is None or not least <= number <= most:
            raise UsageError(
                f"Parameter {name!r} must be a number from {least:,.10g} to {most:,.10g}; it is {p[name]!r}."
            )
    rate = finite(p["reply_rate"])
    if rate is None or not 0 <= rate < 1:
        raise UsageError(
            f"Parameter 'reply_rate' is replies per message, from 0 (not given) to below 1; it is "
            f"{p['reply_rate']!r}."
        )
    for name in ("volumes", "values_per_reply"):
        for each in p[name]:
            number = finite(each)
            if number is None or not 0 < number <= MOST_MESSAGES:
                raise UsageError(f"Parameter {name!r} holds numbers above 0; {each!r} is none.")
    _check_names(p)
    day_of(p["as_of"])


def _check_names(p: Mapping[str, Any]) -> None:
    if p["stage"] not in STAGES:
        raise UsageError(f"Parameter 'stage': there is no {p['stage']!r}; there is {', '.join(STAGES)}.")
    strange = sorted(str(name) for name in p["runs"] if name not in REPORTS)
    if strange:
        raise UsageError(f"Parameter 'runs' names {', '.join(strange)}; runs are of {', '.join(REPORTS)}.")
    for name, run in p["runs"].items():
        if not isinstance(run, str) or not run or not set(run).isdisjoint("/\\"):
            raise UsageError(
                f"Parameter 'runs': the run of {name} is the name of a folder in {name}/runs; it is {run!r}."
            )
    for own, ours in p["names"].items():
        if not isinstance(ours, str) or not ours:
            raise UsageError(f"Parameter 'names': {own!r} needs the name of a model; it has {ours!r}.")
    for model, usd in p["usage_usd"].items():
        number = finite(usd)
        if usd is not None and (number is None or not 0 <= number <= MOST_MESSAGES):
            raise UsageError(
                f"Parameter 'usage_usd': the spend on {model!r} must be USD from 0 up, or None; it is "
                f"{usd!r}."
            )


def day_of(as_of: str) -> date:
    """The day of the decision. Raises UsageError."""
    if as_of in {"", "today"}:
        return datetime.now(UTC).date()
    try:
        found = date.fromisoformat(as_of)
    except ValueError:
        found = date.min
    if not 2000 <= found.year <= 2200:
        raise UsageError(f"Parameter 'as_of' is a day such as 2025-04-02, or today; it is {as_of!r}.")
    return found


def uncertainty_of(given: Mapping[str, Any]) -> BudgetUncertainty:
    """The ranges and the correlation of `uncertainty`. Raises UsageError."""
    try:
        ranges = {name: Range(*ends) for name, ends in given.items() if name != "correlation"}
        return BudgetUncertainty(**ranges, correlation=given.get("correlation", 0.0))
    except TypeError as error:
        raise UsageError(
            "Parameter 'uncertainty' holds [low, likely, high] by the names messages, lengths, "
            "baseline_price, candidate_price, hosting and one_off, and one number as correlation; it is "
            f"{dict(given)!r}."
        ) from error
    except UsageError as error:
        raise UsageError(f"Parameter 'uncertainty': {error}") from error


def commitment_of(entry: Any, today: date) -> Commitment:
    """One of the parameter `commitments`. Raises UsageError."""
    needed = {"name", "usd_per_month", "until"}
    if not isinstance(entry, Mapping) or set(entry) - _COMMITMENT or not needed <= set(entry):
        raise UsageError(
            f"Parameter 'commitments' holds {entry!r}; each is a dict of name, usd_per_month and until (a "
            "day), and where it is so covers and penalty_usd."
        )
    given = dict(entry)
    if not isinstance(given["name"], str):
        raise UsageError(f"Parameter 'commitments': a name is a text; it is {given['name']!r}.")
    try:
        until = date.fromisoformat(str(given.pop("until")))
    except ValueError as error:
        raise UsageError(f"Parameter 'commitments': until of {entry['name']!r} must be a day.") from error
    try:
        return Commitment(**{**given, "months": months_until(today, until)})
    except UsageError as error:
        raise UsageError(f"Parameter 'commitments': {error}") from error
