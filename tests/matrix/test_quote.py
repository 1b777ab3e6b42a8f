from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from llmbench.catalog import tokenizers
from llmbench.ledger import Ledger
from llmbench.matrix import Dataset, Matrix, RecordedModel
from llmbench.providers.fake import FakeProvider


class _AtOpenAI(FakeProvider):
    """Counted as OpenAI's own endpoint is."""

    name = "openai"


def test_quote_counts_the_input_by_the_models_own_tokenizer(
    numbers: Callable[..., Dataset], matrix: Callable[..., Matrix], ledger: Ledger
) -> None:
    provider = _AtOpenAI(prices={"gpt-4o": {"input": 1, "output": 2}}, ledger=ledger)
    quote = matrix(
        numbers(10), provider, models=["fake/gpt-4o"], params={"temperature": 0, "max_tokens": 9}
    ).quote()
    (cell,) = quote.cells
    assert (cell.calls, cell.in_ledger, cell.to_make) == (10, 0, 10)
    # "word 0" ... "word 9" are "word", " ", "0"; 3 + 1 around a message and 3 once (OpenAI's cookbook).
    assert cell.input_tokens == (100, 100, 100)
    assert cell.output_tokens == (10, 50, 90)
    # 1 and 2 dollars per million.
    assert cell.usd == pytest.approx((10 * (10 + 2) / 1e6, 10 * (10 + 10) / 1e6, 10 * (10 + 18) / 1e6))
    assert cell.basis.startswith("input counted by o200k, exact; output up to 9 a call")
    assert quote.usd == cell.usd
    assert provider.requests == []


def test_quote_says_when_the_count_is_only_near(
    numbers: Callable[..., Dataset], matrix: Callable[..., Matrix], fake: Callable[..., FakeProvider]
) -> None:
    (cell,) = matrix(numbers(10), fake(), models=["fake/mixtral-8x7b"]).quote().cells
    low, expected, high = cell.input_tokens
    # 3 tokens a text by Qwen's vocabulary, times 1, 1.1 and 1.25; 4 + 1 around a message and 2 once.
    assert (low, expected, high) == (10 * 3, 10 * (3 + 7), 10 * (4 + 2 * 7))
    assert "counted by qwen3, only near (another model's vocabulary, times 1.1 (1 to 1.25))" in cell.basis


def test_an_answers_schema_may_be_input_too(
    numbers: Callable[..., Dataset], matrix: Callable[..., Matrix], ledger: Ledger
) -> None:
    provider = _AtOpenAI(ledger=ledger)
    schema = {"name": "answer", "schema": {"type": "object", "properties": {"answer": {"type": "string"}}}}
    params = {
        "temperature": 0,
        "max_tokens": 9,
        "response_format": {"type": "json_schema", "json_schema": schema},
    }
    (cell,) = matrix(numbers(10), provider, models=["fake/gpt-4o"], params=params).quote().cells
    low, expected, high = cell.input_tokens
    assert low == 100
    assert expected is not None
    assert high is not None
    assert expected > 100
    assert high - 100 == 2 * (expected - 100)
    assert "only near (the answer's schema may be billed as input)" in cell.basis


def test_quote_without_a_tokenizer_is_an_estimate_by_characters(
    numbers: Callable[..., Dataset],
    matrix: Callable[..., Matrix],
    fake: Callable[..., FakeProvider],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tokenizers, "_encoding", lambda _: None)
    prompts = {"prompt": "Say: {{ prompt }}."}  # 12 characters each
    (cell,) = matrix(numbers(10), fake(), prompts=prompts).quote().cells
    assert cell.input_tokens == (20, 30, 60)
    assert (
        "input estimated (4 (6 to 2) characters a token; to count, pip install 'llmbench[tokens]')"
        in cell.basis
    )


def test_quote_uses_earlier_answers(
    numbers: Callable[..., Dataset], matrix: Callable[..., Matrix], fake: Callable[..., FakeProvider]
) -> None:
    data = numbers(20)
    provider = fake(lambda messages, params: "three words here")
    matrix(data.limit(8), provider).run()
    quote = matrix(
        data, provider, prompts={"prompt": "{{ prompt }}", "long": "one two three {{ prompt }}"}
    ).quote()
    plain, long = quote.cells
    assert (plain.in_ledger, plain.to_make) == (8, 12)
    assert plain.output_tokens == (36, 36, 36)
    assert plain.basis.startswith("tokens as in 8 earlier answers of this cell")
    assert long.to_make == 20
    assert "of this model" in long.basis
    assert long.usd.expected is not None


def test_unknown_price_is_unknown_and_never_zero(
    numbers: Callable[..., Dataset], matrix: Callable[..., Matrix], fake: Callable[..., FakeProvider]
) -> None:
    quote = matrix(numbers(3), fake(), models=["fake/m", "fake/nameless"]).quote()
    assert quote.cells[1].usd == (None, None, None)
    assert quote.usd == (None, None, None)
    assert quote.unpriced == ("fake/nameless[prompt]",)
    assert "unknown" in str(quote)
    assert "unknown" in quote._repr_html_()
    frame = quote.to_pandas()
    assert math.isnan(frame["usd_expected"][1])
    assert frame["usd_expected"][0] > 0


def test_own_endpoint_and_recorded_model_cost_nothing(
    numbers: Callable[..., Dataset], matrix: Callable[..., Matrix], fake: Callable[..., FakeProvider]
) -> None:
    quote = matrix(
        numbers(3), fake(self_hosted=True), models=["fake/m", RecordedModel("old", "expected")]
    ).quote()
    assert quote.usd == (0, 0, 0)
    assert [cell.to_make for cell in quote.cells] == [3, 0]


def test_no_max_tokens_leaves_the_high_end_unknown(
    numbers: Callable[..., Dataset], matrix: Callable[..., Matrix], fake: Callable[..., FakeProvider]
) -> None:
    quote = matrix(numbers(3), fake(), params={"temperature": 0}).quote()
    assert quote.usd.high is None
    assert quote.usd.low is not None
    assert "give max_tokens" in quote.cells[0].basis


def test_the_same_request_is_quoted_once(
    write: Callable[..., object], matrix: Callable[..., Matrix], fake: Callable[..., FakeProvider]
) -> None:
    data = Dataset.load(write([{"id": k, "prompt": "same", "expected": "x"} for k in range(3)]))  # type: ignore[arg-type]
    quote = matrix(data, fake()).quote()
    assert (quote.calls, quote.in_ledger, quote.to_make) == (3, 2, 1)


def test_html_is_escaped(
    numbers: Callable[..., Dataset], matrix: Callable[..., Matrix], fake: Callable[..., FakeProvider]
) -> None:
    quote = matrix(numbers(1), fake(), prompts={"<script>": "{{ prompt }}"}).quote()
    assert "<script>" not in quote._repr_html_()
