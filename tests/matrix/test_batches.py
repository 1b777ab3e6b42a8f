"""A matrix whose calls go into the vendors' batches."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from llmbench.errors import BudgetExceededError, LedgerError, UsageError
from llmbench.ledger import Ledger
from llmbench.matrix import Dataset, Matrix
from llmbench.providers import BaseLLMProvider, FakeClock, FakeProvider
from tests.providers.batch_stubs import VENDORS, Batches, batch_vendor

PARAMS = {"temperature": 0, "max_tokens": 100}
MODEL = "gpt-4o-mini"


@pytest.fixture
def vendor() -> Iterator[Batches]:
    with batch_vendor(VENDORS["openai"], Batches()) as running:
        yield running


@pytest.fixture
def build(vendor: Batches, ledger: Ledger, numbers: Callable[[int], Dataset]) -> Callable[..., Matrix]:
    """A matrix over "openai", and over "fake" beside it if asked."""

    def _build(n: int = 4, *, beside: FakeProvider | None = None, **options: Any) -> Matrix:
        provider = VENDORS["openai"].build(vendor.url, ledger=ledger, clock=FakeClock(datetime.now(UTC)))
        providers: dict[str, BaseLLMProvider] = {"openai": provider}
        models = [f"openai/{MODEL}"]
        if beside is not None:
            providers["fake"] = beside
            models.append("fake/m")
        return Matrix(
            numbers(n),
            models,
            params=PARAMS,
            ledger=ledger,
            providers=providers,
            grader="contains",
            **options,
        )

    return _build


def test_missing_calls_of_endpoints_with_batches_go_there(
    build: Callable[..., Matrix], vendor: Batches, ledger: Ledger, fake: Callable[..., FakeProvider]
) -> None:
    results = build(beside=fake()).run(batch=True)
    assert vendor.sent == [[f"word {k}" for k in range(4)]]
    assert results.calls.made == 8
    assert results.calls.failed == 0
    assert results.spent_usd == pytest.approx(sum(call.cost or 0 for call in ledger.calls()))
    (batched,) = {call.cost for call in ledger.calls() if call.endpoint == "openai"}
    assert batched == pytest.approx(0.000105)
    again = build(beside=fake()).run(batch=True)
    assert again.calls.made == 0
    assert again.calls.replayed == 8
    assert len(vendor.batches) == 1


def test_answers_are_graded_and_have_no_latency(build: Callable[..., Matrix]) -> None:
    results = build().run(batch=["openai"])
    assert list(results.answers["answer"]) == [f"re: word {k}" for k in range(4)]
    assert results.answers["score"].tolist() == [1.0] * 4
    assert results.answers["latency_ms"].isna().all()


@pytest.mark.parametrize("batch", [["fake"], "nobody"])
def test_an_endpoint_without_batches_cannot_be_named(
    build: Callable[..., Matrix], fake: Callable[..., FakeProvider], batch: Any
) -> None:
    with pytest.raises(UsageError, match="there are openai"):
        build(beside=fake()).run(batch=batch)


def test_failures_are_missing_answers_and_are_asked_again_by_the_next_run(
    build: Callable[..., Matrix], vendor: Batches
) -> None:
    vendor.fate = lambda _id, text, _batch: "expired" if text == "word 1" else "ok"
    results = build().run(batch=True)
    assert results.calls.failed == 1
    assert vendor.sent[1:] == [["word 1"]]
    vendor.fate = lambda _id, _text, _batch: "ok"
    assert build().run(batch=True).calls.made == 1
    assert vendor.sent[2:] == [["word 1"]]


def test_the_same_run_again_takes_up_its_batch(
    build: Callable[..., Matrix], vendor: Batches, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:

        def dies(*_: object) -> None:
            raise LedgerError("killed")

        patch.setattr(ledger, "batch_submitted", dies)
        with pytest.raises(LedgerError, match="killed"):
            build().run(batch=True, run_id="night", fresh=True)
    results = build().run(batch=True, run_id="night", fresh=True)
    assert len(vendor.batches) == 1
    assert results.calls.failed == 0
    assert results.spent_usd == pytest.approx(4 * 0.000105)


def test_a_fresh_run_leaves_older_batches_alone(
    build: Callable[..., Matrix], vendor: Batches, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:

        def dies(*_: object) -> None:
            raise LedgerError("killed")

        patch.setattr(ledger, "batch_submitted", dies)
        with pytest.raises(LedgerError, match="killed"):
            build().run(batch=True)
    build().run(batch=True, fresh=True)
    assert len(vendor.batches) == 2


def test_a_budget_is_kept_at_the_prices_of_batches(
    build: Callable[..., Matrix], vendor: Batches, ledger: Ledger
) -> None:
    matrix = build(40)
    # The worst case of one: bytes and room for a template in, 100 tokens out, at half the price.
    worst = (len(b"word 10") + 32) * 0.075e-6 + 100 * 0.3e-6
    with pytest.raises(BudgetExceededError, match="of 40 answers are there and kept"):
        matrix.run(batch=True, budget_usd=10 * worst)
    assert [len(sent) for sent in vendor.sent] == [10]
    assert len(list(ledger.calls())) == 10


def test_the_quote_has_the_batch_alternative_at_half_the_price(
    build: Callable[..., Matrix], fake: Callable[..., FakeProvider]
) -> None:
    quote = build(beside=fake()).quote()
    batched, other = quote.cells
    assert batched.batch_usd is not None
    assert other.batch_usd is None
    assert batched.batch_usd.expected == pytest.approx((batched.usd.expected or 0) / 2)
    assert quote.batch_usd is not None
    assert quote.batch_usd.expected == pytest.approx(
        batched.batch_usd.expected + (other.usd.expected or 0.0)  # type: ignore[operator]
    )
    assert quote.data()["batch_usd"]["expected"] == quote.batch_usd.expected
    assert "in batches, within a day" in str(quote)


def test_progress_says_what_is_waited_for(build: Callable[..., Matrix], vendor: Batches) -> None:
    vendor.words = ["working", "done"]
    said: list[str] = []
    told = threading.Event()

    def hear(progress: Any) -> None:
        said.append(progress.message)
        told.set()

    build().run(batch=True, progress=hear)
    assert told.is_set()
    assert said


def test_a_ledger_of_an_earlier_version_gets_the_table(tmp_path: Path) -> None:
    with Ledger(tmp_path / "new.db") as ledger:
        assert ledger.open_batches() == []
        assert ledger.recorded_calls(["x"]) == set()
        with pytest.raises(LedgerError, match="no batch 'x'"):
            ledger.batch_submitted("x", "y")
