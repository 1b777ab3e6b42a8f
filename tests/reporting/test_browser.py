"""The browser that prints: found, told what it needs, and ended; a script stands in its place."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from llmbench.errors import ConfigError, ReportError
from llmbench.reporting import browser
from llmbench.reporting.browser import find_browser, print_pdf

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the stand-in is a script")

WHOLE = "%PDF-1.7 whole %%EOF"
PRINT = f"""
for arg in "$@"; do case "$arg" in --print-to-pdf=*) printf '%s' '{WHOLE}' > "${{arg#*=}}";; esac; done
"""


def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, name: str = "chromium") -> Path:
    path = tmp_path / "bin" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(f'#!/bin/sh\nprintf "%s\\n" "$*" >> "{tmp_path}/calls"\n{script}\n')
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("LLMBENCH_BROWSER", str(path))
    (tmp_path / "a page.html").write_text("<p>a</p>")
    return path


def calls(tmp_path: Path) -> list[str]:
    return (tmp_path / "calls").read_text().splitlines()


def test_a_page_is_printed_without_network_or_trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(tmp_path, monkeypatch, PRINT)
    print_pdf(tmp_path / "a page.html", tmp_path / "a.pdf")
    assert (tmp_path / "a.pdf").read_text() == WHOLE
    [call] = calls(tmp_path)
    for flag in ("--headless", "--host-resolver-rules=MAP * ~NOTFOUND", "--no-pdf-header-footer"):
        assert flag in call
    assert call.endswith("/a%20page.html")
    profile = call.partition("--user-data-dir=")[2].partition(" ")[0]
    assert not Path(profile).parent.exists()


@pytest.mark.parametrize(("user", "sandboxed"), [(0, False), (1000, True)])
def test_only_root_is_printed_for_without_a_sandbox(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, user: int, sandboxed: bool
) -> None:
    stand_in(tmp_path, monkeypatch, PRINT)
    monkeypatch.setattr(os, "geteuid", lambda: user)
    print_pdf(tmp_path / "a page.html", tmp_path / "a.pdf")
    [call] = calls(tmp_path)
    assert ("--no-sandbox" not in call) is sandboxed


def test_where_the_kernel_gives_no_sandbox_it_is_tried_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse = 'case "$*" in *--no-sandbox*) ;; *) echo "No usable sandbox!" >&2; exit 1;; esac\n'
    stand_in(tmp_path, monkeypatch, refuse + PRINT)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    print_pdf(tmp_path / "a page.html", tmp_path / "a.pdf")
    assert ["--no-sandbox" in call for call in calls(tmp_path)] == [False, True]


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("exit 1", "it gave no reason"),
        ('echo "[1] dbus is not there" >&2; echo "no space left." >&2', "no space left"),
        (PRINT.replace(WHOLE, "%PDF-1.7 half"), "it gave no reason"),
    ],
)
def test_a_browser_that_prints_nothing_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, said: str
) -> None:
    stand_in(tmp_path, monkeypatch, script)
    with pytest.raises(ReportError, match=f"chromium printed no PDF: {said}"):
        print_pdf(tmp_path / "a page.html", tmp_path / "a.pdf")
    assert not (tmp_path / "a.pdf").exists()
    assert len(calls(tmp_path)) == 1


def test_one_that_hangs_is_ended_with_its_children(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(tmp_path, monkeypatch, f'sleep 300 &\necho $! > "{tmp_path}/child"\nsleep 300')
    start = time.monotonic()
    with pytest.raises(ReportError, match="printed no PDF: it took more than 1 seconds"):
        print_pdf(tmp_path / "a page.html", tmp_path / "a.pdf", seconds=1)
    assert time.monotonic() - start < 10
    child = (tmp_path / "child").read_text().strip()
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline and "sleep" in running(child):
        time.sleep(0.05)
    assert "sleep" not in running(child)


def running(process: str) -> str:
    done = subprocess.run(
        ["ps", "-o", "stat=,comm=", "-p", process], capture_output=True, text=True, check=False
    )
    return "" if done.stdout.startswith("Z") else done.stdout


def test_what_printed_and_hangs_has_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(tmp_path, monkeypatch, PRINT + "\nsleep 300")
    print_pdf(tmp_path / "a page.html", tmp_path / "a.pdf", seconds=1)
    assert (tmp_path / "a.pdf").read_text() == WHOLE


def test_a_variable_comes_before_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there = stand_in(tmp_path, monkeypatch, PRINT)
    monkeypatch.setenv("PATH", str(there.parent))
    assert find_browser() == there
    monkeypatch.delenv("LLMBENCH_BROWSER")
    monkeypatch.delenv("CHROME", raising=False)
    assert find_browser() == there
    monkeypatch.setenv("CHROME", "no-such-browser")
    with pytest.raises(ConfigError, match="CHROME names a browser that is not there"):
        find_browser()


def test_without_a_browser_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("LLMBENCH_BROWSER", "CHROME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(browser, "_usual", list)
    with pytest.raises(ConfigError, match="install Chromium, Chrome or Edge"):
        find_browser()


def test_a_browser_that_cannot_be_started_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = stand_in(tmp_path, monkeypatch, "")
    path.write_bytes(b"\x7fELF no program")
    with pytest.raises(ReportError, match="it cannot be started"):
        print_pdf(tmp_path / "a page.html", tmp_path / "a.pdf")
