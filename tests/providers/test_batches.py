"""Batches at the four vendors, on stubs that answer as their references describe."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from llmbench.errors import (
    BatchUnfinishedError,
    InvalidRequestError,
    LedgerError,
    ModelUnavailableError,
    ProviderError,
    RateLimitError,
    ServerError,
    UsageError,
)
from llmbench.ledger import Ledger
from llmbench.providers import BaseLLMProvider, FakeClock, FakeProvider, OpenAIProvider
from llmbench.providers.batches import BatchLimits
from llmbench.types import ChatRequest, LLMResponse
from tests.providers.batch_stubs import VENDORS, Batches, Vendor, batch_vendor
from tests.providers.cases import KEY

Answers = list[LLMResponse | ProviderError]


@pytest.fixture(params=list(VENDORS))
def vendor(request: pytest.FixtureRequest) -> Vendor:
    return VENDORS[request.param]


@pytest.fixture
def batches(vendor: Vendor) -> Iterator[Batches]:
    with batch_vendor(vendor, Batches()) as running:
        yield running


@pytest.fixture
def provider(vendor: Vendor, batches: Batches, ledger: Ledger) -> Callable[..., BaseLLMProvider]:
    def build(**settings: Any) -> BaseLLMProvider:
        clock = FakeClock(datetime.now(UTC))
        return vendor.build(batches.url, **{"ledger": ledger, "clock": clock, **settings})

    return build


def requests_of(provider: BaseLLMProvider, vendor: Vendor, n: int) -> list[ChatRequest]:
    return [
        provider.request([{"role": "user", "content": f"q{k}"}], vendor.model, 0.5, 100) for k in range(n)
    ]


def answers(provider: BaseLLMProvider, requests: list[ChatRequest], **options: Any) -> Answers:
    async def ask() -> Answers:
        try:
            return await provider.batch(requests, **options)
        finally:
            await provider.aclose()

    return asyncio.run(ask())


async def state(provider: BaseLLMProvider, job_id: str) -> tuple[str, bool]:
    """A batch's id and whether it has ended, as its vendor says."""
    try:
        job = await provider.get_batch_status(job_id)
    finally:
        await provider.aclose()
    return job.id, job.ended


def texts(found: Answers) -> list[str]:
    return [one.content if isinstance(one, LLMResponse) else type(one).__name__ for one in found]


def test_answers_come_in_the_order_of_the_requests(
    provider: Callable[..., BaseLLMProvider], vendor: Vendor, batches: Batches, ledger: Ledger
) -> None:
    batches.words = ["working", "working", "done"]
    built = provider()
    requests = requests_of(built, vendor, 5)
    found = answers(built, requests, run_id="r1")
    assert texts(found) == [f"re: q{k}" for k in range(5)]
    assert batches.sent == [["q0", "q1", "q2", "q3", "q4"]]
    assert batches.looks >= 3
    calls = list(ledger.calls("r1"))
    assert {call.request_hash for call in calls} == {built.request_hash(request) for request in requests}
    assert all(call.params == {"temperature": 0.5, "max_tokens": 100} for call in calls)
    assert all(math.isnan(call.latency_ms) for call in calls)
    assert ledger.open_batches(built.endpoint) == []


def test_a_batch_has_the_price_of_a_batch(
    provider: Callable[..., BaseLLMProvider], vendor: Vendor, batches: Batches, ledger: Ledger
) -> None:
    built = provider()
    (found,) = answers(built, requests_of(built, vendor, 1))
    assert isinstance(found, LLMResponse)
    assert found.cost == (None if vendor.usd is None else pytest.approx(vendor.usd))
    assert found.metadata["service_tier"] == "batch"
    (call,) = ledger.calls()
    assert call.cost == found.cost


