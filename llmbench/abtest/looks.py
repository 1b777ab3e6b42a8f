"""When an experiment may be looked at, and what was seen before.

A *look* is a run that shows an effect. Under "group-sequential" a run is one when the next planned
information fraction is reached, under "fixed" when all planned units are, and under "anytime" always.
The same cut-off again is the same look. What was decided at a look stands.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, NamedTuple, Protocol

from llmbench.abtest.plan import LEAST_EXPECTED_REPLIES, Plan

__all__ = ["Look", "LookBook", "Occasion", "beside", "deviations", "look_now", "standing"]

_CLOSE = 1e-9
_APART = 1e-3
"""Information between two looks at least: one that comes right after another would show nothing new."""
_BESIDE = ("value_per_reply_usd", "split", "fixed_costs_usd", "confidence")


class Look(NamedTuple):
    """One look as it was remembered."""

    number: int
    cut_off: datetime
    """`as_of` of its data."""
    units: int
    information: float
    """Fraction of the planned information, at most 1; under "anytime" as it was."""
    comparisons: Sequence[Mapping[str, Any]]
    """What it showed, as in result.json."""
    seen_at: datetime


class LookBook(Protocol):
    """Where looks are kept: `llmbench.ledger.Ledger`."""

    def looks(self, experiment_id: str) -> list[Any]:
        """All looks, the first first."""

    def frozen_plan(self, experiment_id: str) -> dict[str, Any] | None:
        """The parameters as of the first look."""

    def record_look(
        self,
        experiment_id: str,
        number: int,
        *,
        cut_off: datetime,
        units: int,
        information: float,
        parameters: Mapping[str, Any],
        comparisons: Sequence[Mapping[str, Any]],
        seen_at: datetime,
    ) -> bool:
        """False where another process was first."""


class Occasion(NamedTuple):
    """What a run may show."""

    kind: Literal["look", "again", "waiting", "over"]
    """A new look; the same cut-off as an earlier one; not yet; all looks were taken."""
    fractions: tuple[float, ...]
    """Information at the looks up to this one, this one included where it is one."""
    information: float
    """As it is now; may be above 1."""
    next_fraction: float | None
    """Planned fraction that the next look waits for; None where there is none."""
    why: str
    """One sentence for the reader."""
    back: bool = False
    """Whether the data end before a look that was taken."""

    @property
    def shows_effect(self) -> bool:
        """Whether an effect is shown."""
        return self.kind != "waiting"


def look_now(
    plan: Plan, information: float, expected_replies: float, cut_off: datetime, looks: Sequence[Look]
) -> Occasion:
    """Whether a run on data up to `cut_off` is a look.

    `information` is the fraction of what was planned; `expected_replies` those of the smallest arm at the
    pooled rate, which tells nothing of the effect.
    """
    for place, look in enumerate(looks):
        if look.cut_off == cut_off:
            fractions = tuple(each.information for each in looks[: place + 1])
            following = _next(plan, fractions)
            return Occasion("again", fractions, information, following, f"This is look {look.number} again.")
    before = [look for look in looks if look.cut_off < cut_off]
    fractions = tuple(look.information for look in before)
    following = _next(plan, fractions)
    if len(before) < len(looks):
        later = looks[len(before)]
        return Occasion(
            "waiting", fractions, information, following,
            f"The data end before look {later.number} ({later.cut_off:%Y-%m-%d}), and were not looked at "
            "then.",
            back=True,
        )  # fmt: skip
    if following is None:
        return Occasion("over", fractions, information, None, _over(plan, before))
    if plan.stopping_rule != "anytime" and information < following - _CLOSE:
        what = "the reading" if plan.stopping_rule == "fixed" else f"look {len(before) + 1}"
        return Occasion(
            "waiting", fractions, information, following,
            f"{information:.0%} of the planned information is there, and {what} needs {following:.0%}.",
        )  # fmt: skip
    if expected_replies < LEAST_EXPECTED_REPLIES:
        return Occasion(
            "waiting", fractions, information, following,
            f"{expected_replies:.1f} replies are to be expected in the smallest arm, and a look needs "
            f"{LEAST_EXPECTED_REPLIES}.",
        )  # fmt: skip
    if plan.stopping_rule == "anytime":
        seen = information
        why = f"Look {len(before) + 1}; under 'anytime' every run is one."
    else:
        seen = min(1.0, information)
        planned = "" if plan.stopping_rule == "fixed" else f" of at most {plan.looks}"
        why = f"Look {len(before) + 1}{planned}, at {seen:.0%} of the planned information."
    reached = (*fractions, seen)
    return Occasion("look", reached, information, _next(plan, reached), why)


def standing(looks: Sequence[Look]) -> dict[str, tuple[Look, Mapping[str, Any]]]:
    """Treatments that were decided, by the look that decided them: that does not change any more."""
    found: dict[str, tuple[Look, Mapping[str, Any]]] = {}
    for look in looks:
        for comparison in look.comparisons:
            if comparison["verdict"] in {"better", "not worse", "worse"}:
                found.setdefault(comparison["treatment"], (look, comparison))
    return found


def beside(plan: Plan) -> dict[str, Any]:
    """What may change between looks and is told then: it moves the money, and no test of replies."""
    found = {name: getattr(plan, name) for name in _BESIDE}
    return {n: dict(sorted(v.items())) if isinstance(v, Mapping) else v for n, v in found.items()}


def deviations(frozen: Mapping[str, Any], plan: Plan) -> list[str]:
    """What the plan says now and did not at the first look, one sentence each."""
    now = plan.frozen()
    told = []
    for name, was in frozen.items():
        # Units that follow from power and rate move with the rate; they are no change of the plan.
        if name in now and now[name] != was and not (name == "planned_units" and now[name] is None):
            told.append(
                f"{name} is {now[name]!r} now and was {was!r} at the first look, which is what counts."
            )
    moved, then = beside(plan), frozen.get("beside") or {}
    told += [
        f"{name} is {_said(moved[name])} now and was {_said(then[name])} at the first look; what a "
        "look decided "
        "stands, with its money."
        for name in _BESIDE
        if name in then and then[name] != moved[name]
    ]
    return told


def _said(value: Any) -> str:
    return "not given" if value is None or value == {} else repr(value)


def _next(plan: Plan, fractions: Sequence[float]) -> float | None:
    """The planned fraction after those that were reached."""
    if plan.stopping_rule == "anytime":
        return 0.0
    if plan.stopping_rule == "fixed":
        return None if fractions else 1.0
    last = fractions[-1] if fractions else 0.0
    planned = ((number + 1) / plan.looks for number in range(plan.looks))
    return next((fraction for fraction in planned if fraction > last + _APART), None)


def _over(plan: Plan, looks: Sequence[Look]) -> str:
    last = looks[-1]
    rule = "A fixed plan is read once" if plan.stopping_rule == "fixed" else "All planned looks were taken"
    return f"{rule}: the last was on data up to {last.cut_off:%Y-%m-%d}, and what it showed stands."
