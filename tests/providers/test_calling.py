from __future__ import annotations

import asyncio
from typing import Any

import pytest

from llmbench.errors import (
    AuthenticationError,
    ConnectionFailedError,
    InvalidRequestError,
    LedgerError,
    ProviderTimeoutError,
    RateLimitError,
    ServerError,
    UsageError,
)
from llmbench.providers.fake import FakeClock, FakeProvider
from llmbench.types import CallRecord, RawAnswer, Usage

HELLO = [{"role": "user", "content": "say hello"}]
PRICES = {"m": {"input": 1.0, "output": 2.0}}


class ListRecorder:
    """Keeps records in memory, and can refuse them."""

    def __init__(self, refuse: type[Exception] | None = None) -> None:
        self.calls: list[CallRecord] = []
        self.refuse = refuse

    async def record(self, call: CallRecord) -> None:
        if self.refuse:
            raise self.refuse("the disk is full")
        await asyncio.sleep(0)
        self.calls.append(call)


def provider(script: Any, **settings: Any) -> tuple[FakeProvider, ListRecorder, FakeClock]:
    recorder, clock = ListRecorder(), FakeClock()
    return FakeProvider(script, prices=PRICES, ledger=recorder, clock=clock, **settings), recorder, clock


def test_answer_carries_usage_cost_and_one_attempt() -> None:
    fake, recorder, _ = provider(["hello there"], latency_ms=250)
    answer = asyncio.run(fake.chat_completion(HELLO, "m", temperature=0, max_tokens=5))
    assert answer.content == "hello there"
    assert answer.usage == Usage(input_tokens=2, output_tokens=2)
    assert answer.tokens_used == 4
    assert answer.cost == pytest.approx((2 * 1 + 2 * 2) / 1e6)
    assert answer.cost_basis == "priced"
    assert answer.latency_ms == 250
    assert [a.status for a in answer.attempts] == ["ok"]
    assert [c.status for c in recorder.calls] == ["ok"]
    assert recorder.calls[0].params == {"temperature": 0, "max_tokens": 5}


def test_only_given_parameters_are_sent() -> None:
    fake, _, _ = provider(["x"])
    asyncio.run(fake.chat_completion(HELLO, "m"))
    assert fake.requests[0].params == {}


def test_retry_records_every_attempt_under_one_call() -> None:
    fake, recorder, clock = provider([ServerError("down"), ServerError("down"), "up"], latency_ms=100)
    answer = asyncio.run(fake.chat_completion(HELLO, "m"))
    assert [a.status for a in answer.attempts] == ["error", "error", "ok"]
    assert [c.attempt for c in recorder.calls] == [1, 2, 3]
    assert len({c.call_id for c in recorder.calls}) == 1
    assert answer.timing is not None
    assert answer.latency_ms == 100
    assert answer.timing.wall_ms == pytest.approx(clock.monotonic() * 1000)


def test_retry_after_is_honoured() -> None:
    fake, _, clock = provider([RateLimitError("slow down", retry_after=7.0), "ok"])
    asyncio.run(fake.chat_completion(HELLO, "m"))
    assert 7.0 <= max(clock.sleeps) <= 7.7


def test_retry_after_beyond_the_deadline_fails_at_once() -> None:
    fake, _, clock = provider([RateLimitError("slow down", retry_after=500.0), "ok"])
    with pytest.raises(RateLimitError):
        asyncio.run(fake.chat_completion(HELLO, "m"))
    assert clock.monotonic() == 0


@pytest.mark.parametrize("error", [AuthenticationError("no"), InvalidRequestError("no")])
def test_final_errors_are_not_retried(error: Exception) -> None:
    fake, recorder, _ = provider([error, "never"])
    with pytest.raises(type(error)):
        asyncio.run(fake.chat_completion(HELLO, "m"))
    assert len(recorder.calls) == 1
    assert recorder.calls[0].cost == 0.0


