from __future__ import annotations

import subprocess
import sys

import genai_prices
import pytest
from genai_prices import data_snapshot

from llmbench.catalog import TIERS, all_models, price_book, price_call
from llmbench.catalog.books import CURRENT
from llmbench.catalog.vendor_lists import _CONTEXTS, listed_price
from llmbench.types import Usage

VENDORS = {"openai": "openai", "azure": "azure", "anthropic": "anthropic", "gemini": "google"}
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


def test_the_catalog_imports_the_package_only_when_it_prices() -> None:
    code = "import sys, llmbench, llmbench.catalog; print('genai_prices' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
