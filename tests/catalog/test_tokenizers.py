from __future__ import annotations

import json
import random
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmbench.catalog import all_models, tokenizers
from llmbench.catalog.tokenizers import count_tokens, tokenizer_for
from llmbench.errors import UsageError

quicktok = pytest.importorskip("quicktok", reason="the extra `tokens` is not installed")
ROOT = Path(__file__).parents[2]

# OpenAI's cookbook, "How to count tokens with tiktoken", section 6: its counts are the API's usage.
COOKBOOK = [
    {
        "role": "system",
        "content": "You are a helpful, pattern-following assistant that translates corporate jargon into "
        "plain English.",
    },
    {
        "role": "system",
        "name": "example_user",
        "content": "New synergies will help drive top-line growth.",
    },
    {
        "role": "system",
        "name": "example_assistant",
        "content": "Things working well together will increase revenue.",
    },
    {
        "role": "system",
        "name": "example_user",
        "content": "Let's circle back when we have more bandwidth to touch base on opportunities for "
        "increased leverage.",
    },
    {
        "role": "system",
        "name": "example_assistant",
        "content": "Let's talk later when we're less busy about how to do better.",
    },
    {
        "role": "user",
        "content": "This late pivot means we don't have time to boil the ocean for the client deliverable.",
    },
]

# https://github.com/meta-llama/llama3, llama/test_tokenizer.py: test_encode_dialog lists these 26 ids.
META = [
    {"role": "system", "content": "This is a test sentence."},
    {"role": "user", "content": "This is a response."},
]


@pytest.mark.parametrize(
    ("model", "billed"),
    [("gpt-3.5-turbo", 129), ("gpt-4-0613", 129), ("gpt-4", 129), ("gpt-4o", 124), ("gpt-4o-mini", 124)],
)
def test_the_cookbooks_request_has_as_many_tokens_as_openai_billed(model: str, billed: int) -> None:
    counted = count_tokens(COOKBOOK, model, provider="openai")
    assert (counted.tokens, counted.low, counted.high, counted.exact) == (billed, billed, billed, True)


@pytest.mark.parametrize(
    ("text", "cl100k", "o200k"),
    [
        ("tiktoken is great!", 6, 6),
        ("antidisestablishmentarianism", 6, 6),
        ("2 + 2 = 4", 7, 7),
        ("お誕生日おめでとう", 9, 8),
    ],
)
def test_the_cookbooks_strings(text: str, cl100k: int, o200k: int) -> None:
    assert count_tokens(text, "gpt-4").tokens == cl100k
    assert count_tokens(text, "gpt-4o").tokens == o200k


def test_metas_dialog() -> None:
    counted = count_tokens(META, "meta-llama/Meta-Llama-3-70B-Instruct", provider="vllm")
    assert (counted.tokens, counted.tokenizer, counted.exact) == (26, "llama3", True)
    assert count_tokens("This is a test sentence.", "llama-3-70b").tokens == 6


def test_llama_3_1_adds_its_dates_to_every_system_message() -> None:
    dates = 20  # "Cutting Knowledge Date: December 2023\nToday Date: 26 Jul 2024\n\n"
    counted = count_tokens(META, "llama-3.1-8b", provider="vllm")
    assert (counted.tokens, counted.exact) == (26 + dates, True)
    # Without a system message the template writes one: 6 tokens of "This is a test sentence." less.
    assert count_tokens(META[1:], "llama-3.1-8b", provider="vllm").tokens == 26 - 6 + dates


def test_white_space_around_a_llama_message_is_not_sent() -> None:
    padded = [{**message, "content": f"  {message['content']}\n\n"} for message in META]
    assert count_tokens(padded, "llama-3-70b", provider="vllm").tokens == 26


def test_published_calls_of_reasoning_models_are_met_but_not_claimed() -> None:
    # https://community.openai.com/t/1271170: o4-mini billed 17.
    counted = count_tokens(
        [
            {"role": "system", "content": "Finish the given task"},
            {"role": "user", "content": "Say hello world"},
        ],
        "o4-mini-2025-04-16",
    )
    assert counted.tokens == 17
    assert not counted.exact
    assert counted.low < 17 < counted.high


