from __future__ import annotations

import json
import random
from collections.abc import Callable
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from llmbench.catalog import price_call
from llmbench.cli.ledger import ledger as ledger_command
from llmbench.errors import UsageError
from llmbench.ledger import Ledger
from llmbench.ledger.reprice import reprice
from llmbench.types import CallRecord, Usage

DOCUMENT = "2025-01-23"


@pytest.fixture
def call(make_call: Callable[..., CallRecord]) -> Callable[..., CallRecord]:
    """An answered call of gpt-4o-mini."""
    numbers = iter(range(1_000_000))

    def make(model: str = "gpt-4o-mini", usage: Usage | None = None, **changes: Any) -> CallRecord:
        values = {
            "endpoint": "openai", "provider": "openai", "model": model, "usage": usage, "cost": None,
            "cost_basis": "unknown", "served_model": None, "params": {}, "metadata": {},
        }  # fmt: skip
        return make_call(f"c{next(numbers)}", **{**values, **changes})

    return make


@pytest.mark.parametrize(
    ("model", "provider", "backend", "usd"),
    [
        # The document's prices: a million tokens in and a million out.
        ("gpt-4", "openai", None, 90.0),
        ("gpt-4o", "openai", None, 12.50),
        ("gpt-4o-mini", "openai", None, 0.75),
        ("llama-3.1-70b", "llama", "together", 1.80),
        ("llama-3.1-8b", "llama", "replicate", 0.40),
        ("mixtral-8x7b", "mixtral", "together", 1.20),
    ],
)
def test_the_documents_prices(
    model: str, provider: str, backend: str | None, usd: float, call: Callable[..., CallRecord]
) -> None:
    made = call(model, Usage(1_000_000, 1_000_000), provider=provider, backend=backend, cost=1.0)
    found = reprice([made], DOCUMENT)
    assert found.as_of == "2025-01-23"
    assert found.total.usd_after == pytest.approx(usd, abs=1e-12)
    assert found.total.difference == pytest.approx(usd - 1.0, abs=1e-12)


# OpenAI's list of 2026-11-22, USD per 1M tokens.
LISTED = {
    "gpt-4o": {"input": "2.5", "output": "10", "cached_input": "1.25"},
    "gpt-4o-mini": {"input": "0.15", "output": "0.6", "cached_input": "0.075"},
    "gpt-4": {"input": "30", "output": "60"},
}


def _brute_force(calls: list[CallRecord], share: float | None) -> dict[str, Fraction]:
    """Exact sums over the vendor's list."""
    rows = LISTED
    sums: dict[str, Fraction] = {}
    for made in calls:
        if made.usage is None or made.model not in rows or made.status != "ok":
            continue
        row = {key: Fraction(value) for key, value in rows[made.model].items()}
        usage = made.usage
        read = usage.cache_read_tokens if share is None else round(share * usage.input_tokens)
        usd = (
            (usage.input_tokens - read) * row["input"]
            + read * row.get("cached_input", row["input"])
            + usage.output_tokens * row["output"]
        ) / 1_000_000
        sums[made.model] = sums.get(made.model, Fraction()) + usd
    return sums


@pytest.mark.parametrize("share", [None, 0.0, 0.5, 1.0])
def test_sums_are_those_of_a_count_by_hand(share: float | None, call: Callable[..., CallRecord]) -> None:
    rng = random.Random(20250123)
    models = ["gpt-4o", "gpt-4o-mini", "gpt-4", "nobody-s-model"]
    calls = []
    for _ in range(400):
        tokens = rng.randrange(1, 200_000)
        usage = Usage(tokens, rng.randrange(2_000), cache_read_tokens=rng.randrange(tokens))
        calls.append(call(rng.choice(models), usage if rng.random() < 0.9 else None, cost=rng.random()))
    found = reprice(calls, "current", cached_share=share)
    expected = _brute_force(calls, share)
    by_model = {row.model.removeprefix("openai/"): row for row in found.models}
    assert set(by_model) == set(models)
    for model, row in by_model.items():
        of_model = [made for made in calls if made.model == model]
        assert row.calls == row.priced_before == len(of_model)
        if model not in expected:
            assert (row.usd_after, row.priced_after, row.difference) == (None, 0, None)
            continue
        priced = [made for made in of_model if made.usage is not None]
        assert row.priced_after == row.compared == len(priced)
        assert row.usd_after == pytest.approx(float(expected[model]), rel=1e-12)
        before = sum(Fraction(made.cost) for made in priced if made.cost is not None)
        assert row.difference == pytest.approx(float(expected[model] - before), rel=1e-9)
    assert found.total.usd_after == pytest.approx(float(sum(expected.values())), rel=1e-12)
    assert found.total.calls == 400


