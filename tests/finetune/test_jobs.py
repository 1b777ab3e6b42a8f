"""The whole life of a job at each vendor, on stubs that answer as their references describe."""

from __future__ import annotations

import _thread
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from llmbench import LlamaProvider, OpenAIProvider, TogetherProvider, UniversalModelTrainer, finetune
from llmbench.background import run
from llmbench.catalog.tuned_models import tuned_model
from llmbench.errors import (
    AuthenticationError,
    BudgetExceededError,
    FineTuningUnavailableError,
    InvalidRequestError,
    LedgerError,
    ProviderError,
    ServerError,
    UsageError,
)
from llmbench.finetune import Job
from llmbench.finetune.vendor import VendorTuning
from llmbench.ledger import Ledger
from llmbench.providers import BaseLLMProvider, FakeClock
from tests.providers.cases import KEY
from tests.providers.tuning_stubs import (
    JOB,
    Jobs,
    openai_routes,
    replicate_routes,
    together_routes,
    tuning_vendor,
)


@dataclass(frozen=True)
class Vendor:
    name: str
    routes: Callable[[web.Application, Jobs], None]
    build: Callable[..., BaseLLMProvider]
    base_model: str
    words: tuple[str, ...]
    """Its own for queued, running, succeeded, failed, cancelled."""
    tuned: str
    options: dict[str, Any] = field(default_factory=dict)


VENDORS = {
    vendor.name: vendor
    for vendor in (
        Vendor(
            "openai",
            openai_routes,
            lambda url, **more: OpenAIProvider({"base_url": f"{url}/v1", "api_key": KEY, **more}),
            "gpt-4o-mini",
            ("validating_files", "running", "succeeded", "failed", "cancelled"),
            "ft:gpt-4o-mini:us::1",
        ),
        Vendor(
            "replicate",
            replicate_routes,
            lambda url, **more: LlamaProvider(
                {"backend": "replicate", "base_url": url, "api_key": KEY, **more}
            ),
            "llama-3-8b",
            ("starting", "processing", "succeeded", "failed", "canceled"),
            "me/mine:b",
            {"destination": "me/mine", "version": "a" * 64, "allow_unknown_price": True},
        ),
        Vendor(
            "together",
            together_routes,
            lambda url, **more: TogetherProvider({"base_url": url, "api_key": KEY, **more}),
            "llama-3.1-8b",
            ("pending", "running", "completed", "error", "cancelled"),
            "me/tuned-1",
        ),
    )
}


@pytest.fixture(params=sorted(VENDORS))
def vendor(request: pytest.FixtureRequest) -> Vendor:
    return VENDORS[request.param]


@pytest.fixture
def stub(vendor: Vendor) -> Iterator[Jobs]:
    found = Jobs([vendor.words[0]])
    with tuning_vendor(vendor.routes, found):
        yield found


@pytest.fixture
def provider(vendor: Vendor, stub: Jobs) -> Iterator[BaseLLMProvider]:
    built = vendor.build(stub.url, clock=FakeClock())
    yield built
    run(built.aclose())


def start(vendor: Vendor, provider: Any, training: Path, ledger: Ledger, **more: Any) -> Job:
    settings = {"budget_usd": 10.0, "ledger": ledger, **vendor.options, **more}
    return finetune.start(provider, training, vendor.base_model, **settings)


def test_the_whole_life(
    vendor: Vendor, stub: Jobs, provider: BaseLLMProvider, training: Path, ledger: Ledger
) -> None:
    job = start(vendor, provider, training, ledger)
    assert (job.id, job.state, job.place, job.model) == (JOB, "queued", vendor.name, None)
    assert job.status.vendor_state == vendor.words[0]
    assert len(stub.created) == 1
    stub.words = [vendor.words[1]]
    status = job.refresh()
    assert (status.state, status.vendor_state) == ("running", vendor.words[1])
    assert job.events()
    stub.words = [vendor.words[1], vendor.words[1], vendor.words[2]]
    told: list[str] = []
    status = job.wait(progress=told.append, poll_s=5)
    assert status.state == job.state == "succeeded"
    assert job.tuned_model == vendor.tuned
    assert job.model == f"{provider.endpoint}/{vendor.tuned}"
    assert f"{JOB} at {vendor.name}: running" in told[0]
    assert f"model {job.model}" in told[-1]
    assert len(told) == 2  # a look that shows nothing new tells nothing
    assert provider.clock.sleeps[-2:] == [5, 5]  # type: ignore[attr-defined]
    asked = len(stub.keys)
    assert job.refresh().state == "succeeded"
    assert len(stub.keys) == asked  # what has ended is not asked for


