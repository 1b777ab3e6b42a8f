"""The committed example of each report is whole, and was not touched after it was made."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from llmbench.reporting import available_notebooks

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "reports" / "examples"


@pytest.mark.parametrize("name", available_notebooks(ROOT))
def test_the_example_is_what_its_manifest_says(name: str) -> None:
    folder = EXAMPLES / name
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    files = {p.relative_to(folder).as_posix(): p for p in folder.rglob("*") if p.is_file()}
    files.pop("manifest.json")
    assert set(manifest.get("files", manifest)) == set(files)
    for path, entry in manifest.get("files", manifest).items():
        expected = entry["sha256"] if isinstance(entry, dict) else entry
        assert hashlib.sha256(files[path].read_bytes()).hexdigest() == expected