def test_the_same_book_changes_nothing(call: Callable[..., CallRecord]) -> None:
    usage = Usage(1000, 100, cache_read_tokens=400)
    cost = price_call("gpt-4o", usage, provider="openai", backend=None).usd
    found = reprice([call("gpt-4o", usage, cost=cost, cost_basis="priced")] * 7, "current")
    assert found.total.difference == 0.0


def test_a_batch_is_priced_as_one(call: Callable[..., CallRecord]) -> None:
    usage = Usage(1_000_000, 1_000_000)
    batch = price_call("gpt-4o", usage, provider="openai", backend=None, tier="batch").usd
    found = reprice([call("gpt-4o", usage, cost=12.5)], "current", tier="batch")
    assert batch is not None
    assert batch < 12.5
    assert (found.tier, found.total.usd_after) == ("batch", batch)


@pytest.mark.parametrize(
    "said", [{"params": {"service_tier": "priority"}}, {"metadata": {"service_tier": "priority"}}]
)
def test_a_call_keeps_the_tier_that_served_it(said: dict[str, Any], call: Callable[..., CallRecord]) -> None:
    usage = Usage(1_000_000, 0)
    at_priority = price_call("gpt-4o", usage, provider="openai", backend=None, tier="priority").usd
    at_standard = price_call("gpt-4o", usage, provider="openai", backend=None).usd
    assert reprice([call("gpt-4o", usage, **said)]).total.usd_after == at_priority
    assert reprice([call("gpt-4o", usage, **said)], tier="standard").total.usd_after == at_standard
    assert at_priority != at_standard


def test_the_tier_of_the_list_has_several_names(call: Callable[..., CallRecord]) -> None:
    usage = Usage(1_000_000, 0)
    expected = reprice([call("gpt-4o", usage)]).total.usd_after
    for word in ("default", "auto", "standard_only", "standard"):
        answered = call("gpt-4o", usage, metadata={"service_tier": word})
        assert reprice([answered]).total.usd_after == expected == 2.5
    assert reprice([call("gpt-4o", usage, metadata={"service_tier": "scale"})]).total.usd_after is None


def test_what_was_not_charged_by_a_list_stays(call: Callable[..., CallRecord]) -> None:
    usage = Usage(1_000_000, 1_000_000)
    calls = [
        call("llama-3.1-8b", usage, provider="llama", backend="vllm", cost=0.0, cost_basis="self-hosted"),
        call("gpt-4o", usage, provider="custom", endpoint="gateway", cost=1.0, cost_basis="priced"),
        call("gpt-4o", usage, cost=11.0, cost_basis="reported"),
    ]
    found = reprice(calls, DOCUMENT)
    own, gateway, hosted = (
        next(row for row in found.models if row.model == name)
        for name in ("openai/llama-3.1-8b", "gateway/gpt-4o", "openai/gpt-4o")
    )
    assert (own.usd_after, own.self_hosted, own.difference) == (0.0, 1, 0.0)
    assert (gateway.usd_before, gateway.usd_after, gateway.difference) == (1.0, None, None)
    assert (hosted.usd_after, hosted.reported, hosted.difference) == (12.5, 1, 1.5)
    assert found.total.difference == 1.5  # of the two that are priced on both sides
    said = str(found)
    assert "2 of 3 calls priced" in said
    assert "the vendor's own figures" in said
    assert "stay at $0.00" in said


def test_failures_stand_apart(call: Callable[..., CallRecord]) -> None:
    calls = [
        call("gpt-4o", Usage(1_000_000, 0), cost=2.5),
        call("gpt-4o", None, status="error", cost=0.0),
        call("gpt-4o", None, status="error", cost=None),
        call("gpt-4o", None, status="cancelled", cost=None),
    ]
    [row] = reprice(calls, DOCUMENT).models
    assert (row.calls, row.failed, row.maybe_billed) == (1, 1, 2)
    assert (row.usd_before, row.usd_after) == (2.5, 2.5)