def test_attempts_are_bounded() -> None:
    fake, recorder, _ = provider([ServerError("down")] * 9, max_attempts=3)
    with pytest.raises(ServerError):
        asyncio.run(fake.chat_completion(HELLO, "m"))
    assert len(recorder.calls) == 3


def test_deadline_ends_a_slow_call_whose_cost_is_then_unknown() -> None:
    fake, recorder, clock = provider(["late"], latency_ms=60_000)
    with pytest.raises(ProviderTimeoutError, match="within 10 s"):
        asyncio.run(fake.chat_completion(HELLO, "m", deadline_s=10))
    assert clock.monotonic() == 10
    assert recorder.calls[-1].cost is None
    assert recorder.calls[-1].error_type == "ProviderTimeoutError"


def test_cancelled_attempt_is_recorded() -> None:
    recorder = ListRecorder()
    fake = FakeProvider(["late"], latency_ms=10_000, ledger=recorder)

    async def cancel_midway() -> None:
        task = asyncio.create_task(fake.chat_completion(HELLO, "m"))
        await asyncio.sleep(0.02)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancel_midway())
    assert [(c.status, c.cost) for c in recorder.calls] == [("cancelled", None)]


def test_answer_that_cannot_be_recorded_is_on_the_error() -> None:
    fake = FakeProvider(["paid for"], ledger=ListRecorder(refuse=LedgerError))
    with pytest.raises(LedgerError) as caught:
        asyncio.run(fake.chat_completion(HELLO, "m"))
    assert caught.value.response is not None
    assert caught.value.response.content == "paid for"


def test_unpriced_model_has_no_cost_and_never_zero() -> None:
    fake, recorder, _ = provider(["x"])
    answer = asyncio.run(fake.chat_completion(HELLO, "unlisted"))
    assert answer.cost is None
    assert answer.cost_basis == "unknown"
    assert recorder.calls[0].cost is None


def test_reported_cost_is_preferred_and_marked() -> None:
    fake, _, _ = provider([RawAnswer("x", usage=Usage(1, 1), reported_cost=0.5)])
    answer = asyncio.run(fake.chat_completion(HELLO, "m"))
    assert (answer.cost, answer.cost_basis) == (0.5, "reported")


def test_stream_gives_pieces_then_the_response() -> None:
    fake, recorder, _ = provider(["one two three"])

    async def read() -> tuple[list[str], Any]:
        stream = await fake.stream_chat_completion(HELLO, "m")
        with pytest.raises(UsageError, match="not finished"):
            _ = stream.response
        return [piece async for piece in stream], stream.response

    pieces, response = asyncio.run(read())
    assert "".join(pieces) == response.content == "one two three"
    assert response.usage.output_tokens == 3
    assert response.timing.time_to_first_token_ms is not None
    assert [c.status for c in recorder.calls] == ["ok"]


def test_stream_left_early_is_recorded_as_cancelled() -> None:
    fake, recorder, _ = provider(["one two three"])

    async def leave() -> None:
        async with fake.stream_chat_completion(HELLO, "m") as stream:
            async for _ in stream:
                break

    asyncio.run(leave())
    assert [c.status for c in recorder.calls] == ["cancelled"]


def test_stream_is_retried_only_before_its_first_piece() -> None:
    fake, recorder, _ = provider([ServerError("down"), "fine"])

    async def read() -> str:
        return "".join([piece async for piece in fake.stream_chat_completion(HELLO, "m")])

    assert asyncio.run(read()) == "fine"
    assert [c.status for c in recorder.calls] == ["error", "ok"]


@pytest.mark.parametrize(
    ("messages", "words"),
    [
        ([], "must be a list"),
        ("hello", "must be a list"),
        ([{"role": "user"}], "exactly role and content"),
        ([{"role": "robot", "content": "x"}], "role 'robot'"),
        ([{"role": "user", "content": [{"type": "image"}]}], "not text"),
    ],
)
def test_messages_are_checked_before_any_call(messages: Any, words: str) -> None:
    fake, recorder, _ = provider(["x"])
    with pytest.raises(UsageError, match=words):
        asyncio.run(fake.chat_completion(messages, "m"))
    assert recorder.calls == []


