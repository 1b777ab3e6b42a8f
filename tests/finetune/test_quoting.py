from __future__ import annotations

import json
from pathlib import Path

import pytest

from llmbench import LlamaProvider, OpenAIProvider, TogetherProvider, finetune
from llmbench.catalog import count_tokens
from llmbench.errors import BudgetExceededError, DatasetError
from llmbench.finetune import TrainingQuote
from llmbench.finetune.trained_tokens import count_file_tokens

OPENAI = OpenAIProvider({"api_key": "k"})
TOGETHER = TogetherProvider({"api_key": "k"})
MESSAGES = [{"role": "user", "content": "2 + 2"}, {"role": "assistant", "content": "4"}]


def test_tokens_are_those_of_the_examples_times_the_epochs(training: Path) -> None:
    each = count_tokens(MESSAGES, "gpt-4o-mini", provider="openai").tokens
    quote = finetune.quote(OPENAI, training, "gpt-4o-mini", epochs=4)
    assert (quote.examples, quote.epochs, quote.tokens) == (10, 4, 40 * each)
    assert quote.usd == pytest.approx(40 * each * 3.0 / 1e6)
    assert (quote.usd_per_million_tokens, quote.price_date) == (3.0, "2026-05-07")
    assert "openai" in str(quote.price_source)
    assert "4 epochs" in str(quote)


def test_a_minimum_is_charged_and_said(training: Path) -> None:
    quote = finetune.quote(TOGETHER, training, "llama-3.1-8b")
    assert (quote.usd, quote.usd_low, quote.usd_high, quote.minimum_usd) == (4.0, 4.0, 4.0, 4.0)
    assert quote.tokens_low <= quote.tokens <= quote.tokens_high
    assert ", the least that is charged being $4.00; Together lowered most of its prices on" in str(quote)
    assert quote.price_note in str(quote)
    with pytest.raises(
        BudgetExceededError, match=r"the least that is charged being \$4\.00; .* costs less\), and budget_usd"
    ):
        quote.refuse_above(1.0)


def test_evaluations_are_charged_where_they_are(training: Path) -> None:
    without = finetune.quote(TOGETHER, training, "llama-3.1-8b", validation_file=training, epochs=1)
    more = finetune.quote(TOGETHER, training, "llama-3.1-8b", validation_file=training, epochs=1, n_evals=2)
    assert more.tokens == 3 * without.tokens
    openai = finetune.quote(OPENAI, training, "gpt-4o-mini", validation_file=training, epochs=1)
    assert openai.tokens == finetune.quote(OPENAI, training, "gpt-4o-mini", epochs=1).tokens


def test_a_price_nobody_lists_is_not_known(training: Path) -> None:
    provider = LlamaProvider({"backend": "replicate", "api_key": "k"})
    quote = finetune.quote(provider, training, "llama-3-8b")
    assert (quote.usd, quote.usd_high, quote.price_date) == (None, None, None)
    assert "the price is not known" in str(quote)
    with pytest.raises(BudgetExceededError, match="allow_unknown_price"):
        quote.refuse_above(1e9)
    quote.refuse_above(0.0, allow_unknown_price=True)


def test_the_vendors_estimate_takes_the_place_of_ours(training: Path) -> None:
    quote = finetune.quote(TOGETHER, training, "llama-3.1-8b").with_estimate(12.5)
    assert quote.most_usd == 12.5
    assert "$12.50 by the vendor's own estimate" in str(quote)
    with pytest.raises(BudgetExceededError, match=r"may cost \$12\.50 \(the vendor's own estimate\)"):
        quote.refuse_above(12.49)
    quote.refuse_above(12.5)
    assert TrainingQuote.from_dict(json.loads(json.dumps(quote.to_dict()))) == quote


@pytest.mark.parametrize(
    "row",
    [
        {"prompt": "one two", "completion": "three"},
        {"text": "one two three"},
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "x"}]}, MESSAGES[1]]},
        {"messages": [{"role": "assistant", "content": None, "tool_calls": [{"id": "1"}]}, MESSAGES[1]]},
    ],
)
def test_every_format_that_is_trained_is_counted(tmp_path: Path, row: dict[str, object]) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text(json.dumps(row) + "\n\n" + json.dumps(row), encoding="utf-8")
    found = count_file_tokens(path, "llama-3.1-8b", place="together")
    assert found.examples == 2
    assert 0 < found.low <= found.tokens <= found.high


def test_files_that_cannot_be_counted(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="There is no file"):
        count_file_tokens(tmp_path / "absent.jsonl", "gpt-4o")
    path = tmp_path / "t.jsonl"
    path.write_text('{"text": "x"}\nnope\n', encoding="utf-8")
    with pytest.raises(DatasetError, match=r"t\.jsonl:2 is not JSON"):
        count_file_tokens(path, "gpt-4o")
    path.write_text('{"text": "x", "weight": NaN}\n', encoding="utf-8")
    with pytest.raises(DatasetError, match=r"t\.jsonl:1 is not JSON \(it holds NaN"):
        count_file_tokens(path, "gpt-4o")
    path.write_text('{"text": "x"}\n', encoding="utf-16")
    with pytest.raises(DatasetError, match=r"is UTF-16; save it as UTF-8"):
        count_file_tokens(path, "gpt-4o")


def test_a_file_that_is_not_there_is_named_as_what_it_is(training: Path) -> None:
    missing = training.with_name("missing.jsonl")
    with pytest.raises(
        DatasetError, match=r"The training file .*missing\.jsonl cannot be read: No such file"
    ):
        finetune.quote(OPENAI, missing, "gpt-4o-mini")
    with pytest.raises(DatasetError, match=r"The validation file .*missing\.jsonl cannot be read"):
        finetune.quote(OPENAI, training, "gpt-4o-mini", validation_file=missing)
