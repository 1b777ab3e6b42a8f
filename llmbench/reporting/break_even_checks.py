"""Parameters of the notebook `break_even` that are tables, and bounds of those that are numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from llmbench.catalog import canonical_name
from llmbench.economics import Range, Uncertainty
from llmbench.errors import UsageError
from llmbench.numbers import finite

__all__ = ["bare_name", "check_sizes", "discounts_in", "number_in", "shares_in", "uncertainty_in"]

_MOST_MESSAGES = 1e11
"""Beyond it the queue before so many machines takes hours to compute."""
_MOST_DRAWS = 1_000_000


def check_sizes(p: Mapping[str, Any]) -> None:
    """Refuse what cannot be computed. Raises UsageError."""
    if p["messages_per_month"] > _MOST_MESSAGES:
        raise UsageError(
            f"messages_per_month is {p['messages_per_month']:g}; give at most {_MOST_MESSAGES:,.0f}, "
            f"which is 12 a month from everybody alive."
        )
    if p["draws"] > _MOST_DRAWS:
        raise UsageError(f"draws is {p['draws']:,}; give at most {_MOST_DRAWS:,}. 40,000 tell a percent.")
    if p["seed"] < 0:
        raise UsageError(f"seed must be a whole number of at least 0; it is {p['seed']}.")


def number_in(parameter: str, name: str, value: object) -> float:
    """A number of a parameter that is a table. Raises UsageError naming both."""
    number = finite(value)
    if number is None:
        raise UsageError(f"Parameter {parameter!r} holds {value!r} for {name}; it must be a number.")
    return number


def shares_in(p: Mapping[str, Any], parameter: str) -> dict[str, float]:
    """A table of shares by model, each of them a number."""
    return {str(name): number_in(parameter, str(name), value) for name, value in p[parameter].items()}


def discounts_in(p: Mapping[str, Any], models: Sequence[str]) -> dict[str, float]:
    """The parameter `discounts` by the names of `models`, whether given with a vendor before it or without.

    "all" is for those that are not named. Raises UsageError for a model that is not among them.
    """
    given = shares_in(p, "discounts")
    rest = given.pop("all", 0.0)
    found: dict[str, float] = dict.fromkeys(models, rest) if rest else {}
    for name, share in given.items():
        meant = [model for model in models if model == name] or [
            model for model in models if bare_name(model) == bare_name(name)
        ]
        if not meant:
            raise UsageError(
                f"There is a discount for {name}, which is not among the models compared; name it in "
                "'against' too."
            )
        found |= dict.fromkeys(meant, share)
    return found


def bare_name(model: str) -> str:
    """The catalog's name of a model, whether a vendor stands before it or not; else the name without one."""
    name = model.rpartition("/")[2]
    return canonical_name(model) or canonical_name(name) or name


def uncertainty_in(p: Mapping[str, Any]) -> Uncertainty:
    """The parameter `uncertainty`, with the package's ranges for what it does not name.

    Raises UsageError naming what cannot be meant.
    """
    names = list(Uncertainty().ranges)
    ranges = {}
    given = dict(p["uncertainty"])
    correlation = number_in("uncertainty", "correlation", given.pop("correlation", 0.0))
    for name, values in given.items():
        if name not in names or not isinstance(values, list | tuple) or len(values) != 3:
            raise UsageError(
                f"Parameter 'uncertainty' holds {name}: {values!r}; it takes [low, most likely, high] for "
                f"{', '.join(names)}, and one number for correlation."
            )
        ranges[name] = Range(*(number_in("uncertainty", name, value) for value in values))
    return Uncertainty(**ranges, correlation=correlation)
