"""The page of benchmarks is what the program writes from the results, and its sums are right."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
NAMES = ("findings", "aims", "page")
pytestmark = pytest.mark.skipif(
    not (ROOT / "benchmarks").is_dir(), reason="the source archive has no benchmarks"
)


@pytest.fixture
def modules(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The programs of the folder import each other by plain names, which no other test is to see."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    yield tuple(importlib.import_module(name) for name in NAMES)
    for name in NAMES:
        sys.modules.pop(name, None)


def test_the_pages_are_what_the_results_give(modules: Any) -> None:
    findings, _, page = modules
    for path, text in page.pages(findings.load()).items():
        assert path.read_text(encoding="utf-8") == text, "run `make bench PARTS=page`"


def test_the_command_says_whether_the_page_is_current() -> None:
    done = subprocess.run(
        [sys.executable, "benchmarks", "page", "--check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stdout


def test_an_unknown_part_is_refused() -> None:
    done = subprocess.run(
        [sys.executable, "benchmarks", "nothing"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "there is no part nothing; there are analysis, calls" in done.stderr


def _part(findings: Any, *series: Any) -> Any:
    return findings.Part("Title", "How.", series, {"peer": "1.0"}, {"other": "npm is not here"})


def test_ratio_is_the_median_of_the_rounds_own(modules: Any) -> None:
    findings, _, page = modules
    ours = findings.Series("64", "ours", "s", (1.0, 10.0, 3.0), "peer")
    part = _part(findings, ours, findings.Series("64", "peer", "s", (2.0, 40.0, 2.0)))
    assert part.ratios(ours) == [0.5, 0.25, 1.5]
    assert "| 64 | ours | s | 3 | 1 | 10 | 3 | peer | 0.5 (0.25 to 1.5) |" in page.series_table(part)
    assert "| 64 | peer | s | 2 | 2 | 40 | 3 |  |  |" in page.series_table(part)


@pytest.mark.parametrize(
    ("rounds", "options", "seen", "met"),
    [
        ((1.0, 2.0, 9.0), {}, 2.0, True),
        ((1.0, 2.0, 9.0), {"worst": True}, 9.0, False),
        ((1.0, 2.0, 9.0), {"at_least": True}, 2.0, False),
        ((4.0, 5.0, 9.0), {"at_least": True, "worst": True}, 4.0, True),
        ((4.0, 6.0, 8.0), {"ratio_to": "peer"}, 3.0, True),
    ],
)
def test_aims_are_held_to_the_median_or_the_worst(
    modules: Any, rounds: tuple[float, ...], options: dict[str, Any], seen: float, met: bool
) -> None:
    findings, aims, _ = modules
    part = _part(
        findings,
        findings.Series("64", "ours", "s", rounds),
        findings.Series("64", "peer", "s", (2.0, 2.0, 2.0)),
    )
    judged = aims.judge(aims.Aim("says", "part", "64", "ours", "s", 3.0, **options), {"part": part})
    assert (judged.seen, len(judged.values), judged.met) == (seen, 3, met)


def test_what_was_not_measured_is_not_met(modules: Any) -> None:
    findings, aims, page = modules
    aim = aims.Aim("says", "part", "64", "ours", "s", 3.0, ratio_to="peer")
    assert aims.judge(aim, {}).met is None
    alone = _part(findings, findings.Series("64", "ours", "s", (1.0,)))
    assert aims.judge(aim, {"part": alone}).met is None
    assert "Left out: other, because npm is not here." in page.page({"part": alone})


def test_an_aim_is_shown_with_the_range_of_its_rounds(modules: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    findings, aims, page = modules
    monkeypatch.setattr(page, "AIMS", (aims.Aim("fast", "part", "64", "ours", "s", 3.0),))
    seen = _part(findings, findings.Series("64", "ours", "s", (1.0, 2.0, 9.0)))
    assert "| fast | at most 3 | 2 (1 to 9) | 3 | met |" in page.page({"part": seen})
    seen = _part(findings, findings.Series("64", "ours", "s", (2.0, 2.0)))
    assert "| fast | at most 3 | 2 | 2 | met |" in page.page({"part": seen})


def test_results_come_back_as_they_were_saved(modules: Any, tmp_path: Path) -> None:
    findings, _, _ = modules
    part = _part(findings, findings.Series("64", "ours", "s", (1.25, 2.5), "peer"))
    findings.save({"part": part}, tmp_path / "results.json")
    assert findings.load(tmp_path / "results.json") == {"part": part}


def test_numbers_of_scale_are_looked_up(modules: Any) -> None:
    findings, _, page = modules
    parts = {"part": _part(findings, findings.Series("64", "ours", "a second", (1000.0, 2000.0, 500.0)))}
    assert page.scale(parts, "so {{part|64|ours|a second}} it is") == "so 1,000 (500 to 2,000) it is"
    assert page.scale(parts, "{{part|64|ours|a second|minutes}}") == "16.7 (8.33 to 33.3)"
    assert page.scale(parts, "{{part|64|theirs|a second}}") == "(not measured)"
    assert page.scale(parts, "{{part|rounds}} of {{part|cores}}") == "3 of (not measured)"
    assert page.scale(parts, "{{other|rounds}}") == "(not measured)"


def test_growth_between_two_cases_is_that_of_each_round(modules: Any) -> None:
    findings, _, page = modules
    few = findings.Series("few", "ours", "MB", (10.0, 20.0, 30.0))
    parts = {"part": _part(findings, few, findings.Series("many", "ours", "MB", (12.0, 25.0, 31.0)))}
    assert page.scale(parts, "{{part|many|ours|MB|beyond|few}}") == "2 (1 to 5)"
    assert page.scale(parts, "{{part|many|ours|MB|beyond|none}}") == "(not measured)"


def test_each_aim_names_a_part_that_there_is(modules: Any) -> None:
    _, aims, _ = modules
    there = {path.stem.removeprefix("bench_") for path in (ROOT / "benchmarks").glob("bench_*.py")}
    assert {aim.part for aim in aims.AIMS} <= there


@pytest.mark.parametrize(
    ("value", "text"), [(0.00052, "5.2e-04"), (0.5, "0.5"), (3.14159, "3.14"), (12345.6, "12,346")]
)
def test_numbers_are_written_for_people(modules: Any, value: float, text: str) -> None:
    assert modules[2].number(value) == text