def test_what_succeeds_becomes_a_model_of_the_project(
    vendor: Vendor, stub: Jobs, provider: BaseLLMProvider, training: Path, ledger: Ledger
) -> None:
    stub.words = [vendor.words[2]]
    job = start(vendor, provider, training, ledger)
    job.refresh()
    found = tuned_model(vendor.tuned, vendor.name)
    assert found is not None
    assert (found.base, found.job_id) == (vendor.base_model, JOB)
    assert provider.get_model_info(vendor.tuned).context_window


def test_a_job_is_taken_up_after_a_restart(
    vendor: Vendor, stub: Jobs, provider: BaseLLMProvider, training: Path, project: Path
) -> None:
    with Ledger(project / "jobs.db") as ledger:
        start(vendor, provider, training, ledger)
    stub.words = [vendor.words[1]]
    with Ledger(project / "jobs.db") as ledger:
        job = finetune.resume(JOB, provider=provider, ledger=ledger)
        assert job.state == "queued"  # as the ledger has it
        assert job.refresh().state == "running"
        (listed,) = finetune.jobs(ledger)
        assert (listed.id, listed.state) == (JOB, "running")
        assert repr(listed).startswith(f"Job('{JOB}' at {vendor.name}, running")


def test_the_same_order_is_not_started_twice(
    vendor: Vendor, stub: Jobs, provider: BaseLLMProvider, training: Path, ledger: Ledger
) -> None:
    start(vendor, provider, training, ledger)
    copy = training.with_name("copy.jsonl")
    copy.write_bytes(training.read_bytes())
    same = start(vendor, provider, copy, ledger)
    assert (same.id, len(stub.created)) == (JOB, 1)
    assert "not started again" in same.note
    start(vendor, provider, training, ledger, again=True)
    assert len(stub.created) == 2
    start(vendor, provider, training, ledger, epochs=4)
    assert len(stub.created) == 3
    stub.words = [vendor.words[3]]
    (failed,) = [job for job in finetune.jobs(ledger) if job.quote and job.quote.epochs == 4]
    job = finetune.resume(JOB, provider=provider, ledger=ledger)
    assert failed.id == job.id == JOB
    assert job.refresh().state == "failed"
    start(vendor, provider, training, ledger, epochs=4)
    assert len(stub.created) == 4  # one that has failed may be tried again


def test_a_job_that_fails_in_the_middle(
    vendor: Vendor, stub: Jobs, provider: BaseLLMProvider, training: Path, ledger: Ledger
) -> None:
    job = start(vendor, provider, training, ledger)
    stub.words = [vendor.words[1], vendor.words[3]]
    told: list[str] = []
    status = job.wait(progress=told.append)
    assert (status.state, status.error) == ("failed", "bad file")
    assert told[-1].startswith(f"{JOB} at {vendor.name}: failed")
    assert "bad file" in told[-1]
    assert job.usd is None


def test_a_vendor_that_forgets_the_job(
    vendor: Vendor, stub: Jobs, provider: BaseLLMProvider, training: Path, ledger: Ledger
) -> None:
    job = start(vendor, provider, training, ledger)
    stub.words = [vendor.words[1]]
    job.refresh()
    stub.refusal = (404, "no such job")
    status = job.refresh()
    assert status.state == "unavailable"
    assert f"{vendor.name} no longer knows the job" in str(status.error)
    assert status.vendor_state == vendor.words[1]  # what was known stays
    assert finetune.jobs(ledger)[0].state == "unavailable"
    same = start(vendor, provider, training, ledger)  # a cell that is run again pays nothing
    assert (same.id, len(stub.created)) == (JOB, 1)
    assert "again=True trains it once more" in same.note
    stub.refusal, stub.words = None, [vendor.words[2]]
    assert job.refresh().state == "succeeded"  # and it may remember