def test_what_is_sent_is_what_a_call_would_send(
    provider: Callable[..., BaseLLMProvider], vendor: Vendor, batches: Batches
) -> None:
    built = provider()
    answers(built, requests_of(built, vendor, 1))
    ((name, body, _),) = batches.batches[0]["requests"]
    flat = {**body, **body.get("generationConfig", {})}
    assert flat["temperature"] == 0.5
    assert 100 in {flat.get(key) for key in ("max_tokens", "max_completion_tokens", "maxOutputTokens")}
    assert len(name) <= 64
    for headers in batches.headers:
        assert headers["anthropic-version"] == "2023-06-01"


def test_failures_are_recorded_and_those_that_may_succeed_are_asked_again(
    provider: Callable[..., BaseLLMProvider], vendor: Vendor, batches: Batches, ledger: Ledger
) -> None:
    fates = {"q1": "error", "q2": "expired", "q3": "busy", "q4": "cancelled"}
    batches.fate = lambda _id, text, batch: fates.get(text, "ok") if batch == 1 else "ok"
    built = provider()
    requests = requests_of(built, vendor, 5)
    found = answers(built, requests)
    assert texts(found) == ["re: q0", "InvalidRequestError", "re: q2", "re: q3", "re: q4"]
    assert sorted(batches.sent[1]) == ["q2", "q3", "q4"]
    assert [len(one.attempts) for one in found] == [1, 1, 2, 2, 2]
    failed = list(ledger.calls(status="error"))
    assert len(failed) == 4
    # A deadline that passed, in Google's words, may have passed during the work.
    unknown = {"ProviderTimeoutError"}
    assert all(call.cost == (None if call.error_type in unknown else 0.0) for call in failed)
    assert ledger.open_batches(built.endpoint) == []


def test_what_fails_twice_is_missing(
    provider: Callable[..., BaseLLMProvider], vendor: Vendor, batches: Batches
) -> None:
    batches.fate = lambda _id, text, _batch: "expired" if text == "q1" else "ok"
    built = provider()
    found = answers(built, requests_of(built, vendor, 3))
    assert isinstance(found[1], BatchUnfinishedError | ProviderError)
    assert texts(found)[::2] == ["re: q0", "re: q2"]
    assert batches.sent[1:] == [["q1"]]


@pytest.mark.parametrize("what", ["garbage", "unknown", "absent"])
def test_lines_of_no_use_are_missing_answers_of_unknown_cost(
    provider: Callable[..., BaseLLMProvider], vendor: Vendor, batches: Batches, ledger: Ledger, what: str
) -> None:
    batches.fate = lambda _id, text, _batch: what if text == "q1" else "ok"
    built = provider()
    found = answers(built, requests_of(built, vendor, 3))
    assert texts(found) == ["re: q0", "BatchUnfinishedError", "re: q2"]
    assert ("cannot be read or are of other requests" in str(found[1])) == (what != "absent")
    assert [call.cost for call in ledger.calls(status="error")] == [None, None]


def test_two_answers_to_one_request_are_one(
    provider: Callable[..., BaseLLMProvider], vendor: Vendor, batches: Batches, ledger: Ledger
) -> None:
    batches.fate = lambda _id, _text, _batch: "twice"
    built = provider()
    requests = requests_of(built, vendor, 2)
    assert texts(answers(built, [*requests, requests[0]])) == ["re: q0", "re: q1", "re: q0"]
    assert batches.sent == [["q0", "q1"]]
    assert len(list(ledger.calls())) == 2


def test_a_batch_that_expired_whole(
    provider: Callable[..., BaseLLMProvider], vendor: Vendor, batches: Batches
) -> None:
    batches.words = ["expired"]
    batches.fate = lambda _id, _text, _batch: "expired"
    built = provider()
    found = answers(built, requests_of(built, vendor, 2))
    assert all(isinstance(one, ProviderError) and one.retryable for one in found)
    assert len(batches.sent) == 2


