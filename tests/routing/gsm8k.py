"""Real outcomes of two models on GSM8K, which lie beside the project, not in it."""

from __future__ import annotations

import csv
import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from llmbench.routing.outcomes import Outcomes

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "validation" / "routing" / "gsm8k"
WEAK, STRONG = "mistralai/Mixtral-8x7B-Instruct-v0.1", "gpt-4-1106-preview"
COSTS = (0.0002, 0.006)
"""Assumed: the data have none."""


@cache
def _read() -> tuple[tuple[str, ...], np.ndarray]:
    lines = (FOLDER / "contaminated_prompts.jsonl").read_text(encoding="utf-8").splitlines()
    left_out = {json.loads(line)["eval_prompt"] for line in lines}
    with (FOLDER / "gsm8k_responses.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["prompt"] not in left_out]
    scores = np.array([[row[WEAK] == "True", row[STRONG] == "True"] for row in rows], dtype=float)
    return tuple(row["prompt"] for row in rows), scores


def gsm8k() -> Outcomes:
    """1,307 prompts; weak first, then strong. Skips where the file is absent."""
    if not FOLDER.is_dir():
        pytest.skip("the real outcomes (../shared/validation/routing) are absent")
    prompts, scores = _read()
    return Outcomes(prompts, ("weak", "strong"), scores, np.tile(COSTS, (len(prompts), 1)))
