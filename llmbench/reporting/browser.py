"""A page as PDF, printed by the Chromium, Chrome or Edge of the machine: no window, no network, no trace.

The browser gets a profile of its own, which is removed, and is ended by its id after a time limit. Its
sandbox stays on where it can: not for root, to whom Chromium refuses it, nor where the kernel gives it none
(most containers). The page's own policy forbids scripts and requests in each case.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from llmbench.errors import ConfigError, ReportError

__all__ = ["find_browser", "print_pdf"]

_VARIABLES = ("LLMBENCH_BROWSER", "CHROME")
_NAMES = (
    "chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome",
    "microsoft-edge", "microsoft-edge-stable", "msedge",
)  # fmt: skip
_MAC = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
)
_WINDOWS = (
    r"Google\Chrome\Application\chrome.exe",
    r"Chromium\Application\chrome.exe",
    r"Microsoft\Edge\Application\msedge.exe",
)
_FLAGS = (
    "--headless", "--disable-gpu", "--disable-dev-shm-usage", "--disable-extensions", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--disable-default-apps",
    "--disable-domain-reliability", "--no-pings", "--no-first-run", "--no-default-browser-check",
    "--host-resolver-rules=MAP * ~NOTFOUND", "--proxy-server=127.0.0.1:9", "--no-pdf-header-footer",
    "--generate-pdf-document-outline",
)  # fmt: skip
_LONGEST_SECONDS = 60.0


def find_browser() -> Path:
    """The browser that prints: $LLMBENCH_BROWSER or $CHROME, else one of PATH or of the usual places.

    Raises ConfigError where a variable names none, and where there is none.
    """
    for variable in _VARIABLES:
        if given := os.environ.get(variable):
            found = shutil.which(given)
            if found is None:
                raise ConfigError(
                    f"The environment variable {variable} names a browser that is not there; "
                    "give the path of Chromium, Chrome or Edge, or unset it."
                )
            return Path(found)
    places = [path for path in map(shutil.which, _NAMES) if path] + [path for path in _usual() if path]
    for place in places:
        if Path(place).is_file():
            return Path(place)
    raise ConfigError(
        "A PDF needs a browser to print it, and none was found: install Chromium, Chrome or Edge, or name "
        "one in the environment variable LLMBENCH_BROWSER."
    )


def print_pdf(page: Path, target: Path, *, seconds: float = _LONGEST_SECONDS) -> None:
    """Print the HTML file `page` to `target`, as its own style says.

    Raises ConfigError without a browser, and ReportError where it prints nothing within `seconds`.
    """
    browser = find_browser()
    sandboxed = not (hasattr(os, "geteuid") and os.geteuid() == 0)
    words = _print(browser, page, target, seconds, sandboxed=sandboxed)
    if not _is_whole(target) and sandboxed and "sandbox" in words.lower():
        words = _print(browser, page, target, seconds, sandboxed=False)
    if not _is_whole(target):
        target.unlink(missing_ok=True)
        raise ReportError(f"{browser.name} printed no PDF: {_reason(words)}.")


def _usual() -> list[str]:
    if sys.platform == "darwin":
        return [*_MAC, *(str(Path.home() / place[1:]) for place in _MAC)]
    if sys.platform == "win32":
        roots = [os.environ.get(name) for name in ("ProgramFiles", "ProgramFiles(x86)", "LocalAppData")]
        return [str(Path(root) / place) for root in roots if root for place in _WINDOWS]
    return ["/snap/bin/chromium", "/opt/google/chrome/chrome"]


def _print(browser: Path, page: Path, target: Path, seconds: float, *, sandboxed: bool) -> str:
    """Run it once to its end; what it said."""
    with tempfile.TemporaryDirectory(prefix="llmbench-", ignore_cleanup_errors=True) as folder:
        command = [
            str(browser), *_FLAGS, *(() if sandboxed else ("--no-sandbox",)),
            f"--user-data-dir={folder}/profile", f"--print-to-pdf={target.resolve()}",
            page.resolve().as_uri(),
        ]  # fmt: skip
        log = Path(folder, "log")
        # A file, not a pipe: a child of the browser's that outlives it would keep a pipe open.
        with log.open("wb") as said:
            try:
                process = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=said,
                    start_new_session=sys.platform != "win32",  # so that its own children end with it
                )
            except OSError as error:
                return f"it cannot be started ({error.strerror})"
            try:
                process.wait(seconds)
            except subprocess.TimeoutExpired:
                return f"it took more than {seconds:.0f} seconds"
            finally:
                _end(process)
        return log.read_text(encoding="utf-8", errors="replace")


def _end(process: subprocess.Popen[bytes]) -> None:
    try:
        if sys.platform == "win32":
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass  # it has ended, and its children with it
    process.wait()


def _is_whole(pdf: Path) -> bool:
    """A browser that was ended leaves none, or half of one."""
    try:
        content = pdf.read_bytes()
    except OSError:
        return False
    return content.startswith(b"%PDF-") and b"%%EOF" in content[-1024:]


def _reason(words: str) -> str:
    """The last thing it said that is not of the desktop that is not there."""
    lines = [line.strip() for line in words.splitlines() if line.strip() and "dbus" not in line]
    return lines[-1].rstrip(".")[:200] if lines else "it gave no reason"
