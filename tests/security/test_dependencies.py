"""Known holes of what is installed, where that can be asked."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.security
def test_no_dependency_has_a_known_hole() -> None:
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
    holes = {
        f"{package['name']} {package['version']}": [hole["id"] for hole in package["vulns"]]
        for package in json.loads(done.stdout)["dependencies"]
        if package.get("vulns")
    }
    assert holes == {}


def test_every_dependency_is_pinned_by_its_hash() -> None:
    for name in ("requirements.lock", "requirements-uv.lock"):
        lines = (ROOT / name).read_text(encoding="utf-8").replace("\\\n", " ").splitlines()
        pins = [line for line in lines if line.strip() and not line.startswith(("#", "-"))]
        assert pins
        for line in pins:
            assert "==" in line, line
            assert "--hash=sha256:" in line, line
