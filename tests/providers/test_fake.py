"""What a product's own tests stand on: see docs/testing.md."""

from __future__ import annotations

import asyncio

import pytest

from llmbench import FakeProvider
from llmbench.errors import QuotaExhaustedError, UsageError
from llmbench.types import Message, RawAnswer, Usage

HELLO: list[Message] = [{"role": "user", "content": "Hello there"}]


def ask(provider: FakeProvider) -> str:
    return asyncio.run(provider.chat_completion(HELLO, "m")).content


def test_replies_come_in_order_and_run_out() -> None:
    provider = FakeProvider(["one", RawAnswer("two")])
    assert [ask(provider), ask(provider)] == ["one", "two"]
    with pytest.raises(UsageError, match="has run out after 2 calls"):
        ask(provider)


def test_one_text_answers_every_call_whole() -> None:
    provider = FakeProvider("Hi")
    assert [ask(provider) for _ in range(3)] == ["Hi"] * 3
    assert ask(FakeProvider("")) == ""


def test_one_answer_or_error_answers_every_call() -> None:
    answer = RawAnswer("as it is", usage=Usage(7, 3))
    provider = FakeProvider(answer, prices={"m": {"input": 1, "output": 1}})
    found = [asyncio.run(provider.chat_completion(HELLO, "m")) for _ in range(2)]
    assert [(each.content, each.cost) for each in found] == [("as it is", pytest.approx(1e-5))] * 2
    down = FakeProvider(QuotaExhaustedError("out of credit"))
    for _ in range(2):
        with pytest.raises(QuotaExhaustedError, match="out of credit"):
            ask(down)
    assert len(down.requests) == 2