def test_a_deployments_own_name_is_priced_by_what_it_served(call: Callable[..., CallRecord]) -> None:
    usage = Usage(1_000_000, 0)
    named = call("our-deployment", usage, served_model="gpt-4o-2024-08-06")
    asked = call("gpt-4o-mini", usage, served_model="gpt-4o-2024-08-06")
    assert reprice([named], DOCUMENT).total.usd_after == 2.5
    assert reprice([asked], DOCUMENT).total.usd_after == 0.15  # the model asked for, where it is known


def test_a_book_without_prices_of_cached_input_says_so(call: Callable[..., CallRecord]) -> None:
    calls = [call("gpt-4o", Usage(1000, 100)), call("gpt-4", Usage(1000, 100))]
    then, now = reprice(calls, DOCUMENT, cached_share=0.5), reprice(calls, "current", cached_share=0.5)
    assert (then.total.without_cached_price, now.total.without_cached_price) == (2, 1)
    assert "2 calls are of models without a price for cached input" in str(then)
    assert reprice(calls, DOCUMENT).total.without_cached_price == 0


def test_cached_tokens_never_exceed_the_input(call: Callable[..., CallRecord]) -> None:
    usage = Usage(1001, 5, cache_write_tokens=700)
    assert reprice([call("gpt-4o", usage)], cached_share=0.999).total.priced_after == 1


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"book": "2024"}, "2024"),
        ({"tier": "slow"}, "slow"),
        ({"cached_share": 1.2}, "1.2"),
        ({"cached_share": float("nan")}, "nan"),
    ],
)
def test_what_cannot_be_meant(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        reprice([], **settings)


def test_nothing_to_price() -> None:
    found = reprice([])
    assert (found.total.calls, found.total.usd_before, found.total.usd_after) == (0, None, None)
    assert found.to_pandas().empty


def test_it_shows_itself(call: Callable[..., CallRecord]) -> None:
    found = reprice([call("<b>", Usage(1, 1), cost=1.0), call("gpt-4o", Usage(10**6, 0), cost=1.0)], DOCUMENT)
    page = found._repr_html_()
    assert "<b>" not in page
    assert "1 of 2 calls priced" in page
    frame = found.to_pandas()
    assert list(frame["model"]) == ["openai/<b>", "openai/gpt-4o"]
    assert frame["usd_after"].isna().tolist() == [True, False]


async def _record(book: Ledger, calls: list[CallRecord]) -> None:
    for made in calls:
        await book.record(made)


def test_the_command(call: Callable[..., CallRecord], project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import asyncio

    monkeypatch.setenv("COLUMNS", "80")
    usage = Usage(1_000_000, 100_000)
    old, new = datetime(2026, 1, 2, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC)
    calls = [
        call("gpt-4o", usage, cost=3.5, cost_basis="priced", run_id="r1", started_at=old),
        call("gpt-4o-mini", usage, cost=0.21, cost_basis="priced", run_id="r1", started_at=new),
        call("a-model-with-a-very-long-name-that-no-list-has", usage, run_id="r2", started_at=new),
    ]
    with Ledger() as book:
        asyncio.run(_record(book, calls))
        before = book.spend()
    run = CliRunner().invoke
    words = ["reprice", "--price-book", DOCUMENT]
    done = run(ledger_command, [*words, "--csv", "out.csv"])
    assert done.exit_code == 0, done.output
    assert "2 of 3 calls priced" in done.output
    assert "\x1b" not in done.output
    assert max(map(len, done.output.split("Before:")[0].splitlines())) <= 80
    assert len((project / "out.csv").read_text(encoding="utf-8").splitlines()) == 4
    only = json.loads(run(ledger_command, [*words, "--run", "r1", "--since", "2026-03-01", "--json"]).output)
    assert [row["model"] for row in only["models"]] == ["openai/gpt-4o-mini"]
    assert only["total"]["usd_after"] == 0.21
    assert isinstance(run(ledger_command, [*words, "--run", "nobody"]).exception, UsageError)
    with Ledger() as book:
        assert book.spend() == before
    told = run(ledger_command, ["spend"]).output
    assert "2 of 3 calls priced" in told
