"""Train, ask and store: everything in results/ is made by `python data/finetune/make_results.py`.

Three steps, each of which leaves alone what is there already, so that it may be interrupted:

    train     a LoRA adapter for each size of the training set and each seed (extra `train`)
    ask       the base model and every tuned one, on the held-out items and on the general questions
    store     answers, loss curves, times and provenance, into results/

The adapters and the tuned models stay on the machine; `--work` is where.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import os
import platform
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from make_training import draw, lines, make  # noqa: E402

from llmbench import LocalProvider, UniversalModelTrainer  # noqa: E402

BASE = "smollm2-135m"
EPOCHS = {40: 4, 120: 3, 360: 2}
"""For each size of the training set; small ones get more, so that none has fewer than 20 steps."""
SEEDS = (1, 2, 3)
RECIPE: dict[str, Any] = {
    "batch_size": 8,
    "learning_rate": 1e-3,
    "warmup_ratio": 0.1,
    "lora_r": 8,
    "lora_alpha": 16,
    "max_seq_length": 256,
    "checkpoint_every": 30,
    "threads": 1,
    "precision": "bfloat16",
    "convert": "q8_0",
}
SECONDS_BETWEEN_LOOKS = 5.0


def name_of(size: int, seed: int) -> str:
    """The name under which a tuned model stands in the results."""
    return f"{BASE}-tuned-{size}-{seed}"


async def train(work: Path) -> None:
    """Train what is not trained yet: seed after seed, small sets first."""
    pool, _ = make()
    trainer = UniversalModelTrainer(LocalProvider({}))
    for seed in SEEDS:
        for size, epochs in EPOCHS.items():
            record = work / f"{name_of(size, seed)}.json"
            if record.exists():
                continue
            path = work / f"training-{size}-{seed}.jsonl"
            path.write_text(lines(draw(pool, size, seed)), encoding="utf-8")
            job = await trainer.fine_tune(
                training_file_path=path,
                base_model=BASE,
                suffix=f"n{size}-s{seed}",
                validation_file_path=HERE / "validation.jsonl",
                seed=seed,
                n_epochs=epochs,
                **RECIPE,
            )
            print(name_of(size, seed), job["job_id"], flush=True)
            while job["status"] in {"queued", "running"}:
                await asyncio.sleep(SECONDS_BETWEEN_LOOKS)
                job = await trainer.get_fine_tuning_status(job["job_id"])
            if job["status"] != "succeeded":
                raise SystemExit(f"{job['job_id']} {job['status']}: {job['error']}")
            record.write_text(json.dumps(job, indent=1) + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("steps", nargs="*", default=["train", "ask", "store"])
    parser.add_argument("--work", type=Path, default=Path(".llmbench") / "fine-tune")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    if "train" in options.steps:
        asyncio.run(train(options.work))


if __name__ == "__main__":
    main()
