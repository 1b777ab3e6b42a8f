from __future__ import annotations

import csv
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from llmbench.cli import cli
from llmbench.errors import UsageError


def run(*words: str) -> Result:
    return CliRunner().invoke(cli, ["simulate", "ab", "--runs", "300", *words], catch_exceptions=False)


def test_it_says_what_the_plan_takes_and_how_often_it_errs() -> None:
    shown = run("--control-rate", ".03", "--split", "90/10", "--ratio", "1", "--ratio", ".95").output
    assert shown.startswith("Simulated: group-sequential test of 252,058 units, 90% of them treatment")
    for words in ("1 (equal)", "0.95", "0.9 (the margin)", "4.333", "2.5% allowed each", "seed 20250123"):
        assert words in shown


@pytest.mark.parametrize("rule", ["group-sequential", "anytime"])
def test_pictures_have_their_numbers_beside_them(rule: str, tmp_path: Path) -> None:
    out = tmp_path / "new" / "plan"
    shown = run("--stopping-rule", rule, "--planned-units", "20000", "--out", str(out)).output
    names = {"power", "stopping_days", "boundaries"}
    assert {each.stem for each in out.glob("*.png")} == names
    assert {each.stem for each in out.glob("*.csv")} == {*names, "outcomes"}
    for name in names:
        assert (out / f"{name}.png").read_bytes().startswith(b"\x89PNG")
        assert f"{name}.png" in shown
        with (out / f"{name}.csv").open(encoding="utf-8") as lines:
            assert len(list(csv.DictReader(lines))) >= 1
    assert len((out / "outcomes.csv").read_text(encoding="utf-8").splitlines()) == 3


def test_difference_scale_has_a_margin_of_its_own() -> None:
    shown = run("--scale", "difference", "--control-rate", ".04", "--planned-units", "20000").output
    assert "margin -0.004" in shown
    assert "points" in shown


def test_terminal_is_not_overrun(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    shown = run("--planned-units", "20000").output
    table = [line for line in shown.splitlines() if line.startswith(("1 (equal)", "0.9 (the", "look "))]
    assert len(table) == 3
    assert max(map(len, table)) <= 80


@pytest.mark.parametrize("split", ["90", "90/0", "a/b", "50/0/20"])
def test_a_split_that_is_none(split: str) -> None:
    with pytest.raises(UsageError, match="TREATMENT/CONTROL"):
        run("--split", split)


def test_several_treatments(tmp_path: Path) -> None:
    words = ("--split", "40/40/20", "--ratio", "1/.95", "--planned-units", "90000")
    shown = run(*words, "--runs", "100", "--out", str(tmp_path)).output
    for told in (
        "split 40 / 40 / 20 with the control last",
        "1 / 0.95: treatment 2",
        "0.9 / 1: treatment 1",
        "Holm",
        "If the true ratios are 1 / 0.95",
    ):
        assert told in " ".join(shown.split())
    with (tmp_path / "outcomes.csv").open(encoding="utf-8") as lines:
        assert [row["treatment"] for row in csv.DictReader(lines)] == ["1", "2"] * 4
    with pytest.raises(UsageError, match="--ratio is a number"):
        run("--ratio", "high")


def test_a_plan_that_cannot_be_meant() -> None:
    with pytest.raises(UsageError, match="margin on the scale 'ratio'"):
        run("--margin", "1.2")
