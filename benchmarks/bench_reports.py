"""Whole reports, from the command to the published page: wall, CPU and memory of all their processes.

The 1,000,000 results are 20 models x 50,000 items in parquet with answers, costs, latencies and
categories; the 10,000,000 messages are those of bench_outcomes.py. Those two run in one round only, for
they are long.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import bench_outcomes
import findings
import processes

MODELS, ITEMS = 20, 50_000
ROOT = Path(__file__).parents[1]
MILLION = "model_matrix, 1,000,000 results"
ABSENT = (
    "replies", "assignments", "kind_column", "message_column", "delivered_column", "assigned_at_column",
    "epoch_column", "probability_column", "served_column",
)  # fmt: skip
"""Parameters of the notebook for what the messages do not have."""
TEN = "ab_test, 10,000,000 messages"


def write_results(path: Path) -> None:
    import numpy as np
    import pandas as pd

    rng = np.random.default_rng(20250123)
    size = MODELS * ITEMS
    item, model = np.tile(np.arange(ITEMS), MODELS), np.repeat(np.arange(MODELS), ITEMS)
    easy = rng.normal(size=ITEMS)[item] + np.linspace(0.3, 1.2, MODELS)[model]
    score = (easy + rng.logistic(size=size) > 0).astype(float)
    score[rng.random(size) < 0.002] = np.nan
    pd.DataFrame(
        {
            "item": [f"item-{number}" for number in item],
            "model": [f"model-{number:02d}" for number in model],
            "score": score,
            "answer": [f"answer {number % 97}" for number in item],
            "category": [f"kind {number % 12}" for number in item],
            "cost_usd": rng.gamma(2.0, 0.0002, size) * (1 + model),
            "latency_ms": rng.lognormal(6.5, 0.4, size),
            "input_tokens": rng.integers(50, 500, size),
            "output_tokens": rng.integers(5, 200, size),
        }
    ).to_parquet(path, index=False)


def _report(notebook: str, folder: Path, parameters: Sequence[str] = ()) -> processes.Ran:
    given = [word for line in parameters for word in ("-p", *line.split(" ", 1))]
    argv = [sys.executable, "-m", "llmbench", "report", notebook, *given, "--out", str(folder / "reports")]
    ran = processes.run(argv, folder=ROOT, more={"LLMBENCH_LEDGER": str(folder / "ledger.db")}, watch=True)
    if ran.code:
        raise SystemExit(f"The report {notebook} failed:\n{ran.errors}")
    return ran


def measure(rounds: int) -> findings.Part:
    machine = findings.machine()
    seen: dict[str, list[processes.Ran]] = {}
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name)
        results = folder / "results.parquet"
        write_results(results)
        messages = bench_outcomes.make(bench_outcomes.ROWS, folder)
        weights = 'weights {"gpt-4o": 1, "mixtral": 9}'
        ab = [
            "experiment_id ten-million", f"sends {messages}", weights, "as_of 2025-05-01",
            "cost_column cost_usd", "segments [\"segment\"]", "contexts [\"segment\"]",
            "guardrails []", "guardrail_margins {}", *(f"{name} " for name in ABSENT),
        ]  # fmt: skip
        for _ in range(rounds):
            for notebook in ("break_even", "ab_test"):
                seen.setdefault(f"{notebook}, example data", []).append(_report(notebook, folder))
            million = _report("model_matrix", folder, [f"results_path {results}"])
            seen.setdefault(MILLION, []).append(million)
            seen.setdefault(TEN, []).append(_report("ab_test", folder, ab))
    series = [
        findings.Series(case, "llmbench", unit, tuple(values))
        for case, runs in seen.items()
        for unit, values in (
            ("wall s", [run.wall for run in runs]),
            ("CPU s", [run.cpu for run in runs]),
            ("GB of all processes", [run.together_mb / 1024 for run in runs]),
        )
    ]
    return findings.Part(
        "Reports",
        "`llmbench report` as a process of its own, to the published page, with all of its children. "
        "Memory is what all of them hold at one time, read every 0.2 s. No peer makes such a report, so "
        "there is no ratio.",
        tuple(series), {}, {}, machine,
    )  # fmt: skip