def test_a_vendor_that_closes(
    vendor: Vendor, stub: Jobs, provider: BaseLLMProvider, training: Path, ledger: Ledger
) -> None:
    job = start(vendor, provider, training, ledger)
    stub.refusal = (403, "Fine-tuning is no longer available for your organization.")
    assert job.refresh().state == "unavailable"
    assert "no longer available" in str(job.status.error)


def test_the_trainer_of_the_document_asks_the_same(
    vendor: Vendor, stub: Jobs, provider: BaseLLMProvider, training: Path
) -> None:
    trainer = UniversalModelTrainer(provider)
    options = {key: value for key, value in vendor.options.items() if key != "allow_unknown_price"}
    job = run(trainer.fine_tune(str(training), vendor.base_model, **options))
    assert job["job_id"] == JOB
    stub.words = [vendor.words[1]]
    assert run(trainer.get_fine_tuning_status(JOB))["status"] == "running"
    assert run(trainer.get_fine_tuning_events(JOB))
    assert bool(run(trainer.get_fine_tuning_metrics(JOB))) == (vendor.name != "replicate")
    stub.words = [vendor.words[4]]
    assert run(trainer.cancel_fine_tuning(JOB))["status"] == "cancelled"
    with pytest.raises(InvalidRequestError, match="no fine-tuning job"):
        run(trainer.cancel_fine_tuning("ftjob-2"))


def test_cancel(
    vendor: Vendor, stub: Jobs, provider: BaseLLMProvider, training: Path, ledger: Ledger
) -> None:
    job = start(vendor, provider, training, ledger)
    stub.words = [vendor.words[4]]
    assert job.cancel().state == "cancelled"
    assert stub.cancelled == [JOB]
    assert job.cancel().state == "cancelled"  # and is not asked for again
    assert stub.cancelled == [JOB]
    assert finetune.jobs(ledger)[0].state == "cancelled"


def test_a_job_that_ends_while_it_is_cancelled(training: Path, ledger: Ledger) -> None:
    vendor, stub = VENDORS["openai"], Jobs(["running"])
    with tuning_vendor(vendor.routes, stub):
        provider = vendor.build(stub.url)
        job = start(vendor, provider, training, ledger)
        stub.words = ["succeeded"]

        original = stub._refused

        def refused(refusal: tuple[int, str] | None) -> web.Response | None:
            found = original(refusal)
            if refusal is not None:
                stub.refusal = None
            return found

        stub._refused = refused  # type: ignore[method-assign]
        stub.refusal = (400, "Job has already completed")
        assert job.cancel().state == "succeeded"
        run(provider.aclose())


def test_the_loss_curve(training: Path, ledger: Ledger) -> None:
    for name in ("openai", "together"):
        vendor, stub = VENDORS[name], Jobs([VENDORS[name].words[1]])
        with tuning_vendor(vendor.routes, stub):
            provider = vendor.build(stub.url)
            job = start(vendor, provider, training, ledger)
            first, second = job.metrics()
            assert (first.step, first.training_loss, first.validation_loss) == (1, 0.9, None)
            assert (second.step, second.training_loss, second.validation_loss) == (2, 0.5, 0.75)
            told: list[str] = []
            job.wait(timeout_s=0.01, poll_s=0.01, progress=told.append)
            assert "step 2, training loss 0.5000, validation loss 0.7500" in told[0]
            assert f"finetune.resume('{JOB}').wait()" in told[-1]
            levels = [event.level for event in job.events()]
            assert levels == (["info", "warning", "info"] if name == "openai" else ["info", "warning"])
            run(provider.aclose())


def test_a_wait_survives_the_network(
    vendor: Vendor, stub: Jobs, provider: BaseLLMProvider, training: Path, ledger: Ledger
) -> None:
    job = start(vendor, provider, training, ledger)
    stub.refusal, stub.words = (503, "busy"), [vendor.words[2]]
    told: list[str] = []

    def tell(line: str) -> None:
        told.append(line)
        stub.refusal = None

    assert job.wait(progress=tell).state == "succeeded"
    assert "asking again" in told[0]
    stub.words = [vendor.words[1]]
    job = start(vendor, provider, training, ledger, epochs=5)
    stub.refusal = (401, "bad key")
    with pytest.raises(AuthenticationError):
        job.wait(progress=None)