def test_unsupported_option_is_refused_by_name() -> None:
    fake, _, _ = provider(["x"])
    with pytest.raises(InvalidRequestError, match=r"fake cannot pass on the option 'tools' to 'm'"):
        asyncio.run(fake.chat_completion(HELLO, "m", tools=[]))


@pytest.mark.parametrize(
    "bad",
    [
        {"max_tokens": 0},
        {"max_tokens": 1.5},
        {"temperature": -1},
        {"temperature": 3},
        {"top_p": float("nan")},
    ],
)
def test_numbers_out_of_range_are_refused(bad: dict[str, Any]) -> None:
    fake, _, _ = provider(["x"])
    with pytest.raises(UsageError):
        asyncio.run(fake.chat_completion(HELLO, "m", **bad))


@pytest.mark.parametrize(
    "settings", [{"price_book": "2025"}, {"max_attempts": 0}, {"deadline_s": 0}, {"deadline_s": -1}]
)
def test_settings_are_checked_before_any_call(settings: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        FakeProvider(["x"], **settings)


def test_an_answer_that_cannot_be_priced_is_kept() -> None:
    fake, recorder, _ = provider(["paid for"])

    def broken(*_: Any) -> Any:
        raise ValueError("no such book")

    fake.price = broken  # type: ignore[method-assign]
    with pytest.raises(ValueError, match="no such book"):
        asyncio.run(fake.chat_completion(HELLO, "m"))
    assert [(c.content, c.cost) for c in recorder.calls] == [("paid for", None)]


def test_the_error_knows_its_attempts() -> None:
    fake, _, _ = provider([ServerError("down")] * 3, max_attempts=3)
    with pytest.raises(ServerError) as caught:
        asyncio.run(fake.chat_completion(HELLO, "m"))
    assert [a.number for a in caught.value.attempts] == [1, 2, 3]


def test_a_refused_connection_was_not_billed() -> None:
    fake, recorder, _ = provider([ConnectionFailedError("refused", billed=False)], max_attempts=1)
    with pytest.raises(ConnectionFailedError):
        asyncio.run(fake.chat_completion(HELLO, "m"))
    assert recorder.calls[0].cost == 0.0


def test_retry_after_zero_still_waits() -> None:
    fake, _, clock = provider([*[RateLimitError("slow down", retry_after=0.0)] * 3, "ok"])
    asyncio.run(fake.chat_completion(HELLO, "m"))
    assert clock.monotonic() > 0


def test_a_cancelled_call_stays_cancelled_when_the_ledger_fails() -> None:
    fake = FakeProvider(["late"], latency_ms=10_000, ledger=ListRecorder(refuse=LedgerError))

    async def cancel_midway() -> bool:
        task = asyncio.create_task(fake.chat_completion(HELLO, "m"))
        await asyncio.sleep(0.02)
        task.cancel()
        await asyncio.wait({task})
        return task.cancelled()

    assert asyncio.run(cancel_midway())


def test_a_streams_deadline_starts_when_it_is_read() -> None:
    fake, _, clock = provider(["one two"])

    async def read_later() -> str:
        stream = fake.stream_chat_completion(HELLO, "m", deadline_s=10)
        await clock.sleep(60)
        return "".join([piece async for piece in stream])

    assert asyncio.run(read_later()) == "one two"


def test_messages_may_be_any_sequence() -> None:
    fake, _, _ = provider(["x"])
    asyncio.run(fake.chat_completion((m for m in HELLO), "m"))  # type: ignore[arg-type]
    assert fake.requests[0].messages == tuple(HELLO)


def test_unknown_setting_is_refused() -> None:
    with pytest.raises(UsageError, match="does not know the setting 'max_retries'"):
        FakeProvider(["x"], max_retries=3)


def test_no_model_named() -> None:
    fake, _, _ = provider(["x"])
    with pytest.raises(UsageError, match="No model is named"):
        asyncio.run(fake.chat_completion(HELLO))
