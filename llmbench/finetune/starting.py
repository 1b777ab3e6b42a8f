"""Fine-tuning jobs: quoted, started once, taken up again. Plain functions, for a notebook's cell."""

from __future__ import annotations

import re
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmbench.background import run
from llmbench.errors import InvalidRequestError, UsageError
from llmbench.finetune.job import Job
from llmbench.finetune.ordering import checked_budget, make_order
from llmbench.finetune.quoting import TrainingQuote, quote_order
from llmbench.finetune.submission import start_once
from llmbench.finetune.vendor import VendorTuning, backend_of
from llmbench.ledger.tuning import TuningRow

if TYPE_CHECKING:
    from llmbench.config import ProjectConfig
    from llmbench.finetune.backend import TuningBackend
    from llmbench.finetune.states import JobStatus
    from llmbench.ledger import Ledger
    from llmbench.providers.base import BaseLLMProvider

__all__ = ["jobs", "quote", "resume", "start"]

EPOCHS = 3
"""Where nobody says otherwise. It is always sent, so that what is quoted is what is trained."""

_IDS = {"OpenAI": re.compile(r"ftjob-\S+"), "Together": re.compile(r"ft-\S+")}
_PLACES = {"OpenAI": frozenset({"openai", "azure"}), "Together": frozenset({"together"})}


def quote(
    provider: BaseLLMProvider | TuningBackend | str,
    training_file: str | Path,
    base_model: str,
    *,
    epochs: int = EPOCHS,
    method: str = "lora",
    validation_file: str | Path | None = None,
    config: ProjectConfig | None = None,
    **options: Any,
) -> TrainingQuote:
    """What a job would cost: tokens counted here, times a dated price of the catalog. Never the network.

    Args:
        provider: a provider, or the name of an endpoint ("openai", "together", "local").
        training_file: JSONL, as `provider.fine_tune` takes it.
        base_model: what is to be trained.
        epochs: how often every example is seen.
        method: "lora" (an adapter) or "full" (all weights), where the place has the choice.
        validation_file: examples that are evaluated, and not trained.
        config: the project's; None is that of the current folder.
        **options: as `provider.fine_tune` takes them.

    Raises DatasetError, UsageError, ConfigError, and FineTuningUnavailableError where this place, model or
    date has no fine-tuning.
    """
    backend, _ = _opened(provider, config, None)
    order = make_order(
        backend,
        training_file,
        base_model,
        epochs=epochs,
        method=method,
        suffix=None,
        validation_file=validation_file,
        seed=None,
        options=options,
    )
    return quote_order(backend, order)


def start(
    provider: BaseLLMProvider | TuningBackend | str,
    training_file: str | Path,
    base_model: str,
    *,
    budget_usd: float,
    suffix: str | None = None,
    epochs: int = EPOCHS,
    method: str = "lora",
    validation_file: str | Path | None = None,
    seed: int | None = None,
    allow_unknown_price: bool = False,
    again: bool = False,
    deadline_s: float = 600.0,
    ledger: Ledger | str | Path | None = None,
    config: ProjectConfig | None = None,
    **options: Any,
) -> Job:
    """Start a job, once, if it costs no more than `budget_usd`.

    The intent is in the ledger before anything is sent, and the job's id as soon as it is known. The same
    order again (the same content, model, options and place) gives the job that there is, unless that has
    failed or was cancelled: nothing is paid twice. After a crash the vendor's list is searched for a
    job of the file that was uploaded; `Job.note` says what was found.

    `budget_usd` is compared with the upper end of the quote, and with the vendor's own estimate where it
    gives one (Together). A job that might cost more is not started, nor is one whose cost nobody knows,
    unless `allow_unknown_price`. `suffix` becomes part of the tuned model's name, where the vendor does that;
    `seed` is the training's, where the vendor takes one. `again` trains the same once more, though there is a
    job. `deadline_s` is that of the submission, uploads included. `ledger` is a Ledger or the path of one;
    None is the provider's own, else the project's.

    The others are those of `quote`. Raises what `quote` raises, BudgetExceededError, LedgerError and
    ProviderError; an error says whether a job may have been started.
    """
    budget = checked_budget(budget_usd)
    own_ledger = _ledger(ledger, provider, config)
    backend, opened = _opened(provider, config, own_ledger)
    if isinstance(backend, VendorTuning):
        backend.deadline_s = deadline_s
    order = make_order(
        backend,
        training_file,
        base_model,
        epochs=epochs,
        method=method,
        suffix=suffix,
        validation_file=validation_file,
        seed=seed,
        options=options,
    )
    quoted = quote_order(backend, order)
    if not backend.estimates or quoted.usd is not None:
        quoted.refuse_above(budget, allow_unknown_price=allow_unknown_price)

    def approve(estimated_usd: float | None) -> None:
        final = quoted.with_estimate(estimated_usd)
        final.refuse_above(budget, allow_unknown_price=allow_unknown_price)

    async def started() -> Job:
        try:
            found = await start_once(backend, own_ledger, order, quoted, approve=approve, again=again)
        finally:
            if opened:
                await backend.aclose()
        given = None if opened else backend
        return Job(own_ledger, found.row, backend=given, config=config, note=found.note)

    try:
        return run(started())
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            f"The start was stopped, and a job may be there at {backend.place}: the same call again looks "
            "for it, takes it up where it is, and starts one only where none is."
        ) from None


