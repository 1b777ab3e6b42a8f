"""The tests against real servers: run by `make test-real`, and never by a plain `pytest`."""

from __future__ import annotations

import json
import signal
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from llmbench.providers.model_files import find
from tests.real.install import TIMES
from tests.real.parts import Part, python

_HERE = Path(__file__).resolve().parent
_LIMIT_S = 50 * 60
_MODULES = {
    "test_llama_cpp.py": "llama.cpp (xllamacpp)",
    "test_vllm.py": "vLLM",
    "test_loadtest.py": "load test of llama.cpp",
    "test_aimock.py": "aimock",
    "test_prism.py": "prism",
    "test_ollama_emulation.py": "Ollama emulation",
    "test_local_training.py": "local training (peft)",
    "test_postgres.py": "PostgreSQL",
    "test_warehouses.py": "outcomes in PostgreSQL and Spark",
    "test_airflow.py": "Airflow",
    "test_s3.py": "S3 (moto)",
    "test_browser.py": "Chromium",
    "test_desk.py": "JupyterLab in Chromium",
}
_began = time.monotonic()
_seconds: dict[str, Counter[str]] = defaultdict(Counter)
_outcomes: dict[str, Counter[str]] = defaultdict(Counter)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Nothing here, unless this folder or a file of it was asked for."""
    asked = (Path(argument.split("::")[0]).resolve() for argument in config.args)
    if not any(path.is_relative_to(_HERE) for path in asked):
        return True
    is_test = collection_path.is_dir() or collection_path.name.startswith("test_")
    return None if is_test else True  # the rest holds no doctest, and one script needs torch


def pytest_sessionstart(session: pytest.Session) -> None:
    # Else a `kill` of this process would leave the servers behind.
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def pytest_runtest_setup(item: pytest.Item) -> None:
    if time.monotonic() - _began > _LIMIT_S:
        pytest.exit(f"the real parts took more than {_LIMIT_S // 60} minutes", returncode=1)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    part = _MODULES.get(Path(report.nodeid.split("::")[0]).name)
    if part is None:
        return  # no real part
    _seconds[part][report.when or ""] += report.duration  # type: ignore[assignment]
    if report.when == "call" or not report.passed:
        _outcomes[part][report.outcome] += 1


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if not _seconds:
        return
    installed = json.loads(TIMES.read_text()) if TIMES.exists() else {}
    terminalreporter.section("real parts: seconds")
    line = "{:<24}{:>8}{:>8}{:>8}{:>8}{:>8}{:>8}{:>8}".format
    write = terminalreporter.write_line
    write(line("part", "start", "tests", "stop", "total", "passed", "failed", "skipped"))
    for part, spent in _seconds.items():
        row = [spent["setup"], spent["call"], spent["teardown"], sum(spent.values())]
        counts = [_outcomes[part][outcome] for outcome in ("passed", "failed", "skipped")]
        write(line(part, *(f"{seconds:.1f}" for seconds in row), *counts))
    write(f"all: {time.monotonic() - _began:.1f} s, of at most {_LIMIT_S}")
    each = ", ".join(f"{part} {seconds:.0f} s" for part, seconds in installed.items())
    write(f"installed once, and kept in .real/: {each}")


@pytest.fixture(scope="session")
def llama_cpp() -> Iterator[Part]:
    """llama.cpp's own server with the embedded model, in a process of its own."""
    model = find("smollm2-135m").path
    with Part(
        "llama.cpp", lambda port: python("llama_cpp_server.py", model, port), ready="/health", within_s=60
    ) as part:
        yield part