@given(word=st.text(alphabet="abcdefghijklmnopqrstuvwxyz", min_size=1, max_size=40))
def test_a_word_is_merged_by_the_definition_of_byte_pair_encoding(word: str) -> None:
    encoding = quicktok.get_encoding("cl100k_base")

    def rank(piece: bytes) -> float:
        try:
            return float(encoding.encode_single_token(piece))
        except KeyError:
            return float("inf")

    pieces = [bytes([byte]) for byte in word.encode()]
    while len(pieces) > 1:
        ranks = [rank(left + right) for left, right in pairwise(pieces)]
        if min(ranks) == float("inf"):
            break
        at = ranks.index(min(ranks))
        pieces[at : at + 2] = [pieces[at] + pieces[at + 1]]
    assert count_tokens(word, "gpt-4").tokens == len(pieces)


def test_near_counts_hold_for_what_a_real_model_counted() -> None:
    lines = (ROOT / "tests/notebooks/replay.jsonl").read_text(encoding="utf-8").splitlines()
    calls = [json.loads(line) for line in lines]
    real = [call["usage"]["input_tokens"] for call in calls]
    counted = [count_tokens(call["messages"], call["model"], provider="local") for call in calls]
    assert len(calls) == 288
    assert not any(one.exact for one in counted)
    assert all(one.low <= tokens <= one.high for one, tokens in zip(counted, real, strict=True))
    assert sum(one.tokens for one in counted) == pytest.approx(sum(real), rel=0.03)
    characters = sum(len(m["content"]) for call in calls for m in call["messages"])
    assert characters / 4 < 0.87 * sum(real)  # what the count is better than


@pytest.mark.parametrize(
    ("model", "provider", "name", "exact"),
    [
        ("gpt-4o", None, "o200k", True),
        ("gpt-4o-2024-08-06", "azure", "o200k", True),
        ("ft:gpt-4o-mini-2024-07-18:acme::abc", "openai", "o200k", True),
        ("gpt-4o", "custom", "o200k", False),
        ("gpt-4o-audio-preview", "openai", "o200k", False),
        ("gpt-4-turbo-2024-04-09", "openai", "cl100k", True),
        ("gpt-4-vision-preview", "openai", "cl100k", False),
        ("gpt-5.4-mini", "openai", "o200k", False),
        ("gpt-6-luna", "openai", "o200k", False),
        ("meta-llama/Llama-3.3-70B-Instruct", "vllm", "llama3", True),
        ("llama-3.1-8b", "together", "llama3", False),
        ("llama-3.1-8b", None, "llama3", False),
        ("acme/llama-3.1-8b-tickets", "vllm", "llama3", False),
        ("meta-llama/Llama-4-Scout", "vllm", "o200k", False),
        ("Qwen/Qwen2.5-7B-Instruct", "vllm", "qwen3", False),
        ("Qwen3.8-Flash", "together", "o200k", False),
        ("mixtral-8x7b", "together", "qwen3", False),
        ("claude-opus-5-5", "anthropic", "o200k", False),
        ("gemini-3.8-flash", "gemini", "qwen3", False),
        ("nobody/knows-this", None, "o200k", False),
        ("a\nb", None, "o200k", False),
    ],
)
def test_choice(model: str, provider: str | None, name: str, exact: bool) -> None:
    choice = tokenizer_for(model, provider)
    assert (choice.name, choice.exact) == (name, exact)
    assert count_tokens(META, model, provider=provider).exact is exact


def test_claude_4_7_reads_more_than_claude_4_6() -> None:
    old, new = (count_tokens(COOKBOOK[5]["content"], f"claude-opus-4-{n}") for n in (6, 7))
    # "approximately 30 percent more", platform.claude.com, token counting.
    assert new.tokens / old.tokens == pytest.approx(1.3, abs=0.06)
    assert count_tokens("x", "claude-sonnet-4-20250514").note == count_tokens("x", "claude-opus-4-5").note