def resume(
    job_id: str,
    *,
    provider: BaseLLMProvider | TuningBackend | str | None = None,
    ledger: Ledger | str | Path | None = None,
    config: ProjectConfig | None = None,
) -> Job:
    """The job `job_id`, from the ledger; its trainer is asked at the next `refresh` or `wait`.

    `provider` is needed for a job that was started elsewhere, which is looked at and taken into the ledger,
    and for one whose provider no endpoint of the project opens. Raises UsageError for an id that nobody
    knows, or that belongs to another vendor.
    """
    job_id = str(job_id or "").strip()
    if not job_id:
        raise UsageError("job_id is empty; finetune.jobs() lists those in the ledger.")
    own_ledger = _ledger(ledger, provider, config)
    rows = own_ledger.tuning_jobs(job_id=job_id)
    if provider is None:
        if not rows:
            raise UsageError(
                f"The ledger {own_ledger.name} has no fine-tuning job {job_id!r}{_looks_like(job_id)}; "
                "finetune.jobs() lists those it has, and provider=... takes in one started elsewhere."
            )
        return Job(own_ledger, rows[-1], config=config)
    backend, opened = _opened(provider, config, own_ledger)
    given = None if opened else backend
    here = [row for row in rows if row.place == backend.place]
    if here:
        return Job(own_ledger, here[-1], backend=given, config=config)
    if rows:
        raise UsageError(
            f"The job {job_id!r} was started at {rows[-1].place} (endpoint {rows[-1].endpoint!r}), not at "
            f"{backend.place}; leave provider out, or give that one."
        )

    async def taken_in() -> JobStatus:
        try:
            return await backend.look(job_id)
        except InvalidRequestError as error:
            owner = _owner(job_id)
            whose = (
                f" It looks like an id of {owner}'s." if owner and backend.place not in _PLACES[owner] else ""
            )
            raise UsageError(f"{error}{whose} It was not taken into the ledger.") from None
        finally:
            if opened:
                await backend.aclose()

    row = _take_in(own_ledger, backend, run(taken_in()))
    return Job(own_ledger, row, backend=given, config=config, note="It was started elsewhere.")


def jobs(ledger: Ledger | str | Path | None = None, *, config: ProjectConfig | None = None) -> list[Job]:
    """The jobs in the ledger, the first first; intents of which no job came are left out."""
    own_ledger = _ledger(ledger, None, config)
    return [Job(own_ledger, row, config=config) for row in own_ledger.tuning_jobs()]


def _take_in(ledger: Ledger, backend: TuningBackend, status: JobStatus) -> TuningRow:
    now = backend.clock.now()
    row = TuningRow(
        tag=secrets.token_hex(10),
        order_hash=f"{backend.endpoint}/{status.job_id}",
        turn=1,
        endpoint=backend.endpoint,
        place=backend.place,
        base_model=status.base_model or "",
        ordered={},
        quoted={},
        prepared_at=now,
        job_id=status.job_id,
        state=status.state,
        status=status.to_dict(),
        seen_at=now,
    )
    ledger.prepare_tuning(row)
    return ledger.tuning_jobs(job_id=status.job_id)[-1]


def _opened(
    provider: BaseLLMProvider | TuningBackend | str, config: ProjectConfig | None, ledger: Ledger | None
) -> tuple[TuningBackend, bool]:
    """What trains, and whether it was opened here."""
    if not isinstance(provider, str):
        return backend_of(provider), False
    from llmbench.providers.registry import open_endpoint

    return backend_of(open_endpoint(provider, config=config, recorder=ledger)), True


def _ledger(given: Ledger | str | Path | None, provider: object, config: ProjectConfig | None) -> Ledger:
    from llmbench.ledger import Ledger

    if isinstance(given, Ledger):
        return given
    if given is None:
        # Batches, too, keep their journal where the provider records.
        recorder = getattr(getattr(provider, "provider", provider), "recorder", None)
        if isinstance(recorder, Ledger):
            return recorder
    if given is None and config is not None:
        return Ledger(config.ledger_url, durability=config.ledger_durability)
    return Ledger(given)


def _owner(job_id: str) -> str | None:
    return next((owner for owner, pattern in _IDS.items() if pattern.fullmatch(job_id)), None)


def _looks_like(job_id: str) -> str:
    owner = _owner(job_id)
    return f" (it looks like one of {owner}'s)" if owner else ""
