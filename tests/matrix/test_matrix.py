from __future__ import annotations

import asyncio
import math
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from llmbench.errors import (
    AuthenticationError,
    BudgetExceededError,
    ConnectionFailedError,
    ContentFilteredError,
    ContextWindowError,
    InvalidRequestError,
    LedgerError,
    ProviderTimeoutError,
    QuotaExhaustedError,
    ServerError,
    UsageError,
)
from llmbench.ledger import Ledger
from llmbench.matrix import Dataset, Matrix, Progress, RecordedModel
from llmbench.providers.fake import FakeProvider
from llmbench.types import CallRecord, RawAnswer, Usage

Numbers = Callable[..., Dataset]
MakeMatrix = Callable[..., Matrix]
MakeFake = Callable[..., FakeProvider]


def number_in(messages: Sequence[Mapping[str, str]]) -> int:
    return int(messages[-1]["content"].split()[-1])


def failing(numbers: Mapping[int, BaseException]) -> Callable[..., Any]:
    """The right answer, or the error given for a number."""

    def script(messages: Sequence[Mapping[str, str]], _params: Mapping[str, Any]) -> Any:
        number = number_in(messages)
        return numbers.get(number, str(number))

    return script


# Answers, replay, and the same numbers from the ledger


def test_run_answers_and_grades_every_item(numbers: Numbers, matrix: MakeMatrix, fake: MakeFake) -> None:
    results = matrix(numbers(5), fake(failing({3: "wrong"}))).run()  # type: ignore[dict-item]
    answers = results.answers
    assert list(answers["item_id"]) == ["i0", "i1", "i2", "i3", "i4"]
    assert list(answers["score"]) == [1, 1, 1, 0, 1]
    assert list(answers["expected"]) == ["0", "1", "2", "3", "4"]
    assert set(answers["cell"]) == {"fake/m[prompt]"}
    assert set(answers["served_model"]) == {"m"}
    assert not answers["missing"].any()
    # Two words in at 1 and one out at 2 dollars per million.
    assert list(answers["cost_usd"]) == pytest.approx([4e-6] * 5)
    assert results.spent_usd == pytest.approx(2e-5)
    assert results.calls.made == 5
    assert results.calls.replayed == results.calls.failed == results.calls.retried == 0
    assert results.price_book == "fake"
    assert results.data_until is not None
    assert datetime.fromisoformat(results.data_until) <= datetime.now(UTC)


def test_second_run_makes_no_call_and_gives_the_same_numbers(
    numbers: Numbers, matrix: MakeMatrix, fake: MakeFake
) -> None:
    provider = fake(latency_ms=2)
    first = matrix(numbers(6), provider, repeats=2).run()
    again = matrix(numbers(6), provider, repeats=2)
    second, read = again.run(), again.results()
    assert len(provider.requests) == 12
    assert (second.calls.made, second.calls.replayed, second.spent_usd) == (0, 12, 0)
    assert second.answers["replayed"].all()
    same = [column for column in first.answers.columns if column != "replayed"]
    pd.testing.assert_frame_equal(first.answers[same], second.answers[same])
    pd.testing.assert_frame_equal(second.answers, read.answers)
    assert first.cells == second.cells == read.cells
    assert first.data_until == second.data_until == read.data_until


def test_results_before_any_run_are_missing(numbers: Numbers, matrix: MakeMatrix, fake: MakeFake) -> None:
    provider = fake()
    results = matrix(numbers(2), provider).results()
    assert results.answers["missing"].all()
    assert set(results.answers["error"]) == {"not called yet"}
    assert results.cells[0].score is None
    assert provider.requests == []


def test_regrading_makes_no_call(numbers: Numbers, matrix: MakeMatrix, fake: MakeFake) -> None:
    provider = fake()
    one = matrix(numbers(4), provider)
    assert one.run().cells[0].score == 1
    assert one.results(grader=lambda answer, item: answer == "0").cells[0].score == 0.25
    assert len(provider.requests) == 4


