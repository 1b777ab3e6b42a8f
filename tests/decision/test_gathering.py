"""Which results a memo rests on: its folder's, or the example's."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest

from llmbench.decision import Example, Subject, gather, read_example
from llmbench.errors import ConfigError
from tests.decision.left import MATRIX, Leave

SUBJECT = Subject("gpt-4o", "mixtral-8x7b")
TODAY = date(2026, 11, 28)
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def example() -> Example:
    return read_example(ROOT / "data" / "migration")


def ran(folder: Path, *, with_parameters: bool) -> None:
    """The notebook that a run leaves; the manifest does not matter here."""
    tags = ["injected-parameters"] if with_parameters else ["parameters"]
    cells = [{"metadata": {"tags": tags}}, {"metadata": {}}]
    (folder / "executed.ipynb").write_text(json.dumps({"cells": cells}))


def test_without_an_example_only_the_folder_counts(leave: Leave) -> None:
    found = gather(leave(), SUBJECT, today=TODAY)
    assert [source.report for source in found.used] == ["model_matrix"]
    assert found.source("ab_test").state == "missing"
    assert (found.example, found.today, found.simulated) == (False, TODAY, False)


def test_the_example_is_about_one_migration(example: Example, tmp_path: Path) -> None:
    found = gather(tmp_path, SUBJECT, today=TODAY, example=example)
    used = {source.report: source for source in found.used}
    assert set(used) == {"model_matrix", "break_even"}
    assert found.example
    assert found.simulated
    assert found.today == example.as_of


def test_names_join_the_example_of_the_experiment(example: Example, tmp_path: Path) -> None:
    subject = Subject("gpt-4o", "mixtral-8x7b", names={"mixtral": "mixtral-8x7b"})
    found = gather(tmp_path, subject, today=TODAY, example=example)
    assert found.source("ab_test").used
    assert found.source("ab_test").candidate == "mixtral"


def test_a_report_on_data_of_ones_own_ends_the_example(example: Example, leave: Leave) -> None:
    reports = leave()  # it has no notebook, so nobody can say that it ran on the example's data
    found = gather(reports, SUBJECT, today=TODAY, example=example)
    assert not found.example
    assert found.source("break_even").state == "missing"
    ran(reports / "model_matrix", with_parameters=True)
    assert not gather(reports, SUBJECT, today=TODAY, example=example).example


def test_reports_on_example_data_do_not_end_the_example(example: Example, leave: Leave) -> None:
    reports = leave(baseline="local/smollm2-135m", candidate=None)
    ran(reports / "model_matrix", with_parameters=False)
    found = gather(reports, SUBJECT, today=TODAY, example=example)
    assert found.example
    assert found.source("model_matrix").used
    (passed_over,) = found.passed_over
    assert passed_over.report == "model_matrix"
    assert "its baseline is local/smollm2-135m" in passed_over.reason


def test_the_example_never_hides_a_changed_file(example: Example, leave: Leave) -> None:
    reports = leave()
    path = reports / "model_matrix" / "result.json"
    path.write_text(path.read_text().replace("-0.025", "-0.015"))
    found = gather(reports, SUBJECT, today=TODAY, example=example)
    assert found.source("model_matrix").state == "changed"
    assert found.source("model_matrix").data == {}


def test_another_decision_has_no_example(example: Example, tmp_path: Path) -> None:
    found = gather(tmp_path, Subject("gpt-4o", "llama-3.1-70b"), today=TODAY, example=example)
    assert not found.example
    assert not found.used


def test_what_is_too_old_does_not_count_unless_accepted(leave: Leave) -> None:
    reports = leave()
    later = date(2027, 5, 1)
    stale = gather(reports, SUBJECT, today=later).source("model_matrix")
    assert (stale.state, stale.used, stale.data) == ("stale", False, {})
    assert stale.reason == "its data are 162 days old, and 90 are allowed"
    accepted = gather(reports, SUBJECT, today=later, accept_stale="the vendor is closed")
    assert accepted.source("model_matrix").used


def test_a_result_that_also_compares_the_candidate_counts(leave: Leave) -> None:
    other = {**MATRIX["comparisons"][0], "candidate": "llama-3.1-8b"}
    reports = leave(data={**MATRIX, "comparisons": [other, *MATRIX["comparisons"]]}, candidate="llama-3.1-8b")
    assert gather(reports, SUBJECT, today=TODAY).source("model_matrix").candidate == "mixtral-8x7b"


def test_break_even_counts_when_it_prices_both(leave: Leave) -> None:
    data = {"api": [{"model": "gpt-4o", "usd_per_message": 1.0}, {"model": "mixtral-8x7b"}]}
    reports = leave("break_even", data, baseline="llama-3.1-8b", candidate="llama-3.1-8b on T4")
    assert gather(reports, SUBJECT, today=TODAY).source("break_even").used


@pytest.mark.parametrize("text", ["", "baseline = 1", 'baseline = "a"\ncandidate = "b"\nas_of = "soon"', "["])
def test_an_example_that_says_nothing_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "example.toml").write_text(text)
    with pytest.raises(ConfigError, match=r"example\.toml needs the texts"):
        read_example(tmp_path)


def test_a_missing_example_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"example\.toml cannot be read"):
        read_example(tmp_path)


def test_a_workload_that_two_reports_share_leaves_out_a_third(leave: Leave) -> None:
    leave("ab_test", {}, workload_sha256="b" * 64)
    leave("fine_tune", {})
    reports = leave()
    found = gather(reports, SUBJECT, today=date(2026, 11, 28))
    assert found.source("ab_test").state == "mismatched"
    assert found.source("ab_test").reason == (
        "it was made on workload bbbbbbbbbbbb, and model_matrix and fine_tune on wwwwwwwwwwww"
    )
    assert found.source("model_matrix").used
    told = Subject(SUBJECT.baseline, SUBJECT.candidate, "ww, bb")
    assert gather(reports, told, today=date(2026, 11, 28)).source("ab_test").used


def test_two_workloads_that_differ_say_nothing(leave: Leave) -> None:
    leave("ab_test", {}, workload_sha256="b" * 64)
    found = gather(leave(), SUBJECT, today=date(2026, 11, 28))
    assert all(found.source(report).used for report in ("model_matrix", "ab_test"))
