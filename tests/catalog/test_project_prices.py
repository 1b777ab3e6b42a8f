from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from llmbench.catalog import price_book, price_call
from llmbench.catalog.project_prices import project_prices
from llmbench.errors import ConfigError
from llmbench.types import Usage

MILLION = Usage(1_000_000, 0)


def write(project: Path, text: str) -> None:
    (project / "prices.toml").write_text(text, encoding="utf-8")


def usd(model: str, backend: str, **options: str) -> float | None:
    return price_call(model, MILLION, provider="any", backend=backend, **options).usd  # type: ignore[arg-type]


def test_without_the_file_the_list_price_holds(project: Path) -> None:
    assert usd("mixtral-8x7b", "together") == pytest.approx(0.60)


def test_a_discount_on_a_backend(project: Path) -> None:
    write(project, "[together]\ndiscount = 0.25\nas_of = 2026-10-01\n")
    assert usd("mixtral-8x7b", "together") == pytest.approx(0.45)
    assert usd("gpt-4o", "openai") == pytest.approx(2.50)
    price = price_call("mixtral-8x7b", MILLION, provider="any", backend="together")
    assert price.as_of == "2026-10-01"


def test_prices_of_a_model_win_over_the_backends_discount(project: Path) -> None:
    write(
        project,
        "[together]\ndiscount = 0.5\nas_of = 2026-10-01\n"
        '[together."mistralai/Mixtral-8x7B-Instruct-v0.1"]\ninput = 0.1\noutput = 0.2\nas_of = 2026-11-01\n',
    )
    assert usd("mixtral-8x7b", "together") == pytest.approx(0.10)


def test_a_model_that_no_list_knows_gets_its_price(project: Path) -> None:
    assert usd("ft:our-model", "together") is None
    write(project, '[together."ft:our-model"]\ninput = 1\noutput = 2\nas_of = 2026-11-01\n')
    assert usd("ft:our-model", "together") == pytest.approx(1.0)


def test_a_discount_holds_for_batches_too(project: Path) -> None:
    write(project, "[openai]\ndiscount = 0.2\nas_of = 2026-10-01\n")
    assert usd("gpt-4o", "openai", tier="batch") == pytest.approx(1.25 * 0.8)


def test_what_has_ended_holds_no_more(project: Path) -> None:
    write(project, "[openai]\ndiscount = 0.2\nas_of = 2024-10-01\nuntil = 2025-10-01\n")
    assert usd("gpt-4o", "openai") == pytest.approx(2.50)


def test_the_documents_book_is_not_touched(project: Path) -> None:
    write(project, "[openai]\ndiscount = 0.2\nas_of = 2026-10-01\n")
    assert usd("gpt-4o", "openai", book="2025-01-23") == pytest.approx(2.50)


def test_an_edit_is_noticed(project: Path) -> None:
    write(project, "[openai]\ndiscount = 0.2\nas_of = 2026-10-01\n")
    assert usd("gpt-4o", "openai") == pytest.approx(2.0)
    write(project, "[openai]\ndiscount = 0.50\nas_of = 2026-10-01\n")
    assert usd("gpt-4o", "openai") == pytest.approx(1.25)


def test_commitments_are_read(project: Path) -> None:
    write(project, "[openai]\ncommitment_usd_per_month = 500\n")
    assert float(project_prices().commitments(date(2026, 11, 24))["openai"]) == 500
    assert usd("gpt-4o", "openai") == pytest.approx(2.50)


def test_a_commitment_ends(project: Path) -> None:
    write(project, "[openai]\ncommitment_usd_per_month = 500\nas_of = 2026-01-01\nuntil = 2026-12-31\n")
    for day, count in ((date(2025, 12, 31), 0), (date(2026, 12, 31), 1), (date(2027, 1, 1), 0)):
        assert len(project_prices().commitments(day)) == count


def test_what_begins_later_does_not_hold_yet(project: Path) -> None:
    write(project, "[openai]\ndiscount = 0.2\nas_of = 2999-01-01\n")
    assert usd("gpt-4o", "openai") == pytest.approx(2.50)


def test_a_price_in_usd_is_that_of_its_tier_alone(project: Path) -> None:
    write(project, "[openai.gpt-4o]\ninput = 2\noutput = 8\nas_of = 2026-11-01\n")
    assert usd("gpt-4o", "openai") == pytest.approx(2.0)
    assert usd("gpt-4o", "openai", tier="batch") is None
    write(
        project,
        "[openai.gpt-4o]\ninput = 2\noutput = 8\nas_of = 2026-11-01\nuntil = 2998-01-01\n"
        "batch = { input = 0.9, output = 3 }\n",
    )
    assert usd("gpt-4o", "openai", tier="batch") == pytest.approx(0.9)
    found = price_book("current").find("gpt-4o", "openai", "batch")
    assert found is not None
    assert (found.source, found.as_of, found.until) == ("prices.toml", "2026-11-01", "2998-01-01")


def test_a_discount_names_both_sources(project: Path) -> None:
    write(project, "[together]\ndiscount = 0.5\nas_of = 2026-11-01\n")
    found = price_book("current").find("mixtral-8x7b", "together")
    assert found is not None
    assert found.source == "prices.toml, on overlay: Together's list as of LiteLLM's map"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("discount = 0.2", "backend"),
        ("[opennai]\ndiscount = 0.2\nas_of = 2026-10-01", "opennai"),
        ("[openai]\ndiscount = 0.2", "as_of"),
        ("[openai]\ndiscount = 20\nas_of = 2026-10-01", "share"),
        ("[openai]\ndiscount = -0.1\nas_of = 2026-10-01", "discount"),
        ("[openai]\ndiscount = 0.1\nas_of = 'soon'", "as_of"),
        ("[openai]\ndiscont = 0.1\nas_of = 2026-10-01", "discont"),
        ("[openai.gpt-4o]\ninput = 1\nas_of = 2026-10-01", "output"),
        ("[openai.gpt-4o]\ninput = -1\noutput = 1\nas_of = 2026-10-01", "at least 0"),
        ("[openai.gpt-4o]\ninput = true\noutput = 1\nas_of = 2026-10-01", "number"),
        ("[openai", "line"),
        (
            "[openai.gpt-4o]\ndiscount = 0.1\ncommitment_usd_per_month = 5\nas_of = 2026-10-01",
            "commitment_usd",
        ),
        ("[openai.gpt-4o]\ndiscount = 0.1\ninput = 5\nas_of = 2026-10-01", "input"),
        ("[openai.gpt-4o-turbo]\ndiscount = 0.1\nas_of = 2026-10-01", "no price list knows"),
        ("[openai]\ndiscount = 0.1\nas_of = 2026-10-01\nuntil = 2026-09-01", "before it begins"),
        ("[openai.gpt-4o]\ninput = 1\noutput = 1\nas_of = 2026-10-01\nbatch = 0.5", "input and output"),
        (
            "[openai.gpt-4o]\ninput = 1\noutput = 1\nas_of = 2026-10-01\nup_to_input_tokens = 'x'",
            "up_to_input",
        ),
        (
            "[openai]\ngpt-4o = {discount=0, as_of=2026-10-01}\nGPT-4O = {discount=0, as_of=2026-10-01}",
            "another name",
        ),
    ],
)
def test_what_is_not_understood_is_refused(project: Path, text: str, words: str) -> None:
    write(project, text + "\n")
    with pytest.raises(ConfigError, match=words) as caught:
        usd("gpt-4o", "openai")
    assert "prices.toml" in str(caught.value)
