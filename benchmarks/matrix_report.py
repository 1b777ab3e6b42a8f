"""1,000,000 results of elsewhere through `llmbench report model_matrix`: wall, CPU and memory.

Run as `python benchmarks/bench_matrix.py report`, or alone. 20 models x 50,000 items in parquet, with
answers, costs, latencies and categories. The aims are 60 s and 2 GB.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import matrix_peers

MODELS, ITEMS = 20, 50_000
_KB_A_GB = 1024 * 1024


def write(path: Path) -> None:
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


def _memory_kb(root: int) -> int:
    """Resident memory of a process and all below it, together."""
    children: dict[int, list[int]] = {}
    resident: dict[int, int] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            text = (folder / "status").read_text()
        except OSError:
            continue  # it has just ended
        fields = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
        number = int(folder.name)
        children.setdefault(int(fields["PPid"]), []).append(number)
        resident[number] = int(fields.get("VmRSS", "0 kB").split()[0])
    total, todo = 0, [root]
    while todo:
        number = todo.pop()
        total += resident.get(number, 0)
        todo += children.get(number, [])
    return total


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "results.parquet"
        write(path)
        argv = [
            sys.executable, "-m", "llmbench", "report", "model_matrix",
            "-p", "results_path", str(path), "--out", f"{folder}/reports",
        ]  # fmt: skip
        begin = time.perf_counter()
        process = subprocess.Popen(
            argv, cwd=matrix_peers.HERE.parent, env=matrix_peers.environment({}),
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        said: list[str] = []
        assert process.stdout is not None
        reader = threading.Thread(target=lambda: said.append(process.stdout.read()), daemon=True)
        reader.start()
        together = 0
        while not (ended := os.wait4(process.pid, os.WNOHANG))[0]:
            together = max(together, _memory_kb(process.pid))
            time.sleep(0.2)
        wall, (_, status, usage) = time.perf_counter() - begin, ended
        process.returncode = os.waitstatus_to_exitcode(status)
        reader.join()
        if process.returncode:
            print(*said)
        print(f"\n{MODELS * ITEMS:,} results, {path.stat().st_size / 1e6:.0f} MB of parquet\n")
        print("| exit code | wall s | CPU s | largest process GB | all processes GB |")
        print("|---" * 5 + "|")
        print(
            f"| {process.returncode} | {wall:.1f} | {usage.ru_utime + usage.ru_stime:.1f} "
            f"| {usage.ru_maxrss / _KB_A_GB:.2f} | {together / _KB_A_GB:.2f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
