"""The notebook `ab_test` as a report: on the simulated data of the project, and on files made here."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest

from llmbench.errors import ReportError
from llmbench.ledger import Ledger
from tests.abtest.made import units_of, write_tables
from tests.notebooks.reports import report_of, result_of

COSTS = {"gpt-4o": 0.004, "mixtral": 0.0006}
EPOCHS = ({"gpt-4o": 0.5, "mixtral": 0.5}, {"gpt-4o": 0.1, "mixtral": 0.9})
LAST = "2026-11-16"

pytestmark = pytest.mark.slow


@pytest.fixture
def tables(tmp_path: Path) -> dict[str, Any]:
    units = units_of({"gpt-4o": 0.05, "mixtral": 0.05}, 6000, weights=EPOCHS, costs=COSTS, drift=0.5)
    return write_tables(units, tmp_path)


def test_the_whole_report(tmp_path: Path, tables: dict[str, Any]) -> None:
    policies = [{"name": "CHEAPEST", "cheapest": True}, {"name": "llama", "always": "llama"}]
    run = report_of(
        "ab_test", tmp_path, **tables, planned_units=6000, margin=0.5, as_of=LAST, policies=policies
    )
    result = result_of(run)
    data = result["data"]
    keys = ["srm", "arms", "comparisons", "power", "segments", "looks", "excluded"]
    assert list(data) == [*keys, "simulated"]
    assert all(item["simulated"] is True for item in result["inputs"])
    assert result["title"].startswith("Simulated data: ")
    assert (result["baseline"], result["candidate"]) == ("gpt-4o", "mixtral")
    assert result["verdict"]["decision"] in {"GO", "GO_WITH_CONDITIONS"}
    assert result["verdict"]["summary"].startswith("Simulated data: ")
    assert sorted(item["path"] for item in result["inputs"]) == [
        "assignments.parquet", "replies.parquet", "sends.parquet",
    ]  # fmt: skip
    assert all(item["rows"] for item in result["inputs"])
    assert sum(arm["units"] for arm in data["arms"]) == 6000
    assert [look["look"] for look in data["looks"]] == [1]
    page = run.path.read_text(encoding="utf-8")
    first_screen = page[: page.index("<h2")]
    assert first_screen.count('class="verdict"') == 1
    assert first_screen.count("<table") == 1
    assert first_screen.count("<figure") == 2
    sections = [
        "What was asked",
        "Was the split kept?",
        "The arms in full",
        "The effect",
        "Does it match",
        "Money beside",
        "As the days went by",
        "Mailboxes and domains",
        "Segments",
        "Unwanted events",
        "What other policies",
        "What is still needed",
        ">Appendix<",
        "Parameters of this run",
        "Method",
        "Looks",
        "Left out",
    ]
    places = [page.index(section) for section in sections]
    assert places == sorted(places)
    assert "do not peek" in page  # the label of a line, for those who do not see the figure
    assert page.count("Simulated data") > 10
    assert "llama has logged probability 0" in page
    assert not re.search(r"import Report|ab_report\.", page)
    assert "<title>Simulated data: " in page
    for path in run.folder.glob("*/*.csv"):
        first, second = path.read_text(encoding="utf-8").splitlines()[:2]
        assert (first.split(",")[-1], second.split(",")[-1]) == ("simulated", "True"), path.name
    names = {path.stem for path in (run.folder / "tables").iterdir()}
    assert names == {
        "arms",
        "sizes",
        "split",
        "arms_in_full",
        "effect",
        "supplementary",
        "money",
        "segments",
        "guardrails",
        "policies",
        "needed",
        "looks",
        "excluded",
    }
    figures = {path.stem for path in (run.folder / "figures").iterdir()}
    assert figures == {"effect", "acceptability", "power", "cumulative", "weeks", "segments"}


def test_a_first_screen_before_a_look_and_a_second_run(tmp_path: Path, tables: dict[str, Any]) -> None:
    given = {**tables, "planned_units": 12_000, "margin": 0.9}
    run = report_of("ab_test", tmp_path, **given, as_of="2026-09-18")
    early = result_of(run)
    assert early["data"]["looks"] == []
    assert early["data"]["comparisons"][0]["ratio"] is None
    assert early["data"]["arms"][0]["replies"] is None
    assert early["verdict"]["decision"] == "HOLD"
    page = run.path.read_text(encoding="utf-8")
    first_screen = page[: page.index("<h2")]
    assert first_screen.count("<table") == 1
    assert first_screen.count("<figure") == 1
    assert "not shown yet" in first_screen
    assert not (run.folder / "tables" / "effect.csv").exists()
    later = result_of(report_of("ab_test", tmp_path, **given, as_of=LAST))
    assert len(later["data"]["looks"]) == 1
    with Ledger(os.environ["LLMBENCH_LEDGER"]) as ledger:
        assert [look.number for look in ledger.looks("mail-7")] == [1]


def test_a_bad_parameter_is_one_sentence(tmp_path: Path, tables: dict[str, Any]) -> None:
    with pytest.raises(ReportError, match="above the control's own rate"):
        report_of("ab_test", tmp_path, **{**tables, "as_of": LAST, "margin": 1.2})
