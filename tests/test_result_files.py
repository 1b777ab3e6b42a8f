"""Results read back from a folder, whole or not."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from llmbench.errors import ReportError
from llmbench.reporting.envelope import write_envelope
from llmbench.reporting.folder import write_manifest
from llmbench.result_files import changed_files, read_envelope
from tests.reporting.runs import ENVELOPE


def test_written_and_read_back(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    write_envelope(path, ENVELOPE)
    assert read_envelope(path) == ENVELOPE
    assert next(iter(json.loads(path.read_text()))) == "schema"


def test_read_refuses_what_is_not_a_result(tmp_path: Path) -> None:
    path = tmp_path / "run" / "result.json"
    path.parent.mkdir()
    with pytest.raises(ReportError, match=r"did not call finish"):
        read_envelope(path)
    path.write_text("{")
    with pytest.raises(ReportError, match="cannot be read"):
        read_envelope(path)
    path.write_text('{"schema": 1}')
    with pytest.raises(ReportError, match="not a result of llmbench"):
        read_envelope(path)
    write_envelope(path, replace(ENVELOPE, schema=99))
    with pytest.raises(ReportError, match="newer llmbench"):
        read_envelope(path)


@pytest.mark.parametrize(
    "text", ["[]", "3", '{"schema": "one"}', '{"schema": 1, "verdict": []}', "[" * 100_000]
)
def test_read_refuses_what_is_shaped_otherwise(tmp_path: Path, text: str) -> None:
    path = tmp_path / "result.json"
    path.write_text(text)
    with pytest.raises(ReportError):
        read_envelope(path)


def test_changed_and_missing_files_are_named(tmp_path: Path) -> None:
    write_envelope(tmp_path / "result.json", ENVELOPE)
    (tmp_path / "tables").mkdir()
    for name in ("a.csv", "b.csv", "c.csv"):
        (tmp_path / "tables" / name).write_text("x\n")
    write_manifest(tmp_path)
    assert changed_files(tmp_path) == ()
    (tmp_path / "tables" / "a.csv").write_text("y\n")
    (tmp_path / "tables" / "c.csv").unlink()
    (tmp_path / "beside.txt").write_text("nobody's")
    assert changed_files(tmp_path) == ("tables/a.csv", "tables/c.csv")


def test_a_manifest_that_names_files_elsewhere_is_not_believed(tmp_path: Path) -> None:
    folder = tmp_path / "report"
    folder.mkdir()
    (tmp_path / "other").write_text("x")
    write_envelope(folder / "result.json", ENVELOPE)
    write_manifest(folder)
    named = json.loads((folder / "manifest.json").read_text())
    named["../other"] = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"
    (folder / "manifest.json").write_text(json.dumps(named))
    assert changed_files(folder) == ("../other",)


def test_without_a_manifest_nothing_can_be_told(tmp_path: Path) -> None:
    with pytest.raises(ReportError, match=r"has no manifest\.json"):
        changed_files(tmp_path)
