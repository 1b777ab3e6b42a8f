from __future__ import annotations

import csv
import io
from datetime import date
from pathlib import Path

import pytest
from click.testing import CliRunner

from llmbench.catalog.listing import list_models
from llmbench.cli import cli
from llmbench.providers.registry import endpoints_serving


def rows(*words: str) -> dict[str, dict[str, str]]:
    shown = CliRunner().invoke(cli, ["models", "--csv", *words], catch_exceptions=False).output
    return {row["model"]: row for row in csv.DictReader(io.StringIO(shown))}


def test_prices_with_their_date_and_the_day_a_model_ends() -> None:
    found = rows("--all")
    assert found["gpt-4o-mini"]["USD in"] == "0.15"
    assert found["gpt-4o-mini"]["price of"] == "2026-11-22"
    assert found["gpt-4o-mini"]["ends"] == "2027-01-14"
    assert (found["gpt-4"]["ends"], found["gpt-4"]["ends at"]) == ("2026-10-23", "openai")
    assert (found["smollm2-135m"]["ends"], found["smollm2-135m"]["ends at"]) == ("", "")
    assert found["mixtral-8x22b"]["USD in"] == "unknown"
    assert found["smollm2-135m"]["USD in"] == "own"


def test_what_ended_is_left_out_unless_it_runs_at_home() -> None:
    found = {row.model for row in list_models(today=date(2026, 11, 23))}
    assert "gpt-4" not in found
    assert {"llama-3.1-8b", "gpt-4o", "mixtral-8x7b"} <= found
    assert "gpt-4o" not in {row.model for row in list_models(today=date(2027, 1, 14))}


def test_endpoints_at_hand(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOGETHER_API_KEY", "sk-testtesttest")
    table = '[endpoints.gpu1]\nprovider = "llama"\nbackend = "vllm"\n'
    (project / "llmbench.toml").write_text(table, encoding="utf-8")
    assert endpoints_serving("llama-3.1-8b") == ["gpu1", "together", "llama"]
    assert endpoints_serving("mixtral-8x7b") == ["together", "mixtral"]
    assert endpoints_serving("gpt-4o") == []
    assert rows()["llama-3.1-8b"]["endpoints"] == "gpu1, together, llama"


@pytest.mark.parametrize("width", [80, 120])
def test_no_number_is_cut_off_on_a_narrow_terminal(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    shown = CliRunner().invoke(cli, ["models"], catch_exceptions=False).output.splitlines()
    lines = {line.split()[0]: line.split() for line in shown if line.strip()}
    assert lines["gpt-6-luna"][-2:] == ["0.10", "0.50"]
    assert lines["mixtral-8x22b"][-2:] == ["unknown", "unknown"]
    assert ("openai" in lines["gpt-6-luna"]) is (width == 120)


def test_a_price_of_less_than_a_cent_keeps_its_digits(project: Path) -> None:
    text = "[openai.gpt-6-luna]\ninput = 0.0125\noutput = 0.10\nas_of = 2026-11-01\n"
    (project / "prices.toml").write_text(text, encoding="utf-8")
    found = rows()["gpt-6-luna"]
    assert (found["USD in"], found["USD out"]) == ("0.0125", "0.10")
    assert (found["price of"], found["source"]) == ("2026-11-01", "prices.toml")


def test_the_table_is_plain_text_in_a_pipe() -> None:
    shown = CliRunner().invoke(cli, ["models"], catch_exceptions=False).output
    assert "\x1b" not in shown
    assert "gpt-6-luna" in shown
    assert max(len(line) for line in shown.splitlines()) <= 110


@pytest.mark.parametrize(
    ("provider", "backend"),
    [
        ("openai", None), ("anthropic", None), ("gemini", None),
        *(("llama", each) for each in ("replicate", "together", "vllm", "ollama")),
        *(("mixtral", each) for each in ("replicate", "together", "vllm", "ollama")),
    ],
)  # fmt: skip
def test_every_backend_of_the_document_has_models(provider: str, backend: str | None) -> None:
    from llmbench.catalog import models_of

    found = models_of(provider, backend=backend)
    assert found
    for info in found:
        assert info.context_window
        assert info.supports_local_deployment is (provider in {"llama", "mixtral"})
        if backend in {"vllm", "ollama"}:
            assert info.cost_per_1k_input_tokens == 0.0
