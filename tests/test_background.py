from __future__ import annotations

import asyncio
import os
import signal
import threading
import time

import pytest

from llmbench import background
from llmbench.errors import UsageError


async def _loop_id() -> int:
    return id(asyncio.get_running_loop())


def test_every_call_shares_one_loop() -> None:
    assert background.run(_loop_id()) == background.run(_loop_id())


def test_runs_beside_a_running_loop() -> None:
    async def kernel() -> bool:
        return background.run(_loop_id()) != await _loop_id()

    assert asyncio.run(kernel())


def test_on_its_own_loop_it_refuses_rather_than_wait_for_itself() -> None:
    async def nested() -> int:
        return background.run(_loop_id())

    with pytest.raises(UsageError, match="wait for itself"):
        background.run(nested())


def test_errors_come_through() -> None:
    async def fail() -> None:
        raise ValueError("inside")

    with pytest.raises(ValueError, match="inside"):
        background.run(fail())


def test_interrupt_cancels_and_waits_for_clean_up() -> None:
    cleaned = threading.Event()

    async def work() -> None:
        try:
            await asyncio.sleep(30)
        finally:
            await asyncio.sleep(0.05)
            cleaned.set()

    def interrupt() -> None:
        time.sleep(0.3)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt).start()
    with pytest.raises(KeyboardInterrupt):
        background.run(work())
    assert cleaned.is_set()
