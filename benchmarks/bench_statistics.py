"""One interval or test beside statsmodels, each with the same counts; both must find the same."""

from __future__ import annotations

import sys
from pathlib import Path

import findings
import peers
import processes

COUNTS = {
    "score interval of a difference": 400, "score interval of a ratio": 2000, "margin test": 1000,
    "Wilson interval": 4000,
}  # fmt: skip
WORKER = str(Path(__file__).parent / "statistics_worker.py")
UNIT = "CPU us"


def measure(rounds: int) -> findings.Part:
    machine = findings.machine()
    there, skipped = peers.ready("tea-tasting")
    pythons = {"llmbench": sys.executable}
    versions: dict[str, str] = {}
    if there:
        pythons["statsmodels"] = peers.python("tea-tasting")
        versions["statsmodels"] = "0.15.0"
    else:
        skipped = {"statsmodels": skipped["tea-tasting"]}
    seen: dict[str, dict[str, list[float]]] = {case: {} for case in COUNTS}
    for _ in range(rounds):
        for case, count in COUNTS.items():
            found = {}
            for subject, python in pythons.items():
                ran = processes.run([python, WORKER, f"{case}, {subject}", str(count)])
                if ran.code:
                    raise SystemExit(f"{case} of {subject} failed: {ran.errors.strip().splitlines()[-1]}")
                seen[case].setdefault(subject, []).append(ran.told["us"])
                found[subject] = ran.told["found"]
            _same(case, found)
    series = [each for case in COUNTS for each in findings.series(case, UNIT, seen[case], "statsmodels")]
    return findings.Part(
        "Statistics",
        "One after the other, each with counts of its own. The score intervals are Miettinen and "
        "Nurminen's; the margin test is theirs of a ratio of 0.9. That both find the same for the first "
        "counts is checked in each round. At 5 of the 400 differences statsmodels ends with an error, "
        "which is counted as an answer here.",
        tuple(series), versions, skipped, machine,
    )  # fmt: skip


def _same(case: str, found: dict[str, list[float]]) -> None:
    if len(found) == 2 and any(abs(a - b) > 1e-4 for a, b in zip(*found.values(), strict=True)):
        raise SystemExit(f"{case}: {found}")