def test_repeats_are_averaged_by_item(numbers: Numbers, matrix: MakeMatrix, fake: MakeFake) -> None:
    draws = {0: 0, 1: 0}

    def script(messages: Sequence[Mapping[str, str]], _params: Mapping[str, Any]) -> str:
        number = number_in(messages)
        draws[number] += 1
        return str(number) if draws[number] > number + 1 else "no"  # item 0 right 2 of 3, item 1 right 1 of 3

    provider = fake(script)
    results = matrix(numbers(2), provider, params={"temperature": 1, "max_tokens": 4}).run(concurrency=1)
    assert [request.repeat for request in provider.requests] == [0, 1, 2, 0, 1, 2]
    assert list(results.answers["repeat"]) == [0, 1, 2, 0, 1, 2]
    (cell,) = results.cells
    assert (cell.n, cell.missing) == (2, 0)
    assert cell.score == pytest.approx((2 / 3 + 1 / 3) / 2)


def test_the_same_request_is_called_once_in_a_run(
    write: Callable[..., Path], matrix: MakeMatrix, fake: MakeFake
) -> None:
    data = Dataset.load(write([{"id": k, "prompt": "same 1", "expected": "1"} for k in range(4)]))
    provider = fake(latency_ms=5)
    results = matrix(data, provider).run(concurrency=4)
    assert len(provider.requests) == 1
    assert list(results.answers["score"]) == [1, 1, 1, 1]
    assert (results.calls.made, results.calls.replayed) == (1, 3)