def test_ctrl_c_leaves_the_job_alone(
    vendor: Vendor, stub: Jobs, provider: BaseLLMProvider, training: Path, ledger: Ledger
) -> None:
    job = start(vendor, provider, training, ledger)

    def interrupt(_: str) -> None:
        _thread.interrupt_main()

    with pytest.raises(KeyboardInterrupt, match=rf"finetune\.resume\('{JOB}'\)\.wait\(\) takes it up"):
        job.wait(progress=interrupt)
    assert not stub.cancelled
    assert finetune.resume(JOB, provider=provider, ledger=ledger).state == "queued"


def test_ctrl_c_while_a_job_is_started_loses_no_job(
    vendor: Vendor, stub: Jobs, provider: BaseLLMProvider, training: Path, ledger: Ledger
) -> None:
    stub.after_start = _thread.interrupt_main
    with pytest.raises(KeyboardInterrupt, match="the same call again looks for it"):
        start(vendor, provider, training, ledger)
    stub.after_start = None
    found = start(vendor, provider, training, ledger)
    assert (found.id, len(stub.created)) == (JOB, 1)


def test_a_quote_above_the_budget_sends_nothing(training: Path, ledger: Ledger) -> None:
    for name in ("openai", "together"):
        vendor, stub = VENDORS[name], Jobs([VENDORS[name].words[0]])
        with tuning_vendor(vendor.routes, stub):
            provider = vendor.build(stub.url)
            with pytest.raises(BudgetExceededError, match=r"budget_usd is \$0\.00\d*; no job was started"):
                start(vendor, provider, training, ledger, budget_usd=0.0001)
            assert not stub.uploads
            assert not stub.keys
    assert finetune.jobs(ledger) == []


def test_a_price_that_nobody_knows_is_allowed_only_by_name(training: Path, ledger: Ledger) -> None:
    vendor, stub = VENDORS["replicate"], Jobs(["starting"])
    with tuning_vendor(vendor.routes, stub):
        provider = vendor.build(stub.url)
        with pytest.raises(BudgetExceededError, match="allow_unknown_price=True"):
            start(vendor, provider, training, ledger, allow_unknown_price=False)
        assert not stub.uploads
        job = start(vendor, provider, training, ledger)
        assert job.quote is not None
        assert (job.quote.usd, job.quote.most_usd, job.usd) == (None, None, None)
        run(provider.aclose())


ESTIMATE = {"estimation_available": True, "allowed_to_proceed": True, "user_limit": 100.0}


def test_togethers_own_estimate_counts(training: Path, ledger: Ledger) -> None:
    vendor, stub = VENDORS["together"], Jobs(["pending"])
    with tuning_vendor(vendor.routes, stub):
        provider = vendor.build(stub.url, clock=FakeClock())
        waiting = {"estimation_available": False, "unavailable_reason": "train_file_not_validated"}
        stub.estimates = [waiting, waiting, {**ESTIMATE, "estimated_total_price": 4.5}]
        job = start(vendor, provider, training, ledger, epochs=2)
        assert job.quote is not None
        assert (job.quote.usd, job.quote.estimated_usd, job.quote.most_usd) == (4.0, 4.5, 4.5)
        assert provider.clock.sleeps == [2.0, 4.0]  # type: ignore[attr-defined]
        assert stub.estimates_asked[-1]["n_epochs"] == 2
        stub.words = ["completed"]
        job.refresh()
        assert job.usd == 4.5
        stub.estimates = [{**ESTIMATE, "estimated_total_price": 11.0}]
        with pytest.raises(BudgetExceededError, match=r"own estimate.*Uploaded: file-1") as caught:
            start(vendor, provider, training, ledger, epochs=3)
        assert "$11.00" in str(caught.value)
        stub.estimates = [{**ESTIMATE, "estimated_total_price": 6.0, "allowed_to_proceed": False}]
        with pytest.raises(ProviderError, match=r"limit is \$100\.00.*no job was started"):
            start(vendor, provider, training, ledger, epochs=3)
        assert len(stub.created) == 1
        run(provider.aclose())


