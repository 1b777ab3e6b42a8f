"""One job of bench_analysis.py in a process of its own; prints JSON: `python analysis_worker.py JOB`."""

from __future__ import annotations

import ast
import json
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

PROMPTS = 14_000


def _routed(count: int = PROMPTS) -> dict[str, Any]:
    """Prompts of about 60 words from 12 topics of unequal difficulty, answers of two models."""
    import numpy as np

    rng = np.random.default_rng(20250123)
    words = np.array(_words())
    topic = rng.integers(0, 12, count)
    prompts = [
        f"{words[kind]} {' '.join(words[rng.integers(0, len(words), rng.integers(30, 90))])}"
        for kind in topic
    ]
    easy = rng.normal(size=count) + topic / 4 - 1
    weak = (easy + rng.logistic(size=count) > 0).astype(float)
    strong = (easy + 1.2 + rng.logistic(size=count) > 0).astype(float)
    return {
        "prompts": prompts,
        "scores": {"weak": weak, "strong": strong},
        "costs": {"weak": np.full(count, 0.0002), "strong": np.full(count, 0.006)},
    }


def _words() -> list[str]:
    """The words of our own tasks, each as often as it is there."""
    path = Path(__file__).parents[1] / "data" / "sales_tasks.jsonl"
    return re.findall(r"[A-Za-z']+", path.read_text(encoding="utf-8"))


def calibrating() -> Callable[[], Any]:
    from llmbench.routing.calibration import calibrate

    results = _routed()
    return lambda: calibrate(results, strong="strong").status


def evaluating() -> Callable[[], Any]:
    import numpy as np

    from llmbench.routing import evaluate

    results = _routed()
    weak, strong = results["scores"]["weak"], results["scores"]["strong"]
    scores = np.random.default_rng(1).normal(size=PROMPTS) + strong - weak
    return lambda: evaluate(scores, weak, strong, (0.0002, 0.006), bootstraps=1000).apgr


def drawing() -> Callable[[], Any]:
    """The notebook's own question; the options of the two other models too."""
    from llmbench.reporting import break_even_inputs

    root = Path(__file__).parents[1]
    cells = json.loads((root / "notebooks" / "break_even.ipynb").read_text(encoding="utf-8"))["cells"]
    written = next(cell for cell in cells if "parameters" in cell["metadata"].get("tags", []))["source"]
    parameters = {
        line.target.id: ast.literal_eval(line.value)
        for line in ast.parse("".join(written)).body
        if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name) and line.value
    }
    study = break_even_inputs.ask(parameters, root).study
    options = [option for option in study.options if option.works]
    return lambda: study.simulate(study.load.messages_per_month, options).self_usd.shape


def scoring() -> Callable[[], Any]:
    """Prompts of 380 words, about 500 tokens, by a scorer that was learned from 3,000 prompts."""
    import random

    from llmbench.routing.calibration import calibrate

    routing = calibrate(_routed(3_000), strong="strong", penalty=1.0)
    rng, words = random.Random(1), _words()
    prompts = [" ".join(rng.choices(words, k=380)) for _ in range(2000)]
    for prompt in prompts[:20]:
        routing.score(prompt)

    def run() -> Any:
        wall, cpu = [], []
        for prompt in prompts:
            begin, before = time.perf_counter(), time.thread_time()
            routing.score(prompt)
            cpu.append((time.thread_time() - before) * 1000)
            wall.append((time.perf_counter() - begin) * 1000)
        return {
            f"{name} {unit}": sorted(took)[int(len(took) * share)]
            for unit, took in (("ms", wall), ("CPU ms", cpu))
            for name, share in (("median", 0.5), ("p99", 0.99))
        }

    return run


JOBS = {
    "calibrating on 14,000 x 2": calibrating,
    "evaluating 14,000 prompts, 1,000 bootstraps": evaluating,
    "40,000 draws, all options": drawing,
    "scoring a prompt of 500 tokens": scoring,
}


def main() -> None:
    job = JOBS[sys.argv[1]]()
    begin, cpu = time.perf_counter(), time.process_time()
    found = job()
    took = {"wall s": time.perf_counter() - begin, "CPU s": time.process_time() - cpu}
    print(json.dumps({"took": found if isinstance(found, dict) else took, "found": str(found)}))


if __name__ == "__main__":
    main()