def test_fresh_and_answer_age(
    numbers: Numbers, matrix: MakeMatrix, fake: MakeFake, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = fake()
    one = matrix(numbers(3), provider)
    one.run()
    one.run(max_answer_age_days=1)
    assert len(provider.requests) == 3
    one.run(max_answer_age_days=0)
    assert len(provider.requests) == 6
    assert one.quote(fresh=True).to_make == 3
    one.run(fresh=True)
    assert len(provider.requests) == 9
    monkeypatch.setenv("LLMBENCH_FRESH", "1")
    one.run()
    assert len(provider.requests) == 12
    one.run(fresh=False)
    assert len(provider.requests) == 12


def test_a_fresh_run_that_was_cut_off_goes_on_under_its_name(
    numbers: Numbers, matrix: MakeMatrix, fake: MakeFake
) -> None:
    data = numbers(6)
    matrix(data, fake()).run()
    broken = fake(failing({3: RuntimeError("crash")}))
    with pytest.raises(RuntimeError):
        matrix(data, broken).run(fresh=True, run_id="nightly", concurrency=1)
    provider = fake()
    results = matrix(data, provider).run(fresh=True, run_id="nightly", concurrency=1)
    assert sorted(number_in(r.messages) for r in provider.requests) == [3, 4, 5]
    assert results.calls.replayed == 3


# Failures: missing, or an answer that scores 0


def test_missing_is_missing_and_answers_that_fail_score_zero(
    numbers: Numbers, matrix: MakeMatrix, fake: MakeFake
) -> None:
    replies: dict[int, Any] = {
        1: ServerError("it broke"),
        2: ContentFilteredError("not that"),
        3: RawAnswer("3", Usage(2, 4), finish_reason="length"),
        4: "I'm sorry, I can't help with that.",
        5: "",
    }
    provider = fake(failing(replies))
    one = matrix(numbers(6), provider)
    results = one.run()
    answers = results.answers.set_index("item_id")
    assert math.isnan(answers["score"]["i1"])
    assert list(answers["score"].drop("i1")) == [1, 0, 0, 0, 0]
    assert list(answers["missing"]) == [False, True, False, False, False, False]
    assert answers["error"]["i1"] == "ServerError: it broke"
    assert answers["finish_reason"]["i2"] == "content_filter"
    assert answers["note"]["i3"] == "cut off at max_tokens"
    (cell,) = results.cells
    assert (cell.n, cell.missing, cell.score) == (5, 1, 0.2)
    assert (results.calls.made, results.calls.failed) == (6, 1)

    # Only what failed is asked again; the content filter's refusal is an answer.
    second = one.run()
    assert len(provider.requests) == 7
    same = [column for column in answers.columns if column not in {"replayed", "answered_at"}]
    pd.testing.assert_frame_equal(second.answers.set_index("item_id")[same], answers[same])
    assert one.results().answers["error"][1] == "ServerError: it broke"


def test_truncated_answers_are_graded_on_request(
    numbers: Numbers, matrix: MakeMatrix, fake: MakeFake
) -> None:
    cut = fake(
        lambda messages, params: RawAnswer(str(number_in(messages)), Usage(2, 4), finish_reason="length")
    )
    assert matrix(numbers(2), cut).run().cells[0].score == 0
    assert matrix(numbers(2), cut, grade_truncated=True).run().cells[0].score == 1


def test_a_disabled_model_stops_alone(numbers: Numbers, matrix: MakeMatrix, fake: MakeFake) -> None:
    asked = {"good": 0, "bad": 0}

    def script(messages: Sequence[Mapping[str, str]], _params: Mapping[str, Any]) -> Any:
        request = provider.requests[-1]
        asked[request.model] += 1
        if request.model == "bad" and asked["bad"] > 4:
            return QuotaExhaustedError("out of credit")
        return str(number_in(messages))

    provider = fake(script)
    results = matrix(numbers(30), provider, models=["fake/bad", "fake/good"]).run(concurrency=1)
    assert asked == {"bad": 5, "good": 30}
    bad, good = results.cells
    assert (bad.n, bad.missing, good.n, good.missing) == (4, 26, 30, 0)
    rows = results.answers[results.answers["cell"] == bad.cell]
    assert list(rows["error"])[4:6] == ["QuotaExhaustedError: out of credit", "not called: out of credit"]
    assert results.calls.failed == 1


def test_ten_same_failures_in_a_row_stop_a_model(
    numbers: Numbers, matrix: MakeMatrix, fake: MakeFake
) -> None:
    provider = fake(lambda messages, params: ServerError(f"broken (request {len(provider.requests)}f3)"))
    results = matrix(numbers(40), provider).run(concurrency=1)
    assert len(provider.requests) == 10
    assert results.cells[0].missing == 40
    assert "10 same failures in a row" in results.answers["error"][39]


def test_different_or_item_specific_failures_do_not_stop_a_model(
    numbers: Numbers, matrix: MakeMatrix, fake: MakeFake
) -> None:
    long = fake(lambda messages, params: ContextWindowError("too long"))
    matrix(numbers(25), long).run(concurrency=1)
    assert len(long.requests) == 25

    def alternating(messages: Sequence[Mapping[str, str]], _params: Mapping[str, Any]) -> Exception:
        return ServerError("a") if number_in(messages) % 2 else ConnectionFailedError("b")

    mixed = fake(alternating)
    matrix(numbers(25), mixed, prompts={"other": "other {{ prompt }}"}).run(concurrency=1)
    assert len(mixed.requests) == 25


def test_retries_are_counted_and_charged(numbers: Numbers, matrix: MakeMatrix, fake: MakeFake) -> None:
    from llmbench.providers.fake import FakeClock

    script = [
        ServerError("x"),
        "0",
        ProviderTimeoutError("slow"),
        ProviderTimeoutError("slow"),
        ProviderTimeoutError("slow"),
    ]
    provider = fake(script, max_attempts=3, clock=FakeClock())
    results = matrix(numbers(2), provider).run(concurrency=1)
    assert (results.calls.made, results.calls.failed, results.calls.retried) == (2, 1, 3)
    assert list(results.answers["attempts"]) == [2, 3]


def test_spending_is_unknown_where_a_failed_call_may_be_billed(
    numbers: Numbers, matrix: MakeMatrix, fake: MakeFake
) -> None:
    seen: list[Progress] = []
    slow = fake(lambda messages, params: ProviderTimeoutError("slow"))
    results = matrix(numbers(5), slow).run(concurrency=1, progress=seen.append)
    assert results.spent_usd is None
    assert (results.calls.failed, results.calls.charge_unknown) == (5, 5)
    assert seen[-1].spent_usd is None
    assert seen[-1].message.endswith("(spending unknown: the charge of 5 attempts is not known)")

    refused = fake(lambda messages, params: ServerError("not charged"))
    results = matrix(numbers(5), refused, prompts={"x": "x {{ prompt }}"}).run(concurrency=1)
    assert (results.spent_usd, results.calls.charge_unknown) == (0, 0)
    own = fake(lambda messages, params: ProviderTimeoutError("slow"), self_hosted=True)
    results = matrix(numbers(5), own, prompts={"y": "y {{ prompt }}"}).run(concurrency=1)
    assert (results.spent_usd, results.calls.charge_unknown) == (0, 0)


def test_spending_is_unknown_where_an_earlier_try_of_an_answer_may_be_billed(
    numbers: Numbers, matrix: MakeMatrix, fake: MakeFake
) -> None:
    from llmbench.providers.fake import FakeClock

    provider = fake([ProviderTimeoutError("slow"), "0", "1"], max_attempts=3, clock=FakeClock())
    results = matrix(numbers(2), provider).run(concurrency=1)
    assert results.spent_usd is None
    assert (results.calls.failed, results.calls.retried, results.calls.charge_unknown) == (0, 1, 1)
    # What the answers themselves cost is known all the same.
    assert results.cells[0].cost_usd == pytest.approx(8e-6)


def test_a_resumed_run_counts_its_own_attempts_only(
    numbers: Numbers, matrix: MakeMatrix, fake: MakeFake
) -> None:
    from llmbench.providers.fake import FakeClock

    for _ in range(2):
        broken = fake(lambda messages, params: ServerError("x"), max_attempts=3, clock=FakeClock())
        results = matrix(numbers(1), broken).run(run_id="nightly")
        assert (results.calls.made, results.calls.failed, results.calls.retried) == (1, 1, 2)
        assert list(results.answers["attempts"]) == [3]


def test_retries_that_may_be_billed_end_the_run_once_they_use_the_budget_up(
    numbers: Numbers, matrix: MakeMatrix, fake: MakeFake
) -> None:
    """One worst case is set aside for a call, and its three tries are charged: 138 of 100 millionths."""
    from llmbench.providers.fake import FakeClock

    def script(messages: Sequence[Mapping[str, str]], _params: Mapping[str, Any]) -> Any:
        return "0" if number_in(messages) == 0 else ProviderTimeoutError("slow")

    provider = fake(script, max_attempts=3, clock=FakeClock())
    one = matrix(numbers(9), provider)
    expected = r"^\$0.000142 of the budget of \$0.000100 is used.*: 1 of 9 answers are there and kept"
    with pytest.raises(BudgetExceededError, match=expected):
        one.run(budget_usd=100e-6, concurrency=1)
    assert len(provider.requests) == 4


def test_a_provider_that_records_nothing_is_refused(numbers: Numbers, matrix: MakeMatrix) -> None:
    provider = FakeProvider(["0"], prices={"m": {"input": 1, "output": 2}})
    with pytest.raises(UsageError, match=r"endpoint 'fake' records to no ledger.*give it ledger=\.\.\."):
        matrix(numbers(1), provider)
    assert provider.requests == []


def test_an_answer_from_elsewhere_without_latency_is_replayed(
    numbers: Numbers, matrix: MakeMatrix, fake: MakeFake, ledger: Ledger, tmp_path: Path
) -> None:
    provider = fake()
    matrix(numbers(2), provider).run()
    with Ledger(tmp_path / "other.db") as other:
        for number, call in enumerate(ledger.calls()):
            asyncio.run(other.record(replace(call, latency_ms=math.nan if number == 0 else 7.0)))
        again = Matrix(
            numbers(2), ["fake/m"], params={"temperature": 0, "max_tokens": 4}, ledger=other,
            providers={"fake": fake(ledger=other)},
        )  # fmt: skip
        results = again.run()
        begun = max(call.started_at for call in other.calls())
    assert (results.calls.made, results.calls.replayed) == (0, 2)
    assert sorted(results.answers["latency_ms"].dropna()) == [7]
    assert results.cells[0].latency_p50_ms == 7
    assert results.data_until is not None
    assert datetime.fromisoformat(results.data_until) >= begun


# Endings: budget, Ctrl-C, a broken ledger, a broken grader


def test_budget_stops_before_it_is_overdrawn_and_the_rest_is_resumed(
    numbers: Numbers, matrix: MakeMatrix, fake: MakeFake, ledger: Ledger
) -> None:
    provider = fake(lambda messages, params: " ".join(["x"] * 4), latency_ms=2)
    one = matrix(numbers(40), provider)
    # A call costs 2 + 2 * 4 = 10 millionths; its worst case is (6 or 7 bytes + 32) + 2 * 4 = 46 or 47.
    with pytest.raises(BudgetExceededError, match=r"of 40 answers are there and kept; raise budget_usd"):
        one.run(budget_usd=200e-6, concurrency=4)
    made = len(provider.requests)
    spent = ledger.spend().usd
    assert spent is not None
    assert spent <= 200e-6
    # Nothing but the worst case of the next call was left over.
    assert spent > 200e-6 - 47e-6
    partial = one.results()
    assert int((~partial.answers["missing"]).sum()) == made
    results = one.run(budget_usd=1)
    assert len(provider.requests) == 40
    assert results.calls.replayed == made


def test_budget_refuses_what_it_cannot_hold(numbers: Numbers, matrix: MakeMatrix, fake: MakeFake) -> None:
    provider = fake()
    with pytest.raises(BudgetExceededError, match=r"price of fake/nameless is not known.*allow_unpriced"):
        matrix(numbers(1), provider, models=["fake/nameless"]).run(budget_usd=1)
    with pytest.raises(UsageError, match=r"no max_tokens"):
        matrix(numbers(1), provider, params={"temperature": 0}).run(budget_usd=1)
    for wrong in (-1, math.nan, math.inf, "1", True):
        with pytest.raises(UsageError, match="budget_usd"):
            matrix(numbers(1), provider).run(budget_usd=wrong)
    assert provider.requests == []
    results = matrix(numbers(1), provider, models=["fake/nameless"]).run(budget_usd=1, allow_unpriced=True)
    assert results.spent_usd is None
    assert results.cells[0].cost_usd is None
    assert (results.cells[0].priced, results.cells[0].score) == (0, 1)


def test_free_models_need_no_max_tokens_within_a_budget(
    numbers: Numbers, matrix: MakeMatrix, fake: MakeFake
) -> None:
    results = matrix(numbers(3), fake(self_hosted=True), params={"temperature": 0}).run(budget_usd=0)
    assert (results.spent_usd, results.cells[0].cost_usd) == (0, 0)


def test_timeouts_that_may_be_billed_count_against_the_budget(
    numbers: Numbers, matrix: MakeMatrix, fake: MakeFake
) -> None:
    provider = fake(lambda messages, params: ProviderTimeoutError(f"slow {'ab'[number_in(messages) % 2]}"))
    with pytest.raises(BudgetExceededError):
        matrix(numbers(9), provider).run(budget_usd=100e-6, concurrency=1)
    assert len(provider.requests) == 2


def test_what_the_named_run_spent_before_counts(numbers: Numbers, matrix: MakeMatrix, fake: MakeFake) -> None:
    provider = fake()
    matrix(numbers(8), provider).run(run_id="r1", budget_usd=1)  # 8 calls of 4 millionths
    with pytest.raises(BudgetExceededError):
        matrix(numbers(20), provider).run(run_id="r1", budget_usd=60e-6)
    assert len(provider.requests) == 8


def test_cancelled_run_keeps_its_answers_and_resumes(
    numbers: Numbers, matrix: MakeMatrix, fake: MakeFake, monkeypatch: pytest.MonkeyPatch
) -> None:
    from llmbench import background

    futures: list[Any] = []

    def cancelling(coroutine: Any) -> Any:
        future = asyncio.run_coroutine_threadsafe(coroutine, background._loop())
        futures.append(future)
        return future.result()

    def script(messages: Sequence[Mapping[str, str]], _params: Mapping[str, Any]) -> str:
        if len(provider.requests) == 8:
            futures[0].cancel()
        return str(number_in(messages))

    provider = fake(script, latency_ms=20)
    monkeypatch.setattr(background, "run", cancelling)
    one = matrix(numbers(20), provider)
    with pytest.raises(BaseException) as caught:  # noqa: PT011 - concurrent.futures' CancelledError
        one.run(concurrency=2)
    assert type(caught.value).__name__ == "CancelledError"
    monkeypatch.undo()

    kept = int((~one.results().answers["missing"]).sum())
    assert kept in {6, 7}
    provider = fake()
    results = matrix(numbers(20), provider).run()
    assert len(provider.requests) == 20 - kept
    assert results.cells[0].score == 1


def test_full_disk_stops_the_run_and_keeps_what_is_there(
    numbers: Numbers, ledger: Ledger, fake: MakeFake, matrix: MakeMatrix
) -> None:
    class Full:
        def __init__(self) -> None:
            self.kept = 0

        async def record(self, call: CallRecord) -> None:
            if self.kept == 5:
                raise LedgerError("The ledger cannot grow: free space on its disk.")
            self.kept += 1
            await ledger.record(call)

    provider = fake(ledger=Full())
    one = matrix(numbers(30), provider)
    with pytest.raises(LedgerError, match="free space"):
        one.run(concurrency=1)
    assert len(provider.requests) == 6
    assert int((~one.results().answers["missing"]).sum()) == 5


def test_a_grader_that_raises_loses_no_answer(numbers: Numbers, matrix: MakeMatrix, fake: MakeFake) -> None:
    def broken(answer: str, item: Any) -> float:
        return 1 / (int(answer) - 2)

    provider = fake()
    one = matrix(numbers(4), provider, grader=broken)
    with pytest.raises(
        UsageError, match=r"Grader 'broken' fails on the answer of fake/m\[prompt\] to item 'i0'"
    ):
        one.run()
    assert one.results(grader="exact").cells[0].score == 1
    assert len(provider.requests) == 4


def test_options_that_an_endpoint_cannot_pass_on_are_refused_before_any_call(
    numbers: Numbers, matrix: MakeMatrix, fake: MakeFake
) -> None:
    provider = fake()
    with pytest.raises(InvalidRequestError, match="logit_bias"):
        matrix(numbers(2), provider, params={"logit_bias": {"50256": -100}, "temperature": 0}).run()
    assert provider.requests == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"margin": 0}, "margin"),
        ({"margin": 3}, "margin"),
        ({"confidence": 95}, "confidence"),
        ({"baseline": "x"}, "baseline"),
    ],
)
def test_numbers_that_cannot_be_meant(
    numbers: Numbers, matrix: MakeMatrix, fake: MakeFake, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        matrix(numbers(1), fake(), **options)


@pytest.mark.parametrize("concurrency", [0, 1.5, True, {"fake": 0}])
def test_concurrency_that_cannot_be_meant(
    numbers: Numbers, matrix: MakeMatrix, fake: MakeFake, concurrency: Any
) -> None:
    with pytest.raises(UsageError, match="concurrency"):
        matrix(numbers(1), fake()).run(concurrency=concurrency)


# Concurrency and progress


def test_calls_in_flight_are_bounded(numbers: Numbers, matrix: MakeMatrix, fake: MakeFake) -> None:
    flying, peak = 0, 0

    async def script(messages: Sequence[Mapping[str, str]], _params: Mapping[str, Any]) -> str:
        nonlocal flying, peak
        flying += 1
        peak = max(peak, flying)
        await asyncio.sleep(0.002)
        flying -= 1
        return str(number_in(messages))

    matrix(numbers(40), fake(script)).run(concurrency={"fake": 3})
    assert peak == 3
    peak = 0
    matrix(numbers(40), fake(script), prompts={"x": "x {{ prompt }}"}).run()
    assert 8 <= peak <= 12  # one more with each round of answers


def test_a_long_plan_is_streamed(numbers: Numbers, matrix: MakeMatrix, fake: MakeFake) -> None:
    most_tasks = 0

    def script(messages: Sequence[Mapping[str, str]], _params: Mapping[str, Any]) -> str:
        nonlocal most_tasks
        most_tasks = max(most_tasks, len(asyncio.all_tasks()))
        return str(number_in(messages))

    results = matrix(numbers(1200), fake(script)).run(concurrency=4)
    assert results.cells[0].n == 1200
    assert most_tasks < 30


def test_progress_is_told_and_ends_complete(numbers: Numbers, matrix: MakeMatrix, fake: MakeFake) -> None:
    seen: list[Progress] = []
    threads: set[int] = set()

    def progress(event: Progress) -> None:
        seen.append(event)
        threads.add(threading.get_ident())

    one = matrix(numbers(60), fake(failing({7: AuthenticationError("no key")}), latency_ms=10))
    one.run(concurrency=1, progress=progress)
    last = seen[-1]
    assert (last.done, last.total, last.made, last.failed, last.eta_s) == (60, 60, 8, 1, 0)
    assert "stopped: no key" in last.message
    assert last.spent_usd == pytest.approx(7 * 4e-6)
    assert [event.done for event in seen] == sorted(event.done for event in seen)
    assert threading.get_ident() not in threads


# Recorded models


def test_recorded_model_beside_a_called_one(
    write: Callable[..., Path], matrix: MakeMatrix, fake: MakeFake
) -> None:
    rows = [
        {"id": "a", "prompt": "say 1", "expected": "1", "old": 1.0, "usd": "0.002", "ms": 800},
        {"id": "b", "prompt": "say 2", "expected": "2", "old": "two", "usd": 0.004, "ms": None},
        {"id": "c", "prompt": "say 3", "expected": "3", "old": None, "usd": None, "ms": None},
    ]
    recorded = RecordedModel("gpt-4", "old", cost_column="usd", latency_column="ms", date="2024-11-30")
    provider = fake()
    results = matrix(Dataset.load(write(rows)), provider, models=["fake/m", recorded]).run()
    assert len(provider.requests) == 3
    assert results.baseline == "gpt-4[recorded]"
    cell = results.cell("gpt-4")
    assert (cell.n, cell.missing, cell.score) == (2, 1, 0.5)
    assert cell.cost_usd == pytest.approx(0.006)
    assert cell.cost_per_1k_calls == pytest.approx(3)
    assert cell.cost_per_correct == pytest.approx(0.006)
    assert cell.latency_p50_ms == 800
    assert cell.input_tokens is None
    rows_of = results.answers[results.answers["model"] == "gpt-4"]
    assert list(rows_of["answer"]) == ["1", "two", None]
    assert results.calls.made == 3


def test_a_matrix_of_recorded_models_alone_needs_no_endpoint(
    write: Callable[..., Path], ledger: Ledger
) -> None:
    data = Dataset.load(write([{"prompt": "p", "expected": "x", "a": "x", "b": "y"}]))
    results = Matrix(
        data, [RecordedModel("a", "a", date="2024-01-02"), RecordedModel("b", "b")], ledger=ledger
    ).run()
    assert [cell.score for cell in results.cells] == [1, 0]
    assert results.cells[0].cost_usd is None
    assert results.data_until == "2024-01-02T00:00:00+00:00"


def test_recorded_columns_are_checked(write: Callable[..., Path], ledger: Ledger) -> None:
    from llmbench.errors import DatasetError

    data = Dataset.load(
        write(
            [
                {"prompt": "p", "expected": "x", "old": "x", "usd": "cheap"},
                {"prompt": "q", "expected": "x", "usd": -1},
            ]
        )
    )
    with pytest.raises(DatasetError, match=r"no column 'odl'.*Did you mean 'old'.*answer_column"):
        Matrix(data, [RecordedModel("a", "odl")], ledger=ledger)
    with pytest.raises(DatasetError) as caught:
        Matrix(data, [RecordedModel("a", "old", cost_column="usd")], ledger=ledger)
    assert "items.jsonl:1 has 'cheap' in 'usd'" in str(caught.value)
    assert "items.jsonl:2 has -1 in 'usd'" in str(caught.value)
    for wrong in ({"name": "a[b]"}, {"date": "last year"}):
        with pytest.raises(UsageError):
            RecordedModel(**{"name": "a", "answer_column": "old", **wrong})


# A matrix opens and closes what it uses


def test_ledger_by_path_is_opened_and_closed(numbers: Numbers, tmp_path: Path) -> None:
    data = numbers(1)
    with Matrix(data, [RecordedModel("old", "expected")], ledger=tmp_path / "own.db") as one:
        one.run()
    assert (tmp_path / "own.db").is_file()
    with Matrix(data.path, [RecordedModel("old", "expected")]) as one:
        assert one.results().cells[0].score == 1
