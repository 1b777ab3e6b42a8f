"""Make the example of this folder: simulated answers, and three reports about one migration.

    python data/migration/make_example.py

The migration is that of the document: cold e-mails go from gpt-4o to mixtral-8x7b, 100,000 messages a month
of 500 tokens read and 200 written, decided on 2025-04-02 at the prices of 2025-01-23. Nobody gave these
answers and nobody got these mails; every result says that it is simulated. Of each report its result.json is
kept, with a manifest of its own.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
SEED = 20250123
ITEMS = 1200
CATEGORIES = (("personalised opening", 0.4), ("sentiment", 0.3), ("intent", 0.2), ("extraction", 0.1))
RIGHT = {"gpt-4o": (0.90, 0.93, 0.88, 0.86), "mixtral-8x7b": (0.905, 0.935, 0.88, 0.86)}
"""Share of good answers by category: what the simulation holds for true."""
SHARED = 0.8
"""Share of items on which both models meet the same fate, as easy and hard items make them."""
MEDIAN_MS = {"gpt-4o": 1200.0, "mixtral-8x7b": 650.0}
MISSING = {"gpt-4o": 0.001, "mixtral-8x7b": 0.002}
USD_PER_M = {"gpt-4o": (2.5, 10.0), "mixtral-8x7b": (0.6, 0.6)}
TOKENS = (500.0, 200.0)
WORKLOAD = "cold e-mails of the document"
REPORTS: dict[str, dict[str, Any]] = {
    "model_matrix": {
        "results_path": "data/migration/simulated_answers.parquet",
        "baseline": "gpt-4o",
        "margin_reason": "three good mails in a hundred go unnoticed",
    },
    "ab_test": {},
    "break_even": {
        "model": "mixtral-8x7b",
        "also_host": [],
        "against": ["gpt-4", "gpt-4o", "gpt-4o-mini", "llama-3.1-8b", "llama-3.1-70b"],
        "baseline": "gpt-4o",
        "price_book": "2025-01-23",
        "loadtest": "",
    },
}


def answers(seed: int = SEED) -> pd.DataFrame:
    """The simulated answers; only uniform numbers of PCG64 and plain arithmetic, so that every machine has
    the same.
    """
    rng = np.random.Generator(np.random.PCG64(seed))
    shares = np.cumsum([share for _, share in CATEGORIES])
    category = np.minimum(np.searchsorted(shares, rng.random(ITEMS), side="right"), len(CATEGORIES) - 1)
    hardness, alike = rng.random(ITEMS), rng.random(ITEMS) < SHARED
    frames = []
    for model, right in RIGHT.items():
        fate = np.where(alike, hardness, rng.random(ITEMS))
        read, written = (_spread(rng, mean) for mean in TOKENS)
        usd = (read * USD_PER_M[model][0] + written * USD_PER_M[model][1]) / 1e6
        minutes = (rng.random(ITEMS) * 4 * 24 * 60).astype(np.int64)
        gone = rng.random(ITEMS) < MISSING[model]
        frame = pd.DataFrame(
            {
                "item": [f"item-{place + 1:04d}" for place in range(ITEMS)],
                "model": model,
                "category": [CATEGORIES[place][0] for place in category],
                "score": np.where(gone, np.nan, fate < np.array(right)[category]),
                "error": np.where(gone, "no answer after 6 attempts", None),
                "latency_ms": np.where(gone, np.nan, _spread(rng, MEDIAN_MS[model], 0.8).round()),
                "input_tokens": np.where(gone, np.nan, read),
                "output_tokens": np.where(gone, np.nan, written),
                "cost_usd": np.where(gone, np.nan, usd.round(8)),
                "answered_at": [
                    f"2025-03-{24 + m // 1440:02d}T{m % 1440 // 60:02d}:{m % 60:02d}:00Z" for m in minutes
                ],
                "simulated": True,
            }
        )
        frames.append(frame)
    return pd.concat(frames, ignore_index=True)


def _spread(rng: np.random.Generator, mean: float, width: float = 0.6) -> np.ndarray[Any, np.dtype[Any]]:
    """Numbers about `mean`, skewed to the right: a product of three uniform factors, each of mean 1."""
    factors = 1 - width / 2 + width * rng.random((3, ITEMS))
    return np.asarray((mean * factors.prod(axis=0)).round())


def keep(report: str, run: Path) -> None:
    """result.json of a run, with a manifest that names it alone."""
    folder = HERE / report
    folder.mkdir(exist_ok=True)
    content = (run / "result.json").read_bytes()
    (folder / "result.json").write_bytes(content)
    manifest = {"result.json": hashlib.sha256(content).hexdigest()}
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")


def main() -> None:
    """Write everything in this folder but this program."""
    answers().to_parquet(HERE / "simulated_answers.parquet", index=False, compression="zstd")
    with tempfile.TemporaryDirectory() as folder:
        # A ledger of its own: a look at the experiment is remembered, and a second one would be another.
        environment = {**os.environ, "LLMBENCH_LEDGER": str(Path(folder) / "ledger.db")}
        for report, parameters in REPORTS.items():
            words = [sys.executable, "-m", "llmbench", "report", report, "--out", folder]
            words += ["-p", "workload_name", WORKLOAD]
            for name, value in parameters.items():
                words += ["-p", name, value if isinstance(value, str) else json.dumps(value)]
            subprocess.run(words, check=True, cwd=ROOT, env=environment)
            keep(report, Path(folder) / report)
        shutil.rmtree(HERE / "__pycache__", ignore_errors=True)


if __name__ == "__main__":
    main()
