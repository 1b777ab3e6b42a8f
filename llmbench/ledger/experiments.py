"""What a ledger keeps of experiments: epochs, assignments, what came of the calls, and who looked."""

from __future__ import annotations

from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from llmbench.errors import UsageError
from llmbench.ledger import assignments, attributes, looks
from llmbench.ledger.assignments import Assignment, Epoch
from llmbench.ledger.brief import UnitAttempt, unit_attempts
from llmbench.ledger.looks import RecordedLook
from llmbench.ledger.matching import read_outcomes
from llmbench.ledger.outcomes import Event, Outcomes, outcome_row

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from llmbench.ledger.connections import Connection, LedgerStore
    from llmbench.ledger.writer import Writer

__all__ = ["ExperimentsLedger"]


class ExperimentsLedger:
    """The half of `Ledger` that is about experiments."""

    _store: LedgerStore
    _writer: Writer

    if TYPE_CHECKING:  # both are Ledger's

        def _reading(self) -> AbstractContextManager[Connection]: ...
        def _refuse_if_closed(self) -> None: ...

    def open_epoch(self, experiment_id: str, weights: Mapping[str, float], at: datetime) -> int:
        """The number of the epoch of these weights: the newest one's if it has them, else the next."""
        self._refuse_if_closed()
        return assignments.open_epoch(self._store, experiment_id, weights, at)

    def epochs(self, experiment_id: str) -> list[Epoch]:
        """The epochs of an experiment, the first first."""
        with self._reading() as connection:
            return assignments.epochs(connection, experiment_id)

    async def record_assignment(
        self,
        experiment_id: str,
        unit_id: str,
        *,
        epoch: int,
        arm: str,
        probability: float,
        assigned_at: datetime,
        attributes: Mapping[str, Any] | None = None,
    ) -> None:
        """Return once the arm of a unit is durable. A second arm in one epoch changes nothing.

        `attributes` is what is known of the unit and cannot come of the arm: its mailbox or domain, campaign,
        segment. Texts, numbers or bools; they are kept as texts.
        """
        found = Assignment(experiment_id, unit_id, epoch, arm, probability, assigned_at, attributes or {})
        await self._writer.submit(assignments.assignment_row(found))

    def describe_units(self, experiment_id: str, attributes_of_units: Mapping[str, Mapping[str, Any]]) -> int:
        """Add attributes, by unit, to assignments that were recorded without them; durable when it returns.

        Gives the number of these units that the experiment has assigned. What depends on the arm (whether a
        mail was opened) is an outcome and does not belong here. Raises UsageError, and records nothing, where
        the ledger has another value of a name already.
        """
        self._refuse_if_closed()
        return attributes.describe_units(self._store, experiment_id, attributes_of_units)

    def assigned(self, experiment_id: str, unit_id: str) -> Assignment | None:
        """The newest assignment of a unit, or None."""
        with self._reading() as connection:
            return assignments.assigned(connection, experiment_id, unit_id)

    def assignments(self, experiment_id: str) -> Iterator[Assignment]:
        """All assignments of an experiment, in the order of recording, a page read at a time."""
        return assignments.assignments(self._reading, experiment_id)

    def unit_attempts(self, experiment_id: str) -> Iterator[UnitAttempt]:
        """A few columns of every attempt of an experiment, in the order of recording."""
        with self._reading() as connection:
            yield from unit_attempts(connection, experiment_id)

    def record_outcome(
        self,
        unit_id: str | None = None,
        *,
        call_id: str | None = None,
        replied: bool = True,
        at: datetime | None = None,
        value: float | None = None,
        **metadata: Any,
    ) -> None:
        """Keep what came of a call, or of the calls for a unit; durable when it returns.

        The first argument may also be the id of a call, which then counts for its unit.
        `at` is when it happened (an aware datetime; default now), `value` USD, 0 or more. The order in which
        outcomes are recorded, and whether the call is there yet, does not matter; the same outcome
        again changes nothing. Raises UsageError and LedgerError.
        """
        moment = datetime.now(UTC)
        event = Event(unit_id, call_id, replied, moment if at is None else at, value, metadata)
        row = outcome_row(event, moment)
        self._refuse_if_closed()
        with self._store.writing() as connection:
            connection.execute(*row)

    def outcomes(
        self,
        experiment_id: str | None = None,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        window_days: float | None = None,
    ) -> Outcomes:
        """One outcome per unit (and experiment) to which something was answered; a call without a unit
        is a unit of its own.

        `since` and `until` bound the first answer to a unit: a unit is in whole or not at all. A reply
        counts from that answer on, for `window_days` where given; one that names its call counts for
        the experiment of that call only. What cannot be counted is on the result, by reason.
        Raises UsageError for an instant without time zone and a window below 0.
        """
        if window_days is not None and not 0 <= window_days < timedelta.max.days:
            raise UsageError(f"window_days must be a number of days, 0 or more; it is {window_days!r}.")
        window = None if window_days is None else timedelta(days=window_days)
        with self._reading() as connection:
            return read_outcomes(connection, experiment_id, since, until, window)

    def looks(self, experiment_id: str) -> list[RecordedLook]:
        """The looks that were taken at an experiment, the first first."""
        with self._reading() as connection:
            return looks.looks(connection, experiment_id)

    def frozen_plan(self, experiment_id: str) -> dict[str, Any] | None:
        """The parameters of an experiment as of its first look; None where there was none."""
        with self._reading() as connection:
            return looks.frozen_plan(connection, experiment_id)

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
        """Keep what a look at data up to `cut_off` showed; durable when it returns.

        `parameters` are frozen by the first look. False, and nothing is changed, where that look or that
        cut-off is there already. Raises LedgerError.
        """
        self._refuse_if_closed()
        return looks.record_look(
            self._store, experiment_id, number, cut_off=cut_off, units=units, information=information,
            parameters=parameters, comparisons=comparisons, seen_at=seen_at,
        )  # fmt: skip
