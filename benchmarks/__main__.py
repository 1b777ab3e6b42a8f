"""`make bench`: measure, keep the rounds in results.json, and write docs/benchmarks.md from it.

Run as `python benchmarks [PART ...] [--rounds N]`. Without a part: all of them; a part that is named replaces
only its own results. `python benchmarks page` writes the page alone, `page --check` only compares.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from pathlib import Path

import findings
from page import PAGE, page, series_table

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
        same = PAGE.exists() and PAGE.read_text(encoding="utf-8") == page(findings.load())
        print(
            "It is what results.json gives." if same else f"{PAGE.name} differs: run `make bench PARTS=page`."
        )
        return 0 if same else 1
    for name in given.parts or PARTS:
        if name == "page":
            continue
        print(f"\n## {name}\n", flush=True)
        measured = importlib.import_module(f"bench_{name}").measure(given.rounds)
        print(series_table(measured), flush=True)
        for peer, why in measured.skipped.items():
            print(f"{peer} is left out: {why}.")
        findings.save({**findings.load(), name: measured})
    PAGE.write_text(page(findings.load()), encoding="utf-8")
    print(f"\n{PAGE.relative_to(PAGE.parents[1])} is written.")
    return 0


sys.exit(main())
