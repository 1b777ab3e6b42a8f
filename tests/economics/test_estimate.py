from __future__ import annotations

from datetime import UTC, date, datetime
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmbench.catalog import price_book
from llmbench.economics import Workload, api_cost, estimate, listed_price_of
from llmbench.errors import UsageError

DOCUMENT = "2025-01-23"
LOAD = Workload(100_000, input_tokens=500, output_tokens=200)


@pytest.mark.parametrize(
    ("model", "usd"),
    [
        # The document's workload at its own prices, counted by hand: 50M tokens in, 20M out.
        ("gpt-4", 50 * 30 + 20 * 60),
        ("gpt-4o", 50 * 2.50 + 20 * 10),
        ("gpt-4o-mini", 50 * 0.15 + 20 * 0.60),
        ("llama-3.1-70b", 70 * 0.90),
        ("llama-3.1-8b", 70 * 0.20),
        ("mixtral-8x7b", 70 * 0.60),
        ("mixtral-8x22b", 70 * 1.20),
    ],
)
def test_the_documents_workload(model: str, usd: float) -> None:
    assert api_cost(model, 50_000_000, 20_000_000, price_book=DOCUMENT) == pytest.approx(usd, abs=1e-9)
    assert estimate(LOAD, [model], price_book=DOCUMENT)[model].usd_per_month == pytest.approx(usd, abs=1e-6)


def test_the_documents_mix() -> None:
    mix = {"gpt-4o": 0.2, "mixtral-8x7b": 0.8}
    found = estimate(LOAD, [], mixes=[mix], price_book=DOCUMENT)["gpt-4o 20% + mixtral-8x7b 80%"]
    assert found.usd_per_month == pytest.approx(98.60, abs=1e-9)
    assert found.saving_usd == pytest.approx(2700 - 98.60)
    assert found.saving_share == pytest.approx(1 - 98.60 / 2700)


def test_the_documents_savings() -> None:
    found = estimate(LOAD, ["gpt-4o", "gpt-4o-mini"], price_book=DOCUMENT)
    assert found["gpt-4o"].saving_usd == pytest.approx(2375)
    assert found["gpt-4o-mini"].saving_share == pytest.approx(0.99278, abs=1e-5)
    assert [row.name for row in found.rows] == ["gpt-4", "gpt-4o", "gpt-4o-mini"]


def test_an_unknown_price_is_none_and_never_zero() -> None:
    row = estimate(LOAD, ["mixtral-8x22b"])["mixtral-8x22b"]
    assert (row.usd_per_month, row.saving_usd, row.saving_share) == (None, None, None)
    assert "no price" in row.note
    assert api_cost("mixtral-8x22b", 1000, 1000) is None


def test_a_mix_with_an_unknown_price_is_unknown() -> None:
    row = estimate(LOAD, [], mixes=[{"gpt-4o": 0.5, "mixtral-8x22b": 0.5}]).rows[-1]
    assert row.usd_per_month is None
    assert "mixtral-8x22b" in row.note


def test_batches_are_priced_only_where_a_source_says_so() -> None:
    load = Workload(100_000, 500, 200, batch_share=1.0)
    found = estimate(load, ["gpt-4o", "mixtral-8x7b"])
    assert found["gpt-4o"].usd_per_month == pytest.approx(162.5)
    assert found["mixtral-8x7b"].usd_per_month is None
    assert "batch" in found["mixtral-8x7b"].note


def test_half_a_batch_and_cached_input() -> None:
    half = estimate(Workload(100_000, 500, 200, batch_share=0.5), ["gpt-4o"])["gpt-4o"]
    assert half.usd_per_month == pytest.approx((325 + 162.5) / 2)
    cached = estimate(Workload(100_000, 500, 200, cached_share=0.5), ["gpt-4o"])["gpt-4o"]
    assert cached.usd_per_month == pytest.approx(25 * 2.5 + 25 * 1.25 + 20 * 10)
    plain = estimate(Workload(100_000, 500, 200, cached_share=0.5), ["mixtral-8x7b"])["mixtral-8x7b"]
    assert plain.usd_per_month == pytest.approx(42.0)
    assert "cached" in plain.note


def test_long_messages_are_priced_by_their_length_and_many_short_ones_are_not() -> None:
    assert api_cost("gpt-6-luna", 50_000_000, 0) == pytest.approx(5.0)
    long = estimate(Workload(100, 500_000, 0), ["gpt-6-luna"])["gpt-6-luna"]
    assert long.usd_per_month == pytest.approx(50 * 0.2)


def test_the_projects_discount_counts(project: Path) -> None:
    (project / "prices.toml").write_text("[openai]\ndiscount = 0.1\nas_of = 2026-10-01\n", encoding="utf-8")
    assert estimate(LOAD, ["gpt-4o"])["gpt-4o"].usd_per_month == pytest.approx(325 * 0.9)
    assert estimate(LOAD, ["gpt-4o"], price_book=DOCUMENT)["gpt-4o"].usd_per_month == pytest.approx(325)