def test_a_near_count_is_wider_for_other_languages() -> None:
    english, russian = "We can meet on Tuesday.", "Мы можем встретиться во вторник."
    plain, other = (count_tokens(text, "mixtral-8x7b") for text in (english, russian))
    assert plain.high / plain.tokens < other.high / other.tokens
    assert "1.1 (1 to 1.25)" in plain.note
    assert "1.3 (1 to 2.3)" in other.note


def test_a_text_alone_has_no_chat_format_so_the_own_vocabulary_is_exact() -> None:
    counted = count_tokens("hello world", "gpt-5")
    assert counted == (2, 2, 2, "o200k", True, counted.note)
    assert not count_tokens("hello world", "claude-opus-5-5").exact


def test_every_row_is_sound() -> None:
    families = tokenizers._families()
    assert families[-1].pattern == ".*"
    for family in families:
        re.compile(family.pattern)
        for band in (family.plain, family.other):
            assert 0 < band.low <= band.expected <= band.high
            assert tokenizers._encoding(band.by) is not None
            assert not family.own or (band.by, band.low, band.high) == (family.tokenizer, 1, 1)
        assert family.own or not family.exact_at


@pytest.mark.parametrize("model", sorted(all_models()))
def test_every_model_of_the_catalog_is_counted(model: str) -> None:
    counted = count_tokens(META, model)
    assert 0 < counted.low <= counted.tokens <= counted.high


@given(text=st.text(st.characters(), max_size=60))
def test_any_text_is_counted(text: str) -> None:
    counted = count_tokens(text, "mixtral-8x7b")
    assert 0 <= counted.low <= counted.tokens <= counted.high
    assert counted.tokenizer == "qwen3"


def test_special_tokens_and_lone_surrogates_are_plain_text() -> None:
    assert count_tokens("<|endoftext|>", "gpt-4o").tokens > 1
    assert count_tokens("\ud800", "gpt-4o").tokens == count_tokens("?", "gpt-4o").tokens == 1
    assert count_tokens("", "gpt-4o").tokens == 0


@pytest.mark.parametrize(
    "messages",
    [[], 7, [{"content": "x"}], [{"role": "user", "content": None}], ["x"],
     [{"role": "user", "content": "x", "tool_calls": "[]"}]],
)  # fmt: skip
def test_what_cannot_be_counted_is_refused(messages: object) -> None:
    with pytest.raises(UsageError):
        count_tokens(messages, "gpt-4o")  # type: ignore[arg-type]


@pytest.fixture
def no_quicktok(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setitem(sys.modules, "quicktok", None)
    tokenizers._loaded.cache_clear()
    yield
    tokenizers._loaded.cache_clear()


@pytest.mark.usefixtures("no_quicktok")
def test_without_quicktok_a_token_is_taken_for_four_characters() -> None:
    counted = count_tokens([{"role": "user", "content": "x" * 120}], "gpt-4o")
    assert counted[:5] == (30, 20, 60, "characters", False)
    assert "llmbench[tokens]" in counted.note
    assert tokenizer_for("gpt-4o") == ("characters", False, counted.note)


def test_a_thousand_prompts_take_well_under_a_second() -> None:
    words = re.findall(r"\S+", (ROOT / "data/sales_tasks.jsonl").read_text(encoding="utf-8"))
    chosen = random.Random(1)
    prompts = [" ".join(chosen.choices(words, k=450))[:2000] for _ in range(1000)]
    count_tokens("load the vocabulary", "gpt-4o")
    began = time.process_time()
    for prompt in prompts:
        count_tokens([{"role": "user", "content": prompt}], "gpt-4o")
    assert time.process_time() - began < 0.5


def test_the_catalog_loads_no_tokenizer_before_it_counts() -> None:
    code = "import sys, llmbench.catalog.tokenizers; print('quicktok' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "False"
