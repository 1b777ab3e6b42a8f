"""`make bench`: run every measurement of this folder and print its table."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

HERE = Path(__file__).parent


def main() -> None:
    wanted = set(sys.argv[1:])
    for path in sorted(HERE.glob("bench_*.py")):
        name = path.stem.removeprefix("bench_")
        if not wanted or name in wanted:
            print(f"\n## {name}\n", flush=True)
            runpy.run_path(str(path), run_name="__main__")


main()
