"""A decision of the router that explains itself."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from llmbench.routing.strategy import RoutingStrategy
from llmbench.shown import shown

if TYPE_CHECKING:
    import pandas as pd

    from llmbench.routing.targets import Target

__all__ = ["Assigned", "Candidate", "Route"]


@shown
class Candidate(NamedTuple):
    """One model of a route, in the order in which they are asked."""

    model: str
    """endpoint/model."""
    note: str = ""
    """What it was ranked by, or what is known against it."""


class Assigned(NamedTuple):
    """The place of a unit in an experiment."""

    experiment_id: str
    unit_id: str
    epoch: int
    arm: str
    """endpoint/model."""
    probability: float
    """With which the unit got this arm."""
    known: bool = False
    """It was assigned before, and so recorded."""


@shown
@dataclass(frozen=True, slots=True, eq=False)
class Route:
    """Which model a request goes to, which come next, and why."""

    strategy: RoutingStrategy | None
    """None where the caller named the model."""
    rule: str
    reason: str
    targets: Sequence[Target]
    notes: Sequence[str] = ()
    """One per target, or none."""
    assigned: Assigned | None = None
    explicit: bool = False

    @property
    def chosen(self) -> str:
        """The first choice, as endpoint/model."""
        return self.targets[0].id

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        """All models of the route, in the order in which they are asked."""
        notes = self.notes or ("",) * len(self.targets)
        return tuple(Candidate(t.id, note) for t, note in zip(self.targets, notes, strict=True))

    def data(self) -> dict[str, Any]:
        """What `response.metadata["route"]` and the ledger hold."""
        found: dict[str, Any] = {
            "strategy": self.strategy.value if self.strategy else "explicit",
            "rule": self.rule,
            "reason": self.reason,
            "chosen": self.chosen,
            "candidates": [target.id for target in self.targets],
        }
        if self.assigned is not None:
            found["epoch"] = self.assigned.epoch
            found["probability"] = self.assigned.probability
        return found

    def to_pandas(self) -> pd.DataFrame:
        """One row per candidate."""
        import pandas as pd

        return pd.DataFrame(self.candidates, columns=["model", "note"])

    def __str__(self) -> str:
        return f"{self.chosen} by {self.rule}: {self.reason}"

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{number}</td><td>{html.escape(each.model)}</td><td>{html.escape(each.note)}</td></tr>"
            for number, each in enumerate(self.candidates, start=1)
        )
        why = html.escape(f" by {self.rule}: {self.reason}")
        return (
            f"<p><b>{html.escape(self.chosen)}</b>{why}</p>"
            f"<table><thead><tr><th></th><th>model</th><th>note</th></tr></thead><tbody>{rows}</tbody></table>"
        )
