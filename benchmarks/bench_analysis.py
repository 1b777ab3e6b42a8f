"""The heavy computations: learning a router, evaluating one, scoring a prompt, the draws of break_even."""

from __future__ import annotations

import importlib.metadata
import sys
from pathlib import Path

import analysis_worker
import findings
import processes

WORKER = str(Path(__file__).parent / "analysis_worker.py")


def measure(rounds: int) -> findings.Part:
    machine = findings.machine()
    seen: dict[tuple[str, str], dict[str, list[float]]] = {}
    options = ""
    for _ in range(rounds):
        for job in analysis_worker.JOBS:
            ran = processes.run([sys.executable, WORKER, job])
            if ran.code:
                raise SystemExit(f"{job} failed: {ran.errors.strip().splitlines()[-1]}")
            for unit, value in ran.told["took"].items():
                seen.setdefault((job, unit), {}).setdefault("llmbench", []).append(value)
            if "draws" in job:
                options = ran.told["found"]
    series = [each for (job, unit), found in seen.items() for each in findings.series(job, unit, found)]
    versions = {name: importlib.metadata.version(name) for name in ("numpy", "scipy", "scikit-learn")}
    return findings.Part(
        "Routing and break-even",
        "The prompts are 30 to 90 words drawn from data/sales_tasks.jsonl, in 12 topics of unequal "
        "difficulty. A prompt of 500 tokens has 380 words. The draws are those of the notebook's question "
        f"(draws by options: {options}). No peer does the same thing, so there is no ratio.",
        tuple(series), versions, {}, machine,
    )  # fmt: skip
