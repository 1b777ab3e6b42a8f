"""CPU seconds of an import, beside `python -c pass`: medians of nine interleaved rounds.

Peers are measured where they are installed beside us; nothing is installed for it.
"""

from __future__ import annotations

import importlib.util
import resource
import statistics
import subprocess
import sys

ROUNDS = 9
SUBJECTS = (
    "pass",
    "import llmbench",
    "import llmbench.providers",
    "import llmbench.ledger",
    "import llmbench.cli",
)
PEERS = ("openai", "aiohttp", "together", "replicate", "anthropic", "google.genai", "pandas", "litellm")


def cpu_seconds(code: str) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime)


def installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def main() -> None:
    codes = [*SUBJECTS, *(f"import {peer}" for peer in PEERS if installed(peer))]
    for code in codes:
        cpu_seconds(code)  # the first import of all compiles and warms the disk cache
    rounds = [{code: cpu_seconds(code) for code in codes} for _ in range(ROUNDS)]
    print("| import | CPU s, median | min | max | beyond `pass` |\n|---|---|---|---|---|")
    bare = statistics.median(r["pass"] for r in rounds)
    for code in codes:
        seen = [r[code] for r in rounds]
        middle = statistics.median(seen)
        print(f"| {code} | {middle:.3f} | {min(seen):.3f} | {max(seen):.3f} | {middle - bare:+.3f} |")


if __name__ == "__main__":
    main()
