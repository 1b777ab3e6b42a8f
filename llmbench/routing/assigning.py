"""Units and their arms: by the experiment's hash, or as the ledger remembers."""

from __future__ import annotations

import asyncio
import os
from collections import OrderedDict
from collections.abc import Mapping
from typing import TYPE_CHECKING

from llmbench.errors import UsageError
from llmbench.routing.route import Assigned

if TYPE_CHECKING:
    from llmbench.ledger import Ledger
    from llmbench.providers.clock import Clock
    from llmbench.routing.experiment import Experiment

__all__ = ["Assigner"]

_KEPT = 65_536


class Assigner:
    """Assigns units to the arms of one experiment.

    With a ledger, weights that differ from the last ones begin an epoch; a unit that was assigned in
    an earlier epoch stays in its arm with the probability it had then, unless the arm is gone.
    """

    def __init__(self, experiment: Experiment | None, ledger: Ledger | None, clock: Clock) -> None:
        self._experiment = experiment
        self._ledger = ledger
        self._clock = clock
        self._epoch: int | None = None
        self._known: OrderedDict[str, Assigned] = OrderedDict()

    @property
    def experiment(self) -> Experiment:
        """Raises UsageError where there is none."""
        if self._experiment is None:
            raise UsageError("AB_TEST needs an experiment whose arms the providers serve; give experiment=.")
        return self._experiment

    async def assign(self, unit_id: str | None) -> Assigned:
        """The arm of `unit_id`; without one the call is a unit of its own."""
        experiment = self.experiment
        if self._epoch is None and self._ledger is not None:
            await asyncio.to_thread(self._open_epoch)
        if unit_id is not None:
            known = self._known.get(unit_id)
            if known is not None:
                return known
            # Only an earlier epoch can say otherwise than the hash does.
            if self._ledger is not None and self._epoch != 1:
                found = await asyncio.to_thread(self._remembered, unit_id)
                if found is not None:
                    self._remember(found)
                    return found
        return self._hashed(experiment, unit_id or f"call-{os.urandom(8).hex()}")

    def look(self, unit_id: str | None) -> Assigned:
        """As `assign`, for a reader who waits."""
        experiment = self.experiment
        if self._epoch is None and self._ledger is not None:
            self._open_epoch()
        if unit_id is not None and self._ledger is not None and (found := self._remembered(unit_id)):
            return found
        return self._hashed(experiment, unit_id or f"call-{os.urandom(8).hex()}")

    async def keep(self, assigned: Assigned, attributes: Mapping[str, str]) -> None:
        """Return once the assignment is durable. Raises LedgerError."""
        if self._ledger is not None:
            await self._ledger.record_assignment(
                assigned.experiment_id,
                assigned.unit_id,
                epoch=assigned.epoch,
                arm=assigned.arm,
                probability=assigned.probability,
                assigned_at=self._clock.now(),
                attributes=attributes,
            )
        self._remember(assigned)

    def _remember(self, assigned: Assigned) -> None:
        self._known[assigned.unit_id] = assigned._replace(known=True)
        if len(self._known) > _KEPT:
            self._known.popitem(last=False)

    def _open_epoch(self) -> None:
        if self._ledger is not None:
            experiment = self.experiment
            self._epoch = self._ledger.open_epoch(experiment.id, experiment.arms, self._clock.now())

    def _remembered(self, unit_id: str) -> Assigned | None:
        experiment = self.experiment
        found = self._ledger.assigned(experiment.id, unit_id) if self._ledger else None
        if found is None or experiment.arms.get(found.arm, 0.0) <= 0:
            return None
        return Assigned(experiment.id, unit_id, found.epoch, found.arm, found.probability, known=True)

    def _hashed(self, experiment: Experiment, unit_id: str) -> Assigned:
        arm = experiment.arm_of(unit_id)
        return Assigned(experiment.id, unit_id, self._epoch or 1, arm, experiment.arms[arm])
