from __future__ import annotations

from itertools import islice
from pathlib import Path

import pytest

from llmbench.catalog.tokenizers import count_tokens
from llmbench.errors import DatasetError, UsageError
from llmbench.loadtest import read_prompts, synthetic_prompts


@pytest.mark.parametrize("model", ["gpt-4o", "llama-3.1-8b", "unheard-of"])
@pytest.mark.parametrize("tokens", [40, 200, 1000])
def test_length_is_what_was_asked(model: str, tokens: int) -> None:
    for text in islice(synthetic_prompts(model, tokens, 3), 5):
        assert count_tokens(text, model).tokens == pytest.approx(tokens, rel=0.04, abs=3)


def test_no_two_begin_alike() -> None:
    texts = list(islice(synthetic_prompts("gpt-4o", 60, 1), 500))
    assert len(set(texts)) == 500
    assert len({" ".join(text.split()[:5]) for text in texts}) == 500


def test_seed_decides() -> None:
    first, again, other = (next(synthetic_prompts("gpt-4o", 60, seed)) for seed in (1, 1, 2))
    assert first == again != other


def test_shared_prefix_is_common_and_the_rest_is_not() -> None:
    texts = list(islice(synthetic_prompts("gpt-4o", 200, 1, shared_prefix_tokens=100), 20))
    shared = next(n for n, letters in enumerate(zip(*texts, strict=False)) if len(set(letters)) > 1)
    assert count_tokens(texts[0][:shared], "gpt-4o").tokens == pytest.approx(100, abs=3)
    assert count_tokens(texts[0], "gpt-4o").tokens == pytest.approx(200, abs=4)


@pytest.mark.parametrize(("tokens", "shared"), [(5, 0), (100, 99), (100, -1)])
def test_lengths_that_cannot_be(tokens: int, shared: int) -> None:
    with pytest.raises(UsageError, match="tokens must"):
        next(synthetic_prompts("gpt-4o", tokens, 1, shared_prefix_tokens=shared))


def test_file_of_prompts(tmp_path: Path) -> None:
    plain, rows = tmp_path / "a.txt", tmp_path / "a.jsonl"
    plain.write_text("one\n\ntwo\n", encoding="utf-8")
    rows.write_text('{"prompt": "one"}\n{"text": "two"}\n', encoding="utf-8")
    assert read_prompts(plain) == read_prompts(rows) == ["one", "two"]


@pytest.mark.parametrize(("text", "says"), [("", "no prompt"), ('{"prompt": "a"}\n{"x": 1}\n', "line 2")])
def test_file_without_prompts(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "a").write_text(text, encoding="utf-8")
    with pytest.raises(DatasetError, match=says):
        read_prompts(tmp_path / "a")
    with pytest.raises(DatasetError, match="cannot be read"):
        read_prompts(tmp_path / "none")
