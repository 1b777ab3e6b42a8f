from __future__ import annotations

import subprocess
import sys
from datetime import date

import genai_prices
import pytest
from genai_prices import data_snapshot

from llmbench.catalog import TIERS, all_models, price_book, price_call
from llmbench.catalog.books import CURRENT
from llmbench.catalog.vendor_lists import _CONTEXTS, listed_price
from llmbench.types import Usage

VENDORS = {
    "openai": "openai",
    "azure": "azure",
    "anthropic": "anthropic",
    "gemini": "google",
    "mistral": "mistral",
}
MODELS = sorted(
    (place, facts.backends[place])
    for facts in all_models().values()
    for place in VENDORS
    if place in facts.backends and listed_price(facts.backends[place], place) is not None
)
USAGES = [
    {"input_tokens": 1000, "output_tokens": 200},
    {"input_tokens": 1000, "output_tokens": 200, "cache_read_tokens": 600},
    {"input_tokens": 1000, "output_tokens": 200, "cache_read_tokens": 300, "cache_write_tokens": 400},
    {"input_tokens": 100_001, "output_tokens": 7},
    {"input_tokens": 272_000, "output_tokens": 7},
    {"input_tokens": 272_001, "output_tokens": 7, "cache_read_tokens": 9000},
    {"input_tokens": 900_000, "output_tokens": 50_000},
]


@pytest.mark.parametrize("usage", USAGES)
@pytest.mark.parametrize("tier", TIERS)
def test_our_sums_are_those_of_the_package(tier: str, usage: dict[str, int]) -> None:
    compared = 0
    for place, model in MODELS:
        ours = price_call(model, Usage(**usage), provider=place, backend=place, tier=tier)  # type: ignore[arg-type]
        found = data_snapshot.get_snapshot().calc(
            genai_prices.Usage(**usage),
            model,
            VENDORS[place],
            None,
            None,
            _CONTEXTS[tier] or None,  # type: ignore[index,arg-type]
        )
        if ours.usd is None:
            wanted = _CONTEXTS[tier]  # type: ignore[index]
            assert all(variant.when != wanted for variant in found.model.price_variants or ()), model
            continue
        compared += 1
        if listed_price(model, place, tier).cached_input is None and usage.get("cache_read_tokens"):  # type: ignore[arg-type,union-attr]
            # Where no rate for cached tokens is listed, they are charged like other input.
            assert ours.usd >= float(found.total_price) - 1e-12
        elif listed_price(model, place, tier).cache_write is None and usage.get("cache_write_tokens"):  # type: ignore[arg-type,union-attr]
            assert ours.usd >= float(found.total_price) - 1e-12
        else:
            assert ours.usd == pytest.approx(float(found.total_price), rel=1e-9), (model, tier)
    assert compared >= (20 if tier in {"standard", "batch"} else 5)


def test_the_package_takes_a_mistyped_context_in_silence_and_we_do_not() -> None:
    usage = genai_prices.Usage(input_tokens=1000, output_tokens=0)
    full = genai_prices.calc_price(usage, "gpt-4o", provider_id="openai")
    mistyped = genai_prices.calc_price(
        usage,
        "gpt-4o",
        provider_id="openai",
        price_context={"procesing": "batch"},  # type: ignore[typeddict-unknown-key]
    )
    assert mistyped.total_price == full.total_price, "the trap is gone: the guard may go too"
    variants = [
        v.when
        for provider in data_snapshot.get_snapshot().providers
        if provider.id in VENDORS.values()
        for model in provider.models
        for v in model.price_variants or ()
    ]
    for tier, context in _CONTEXTS.items():
        assert tier == "standard" or context in variants, f"nothing is listed under {context}"


def test_a_batch_of_gpt_4o_is_half_price() -> None:
    one = Usage(1000, 1000)
    full = price_call("gpt-4o", one, provider="openai", backend=None)
    batch = price_call("gpt-4o", one, provider="openai", backend=None, tier="batch")
    assert batch.usd == pytest.approx(full.usd / 2)  # type: ignore[operator]
    assert (batch.as_of, batch.basis) == ("2026-11-22", "priced")


def test_a_tier_that_is_not_listed_has_no_price() -> None:
    assert price_call("gpt-4o", Usage(9, 9), provider="openai", backend=None, tier="flex").usd is None
    assert (
        price_call("mixtral-8x7b", Usage(9, 9), provider="mixtral", backend="together", tier="batch").usd
        is None
    )
    assert price_call("gpt-4o", Usage(9, 9), provider="openai", backend=None, tier=None).usd is None


def test_together_is_priced_by_our_overlay_alone() -> None:
    assert listed_price("mistralai/Mixtral-8x7B-Instruct-v0.1", "together") is None
    found = price_book(CURRENT).find("mistralai/Mixtral-8x7B-Instruct-v0.1", "together")
    assert found is not None
    assert float(found.input) == 0.60


# By how much our overlay may differ from genai-prices, and why.
REASONED = {
    "mixtral-8x7b": "genai-prices has 0.90, Together charged 0.60",
    "llama-3.3-70b": "genai-prices has 0.88, Together charged 1.04 when it ended",
}


