from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from llmbench.reporting.fresh import FreshRun


@pytest.fixture
def notebook(tmp_path: Path) -> Path:
    path = tmp_path / "a.ipynb"
    path.write_text("{}")
    return path


def _run(notebook: Path, run_id: str, **parameters: object) -> FreshRun:
    return FreshRun(notebook.parent / "reports" / "a", notebook, parameters, run_id)


def test_a_run_that_was_cut_off_is_gone_on_with(notebook: Path) -> None:
    with _run(notebook, "first", limit=3) as first:
        assert (first.run_id, first.begun) == ("first", None)
    with _run(notebook, "second", limit=3) as second:
        assert second.run_id == "first"
        assert second.begun is not None
    with _run(notebook, "third", limit=3) as third:
        assert third.run_id == "first"  # cut off twice
        third.finish()
        assert not third.path.exists()
    with _run(notebook, "fourth", limit=3) as fourth:
        assert (fourth.run_id, fourth.begun) == ("fourth", None)


def test_other_parameters_or_another_notebook_are_another_run(notebook: Path) -> None:
    with _run(notebook, "first", limit=3):
        pass
    with _run(notebook, "second", limit=4) as other:
        assert other.run_id == "second"
    notebook.write_text("{ }")
    with _run(notebook, "third", limit=3) as changed:
        assert changed.run_id == "third"


def test_after_a_day_it_starts_over(notebook: Path) -> None:
    with _run(notebook, "first") as first:
        begun = datetime.now(UTC) - timedelta(hours=25)
        first.path.write_text(json.dumps({"run_id": "first", "begun": begun.isoformat()}))
    with _run(notebook, "second") as second:
        assert second.run_id == "second"


def test_what_cannot_be_read_starts_over(notebook: Path) -> None:
    for text in ("", "{", "[]", '{"run_id": "x"}', '{"run_id": "x", "begun": "2025-01-01"}'):
        with _run(notebook, "first") as run:
            run.path.write_text(text)
        with _run(notebook, "second") as second:
            assert second.run_id == "second"
            second.finish()


def test_a_run_that_lives_is_left_alone(notebook: Path) -> None:
    with _run(notebook, "first") as first:
        with _run(notebook, "beside") as beside:
            assert (beside.run_id, beside.begun) == ("beside", None)
            beside.finish()
        assert first.path.is_file()
    with _run(notebook, "second") as second:
        assert second.run_id == "first"


def test_a_published_run_is_not_gone_on_with(notebook: Path) -> None:
    with _run(notebook, "first"):
        pass
    with FreshRun(notebook.parent / "reports" / "a", notebook, {}, "second", ["first"]) as second:
        assert second.run_id == "second"