@pytest.mark.parametrize("name", ["openai", "together", "gemini"])
def test_a_batch_that_is_refused_whole(name: str, tmp_path: Path) -> None:
    vendor, refused = VENDORS[name], Batches(words=["failed"])
    with batch_vendor(vendor, refused), Ledger(tmp_path / "ledger.db") as ledger:
        built = vendor.build(refused.url, ledger=ledger, clock=FakeClock(datetime.now(UTC)))
        found = answers(built, requests_of(built, vendor, 2))
        assert all(isinstance(one, ModelUnavailableError | InvalidRequestError) for one in found)
        assert len(refused.sent) == 1
        assert {call.cost for call in ledger.calls()} == {0.0}
        assert ledger.open_batches(built.endpoint) == []


# Restarts


def _forgets(ledger: Ledger, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    """The process dies when it comes to keep that."""

    def dies(*_: object) -> None:
        raise LedgerError("killed")

    monkeypatch.setattr(ledger, what, dies)


def test_killed_between_submission_and_its_record(
    provider: Callable[..., BaseLLMProvider],
    vendor: Vendor,
    batches: Batches,
    ledger: Ledger,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    built = provider()
    requests = requests_of(built, vendor, 3)
    with monkeypatch.context() as patch:
        _forgets(ledger, patch, "batch_submitted")
        with pytest.raises(LedgerError, match="killed"):
            answers(built, requests)
    (row,) = ledger.open_batches(built.endpoint)
    assert row.job_id is None
    batches.words = ["working", "done"]
    assert texts(answers(provider(), requests)) == ["re: q0", "re: q1", "re: q2"]
    assert len(batches.sent) == 1


def test_killed_before_the_submission(
    provider: Callable[..., BaseLLMProvider],
    vendor: Vendor,
    batches: Batches,
    ledger: Ledger,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    built = provider()
    requests = requests_of(built, vendor, 3)
    keep = ledger.prepare_batch
    with monkeypatch.context() as patch:

        def dies(row: Any) -> None:
            keep(row)
            raise LedgerError("killed")

        patch.setattr(ledger, "prepare_batch", dies)
        with pytest.raises(LedgerError, match="killed"):
            answers(built, requests)
    assert batches.sent == []
    again = provider()
    assert texts(answers(again, requests)) == ["re: q0", "re: q1", "re: q2"]
    assert len(batches.sent) == 1
    # Not before a submission of the process that died could no longer be under way.
    assert isinstance(again.clock, FakeClock)
    assert again.clock.monotonic() >= 290


def test_a_submission_whose_reply_is_lost_is_found(
    provider: Callable[..., BaseLLMProvider], vendor: Vendor, batches: Batches
) -> None:
    batches.cut_creation = True
    built = provider()
    assert texts(answers(built, requests_of(built, vendor, 2))) == ["re: q0", "re: q1"]
    assert len(batches.sent) == 1


def test_a_submission_that_was_lost_is_a_failure(
    provider: Callable[..., BaseLLMProvider], vendor: Vendor, batches: Batches, ledger: Ledger
) -> None:
    batches.lose_creation = True
    built = provider()
    assert set(texts(answers(built, requests_of(built, vendor, 2)))) == {"BatchUnfinishedError"}
    assert ledger.open_batches(built.endpoint) == []
    assert {call.cost for call in ledger.calls()} == {0.0}


def test_a_run_that_was_stopped_takes_up_its_batch(
    provider: Callable[..., BaseLLMProvider], vendor: Vendor, batches: Batches, ledger: Ledger
) -> None:
    batches.words = ["working"]

    async def stopped() -> None:
        built = provider(clock=None)
        task = asyncio.create_task(built.batch(requests_of(built, vendor, 3), poll_s=0.01))
        while batches.looks < 2:  # noqa: ASYNC110 - the stub counts in a thread of its own
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await built.aclose()

    asyncio.run(stopped())
    (row,) = ledger.open_batches(provider().endpoint)
    assert row.job_id is not None
    built = provider()
    assert asyncio.run(state(built, row.job_id)) == (row.job_id, False)
    batches.words = ["done"]
    more = requests_of(built, vendor, 4)
    assert texts(answers(built, more)) == [f"re: q{k}" for k in range(4)]
    assert batches.sent == [["q0", "q1", "q2"], ["q3"]]


def test_killed_while_collecting_records_each_answer_once(
    provider: Callable[..., BaseLLMProvider],
    vendor: Vendor,
    batches: Batches,
    ledger: Ledger,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    built = provider()
    requests = requests_of(built, vendor, 3)
    with monkeypatch.context() as patch:
        _forgets(ledger, patch, "close_batch")
        with pytest.raises(LedgerError, match="killed"):
            answers(built, requests)
    kept = list(ledger.calls())
    assert len(kept) == 3
    assert len(ledger.open_batches(built.endpoint)) == 1
    assert texts(answers(provider(), requests)) == ["re: q0", "re: q1", "re: q2"]
    assert len(batches.sent) == 1
    assert [call.call_id for call in ledger.calls()] == [call.call_id for call in kept]
    assert ledger.open_batches(built.endpoint) == []


def test_a_batch_that_the_vendor_no_longer_has(
    provider: Callable[..., BaseLLMProvider], vendor: Vendor, batches: Batches, ledger: Ledger
) -> None:
    batches.gone = True
    built = provider()
    (found,) = answers(built, requests_of(built, vendor, 1))
    assert isinstance(found, BatchUnfinishedError)
    assert {call.cost for call in ledger.calls()} == {None}
    assert ledger.open_batches(built.endpoint) == []


# Sizes, and who has none


def test_more_than_one_batch_holds(
    provider: Callable[..., BaseLLMProvider],
    vendor: Vendor,
    batches: Batches,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    built = provider()
    batcher = built._batcher()
    assert batcher is not None
    monkeypatch.setattr(type(batcher), "limits", BatchLimits(2, 10**6))
    assert texts(answers(built, requests_of(built, vendor, 5))) == [f"re: q{k}" for k in range(5)]
    assert sorted(len(sent) for sent in batches.sent) == [1, 2, 2]


def test_no_key_in_what_a_failure_says(
    provider: Callable[..., BaseLLMProvider], vendor: Vendor, batches: Batches
) -> None:
    batches.fate = lambda _id, _text, _batch: "error"
    built = provider()
    (found,) = answers(built, requests_of(built, vendor, 1))
    assert KEY not in str(found)
    assert not isinstance(found, ServerError)


def test_who_has_no_batches(ledger: Ledger) -> None:
    azure = OpenAIProvider({"backend": "azure", "base_url": "https://n.openai.azure.com", "api_key": KEY})
    fake = FakeProvider(["a"], ledger=ledger)
    assert not azure.has_batches
    with pytest.raises(UsageError, match="has no batches"):
        asyncio.run(fake.batch([]))


@pytest.mark.parametrize("when", ["create", "look"])
def test_a_wait_of_years_is_not_waited_for(
    provider: Callable[..., BaseLLMProvider], vendor: Vendor, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    built = provider()

    async def busy(*_: object) -> None:
        raise RateLimitError("slow down", retry_after=1e9)

    batcher = built._batcher()
    assert batcher is not None
    monkeypatch.setattr(type(batcher), when, busy)
    assert isinstance(built.clock, FakeClock)
    begun = built.clock.monotonic()
    if when == "look":
        with pytest.raises(RateLimitError):
            answers(built, requests_of(built, vendor, 1))
    else:
        assert texts(answers(built, requests_of(built, vendor, 1))) == ["RateLimitError"]
    assert built.clock.monotonic() - begun < 86_400


def test_a_batch_that_is_listed_without_an_id_is_passed_over(
    provider: Callable[..., BaseLLMProvider], vendor: Vendor
) -> None:
    batcher = provider()._batcher()
    assert batcher is not None
    body = b'[{}, {"id": 5}, {"id": "a"}, null]'
    assert batcher.read_list(body, "its batches") == [{"id": "a"}]
