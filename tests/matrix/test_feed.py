from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from llmbench.errors import UsageError
from llmbench.matrix.feed import Feed


def test_batches_come_in_their_order_and_then_none() -> None:
    async def main() -> None:
        batches: list[Any] = [["a", "b"], ["c"], []]
        feed = Feed(iter(batches))
        assert [await feed.batch() for _ in range(5)] == [["a", "b"], ["c"], [], None, None]
        await feed.close()

    asyncio.run(main())


def test_next_batch_is_looked_up_while_this_one_is_called_and_no_further() -> None:
    looked_up: list[int] = []
    second = threading.Event()

    def batches() -> Iterator[list[Any]]:
        for number in range(5):
            looked_up.append(number)
            if number == 1:
                second.set()
            yield [number]

    async def main() -> None:
        feed = Feed(batches())
        assert await feed.batch() == [0]
        assert await asyncio.to_thread(second.wait, 5)
        await asyncio.sleep(0.02)
        assert looked_up == [0, 1]
        await feed.close()

    asyncio.run(main())


def test_failure_of_a_later_batch_does_not_take_the_calls_before_it() -> None:
    def batches() -> Iterator[list[Any]]:
        yield ["a"]
        raise UsageError("item 501 has no column")

    async def main() -> None:
        feed = Feed(batches())
        assert await feed.batch() == ["a"]
        with pytest.raises(UsageError, match="item 501"):
            await feed.batch()
        await feed.close()
        left = Feed(batches())
        assert await left.batch() == ["a"]
        await left.close()  # the failure is nobody's

    asyncio.run(main())


def test_close_waits_for_the_thread_that_looks_up() -> None:
    ended = threading.Event()
    go_on = threading.Event()

    def batches() -> Iterator[list[Any]]:
        yield ["a"]
        go_on.wait(5)
        ended.set()
        yield ["b"]

    async def main() -> None:
        feed = Feed(batches())
        await feed.batch()
        asyncio.get_running_loop().call_later(0.02, go_on.set)
        await feed.close()
        assert ended.is_set()

    asyncio.run(main())