def test_our_overlay_beside_genai_prices() -> None:
    known = {p.id: p for p in data_snapshot.get_snapshot().providers}["together"]
    compared = 0
    for name, price in price_book(CURRENT).prices["together"].items():
        model = known.find_model(all_models()[name].backends["together"])
        if model is None:
            continue
        theirs = genai_prices.calc_price(
            genai_prices.Usage(input_tokens=1000, output_tokens=0), model.id, provider_id="together"
        )
        compared += 1
        gap = abs(float(price.input) / (float(theirs.total_price) * 1000) - 1)
        assert gap <= 0.05 or name in REASONED, (
            f"{name}: ours {price.input}, theirs {theirs.total_price * 1000}"
        )
    assert compared >= 5


def test_a_model_that_only_the_package_knows_is_priced_at_its_vendor() -> None:
    found = price_call("gpt-5.2", Usage(1000, 0), provider="openai", backend=None)
    assert found.usd is not None
    assert price_call("gpt-5.2", Usage(1000, 0), provider="together", backend="together").usd is None


@pytest.mark.parametrize(
    ("model", "place"),
    [
        ("gemini-3.8-flash-lite", "gemini"), ("claude-opus-4-5-fast", "anthropic"),
        ("claude-3-opus-foo", "anthropic"), ("gpt-5-nano-pro", "openai"), ("gpt-99", "openai"),
        ("my-o4-mini", "azure"), ("gemini-3.5-flash-8b", "gemini"),
    ],
)  # fmt: skip
def test_a_model_does_not_get_the_price_of_its_namesake(model: str, place: str) -> None:
    assert listed_price(model, place) is None


@pytest.mark.parametrize(
    ("model", "place", "usd_in"),
    [
        ("claude-haiku-5-5-20261001", "anthropic", 0.1), ("gemini-3.8-flash-preview-09-2026", "gemini", 0.75),
        ("gpt-6.1-sol-2026-10-01", "openai", 2), ("claude-3-5-haiku@20241022", "anthropic", 0.8),
        ("ft:gpt-4o-mini-2024-07-18:org::id", "openai", 0.3), ("GPT-4o", "openai", 2.5),
        ("claude-sonnet-4-20250514", "anthropic", 3),
    ],
)  # fmt: skip
def test_a_version_has_the_price_of_its_model(model: str, place: str, usd_in: float) -> None:
    found = listed_price(model, place, day=date(2026, 11, 24))
    assert found is not None
    assert float(found.input) == usd_in


def test_every_name_that_the_package_lists_is_priced() -> None:
    def names(clause: object) -> list[str]:
        parts = (*getattr(clause, "or_", ()), *getattr(clause, "and_", ()))
        own = [getattr(clause, kind) for kind in ("equals", "starts_with") if hasattr(clause, kind)]
        return [*own, *(name for part in parts for name in names(part))]

    places, compared = {theirs: ours for ours, theirs in VENDORS.items()}, 0
    usage = genai_prices.Usage(input_tokens=1000, output_tokens=1000)
    for provider in data_snapshot.get_snapshot().providers:
        for model in provider.models if provider.id in places else ():
            for name in names(model.match):
                try:
                    theirs = genai_prices.calc_price(usage, name, provider_id=provider.id).model_price
                except LookupError:
                    continue
                if theirs.input_mtok is not None and theirs.output_mtok is not None:
                    compared += 1
                    assert listed_price(name, places[provider.id]) is not None, name
    assert compared > 300


def test_a_price_changes_on_the_day_that_was_announced() -> None:
    for tier, before, after in (("standard", 2, 4), ("batch", 1, 2)):
        last = listed_price("gemini-4-argon", "gemini", tier, date(2026, 11, 30))  # type: ignore[arg-type]
        first = listed_price("gemini-4-argon", "gemini", tier, date(2026, 12, 1))  # type: ignore[arg-type]
        assert last is not None
        assert first is not None
        assert (float(last.input), last.as_of, last.until) == (before, "2026-11-22", "2026-11-30")
        assert (float(first.input), first.as_of, first.until) == (after, "2026-12-01", None)
    found = price_book(CURRENT).find("gemini-4-argon", "gemini", day=date(2026, 12, 1))
    assert found is not None
    assert float(found.output) == 20


def test_a_tier_before_the_day_it_was_listed_has_no_price() -> None:
    assert listed_price("gpt-4o", "openai", "batch", date(2026, 1, 1)) is None


def test_what_a_model_that_always_reasons_refuses() -> None:
    for name, facts in all_models().items():
        efforts = facts.quirks.reasoning_efforts
        if facts.provider == "openai" and efforts and "none" not in efforts:
            assert facts.quirks.refusal({"temperature": 0}), name
    assert all_models()["gpt-5-mini"].quirks.refusal({"stop": ["x"]})
    assert all_models()["gpt-6-luna"].quirks.refusal({"temperature": 0}) is None


def test_the_catalog_imports_the_package_only_when_it_prices() -> None:
    code = "import sys, llmbench, llmbench.catalog; print('genai_prices' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
