"""The stub of a plain OpenAI-compatible server, and the table that the conformance suite makes."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from tests.providers.cases import COMPATIBLE
from tests.providers.feature_table import FeatureTable
from tests.providers.vendor_stub import VendorStub, serving

DOCUMENT = Path(__file__).parents[2] / "docs" / "providers.md"
WRITE = "LLMBENCH_WRITE_PROVIDER_TABLE"
_TABLE = FeatureTable()


@pytest.fixture
def stub() -> Iterator[VendorStub]:
    with serving(COMPATIBLE) as server:
        yield server


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    marker = item.get_closest_marker("feature")
    if marker and isinstance(item, pytest.Function):
        _TABLE.add(item.callspec.params, marker.args[0], report)
    return report


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write the table, or fail where the committed one says otherwise than a whole run of the suite."""
    narrowed = session.config.option.keyword or any("::" in str(arg) for arg in session.config.args)
    if not _TABLE.complete or narrowed or session.testsfailed:
        if os.environ.get(WRITE):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
            _say(session, "docs/providers.md is not written: that takes a whole run that passes.")
        return
    found = _TABLE.into(DOCUMENT.read_text(encoding="utf-8"))
    if os.environ.get(WRITE):
        DOCUMENT.write_text(found, encoding="utf-8")
    elif found != DOCUMENT.read_text(encoding="utf-8"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        _say(session, "docs/providers.md says otherwise than this run; see it and run: make provider-table")


def _say(session: pytest.Session, sentence: str) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None:
        reporter.write_line(sentence)
