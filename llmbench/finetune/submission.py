"""Starting a job once, whatever happens in between: the intent is durable before the vendor is asked.

What may be found of an earlier process that started the same order:

    nothing was asked for    its row is closed, so that it can no longer ask, and a new one takes its place
    a job with an id         it is taken up, and none is started
    asked, and no id         the vendor's list of jobs is searched for the file that was uploaded
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from llmbench.errors import BudgetExceededError, LedgerError, ProviderError, UsageError
from llmbench.finetune.ordering import order_facts, order_hash
from llmbench.finetune.states import JobStatus
from llmbench.ledger.tuning import TuningRow

if TYPE_CHECKING:
    from llmbench.finetune.backend import JobOrder, TuningBackend
    from llmbench.finetune.quoting import TrainingQuote
    from llmbench.ledger import Ledger

__all__ = ["Started", "recover", "reread", "start_once"]

_MAY_BE_ON_ITS_WAY_S = 60.0
"""So long after it was asked for, a job that no list shows may still appear there."""
_LOOKS_EVERY_S = 5.0
_MAY_START_AGAIN = frozenset({"failed", "cancelled"})
"""Not `unavailable`: a job that its vendor has forgotten was paid for, and may be remembered."""
_TRIES = 5


@dataclass(frozen=True, slots=True)
class Started:
    """What came of an order."""

    row: TuningRow
    note: str
    """What was found, and what was done."""


class _Log:
    """Keeps in the ledger what a submission has come to."""

    def __init__(
        self, backend: TuningBackend, ledger: Ledger, row: TuningRow, approve: Callable[[float | None], None]
    ) -> None:
        self._backend = backend
        self._ledger = ledger
        self._row = row
        self._approve = approve
        self._files: tuple[str, ...] = ()
        self.asked = False

    async def sent(self, file_id: str) -> None:
        self._files += (file_id,)
        await asyncio.to_thread(self._ledger.tuning_sent, self._row.tag, self._files)

    async def starting(self, estimated_usd: float | None = None) -> None:
        try:
            self._approve(estimated_usd)
        except BudgetExceededError as error:
            uploaded = f" Uploaded: {', '.join(self._files)}." if self._files else ""
            raise BudgetExceededError(f"{error}{uploaded}") from None
        now = self._backend.clock.now()
        if not await asyncio.to_thread(self._ledger.tuning_asked, self._row.tag, now, estimated_usd):
            raise UsageError(
                "Another process has taken over this order meanwhile, and no job was started here: "
                "finetune.jobs() lists what there is."
            )
        self.asked = True


async def start_once(
    backend: TuningBackend,
    ledger: Ledger,
    order: JobOrder,
    quote: TrainingQuote,
    *,
    approve: Callable[[float | None], None],
    again: bool,
) -> Started:
    """The job of `order`: one that is there already, unless `again`, else a new one.

    Raises what `approve` raises for the vendor's own estimate, and ProviderError.
    """
    hashed = order_hash(backend, order)
    for _ in range(_TRIES):
        rows = await asyncio.to_thread(ledger.tuning_jobs, order_hash=hashed, closed=True)
        found, note = await _earlier(backend, ledger, rows)
        if found is not None and not again and found.state not in _MAY_START_AGAIN:
            return Started(found, note)
        row = TuningRow(
            tag=secrets.token_hex(10),
            order_hash=hashed,
            turn=1 + max((each.turn for each in rows), default=0),
            endpoint=backend.endpoint,
            place=backend.place,
            base_model=order.base_model,
            ordered=order_facts(order),
            quoted=quote.to_dict(),
            prepared_at=backend.clock.now(),
        )
        if await asyncio.to_thread(ledger.prepare_tuning, row):
            return await _submit(backend, ledger, order, row, approve, note)
    raise LedgerError(f"Other processes keep starting the same order in {ledger.name}; try again later.")


async def _earlier(
    backend: TuningBackend, ledger: Ledger, rows: list[TuningRow]
) -> tuple[TuningRow | None, str]:
    """The newest row of an order that has a job, and what was found."""
    note = ""
    for row in reversed([row for row in rows if row.closed_at is None]):
        if row.job_id is not None:
            more = "; again=True trains it once more" if row.state == "unavailable" else ""
            return (
                row,
                (
                    f"The ledger has this order as the job {row.job_id}, {row.state}; it was not started "
                    f"again{more}."
                ),
            )
        found, note = await recover(backend, ledger, row)
        if found.job_id is not None:
            return found, note
    return None, note


async def recover(backend: TuningBackend, ledger: Ledger, row: TuningRow) -> tuple[TuningRow, str]:
    """What became of a row without a job, and a sentence that says so. The row is closed where it has none.

    Raises ProviderError where the vendor does not tell: then nothing is changed.
    """
    when = f"{row.prepared_at:%Y-%m-%d %H:%M} UTC"
    if row.asked_at is None:
        why = f"An earlier start of this order, of {when}, ended before a job was asked for."
        if await asyncio.to_thread(ledger.close_tuning, row.tag, why, backend.clock.now(), unless_asked=True):
            return await reread(ledger, row), why
        row = await reread(ledger, row)  # it has just been asked for, by a process that goes on
    until = (row.asked_at or backend.clock.now()) + timedelta(seconds=_MAY_BE_ON_ITS_WAY_S)
    while True:
        found = await backend.find(row.files)
        row = await reread(ledger, row)  # the process that asked may have heard meanwhile
        if row.job_id is None and found:
            await asyncio.to_thread(_keep, ledger, row.tag, found[0], backend)
            row = await reread(ledger, row)
        if row.job_id is not None:
            return row, (
                f"An earlier start of this order, of {when}, was cut off; {row.place} has its job as "
                f"{row.job_id}, which is taken up."
            )
        now = backend.clock.now()
        if now >= until:
            why = (
                f"An earlier start of this order, of {when}, was cut off; {row.place} lists no job that "
                f"trains the file it uploaded ({', '.join(row.files) or 'none'})."
            )
            await asyncio.to_thread(ledger.close_tuning, row.tag, why, now)
            return await reread(ledger, row), why
        await backend.clock.sleep(min(_LOOKS_EVERY_S, (until - now).total_seconds()))


async def _submit(
    backend: TuningBackend,
    ledger: Ledger,
    order: JobOrder,
    row: TuningRow,
    approve: Callable[[float | None], None],
    note: str,
) -> Started:
    log = _Log(backend, ledger, row, approve)
    try:
        status = await backend.submit(order, log)
    except BaseException as error:
        # What is in doubt stays open, so that the next start looks for it at the vendor's.
        in_doubt = log.asked and (not isinstance(error, ProviderError) or error.maybe_billed)
        if not in_doubt:
            why = f"{type(error).__name__}: no job was started."
            await asyncio.shield(asyncio.to_thread(ledger.close_tuning, row.tag, why, backend.clock.now()))
        raise
    try:
        await asyncio.to_thread(_keep, ledger, row.tag, status, backend)
    except LedgerError as error:
        raise LedgerError(
            f"The job {status.job_id} was started at {backend.place}, and its id could not be kept: {error} "
            "Note the id; finetune.resume takes it in by provider=..., and the same order finds it."
        ) from error
    return Started(await reread(ledger, row), note)


def _keep(ledger: Ledger, tag: str, status: JobStatus, backend: TuningBackend) -> None:
    ledger.tuning_seen(
        tag, job_id=status.job_id, state=status.state, status=status.to_dict(), at=backend.clock.now()
    )


async def reread(ledger: Ledger, row: TuningRow) -> TuningRow:
    """The row as the ledger has it now, which another process may have changed."""
    found = await asyncio.to_thread(ledger.tuning_jobs, tag=row.tag, closed=True)
    return found[0] if found else row
