from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from llmbench import LlamaProvider, OpenAIProvider, TogetherProvider
from llmbench.catalog import count_tokens, price_book, price_call
from llmbench.catalog.listing import list_models
from llmbench.catalog.tuned_models import (
    TunedModel,
    priced_as,
    register_tuned_model,
    tuned_base,
    tuned_model,
    tuned_models,
)
from llmbench.types import Usage

TUNED = TunedModel(
    model="me/Meta-Llama-3.1-8B-Instruct-Reference-replies-1",
    place="together",
    base="llama-3.1-8b",
    endpoint="together",
    job_id="ft-1",
    registered_at="2026-11-28T12:00:00+00:00",
)
MILLION = Usage(1_000_000, 1_000_000)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "llmbench.toml").touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("model", "usd"),
    [
        ("ft:gpt-4o-mini-2024-07-18:acme:replies:Abc123", 1.5),
        ("ft:gpt-4o-mini:acme::Abc123", 1.5),
        ("ft:gpt-4o-2024-08-06:acme::Abc123", 18.75),
        ("ft:gpt-4.1-2025-04-14:acme::Abc123:ckpt-step-90", 15.0),
        ("ft:gpt-4.1-mini-2025-04-14:acme::Abc123", 4.0),
        ("ft:gpt-4.1-nano-2025-04-14:acme::Abc123", 1.0),
        ("ft:gpt-9:acme::Abc123", None),
    ],
)
def test_models_tuned_at_openai_have_prices_of_their_own(model: str, usd: float | None) -> None:
    price = price_call(model, MILLION, provider="openai", backend=None)
    assert price.usd == (None if usd is None else pytest.approx(usd))
    assert price_call(model, MILLION, provider="openai", backend=None, book="2025-01-23").usd is None
    assert price_call(model, MILLION, provider="together", backend="together").usd is None


def test_a_batch_of_a_tuned_model_has_the_listed_price() -> None:
    price = price_book().find("ft:gpt-4.1-mini-2025-04-14:acme::1", "openai", "batch")
    assert price is not None
    assert (float(price.input), float(price.output)) == (0.4, 1.6)
    assert "tuned" in price.source


def test_what_a_tuned_model_at_openai_has_of_its_base() -> None:
    provider = OpenAIProvider({"api_key": "k"})
    model = "ft:gpt-4o-mini-2024-07-18:acme::1"
    info = provider.get_model_info(model)
    assert (info.name, info.context_window, info.supports_fine_tuning) == (model, 128_000, False)
    assert info.cost_per_1k_input_tokens == pytest.approx(0.0003)
    assert provider.shutdown_date(model) == "2027-01-14"
    assert count_tokens("hello there", model) == count_tokens("hello there", "gpt-4o-mini")


def test_a_registered_model_is_known_to_the_project(project: Path) -> None:
    assert tuned_model(TUNED.model) is None
    path = register_tuned_model(TUNED)
    assert path.parent == project / ".llmbench" / "tuned"
    assert tuned_model(TUNED.model, "together") == TUNED
    assert tuned_model(TUNED.model, "replicate") is None
    assert tuned_base(TUNED.model) == "llama-3.1-8b"
    written = path.stat().st_mtime_ns
    assert register_tuned_model(TUNED) == path
    assert path.stat().st_mtime_ns == written
    provider = TogetherProvider({"api_key": "k"})
    info = provider.get_model_info(TUNED.model)
    assert (info.context_window, info.cost_per_1k_input_tokens) == (131_072, None)
    assert provider.price(TUNED.model, MILLION).usd is None  # never that of its base
    assert count_tokens("né" * 9, TUNED.model) == count_tokens("né" * 9, "llama-3.1-8b")


def test_the_projects_own_price_is_that_of_a_registered_model(project: Path) -> None:
    register_tuned_model(TUNED)
    (project / "prices.toml").write_text(
        f'[together."{TUNED.model}"]\ninput = 0.2\noutput = 0.3\nas_of = 2026-11-01\n', encoding="utf-8"
    )
    assert TogetherProvider({"api_key": "k"}).price(TUNED.model, MILLION).usd == pytest.approx(0.5)
    (row,) = [row for row in list_models(today=date(2026, 11, 28)) if row.model == TUNED.model]
    assert (row.input_usd, row.output_usd, row.context) == ("0.20", "0.30", 131_072)


@pytest.mark.usefixtures("project")
def test_an_adapter_of_ones_own_server_costs_its_hours() -> None:
    register_tuned_model(TunedModel(model="ticket-ft", place="vllm", base="llama-3.1-8b"))
    provider = LlamaProvider({"backend": "vllm"})
    info = provider.get_model_info("ticket-ft")
    assert (info.cost_per_1k_input_tokens, info.supports_local_deployment) == (0.0, True)
    price = provider.price("ticket-ft", MILLION)
    assert (price.usd, price.basis) == (0.0, "self-hosted")
    (row,) = [row for row in list_models(today=date(2026, 11, 28)) if row.model == "ticket-ft"]
    assert row.input_usd == "own"


def test_a_file_that_is_none_names_no_model(project: Path) -> None:
    path = register_tuned_model(TUNED)
    (path.parent / "other.json").write_text("{", encoding="utf-8")
    (path.parent / "more.json").write_text('{"model": "x", "colour": "red"}', encoding="utf-8")
    assert list(tuned_models().values()) == [TUNED]
    assert project.is_dir()


def test_names_that_are_no_tuned_models() -> None:
    assert priced_as("gpt-4o-mini") is None
    assert priced_as("ft:unknown:acme::1") is None
    assert tuned_base("gpt-4o") is None
    assert tuned_model("draft:gpt-4o:x") is None
