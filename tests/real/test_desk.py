"""The desk in a real browser: JupyterLab opens at it, a parameter is changed, a report is run and seen.

What the browser shows is kept as pictures in the test's temporary folder (`--basetemp`, or LLMBENCH_SHOTS).
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from llmbench.starter import make_project
from tests.real.browser import executable
from tests.real.install import PLAYWRIGHT, ROOT
from tests.real.parts import Part

_LONGEST_MS = 90_000
_ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+/lab/\S*token=\w+")
_FLAGS = ("--no-sandbox", "--no-zygote", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run")

pytestmark = pytest.mark.skipif(not PLAYWRIGHT.is_dir(), reason="Playwright is not installed; make test-real")


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Part]:
    """`llmbench lab` in a project of an analyst's own, with nothing of this user's settings."""
    project, home = tmp_path_factory.mktemp("project"), tmp_path_factory.mktemp("home")
    make_project(project)
    settings = {
        name: str(home / name)
        for name in (
            "HOME", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR",
            "JUPYTERLAB_SETTINGS_DIR", "JUPYTERLAB_WORKSPACES_DIR",
        )
    }  # fmt: skip
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
    more = {"PYTHONPATH": path, "LLMBENCH_KEYRING": "off", "LLMBENCH_LEDGER": str(home / "ledger.db")}
    with Part(
        "JupyterLab",
        lambda port: [
            sys.executable,
            "-m",
            "llmbench",
            "lab",
            "--no-browser",
            "--port",
            str(port),
            "--allow-root",
        ],
        ready="/api",
        within_s=60,
        environment=settings | more,
        folder=project / "notebooks",
    ) as part:
        yield part


class Tab:
    """A page, what it asked the network for, and a folder for pictures of it."""

    def __init__(self, page: Any, folder: Path) -> None:
        self.page = page
        self.asked: list[str] = []
        page.on("request", lambda request: self.asked.append(request.url))
        given = os.environ.get("LLMBENCH_SHOTS")
        self._folder = Path(given) if given else folder

    def picture(self, name: str) -> None:
        self.page.screenshot(path=str(self._folder / f"{name}.png"))

    def see(self, selector: str) -> Any:
        """The first element that matches, once it can be seen."""
        found = self.page.locator(selector).first
        found.wait_for(state="visible", timeout=_LONGEST_MS)
        return found


@pytest.fixture
def tab(lab: Part, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Tab]:
    monkeypatch.syspath_prepend(str(PLAYWRIGHT))
    from playwright.sync_api import sync_playwright

    address = _ADDRESS.search(lab.log.read_text())
    assert address is not None, lab.log.read_text()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(executable()), args=list(_FLAGS))
        page = browser.new_page(viewport={"width": 1400, "height": 1000})
        found = Tab(page, tmp_path)
        page.goto(address[0])
        yield found
        browser.close()


def test_open_change_a_parameter_run_and_see_the_figure(tab: Tab) -> None:
    tab.see(".jp-Notebook")
    tab.picture("1-opened")
    tab.page.get_by_role("menuitem", name="Run", exact=True).click()
    tab.page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    tab.see("input[placeholder='find a parameter']")
    tab.picture("2-run-all")
