from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from llmbench.errors import ProviderTimeoutError
from llmbench.ledger import Ledger
from llmbench.matrix.limits import spent_before
from llmbench.providers.fake import FakeClock, FakeProvider
from llmbench.providers.worst_case import worst_case_price

HELLO = [{"role": "user", "content": "four little words here"}]


def test_what_an_earlier_part_may_have_been_charged_counts_in_full(tmp_path: Path) -> None:
    with Ledger(tmp_path / "ledger.db") as ledger:
        provider = FakeProvider(
            [ProviderTimeoutError("late"), "yes"],
            prices={"m": {"input": 1.0, "output": 2.0}},
            ledger=ledger,
            clock=FakeClock(),
        )
        answer = asyncio.run(provider.chat_completion(HELLO, "m", max_tokens=10, run_id="r"))
        worst = worst_case_price(provider, "m", HELLO, 10)
        assert worst > (answer.cost or 0.0)
        assert spent_before(ledger, "r", {"fake": provider}) == pytest.approx((answer.cost or 0.0) + worst)
        assert spent_before(ledger, "another", {"fake": provider}) == 0
        assert spent_before(ledger, None, {"fake": provider}) == 0
