from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from llmbench.matrix import Dataset, Matrix, RecordedModel
from llmbench.providers.fake import FakeProvider


def test_quote_of_nothing_known_is_an_estimate(
    numbers: Callable[..., Dataset], matrix: Callable[..., Matrix], fake: Callable[..., FakeProvider]
) -> None:
    provider = fake()
    quote = matrix(numbers(10), provider, params={"temperature": 0, "max_tokens": 9}).quote()
    (cell,) = quote.cells
    assert (cell.calls, cell.in_ledger, cell.to_make) == (10, 0, 10)
    # "word 0" ... "word 9": 6 characters each.
    assert cell.input_tokens == pytest.approx((10, 15, 30))
    assert cell.output_tokens == (10, 50, 90)
    # 1 and 2 dollars per million, priced per call with tokens rounded up.
    assert cell.usd == pytest.approx((10 * (1 + 2) / 1e6, 10 * (2 + 10) / 1e6, 10 * (3 + 18) / 1e6))
    assert "estimated: input at 4 characters" in cell.basis
    assert quote.usd == cell.usd
    assert provider.requests == []


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
