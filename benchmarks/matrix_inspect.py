"""Inspect's run of bench_matrix.py, in its own venv: `python matrix_inspect.py FOLDER CONNECTIONS`.

An eval set, because that is what Inspect resumes: the same command again. Each of the two models has
half of the connections.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from inspect_ai import Task, eval_set
from inspect_ai.dataset import Sample
from inspect_ai.scorer import match
from inspect_ai.solver import generate


def main() -> None:
    folder, connections = Path(sys.argv[1]), int(sys.argv[2])
    with (folder / "items.jsonl").open() as lines:
        rows = [json.loads(line) for line in lines]
    samples = [Sample(id=row["id"], input=row["prompt"], target=row["expected"]) for row in rows]
    done, _ = eval_set(
        tasks=[Task(dataset=samples, solver=generate(), scorer=match(location="exact"), name="stub")],
        log_dir=str(folder / "logs"),
        model=["openai-api/stub/stub-a", "openai-api/stub/stub-b"],
        max_connections=connections // 2,
        max_samples=connections // 2,
        max_tasks=2,
        temperature=0.0,
        display="none",
    )
    sys.exit(0 if done else 1)


if __name__ == "__main__":
    main()