def test_an_estimate_prices_what_no_list_has(training: Path, ledger: Ledger) -> None:
    vendor, stub = VENDORS["together"], Jobs(["pending"])
    with tuning_vendor(vendor.routes, stub), pytest.MonkeyPatch.context() as patch:
        patch.setattr("llmbench.finetune.quoting.training_price", lambda *_: None)
        provider = vendor.build(stub.url, clock=FakeClock())
        with pytest.raises(BudgetExceededError, match=r"not known.*Uploaded: file-1"):
            start(vendor, provider, training, ledger, method="full")
        assert not stub.created
        stub.estimates = [{**ESTIMATE, "estimated_total_price": 4.5}]
        job = start(vendor, provider, training, ledger, method="full")
        assert job.quote is not None
        assert (job.quote.usd, job.quote.most_usd) == (None, 4.5)
        assert stub.created[0]["training_type"] == {"type": "Full"}
        run(provider.aclose())


def test_a_ledger_that_fails_when_the_job_is_there_loses_no_id(training: Path, ledger: Ledger) -> None:
    vendor, stub = VENDORS["openai"], Jobs(["queued"])
    with tuning_vendor(vendor.routes, stub):
        provider = vendor.build(stub.url)
        with pytest.MonkeyPatch.context() as patch:

            def fail(*_: Any, **__: Any) -> None:
                raise LedgerError("The disk is full.")

            patch.setattr(ledger, "tuning_seen", fail)
            with pytest.raises(LedgerError, match=rf"The job {JOB} was started at openai.*The disk is full"):
                start(vendor, provider, training, ledger)
        assert start(vendor, provider, training, ledger).id == JOB
        assert len(stub.created) == 1
        run(provider.aclose())


def test_two_orders_at_once_are_one(training: Path, ledger: Ledger) -> None:
    vendor, stub = VENDORS["openai"], Jobs(["queued"])
    with tuning_vendor(vendor.routes, stub):
        provider = vendor.build(stub.url)

        def another() -> None:
            """Another process starts the same order while this one is uploading."""
            stub.tampering = None
            rows = ledger.tuning_jobs()
            assert [row.asked_at for row in rows] == [None]
            assert ledger.close_tuning(rows[0].tag, "taken over", provider.clock.now(), unless_asked=True)

        stub.tampering = another
        with pytest.raises(UsageError, match="taken over this order"):
            start(vendor, provider, training, ledger)
        assert not stub.created
        start(vendor, provider, training, ledger)
        assert len(stub.created) == 1
        run(provider.aclose())


@pytest.mark.parametrize("trouble", [{"cut": True}, {"refusal": (502, "bad gateway")}, {"raw": "{}"}])
def test_a_start_in_doubt_is_found_at_the_vendor(
    vendor: Vendor,
    stub: Jobs,
    provider: BaseLLMProvider,
    training: Path,
    ledger: Ledger,
    trouble: dict[str, Any],
) -> None:
    for name, value in trouble.items():
        setattr(stub, name, value)
    with pytest.raises(ProviderError, match="may have been started"):
        start(vendor, provider, training, ledger)
    stub.cut, stub.refusal, stub.raw = False, None, None
    (job,) = finetune.jobs(ledger)
    assert (job.id, job.state) == (None, "queued")
    stub.created = [{}]  # the vendor has it
    again = start(vendor, provider, training, ledger)
    assert (again.id, len(stub.created)) == (JOB, 1)
    assert "was cut off" in again.note
    assert JOB in again.note
    assert finetune.jobs(ledger)[0].id == JOB


