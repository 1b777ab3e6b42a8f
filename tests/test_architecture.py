"""The house is as docs/architecture.md draws it: every import leads downward, and every module is short."""

from __future__ import annotations

import importlib.util
import xml.etree.ElementTree as ET
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[1]
LONGEST = 400


def _tool(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "docs" / "tools" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


house = _tool("house")
FLOOR = {name: number for number, layer in enumerate(house.floors()) for name in layer}
ANNOTATIONS_ONLY = {("errors", "types")}


def test_every_member_has_one_floor() -> None:
    assert sorted(name for layer in house.floors() for name in layer) == house.members()


@pytest.mark.parametrize("name", house.members())
def test_imports_lead_downward(name: str) -> None:
    for path in house.files_of(name):
        for other, line in house.imported_by(path):
            if other != name and (name, other) not in ANNOTATIONS_ONLY:
                assert FLOOR[other] > FLOOR[name], f"{path.relative_to(ROOT)}:{line} imports llmbench.{other}"


def test_an_import_upward_would_be_seen(tmp_path: Path) -> None:
    module = tmp_path / "low.py"
    module.write_text(
        "from llmbench import cli\nimport llmbench.matrix.quote\ndef f():\n    import llmbench.doctor\n"
    )
    assert list(house.imported_by(module)) == [("cli", 1), ("matrix", 2), ("doctor", 4)]


def test_statistics_and_economics_are_pure() -> None:
    impure = (
        "aiohttp",
        "asyncio",
        "socket",
        "sqlite3",
        "subprocess",
        "urllib",
        "llmbench.ledger",
        "llmbench.providers",
    )
    for path in [*house.files_of("stats"), *house.files_of("economics")]:
        text = path.read_text(encoding="utf-8")
        for name in impure:
            assert f"import {name}" not in text, path
            assert f"from {name}" not in text, path


def test_the_picture_equals_the_code() -> None:
    assert house.PICTURE.read_text(encoding="utf-8") == house.picture(), "run: make house"


def test_the_map_equals_the_code() -> None:
    page = house.PAGE.read_text(encoding="utf-8")
    assert page == house.page_with_table(page), "run: make house"


def test_the_picture_is_told_to_who_cannot_see_it() -> None:
    root = ET.fromstring(house.PICTURE.read_text(encoding="utf-8"))
    space = "{http://www.w3.org/2000/svg}"
    assert root.get("role") == "img"
    assert (root.findtext(f"{space}title") or "").startswith("The house")
    told = root.findtext(f"{space}desc") or ""
    assert all(f"{name}: " in told for name in house.rows())


def test_no_module_is_longer_than_it_should_be() -> None:
    lengths = {
        str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines())
        for path in (ROOT / "llmbench").rglob("*.py")
    }
    assert {path: lines for path, lines in lengths.items() if lines > LONGEST} == {}


def test_every_package_has_a_page_in_the_reference() -> None:
    packages = {f"llmbench.{name}" for name in house.members() if house.is_package(name)}
    assert packages - set(_tool("build").PACKAGES) == {"llmbench.cli"}
