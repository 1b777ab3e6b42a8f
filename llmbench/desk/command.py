"""The command line that does what a form does, to be copied."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from llmbench.desk.fields import as_typed

__all__ = ["command_line"]


def command_line(notebook: str, values: Mapping[str, Any], *, fresh: bool = False) -> str:
    """`llmbench report` with the values given, quoted for this system's shell.

    >>> print(command_line("ab_test", {"margin": 0.95, "control": "gpt 4o"}))
    llmbench report ab_test -p margin 0.95 -p control 'gpt 4o'
    """
    words = ["llmbench", "report", notebook]
    for name, value in values.items():
        typed = as_typed(value)
        words += ["-p", name, str(typed).lower() if isinstance(typed, bool) else typed]
    words += ["--fresh"] if fresh else []
    return subprocess.list2cmdline(words) if sys.platform == "win32" else shlex.join(words)
