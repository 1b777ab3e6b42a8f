"""`make bench`: measure, keep the rounds in results.json, and write docs/benchmarks.md and docs/scale.md.

Run as `python benchmarks [PART ...] [--rounds N]`. Without a part: all of them; a part that is named replaces
only its own results. `python benchmarks page` writes the two pages alone, `page --check` only compares.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from pathlib import Path

import findings
from page import pages, series_table

PARTS = sorted(path.stem.removeprefix("bench_") for path in Path(__file__).parent.glob("bench_*.py"))
ROUNDS = 5


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; or page")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--check", action="store_true", help="with page: exit code 1 if it is another")
    given = parser.parse_args()
    unknown = sorted({*given.parts} - {*PARTS, "page"})
    if unknown:
        parser.error(f"there is no part {', '.join(unknown)}; there are {', '.join(PARTS)} and page")
    if given.rounds < 1:
        parser.error(f"--rounds is {given.rounds} and must be at least 1")
    if given.check:
        return _check()
    for name in given.parts or PARTS:
        if name == "page":
            continue
        print(f"\n## {name}\n", flush=True)
        measured = importlib.import_module(f"bench_{name}").measure(given.rounds)
        print(series_table(measured), flush=True)
        for peer, why in measured.skipped.items():
            print(f"{peer} is left out: {why}.")
        findings.save({**findings.load(), name: measured})
    for path, text in pages(findings.load()).items():
        path.write_text(text, encoding="utf-8")
        print(f"docs/{path.name} is written.")
    return 0


def _check() -> int:
    made = pages(findings.load()).items()
    other = [
        path.name for path, text in made if not path.exists() or path.read_text(encoding="utf-8") != text
    ]
    if other:
        print(f"{' and '.join(other)}: not what results.json gives; run `make bench PARTS=page`.")
    return 1 if other else 0


sys.exit(main())
