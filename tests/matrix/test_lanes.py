from __future__ import annotations

import asyncio
import random
from datetime import UTC, datetime

from llmbench.matrix.lanes import Lane, Lanes
from llmbench.types import Attempt


def leave(lanes: Lanes, lane: Lane, latency_ms: float, *, limited: bool = False) -> None:
    refused = Attempt(1, datetime.now(UTC), 1.0, "error", "RateLimitError: slow down")
    lane.note([refused] if limited else [], None if limited else latency_ms)
    lanes.leave(lane)


async def serve(lanes: Lanes, calls: int, capacity: int, latency_s: float = 0.001) -> tuple[int, int]:
    """Calls against a server that refuses more than `capacity` at a time; (refusals, most in flight)."""
    running = refused = most = 0

    async def one() -> None:
        nonlocal running, refused, most
        lane = await lanes.enter()
        running += 1
        most = max(most, running)
        limited = running > capacity
        refused += limited
        await asyncio.sleep(latency_s)
        running -= 1
        leave(lanes, lane, 10.0, limited=limited)

    await asyncio.gather(*(one() for _ in range(calls)))
    return refused, most


def test_one_lane_more_with_each_round_up_to_the_ceiling() -> None:
    lanes = Lanes(8, 12)
    _, most = asyncio.run(serve(lanes, 200, 99))
    assert (lanes.limit, most) == (12, 12)


def test_a_rate_limit_halves_them_once_for_all_in_flight() -> None:
    async def burst() -> None:
        held = [await lanes.enter() for _ in range(8)]
        for lane in held:
            leave(lanes, lane, 10.0, limited=True)

    lanes = Lanes(8, 64)
    asyncio.run(burst())
    assert (lanes.limit, lanes.halved) == (4, 1)


def test_they_settle_about_what_the_server_takes() -> None:
    lanes = Lanes(8, 64)
    refused, most = asyncio.run(serve(lanes, 3000, 20))
    assert most <= 22
    assert refused < 3000 * 0.02
    assert 8 <= lanes.limit <= 21


def test_never_fewer_than_one() -> None:
    lanes = Lanes(4, 4)
    asyncio.run(serve(lanes, 50, 0))
    assert lanes.limit == 1


def test_a_server_that_gets_slower_is_not_pushed() -> None:
    async def run() -> None:
        for _ in range(100):
            held = [await lanes.enter() for _ in range(lanes.limit)]
            for lane in held:
                leave(lanes, lane, 10.0 * max(1.0, len(held) / 8))  # eight at a time, the rest in a queue

    lanes = Lanes(8, 64)
    asyncio.run(run())
    assert 15 <= lanes.limit <= 18


def test_cancelled_waiters_lose_no_lane() -> None:
    async def run() -> None:
        rng = random.Random(1)
        done = 0

        async def one() -> None:
            nonlocal done
            lane = await lanes.enter()
            try:
                await asyncio.sleep(0.001)
                done += 1
            finally:
                leave(lanes, lane, 1.0)

        tasks = [asyncio.ensure_future(one()) for _ in range(400)]
        for task in tasks:
            if rng.random() < 0.4:
                await asyncio.sleep(0)
                task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        before = done
        async with asyncio.timeout(5):
            await asyncio.gather(*(one() for _ in range(20)))
        assert done == before + 20

    lanes = Lanes(3, 3)
    asyncio.run(run())