def test_a_start_in_doubt_that_the_vendor_never_saw(
    vendor: Vendor, stub: Jobs, provider: BaseLLMProvider, training: Path, ledger: Ledger
) -> None:
    stub.cut = True
    with pytest.raises(ProviderError):
        start(vendor, provider, training, ledger)
    stub.cut = False
    (lost,) = finetune.jobs(ledger)
    lost._given = VendorTuning(provider)
    stub.refusal = (500, "oops")
    with pytest.raises(UsageError, match="refresh"):
        lost.metrics()
    stub.refusal = None
    status = lost.refresh()
    assert (status.job_id, status.state) == (None, "failed")
    assert "lists no job that trains the file it uploaded (file-1)" in str(status.error)
    assert sum(provider.clock.sleeps) >= 60  # type: ignore[attr-defined]
    assert start(vendor, provider, training, ledger).id == JOB
    assert len(stub.created) == 1


def test_a_vendor_that_does_not_list_leaves_the_order_in_doubt(training: Path, ledger: Ledger) -> None:
    vendor, stub = VENDORS["openai"], Jobs(["queued"])
    with tuning_vendor(vendor.routes, stub):
        provider = vendor.build(stub.url)
        stub.cut = True
        with pytest.raises(ProviderError):
            start(vendor, provider, training, ledger)
        stub.cut = False
        url = provider.base_url
        run(provider.aclose())
    down = vendor.build(url.removesuffix("/v1") if url else "")
    with pytest.raises(ProviderError, match="could not be reached"):
        start(vendor, down, training, ledger)
    assert [job.id for job in finetune.jobs(ledger)] == [None]
    run(down.aclose())


def test_an_error_that_started_nothing_leaves_no_job(
    vendor: Vendor, stub: Jobs, provider: BaseLLMProvider, training: Path, ledger: Ledger
) -> None:
    stub.upload_refusal = (503, "busy")
    with pytest.raises(ServerError, match="no job was started"):
        start(vendor, provider, training, ledger)
    assert finetune.jobs(ledger) == []
    stub.upload_refusal = None
    assert start(vendor, provider, training, ledger).note == ""


@pytest.mark.parametrize(
    ("job_id", "other", "words"),
    [
        ("ftjob-abc", "together", "looks like an id of OpenAI's"),
        ("ftjob-abc", "replicate", "looks like an id of OpenAI's"),
        ("ft-2b1c", "openai", "looks like an id of Together's"),
        ("zz4ibbonubfz7carwiefibzgga", "openai", "no fine-tuning job"),
    ],
)
def test_an_id_of_another_vendor(ledger: Ledger, job_id: str, other: str, words: str) -> None:
    vendor, stub = VENDORS[other], Jobs(["queued"])
    with tuning_vendor(vendor.routes, stub):
        provider = vendor.build(stub.url)
        with pytest.raises(UsageError, match=words):
            finetune.resume(job_id, provider=provider, ledger=ledger)
        run(provider.aclose())
    assert finetune.jobs(ledger) == []


def test_a_job_of_the_ledger_at_another_vendor(training: Path, ledger: Ledger) -> None:
    vendor, stub = VENDORS["openai"], Jobs(["queued"])
    with tuning_vendor(vendor.routes, stub):
        provider = vendor.build(stub.url)
        start(vendor, provider, training, ledger)
        run(provider.aclose())
    other = VENDORS["together"].build("http://127.0.0.1:9")
    with pytest.raises(UsageError, match=r"was started at openai .*not at together"):
        finetune.resume(JOB, provider=other, ledger=ledger)


def test_an_id_that_nobody_knows(ledger: Ledger) -> None:
    with pytest.raises(
        UsageError, match=r"has no fine-tuning job 'ftjob-x' \(it looks like one of OpenAI's\)"
    ):
        finetune.resume("ftjob-x", ledger=ledger)
    with pytest.raises(UsageError, match="job_id is empty"):
        finetune.resume(" ", ledger=ledger)


def test_a_job_that_was_started_elsewhere_is_taken_in(
    vendor: Vendor, stub: Jobs, provider: BaseLLMProvider, ledger: Ledger
) -> None:
    stub.words = [vendor.words[1]]
    job = finetune.resume(JOB, provider=provider, ledger=ledger)
    assert (job.id, job.state, job.quote) == (JOB, "running", None)
    stub.words = [vendor.words[2]]
    assert job.refresh().state == "succeeded"
    assert finetune.jobs(ledger)[0].tuned_model == vendor.tuned
    assert len(finetune.jobs(ledger)) == 1
    assert finetune.resume(JOB, provider=provider, ledger=ledger).state == "succeeded"
    assert len(finetune.jobs(ledger)) == 1


