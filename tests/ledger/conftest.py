from __future__ import annotations

import inspect
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from llmbench.ledger import Ledger
from llmbench.types import CallRecord

ROOT = Path(__file__).parents[2]


def make_call_of(call_id: str = "c1", **changes: Any) -> CallRecord:
    values: dict[str, Any] = {
        "call_id": call_id,
        "attempt": 1,
        "request_hash": f"hash of {call_id}",
        "endpoint": "fake",
        "provider": "fake",
        "backend": None,
        "model": "m",
        "messages": [{"role": "user", "content": "Hi"}],
        "params": {"temperature": 0},
        "repeat": 0,
        "started_at": datetime(2026, 1, 2, tzinfo=UTC),
        "latency_ms": 12.5,
        "wall_ms": 13.5,
        "status": "ok",
        "content": "Hello",
    }
    return CallRecord(**{**values, **changes})


SCRIPT_HEAD = f"""
from datetime import UTC, datetime
from typing import Any
from llmbench.ledger import Ledger
from llmbench.types import CallRecord

{inspect.getsource(make_call_of)}
make_call = make_call_of
"""


@pytest.fixture(scope="session")
def make_call() -> Callable[..., CallRecord]:
    """A record with changes."""
    return make_call_of


@pytest.fixture
def file_ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(tmp_path / "ledger.db") as opened:
        yield opened


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A new place of either kind."""
    if request.param == "sqlite":
        return str(tmp_path / "ledger.db")
    url: str = request.getfixturevalue("postgres_url")
    return url


@pytest.fixture
def ledger(ledger_url: str) -> Iterator[Ledger]:
    with Ledger(ledger_url) as opened:
        yield opened


@pytest.fixture(scope="session")
def start_python() -> Callable[..., subprocess.Popen[str]]:
    """Starts a script that knows `make_call` in another interpreter; arguments follow."""

    def start(script: str, *arguments: object) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-W", "error", "-c", SCRIPT_HEAD + script, *map(str, arguments)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,  # so that what it forks can be ended with it
        )

    return start


@pytest.fixture(scope="session")
def run_python(start_python: Callable[..., subprocess.Popen[str]]) -> Callable[..., str]:
    """Runs such a script to its end and returns what it printed."""

    def run(script: str, *arguments: object) -> str:
        process = start_python(script, *arguments)
        try:
            output, _ = process.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            if sys.platform == "win32":
                process.kill()
            else:
                os.killpg(process.pid, signal.SIGKILL)
            output, _ = process.communicate()
            raise AssertionError(f"the script hangs; it printed {output!r}") from None
        assert process.returncode == 0, output
        return output

    return run
