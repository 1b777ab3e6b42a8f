"""`import llmbench` loads nothing that it does not need; benchmarks/ measures the time."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = {
    "aiohttp", "anthropic", "click", "google.genai", "httpx", "httpx2", "keyring", "matplotlib", "nbconvert",
    "numpy", "ollama", "openai", "pandas", "papermill", "pydantic", "replicate", "rich", "scipy", "together",
    "xllamacpp", "asyncio", "sqlite3",
}  # fmt: skip

_CODE = """
import json, socket, sys
def refuse(*a, **k): raise SystemExit("a connection was opened")
socket.socket.connect = refuse
before = set(sys.modules)
import {module}
print(json.dumps(sorted(set(sys.modules) - before)))
"""


def _imported(module: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", _CODE.format(module=module)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return set(json.loads(done.stdout))


def test_import_llmbench_loads_no_heavy_module() -> None:
    assert not _imported("llmbench") & HEAVY


@pytest.mark.parametrize(
    "module", ["llmbench.providers", "llmbench.types", "llmbench.errors", "llmbench.catalog"]
)
def test_the_lower_floors_load_no_sdk(module: str) -> None:
    assert not _imported(module) & (HEAVY - {"asyncio"})


@pytest.mark.parametrize(
    "module", ["llmbench.ledger", "llmbench.matrix", "llmbench.stats", "llmbench.reporting"]
)
def test_no_floor_loads_a_vendors_sdk(module: str) -> None:
    vendors = {"openai", "anthropic", "together", "replicate", "ollama", "google.genai", "xllamacpp"}
    assert not _imported(module) & vendors
