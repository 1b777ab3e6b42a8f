"""An experiment: which units are asked of which model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from llmbench.errors import UsageError
from llmbench.routing.drawing import checked_weights, draw

__all__ = ["Experiment"]


@dataclass(frozen=True, slots=True)
class Experiment:
    """Arms and their weights, and the salt that decides which unit gets which.

    The same unit always gets the same arm (`draw`), in every process and after every restart.
    Where a ledger is at hand it also keeps its arm when the weights change: each change begins an
    epoch, and only units not seen before are assigned by the new weights. Another experiment over
    the same units needs another salt, or its arms would be those of this one.

    Args:
        id: under which assignments and outcomes are kept.
        arms: {"endpoint/model": weight}; weights are scaled to a sum of 1.
        salt: any text; default the id.
        fallback: whether another arm answers when the assigned one cannot. The assignment stays as
            it is, and what served is recorded apart.

    >>> test = Experiment("mixtral-2026", {"mixtral/mixtral-8x7b": 9, "openai/gpt-4o": 1})
    >>> test.arms["openai/gpt-4o"], test.arm_of("lead 7")
    (0.1, 'mixtral/mixtral-8x7b')
    """

    id: str
    arms: Mapping[str, float]
    salt: str | None = None
    fallback: bool = True

    def __post_init__(self) -> None:
        if not str(self.id or "").strip():
            raise UsageError(f"An experiment needs an id that is a text; it is {self.id!r}.")
        if not isinstance(self.arms, Mapping):
            raise UsageError(f'The arms of {self.id!r} must be {{"endpoint/model": weight}}.')
        scaled = checked_weights(self.arms, f"The experiment {self.id!r}")
        object.__setattr__(self, "arms", scaled)

    def arm_of(self, unit_id: str) -> str:
        """The arm that the hash gives `unit_id`."""
        return draw(self.arms, unit_id, self.salt or self.id)
