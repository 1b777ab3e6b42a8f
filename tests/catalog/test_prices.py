from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmbench.catalog import TokenPrice, canonical_name, model_facts, price_book, price_call, price_usage
from llmbench.catalog.books import BOOKS
from llmbench.catalog.info import model_info, models_of
from llmbench.catalog.models import all_models
from llmbench.catalog.places import HOSTED
from llmbench.catalog.prices import token_price
from llmbench.errors import UsageError
from llmbench.types import Usage

MILLION_EACH = Usage(input_tokens=1_000_000, output_tokens=1_000_000)


@pytest.mark.parametrize(
    ("model", "backend", "usd_in", "usd_out"),
    [
        ("gpt-4o", "openai", 2.50, 10.0),
        ("gpt-4o-mini", "openai", 0.15, 0.60),
        ("gpt-4", "openai", 30.0, 60.0),
        ("llama-3.1-70b", "together", 0.90, 0.90),
        ("llama-3.1-8b", "together", 0.20, 0.20),
        ("llama-3-70b", "together", 0.90, 0.90),
        ("mixtral-8x7b", "together", 0.60, 0.60),
        ("mixtral-8x22b", "together", 1.20, 1.20),
    ],
)
def test_the_documents_prices(model: str, backend: str, usd_in: float, usd_out: float) -> None:
    price = price_call(model, MILLION_EACH, provider="any", backend=backend, book="2025-01-23")
    assert price.usd == pytest.approx(usd_in + usd_out)
    assert price.basis == "priced"
    assert price.as_of == "2025-01-23"


def test_an_unknown_model_has_no_price() -> None:
    assert price_call("gpt-99", MILLION_EACH, provider="openai", backend=None).usd is None


def test_unknown_usage_has_no_price() -> None:
    assert price_call("gpt-4o", None, provider="openai", backend=None).usd is None


def test_an_unknown_book_is_refused() -> None:
    with pytest.raises(UsageError, match="choose one of"):
        price_book("2024")


def test_a_bare_name_takes_its_first_hosted_backend() -> None:
    found = price_book("current").find("mixtral-8x7b", None)
    assert found is not None
    assert found.input == Decimal("0.6")


@given(
    read=st.integers(0, 10**6), cached=st.integers(0, 10**6), written=st.integers(0, 10**5),
)  # fmt: skip
def test_cached_tokens_never_cost_more(read: int, cached: int, written: int) -> None:
    price = TokenPrice(Decimal("2.5"), Decimal(10), Decimal("1.25"), "2026-11-22")
    cached = min(read, cached)
    full = price_usage(price, Usage(read, written))
    part = price_usage(price, Usage(read, written, cache_read_tokens=cached))
    assert 0 <= part <= full
    assert price_usage(price, Usage(read + 1, written + 1)) > full


@pytest.mark.parametrize("row", [{"input": 1}, {"input": 1, "output": -1}, {"input": 1, "output": 1, "x": 1}])
def test_a_bad_price_is_refused(row: dict[str, float]) -> None:
    with pytest.raises(UsageError):
        token_price(row, "2026-01-01")


