"""Known holes of what is installed, where that can be asked."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

ROOT = Path(__file__).parents[2]


class Audit(NamedTuple):
    """What an audit says of the packages that it was given."""

    audited: int
    unknown: dict[str, str]
    """Packages about which nothing could be asked, and why: pip-audit ends with 0 for them, too."""
    holes: dict[str, list[str]]

    @property
    def total(self) -> int:
        return self.audited + len(self.unknown)


def read_audit(document: Any) -> Audit:
    unknown = {
        each["name"]: each.get("skip_reason", "it was not looked at")
        for each in document["dependencies"]
        if "vulns" not in each
    }
    known = [each for each in document["dependencies"] if "vulns" in each]
    holes = {
        f"{each['name']} {each['version']}": [hole["id"] for hole in each["vulns"]]
        for each in known
        if each["vulns"]
    }
    return Audit(len(known), unknown, holes)


def judge(audit: Audit) -> None:
    """Fails for a hole; passes only where every package was asked about."""
    assert audit.holes == {}
    if audit.unknown or not audit.total:
        first = next(iter(audit.unknown.values()), "it was given none")
        pytest.skip(f"pip-audit audited {audit.audited} of {audit.total} packages from here: {first}")


@pytest.mark.security
def test_no_dependency_has_a_known_hole(record_property: Callable[[str, object], None]) -> None:
    runs = [[sys.executable, "-m", "pip_audit"]] if importlib.util.find_spec("pip_audit") else []
    runs += [[found]] if (found := shutil.which("pip-audit")) else []
    if not runs:
        pytest.skip("pip-audit is not installed: pip install pip-audit")
    done = subprocess.run(
        [*runs[0], "--format", "json", "--no-deps", "--disable-pip", "-r", str(ROOT / "requirements.lock")],
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    if not done.stdout.strip().startswith("{"):
        pytest.skip(f"pip-audit cannot ask from here: {done.stderr.strip().splitlines()[-1:]}")
    audit = read_audit(json.loads(done.stdout))
    record_property("audited", f"{audit.audited} of {audit.total}")
    judge(audit)


SOUND = {"name": "a", "version": "1", "vulns": []}
BROKEN = {"name": "b", "version": "2", "vulns": [{"id": "PYSEC-2026-1", "fix_versions": ["3"]}]}
UNKNOWN = {"name": "c", "skip_reason": "Dependency not found on PyPI and could not be audited: c (3)"}


def test_an_audit_of_all_packages_passes() -> None:
    audit = read_audit({"dependencies": [SOUND], "fixes": []})
    assert audit == (1, {}, {})
    judge(audit)


@pytest.mark.parametrize(
    ("packages", "said"),
    [([UNKNOWN], "audited 0 of 1"), ([SOUND, UNKNOWN], "audited 1 of 2"), ([], "audited 0 of 0")],
)
def test_an_audit_that_could_not_ask_never_passes(packages: list[dict[str, Any]], said: str) -> None:
    with pytest.raises(pytest.skip.Exception, match=said):
        judge(read_audit({"dependencies": packages, "fixes": []}))


def test_a_hole_fails_whatever_else_could_not_be_asked() -> None:
    with pytest.raises(AssertionError, match="PYSEC-2026-1"):
        judge(read_audit({"dependencies": [SOUND, BROKEN, UNKNOWN], "fixes": []}))


def test_every_dependency_is_pinned_by_its_hash() -> None:
    for name in ("requirements.lock", "requirements-uv.lock"):
        lines = (ROOT / name).read_text(encoding="utf-8").replace("\\\n", " ").splitlines()
        pins = [line for line in lines if line.strip() and not line.startswith(("#", "-"))]
        assert pins
        for line in pins:
            assert "==" in line, line
            assert "--hash=sha256:" in line, line