def test_an_endpoint_by_its_name(project: Path, training: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stub = Jobs(["queued"])
    monkeypatch.setenv("MY_KEY", KEY)
    with tuning_vendor(openai_routes, stub):
        (project / "llmbench.toml").write_text(
            f'[endpoints.mine]\nprovider = "openai"\nbase_url = "{stub.url}/v1"\napi_key_env = "MY_KEY"\n',
            encoding="utf-8",
        )
        quote = finetune.quote("mine", training, "gpt-4o-mini", epochs=2)
        job = finetune.start("mine", training, "gpt-4o-mini", epochs=2, budget_usd=1)
        assert job.quote == quote
        stub.words = ["succeeded"]
        taken = finetune.resume(JOB)
        assert taken.wait(progress=None).state == "succeeded"
        assert taken.model == "mine/ft:gpt-4o-mini:us::1"
        assert (project / ".llmbench" / "ledger.db").is_file()
    assert set(stub.keys) == {f"Bearer {KEY}"}


@pytest.mark.parametrize("backend", ["vllm", "ollama"])
def test_ones_own_servers_name_local(backend: str, training: Path, ledger: Ledger) -> None:
    provider = LlamaProvider({"backend": backend})
    for call in (
        lambda: finetune.quote(provider, training, "llama-3.1-8b"),
        lambda: finetune.start(provider, training, "llama-3.1-8b", budget_usd=1, ledger=ledger),
        lambda: finetune.resume("job-1", provider=provider, ledger=ledger),
    ):
        with pytest.raises(FineTuningUnavailableError, match=f"llama on {backend} has no.*local"):
            call()


def test_openai_after_its_last_day(training: Path, ledger: Ledger) -> None:
    clock = FakeClock(datetime(2027, 1, 7, tzinfo=UTC))
    provider = OpenAIProvider({"api_key": KEY, "clock": clock})
    with pytest.raises(FineTuningUnavailableError, match="no new jobs after 2027-01-06"):
        finetune.start(provider, training, "gpt-4o-mini", budget_usd=9, ledger=ledger)
    with pytest.raises(FineTuningUnavailableError, match="2027-01-06"):
        finetune.quote(provider, training, "gpt-4o-mini")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"epochs": 0}, "epochs"),
        ({"epochs": 1.5}, "epochs"),
        ({"epochs": True}, "epochs"),
        ({"method": "magic"}, "lora, full"),
        ({"method": "full"}, "does not train all weights"),
        ({"n_epochs": 3}, "Give epochs"),
        ({"lora": True}, "Give method"),
        ({"colour": "red"}, "no fine-tuning option 'colour'"),
        ({"budget_usd": -1}, "budget_usd"),
        ({"budget_usd": float("nan")}, "budget_usd"),
        ({"budget_usd": "much"}, "budget_usd"),
    ],
)
def test_orders_that_cannot_be_meant(
    training: Path, ledger: Ledger, changes: dict[str, Any], words: str
) -> None:
    provider = VENDORS["openai"].build("http://127.0.0.1:9")
    with pytest.raises(UsageError, match=words):
        start(VENDORS["openai"], provider, training, ledger, **changes)


def test_what_is_no_provider(training: Path, ledger: Ledger) -> None:
    with pytest.raises(UsageError, match="given a dict"):
        finetune.start({}, training, "m", budget_usd=1, ledger=ledger)  # type: ignore[arg-type]


def test_the_ledger_holds_no_key_and_no_folder(
    vendor: Vendor, stub: Jobs, provider: BaseLLMProvider, training: Path, ledger: Ledger
) -> None:
    start(vendor, provider, training, ledger)
    (row,) = ledger.tuning_jobs()
    text = json.dumps([row.ordered, row.quoted, row.status], default=str)
    assert KEY not in text
    assert str(training.parent) not in text
    assert row.ordered["training_file"] == "training.jsonl"