@pytest.mark.parametrize("book", BOOKS)
def test_every_priced_model_is_in_the_catalog(book: str) -> None:
    for rows in price_book(book).prices.values():
        # A model that was tuned is listed under its base.
        assert {name.removeprefix("ft:") for name in rows} <= set(all_models())


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"up_to_input_tokens": "272k"}, "up_to_input_tokens"),
        ({"up_to_input_tokens": True}, "up_to_input_tokens"),
        ({"up_to_input_tokens": 0}, "up_to_input_tokens"),
        ({"beyond": {"input": 2, "output": 2}}, "beyond"),
        ({"up_to_input_tokens": 9, "beyond": 2}, "beyond"),
    ],
)
def test_a_length_that_cannot_be_meant_is_refused(row: dict[str, object], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        token_price({"input": 1, "output": 1, **row}, "2026-01-01")


def test_a_price_book_names_the_backend_that_charges() -> None:
    assert price_book("current").find_at("llama-3-70b", None)[0] == "together"
    assert price_book("current").find_at("llama-3-70b", "replicate")[0] == "replicate"
    assert price_book("current").find_at("mixtral-8x22b", None) == (None, None)


def test_every_price_says_where_it_stands() -> None:
    def source(model: str, book: str = "current") -> str:
        found = price_book(book).find(model, None)
        assert found is not None
        return found.source

    assert source("gpt-4o") == "genai-prices 0.2.3"
    assert source("mixtral-8x7b").startswith("overlay: Together")
    assert source("mixtral-8x7b", "2025-01-23") == "the source document, 2025-01-23"


def test_no_price_is_said_to_be_of_another_vendors_list() -> None:
    book = price_book("current")
    of_tiers = [(place, price) for (place, _, _), price in book.tiers.items()]
    for place, price in [(p, each) for p, row in book.prices.items() for each in row.values()] + of_tiers:
        assert place in price.source.casefold(), (place, price)


def test_the_price_of_a_batch_stands_where_the_models_own_does() -> None:
    book = price_book("current")
    for (place, model, _), price in book.tiers.items():
        own = book.prices[place][model]
        assert (price.source, price.as_of) == (own.source, own.as_of)


def test_a_call_beyond_what_a_price_holds_for_has_no_cost() -> None:
    price = TokenPrice(Decimal(1), Decimal(2), None, "2026-11-22", up_to_input_tokens=100)
    assert price_usage(price, Usage(100, 10)) is not None
    assert price_usage(price, Usage(101, 10)) is None


def test_a_long_call_is_charged_by_the_longer_tier_for_all_its_tokens() -> None:
    within = price_call("gpt-6-luna", Usage(272_000, 0), provider="openai", backend=None).usd
    beyond = price_call("gpt-6-luna", Usage(272_001, 0), provider="openai", backend=None).usd
    assert within == pytest.approx(0.0272)
    assert beyond == pytest.approx(272_001 * 0.2 / 1e6)


def test_writing_to_a_cache_has_its_own_price() -> None:
    plain = price_call("gpt-6-luna", Usage(1000, 0), provider="openai", backend=None).usd
    written = price_call(
        "gpt-6-luna", Usage(1000, 0, cache_write_tokens=1000), provider="openai", backend=None
    ).usd
    assert plain is not None
    assert written == pytest.approx(plain * 1.25)


def test_spellings_are_one_to_one() -> None:
    spelled = [
        spelling
        for name, facts in all_models().items()
        for spelling in {s.casefold() for s in (name, *facts.aliases, *facts.backends.values())}
    ]
    assert len(set(spelled)) == len(spelled)
    assert canonical_name("GPT-4O-2024-08-06") == "gpt-4o"


def test_the_nearest_name_is_offered() -> None:
    with pytest.raises(UsageError, match=r"llama-3\.1-8b"):
        model_facts("llama-3.1-8")


def test_model_info_has_the_documents_fields() -> None:
    info = model_info("gpt-4o", provider="openai", backend=None)
    assert info.cost_per_1k_input_tokens == pytest.approx(0.0025)
    assert info.cost_per_1k_output_tokens == pytest.approx(0.010)
    assert info.context_window == 128_000
    assert info.supports_fine_tuning
    assert info.shutdown_date == "2027-01-14"
    own = model_info("llama-3.1-8b", provider="llama", backend="vllm")
    assert own.cost_per_1k_input_tokens == 0.0
    assert own.supports_local_deployment


def test_models_of_a_vendor() -> None:
    assert {"gpt-4o", "gpt-4o-mini", "gpt-4"} <= {m.name for m in models_of("openai", backend=None)}


@pytest.mark.parametrize("book", BOOKS)
def test_whoever_has_a_table_of_prices_is_a_place_that_sells_tokens(book: str) -> None:
    assert price_book(book).prices.keys() <= {*HOSTED}, "add it to HOSTED in llmbench/catalog/places.py"
