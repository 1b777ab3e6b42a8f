"""The desk in a real browser: JupyterLab opens at it, a parameter is changed, a report is run and seen.

What the browser shows is kept as pictures in the test's temporary folder (`--basetemp`, or LLMBENCH_SHOTS).
"""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

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
        """The first element that matches, scrolled to once it is there."""
        found = self.page.locator(selector).first
        found.wait_for(state="visible", timeout=_LONGEST_MS)
        found.scroll_into_view_if_needed()
        return found

    def run_all(self) -> None:
        """Run every cell, once the kernel is there."""
        self.see("text=/Python 3.*Idle/")
        for name in ("Run", "Run All Cells"):
            self.page.get_by_role("menuitem", name=name, exact=True).click()

    def choose(self, report: str) -> None:
        """Choose a report in the form."""
        self.see(".jp-OutputArea select").select_option(report)

    def press(self, name: str) -> None:
        """A button of the form."""
        self.page.locator(".jp-OutputArea button").get_by_text(name, exact=True).click()

    def parameter(self, name: str) -> Any:
        """The box of a parameter."""
        row = f"xpath=//code[normalize-space()='{name}']/ancestor::div[contains(@class, 'widget-hbox')][1]"
        return self.see(row).locator("input")


@pytest.fixture
def tab(lab: Part, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Tab]:
    monkeypatch.syspath_prepend(str(PLAYWRIGHT))
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(executable()), args=list(_FLAGS))
        page = browser.new_page(viewport={"width": 1400, "height": 1000})
        found = Tab(page, tmp_path)
        page.goto(_address(lab))
        yield found
        found.picture("last")
        browser.close()


def _address(lab: Part) -> str:
    for _ in range(100):
        found = _ADDRESS.search(lab.log.read_text())
        if found is not None:
            return found[0]
        time.sleep(0.1)
    raise AssertionError(lab.log.read_text())


def test_it_asks_for_the_token_and_listens_on_this_machine_only(lab: Part) -> None:
    status, _ = lab.get("/api/contents")
    assert status == 403
    assert _address(lab).startswith(f"{lab.url}/lab/tree/notebooks/start.ipynb?token=")


def test_open_change_a_parameter_run_and_see_the_figure(lab: Part, tab: Tab) -> None:
    tab.see(".jp-Notebook")
    tab.run_all()
    tab.see("td:has-text('not run yet')")
    tab.choose("break_even")
    tab.see("text=llmbench report break_even")
    tab.parameter("messages_per_month").fill("many")
    wrong = tab.see("text=/takes a number .float., not .many./")
    assert "Traceback" not in wrong.inner_text()
    run = tab.page.locator(".jp-OutputArea button").get_by_text("Run", exact=True)
    assert run.is_disabled()
    tab.picture("1-refused")
    tab.parameter("messages_per_month").fill("700000")
    tab.see("text=llmbench report break_even -p messages_per_month 700000")
    tab.press("Quote")
    tab.see("text=This notebook calls no model: a run costs nothing.")
    tab.press("Run")
    tab.see("text=/^running, /")
    tab.picture("2-running")
    tab.see("text=/^done in /")
    verdict = tab.see("section.verdict")
    # Between two dollar signs JupyterLab would see a formula.
    assert re.search(r"700,000 messages a month: .* costs \$[\d,]+ a month", verdict.inner_text())
    figure = tab.see("figure img")
    assert figure.evaluate("image => image.naturalWidth") > 100
    tab.picture("3-result")
    start_from_the_newest_run_by_keyboard(tab)
    tab.page.locator(".jp-OutputArea select").last.select_option("claim_audit")
    search = tab.see("input[type=search]")
    search.fill("mixtral-8x22b")
    tab.see("text=/Showing 1 to 6 of 6 entries .filtered from 45 /")
    assert (
        tab.see("text=claim_audit.csv")
        .get_attribute("href")
        .startswith(f"{lab.url}/files/reports/break_even/")
    )
    tab.picture("5-table")
    tab.see("text=Open the report").click()
    inside = tab.page.frame_locator("iframe.jp-HTMLViewer-iframe, .jp-HTMLViewer iframe")
    inside.get_by_role("heading", name="When does a GPU of one's own pay?").wait_for(timeout=_LONGEST_MS)
    tab.picture("6-report")
    assert {urlsplit(url).hostname for url in tab.asked if not url.startswith(("data:", "blob:"))} == {
        "127.0.0.1"
    }


def start_from_the_newest_run_by_keyboard(tab: Tab) -> None:
    """Each control is found by what a screen reader calls it, and the button works by Enter."""
    tab.parameter("messages_per_month").fill("900000")
    tab.see("text=/made with other parameters .* messages_per_month .700000 there, 900000 here./")
    tab.page.get_by_role("button", name="Start from the notebook").focus()
    tab.page.keyboard.press("Tab")
    tab.page.keyboard.press("Enter")
    said = tab.page.get_by_role("status").get_by_text("Filled in from the newest run")
    said.wait_for(timeout=_LONGEST_MS)
    tab.see("text=llmbench report break_even -p messages_per_month 700000")
    tab.page.get_by_text("made with other parameters").wait_for(state="detached", timeout=_LONGEST_MS)
    assert tab.page.get_by_label("File", exact=True).count() == 1
    tab.picture("4-start-from")


def test_a_run_that_is_cancelled_leaves_no_report_and_a_sentence(tab: Tab) -> None:
    tab.see(".jp-Notebook")
    tab.run_all()
    tab.choose("routing")
    tab.see("text=llmbench report routing")
    tab.press("Run")
    tab.see("text=/^running, /")
    tab.press("Cancel")
    tab.see("text=/routing was interrupted and left no report/")
    tab.see("text=This report was not run yet.")
    tab.picture("7-cancelled")
