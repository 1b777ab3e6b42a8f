"""Which results count, and what is said of those that do not."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path

import pytest

from llmbench.decision import Subject, find_source, same_model
from llmbench.result_files import workload_digest
from tests.decision.left import Leave

SUBJECT = Subject("openai/gpt-4o", "mistralai/Mixtral-8x7B-Instruct-v0.1")


def test_a_report_is_found_under_any_spelling_of_its_models(leave: Leave) -> None:
    source = find_source(leave(), "model_matrix", SUBJECT)
    assert source.used
    assert source.reason == ""
    assert source.data["comparisons"][0]["n"] == 400
    assert source.age_days(date(2026, 11, 28)) == 8
    assert source.sha256 is not None
    assert len(source.sha256) == 64


def test_a_missing_report_is_named(leave: Leave) -> None:
    source = find_source(leave(), "ab_test", SUBJECT)
    assert (source.state, source.used) == ("missing", False)
    assert "no ab_test" in source.reason
    assert source.data == {}


def test_a_run_can_be_named(leave: Leave) -> None:
    reports = leave(run="20261120T000000Z-abc")
    assert find_source(reports, "model_matrix", SUBJECT).state == "missing"
    found = find_source(reports, "model_matrix", SUBJECT, run="20261120T000000Z-abc")
    assert (found.state, found.run_id) == ("used", "20261120T000000Z-abc")
    assert "run 'other'" in find_source(reports, "model_matrix", SUBJECT, run="other").reason


def test_the_newest_copy_knows_its_run(leave: Leave, tmp_path: Path) -> None:
    reports = leave()
    shutil.copytree(reports / "model_matrix", tmp_path / "copy")
    shutil.copytree(tmp_path / "copy", reports / "model_matrix" / "runs" / "20261120T000000Z-abc")
    assert find_source(reports, "model_matrix", SUBJECT).run_id == "20261120T000000Z-abc"


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"baseline": "gpt-4"}, "its baseline is gpt-4, and the decision is about openai/gpt-4o"),
        ({"candidate": None}, "its candidate is not told"),
        ({"workload_sha256": "v" * 64}, "another workload"),
    ],
)
def test_a_report_about_something_else_does_not_count(
    leave: Leave, changed: dict[str, str], words: str
) -> None:
    subject = Subject(SUBJECT.baseline, SUBJECT.candidate, "w" * 64)
    source = find_source(leave(**changed), "model_matrix", subject)
    assert source.state == "mismatched"
    assert words in source.reason
    assert source.data == {}


def test_a_workload_may_be_asked_for_by_its_name(leave: Leave) -> None:
    reports = leave(workload_sha256=workload_digest("cold e-mails"))
    assert find_source(reports, "model_matrix", Subject("gpt-4o", "mixtral-8x7b", "cold e-mails")).used
    other = find_source(reports, "model_matrix", Subject("gpt-4o", "mixtral-8x7b", "tickets"))
    assert "it was made on another workload" in other.reason


def test_a_changed_file_never_counts(leave: Leave) -> None:
    reports = leave()
    path = reports / "model_matrix" / "result.json"
    path.write_text(path.read_text().replace("-0.025", "-0.015"))
    source = find_source(reports, "model_matrix", SUBJECT)
    assert source.state == "changed"
    assert "result.json is not as manifest.json has it" in source.reason
    assert source.envelope is None


def test_a_report_without_manifest_never_counts(leave: Leave) -> None:
    reports = leave()
    (reports / "model_matrix" / "manifest.json").unlink()
    assert find_source(reports, "model_matrix", SUBJECT).state == "changed"


@pytest.mark.parametrize("manifest", ["[]", "{", '{"other": "x"}', '{"result.json": 3}'])
def test_a_broken_manifest_never_counts(leave: Leave, manifest: str) -> None:
    reports = leave()
    (reports / "model_matrix" / "manifest.json").write_text(manifest)
    assert find_source(reports, "model_matrix", SUBJECT).state == "changed"


def test_a_result_of_a_later_schema_is_named(leave: Leave) -> None:
    source = find_source(leave(schema=9), "model_matrix", SUBJECT)
    assert source.state == "unreadable"
    assert "newer llmbench" in source.reason


def test_a_result_under_the_name_of_another_report_is_named(leave: Leave) -> None:
    reports = leave("ab_test", {})
    (reports / "ab_test").rename(reports / "model_matrix")
    assert "it is a result of ab_test" in find_source(reports, "model_matrix", SUBJECT).reason


def test_names_join_what_the_catalog_does_not_know() -> None:
    assert not same_model("treatment", "mixtral-8x7b")
    assert same_model("treatment", "together/mixtral-8x7b", {"treatment": "mixtral-8x7b"})
    assert not same_model(None, "mixtral-8x7b")
    assert not same_model("local/a[zero_shot]", "local/a[few_shot]")
