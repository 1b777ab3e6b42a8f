from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from llmbench.cli import cli
from llmbench.errors import UsageError


def run(*words: str) -> Result:
    return CliRunner().invoke(cli, ["estimate", *words], catch_exceptions=False)


def test_the_documents_workload_and_mix() -> None:
    shown = run("--price-book", "2025-01-23", "--mix", "gpt-4o=.2,mixtral-8x7b=.8").output
    assert "$2,700.00" in shown
    assert "$98.60" in shown
    assert "96.3%" in shown
    assert "2025-01-23" in shown


def test_as_csv() -> None:
    shown = run("--price-book", "2025-01-23", "--model", "gpt-4o", "--model", "gpt-4o-mini", "--csv").output
    rows = list(csv.DictReader(io.StringIO(shown)))
    assert [(row["model"], float(row["usd_per_month"])) for row in rows] == [
        ("gpt-4", 2700), ("gpt-4o", 325), ("gpt-4o-mini", 19.5),
    ]  # fmt: skip
    assert rows[1]["price_as_of"] == "2025-01-23"
    assert rows[1]["shutdown_date"] == "2027-01-14"
    unknown = next(csv.DictReader(io.StringIO(run("--baseline", "mixtral-8x22b", "--csv").output)))
    assert (unknown["usd_per_month"], unknown["saving_usd"]) == ("unknown", "unknown")


@pytest.mark.parametrize("width", [80, 120])
def test_no_number_is_cut_off_on_a_narrow_terminal(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    shown = run("--mix", "gpt-4o=.2,mixtral-8x7b=.8", "--model", "gpt-4o").output
    table = shown.split("Shut down")[0].splitlines()
    assert max(map(len, table)) <= width
    assert {"$98.60", "$2,601.40", "96.3%"} <= set(" ".join(table).split())
    assert ("overlay" in " ".join(table)) is (width == 120)
    assert ("Left out" in shown) is (width == 80)


def test_what_has_ended_is_marked() -> None:
    shown = run("--model", "gpt-4o-mini", "--mix", "gpt-4o-mini=.2,mixtral-8x7b=.8").output
    ended = next(line for line in shown.splitlines() if line.startswith("Shut down"))
    mix = "gpt-4o-mini 20% + mixtral-8x7b 80% (mixtral-8x7b at together)"
    assert ended == f"Shut down, and shown at the last price: gpt-4 (openai), {mix}."


def test_all_and_a_part_contradict_each_other() -> None:
    with pytest.raises(UsageError, match="one of the two"):
        run("--batch", "--batch-share", ".5")


def test_every_priced_model_without_a_choice() -> None:
    shown = run().output
    for model in ("gpt-6-luna", "claude-haiku-5-5", "gemini-3.8-flash", "llama-3.1-8b"):
        assert model in shown
    assert "\x1b" not in shown


def test_what_is_not_known_says_so() -> None:
    shown = run("--model", "mixtral-8x22b").output
    assert "unknown" in shown
    assert "$0.00" not in shown


def test_a_commitment_is_told(project: Path) -> None:
    (project / "prices.toml").write_text("[openai]\ncommitment_usd_per_month = 500\n", encoding="utf-8")
    assert "$500.00 a month are committed to openai" in run("--model", "gpt-4o").output


@pytest.mark.parametrize("mix", ["gpt-4o", "gpt-4o=x", "gpt-4o=.5,gpt-4o=.5", "=1"])
def test_a_mix_that_is_none(mix: str) -> None:
    with pytest.raises(UsageError, match="MODEL=SHARE"):
        run("--mix", mix)