def test_a_backend_may_be_named() -> None:
    replicate, together = listed_price_of("replicate/llama-3-70b"), listed_price_of("together/llama-3-70b")
    assert replicate is not None
    assert together is not None
    assert (float(replicate.output), float(together.output)) == (2.75, 0.88)
    oss = listed_price_of("openai/gpt-oss-120b")
    assert oss is not None
    assert float(oss.input) == 0.15, "an id of Together's, not a model of OpenAI's"


def test_a_model_ends_where_it_is_priced() -> None:
    found = estimate(LOAD, ["replicate/llama-3-70b", "together/llama-3-70b", "llama-3-70b"])
    assert found["replicate/llama-3-70b"].shutdown_date is None
    assert found["together/llama-3-70b"].shutdown_date == "2025-12-23"
    assert found["llama-3-70b"].shutdown_date == "2025-12-23"


def test_who_ends_a_model_is_named() -> None:
    found = estimate(
        LOAD, ["llama-3-70b", "replicate/llama-3-70b"], mixes=[{"gpt-4o": 0.2, "mixtral-8x7b": 0.8}]
    )
    assert {row.name: row.shutdown_at for row in found.rows} == {
        "gpt-4": "openai",
        "llama-3-70b": "together",
        "replicate/llama-3-70b": None,
        "gpt-4o 20% + mixtral-8x7b 80%": "mixtral-8x7b at together",
    }


def test_a_familys_own_endpoint_is_its_first_hosted_backend() -> None:
    assert api_cost("llama/llama-3.1-8b", 1e6, 0) == api_cost("together/llama-3.1-8b", 1e6, 0) == 0.18


@pytest.mark.parametrize("model", ["local/smollm2-135m", "vllm/llama-3.1-8b", "ollama/mixtral-8x7b"])
def test_a_machine_of_ones_own_charges_no_tokens_and_is_not_free(model: str) -> None:
    with pytest.raises(UsageError, match="hours, not tokens"):
        api_cost(model, 1, 1)


def test_a_price_that_is_known_to_change_is_named() -> None:
    last = date(2026, 12, 31)
    if datetime.now(UTC).date() > last:
        pytest.skip("the introductory price has ended")
    found = estimate(LOAD, ["gemini-3.8-flash"])
    assert found["gemini-3.8-flash"].price_until == last.isoformat()
    assert any("gemini-3.8-flash (2026-12-31)" in note for note in found.notes())


@pytest.mark.parametrize(
    "mix",
    [
        {"gpt-4o": 0.5, "gpt-4": 0.5 + 1e-8},
        {"gpt-4o": float("nan")},
        {"gpt-4o": 0.5},
        {"gpt-4o": 1.5, "gpt-4": -0.5},
        {},
    ],
)
def test_shares_must_sum_to_one(mix: dict[str, float]) -> None:
    with pytest.raises(UsageError, match=r"sum to 1|must be a share between 0 and 1"):
        estimate(LOAD, [], mixes=[mix])


@pytest.mark.parametrize(
    "load",
    [
        {"messages_per_month": -1}, {"input_tokens": float("nan")}, {"output_tokens": float("inf")},
        {"cached_share": 1.1}, {"batch_share": -0.1},
    ],
)  # fmt: skip
def test_a_workload_that_cannot_be_meant(load: dict[str, float]) -> None:
    with pytest.raises(UsageError, match=next(iter(load))):
        Workload(**{"messages_per_month": 1, "input_tokens": 1, "output_tokens": 1, **load})


def test_a_model_nobody_knows() -> None:
    with pytest.raises(UsageError, match="does not know"):
        api_cost("gpt4o", 1, 1)
    with pytest.raises(UsageError, match="cached_tokens"):
        api_cost("gpt-4o", 1, 1, cached_tokens=2)


@given(
    messages=st.integers(0, 10**7), read=st.integers(0, 5000), written=st.integers(0, 5000),
    cached=st.sampled_from([0.0, 0.25, 1.0]),
)  # fmt: skip
def test_sums_are_those_of_exact_fractions(messages: int, read: int, written: int, cached: float) -> None:
    price = price_book("current").find("gpt-4o", "openai")
    assert price is not None
    assert price.cached_input is not None
    exact = Fraction(messages, 10**6) * (
        read * (1 - Fraction(cached)) * Fraction(price.input)
        + read * Fraction(cached) * Fraction(price.cached_input)
        + written * Fraction(price.output)
    )
    load = Workload(messages, read, written, cached_share=cached)
    assert estimate(load, ["gpt-4o"])["gpt-4o"].usd_per_month == pytest.approx(
        float(exact), rel=1e-9, abs=1e-6
    )


def test_it_shows_itself_and_turns_into_pandas() -> None:
    found = estimate(LOAD, ["gpt-4o", "mixtral-8x22b"])
    assert "gpt-4o" in found._repr_html_()
    assert "unknown" in found._repr_html_()
    frame = found.to_pandas().set_index("name")
    assert frame.loc["gpt-4o", "usd_per_month"] == pytest.approx(325)
    assert frame["usd_per_month"].isna().sum() == 1


def test_a_known_model_at_a_place_that_nobody_knows_names_the_places() -> None:
    with pytest.raises(UsageError, match="no place 'northwind' that charges for tokens; there are openai, "):
        listed_price_of("northwind/llama-3.3-70b")
