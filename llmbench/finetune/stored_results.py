"""What a fine-tune experiment left: per-item answers, loss curves, jobs and where they come from.

Written by data/finetune/make_results.py; nothing is called to read it.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmbench.errors import DatasetError, UsageError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["StoredFineTune", "read_stored_results"]

_FILES = ("answers.csv", "general.csv", "jobs.json", "loss_curves.csv", "calls.jsonl.gz")


@dataclass(frozen=True, slots=True, eq=False)
class StoredFineTune:
    """One folder of results."""

    folder: Path
    answers: pd.DataFrame
    """Of the held-out items: item, model, prompt, category, cluster, expected, answer, score (0 or 1),
    finish_reason, latency_ms, input_tokens, output_tokens, cost_usd; and of a tuned model's rows n_train and
    seed, which are missing in the base model's."""
    general: pd.DataFrame
    """Of the general questions, the same columns."""
    loss: pd.DataFrame
    """n_train, seed, event (step or validation), step, epoch, loss, validation_loss (nats a token learnt),
    learning_rate, tokens, seconds and cpu_seconds since the start."""
    jobs: pd.DataFrame
    """One row a tuned model: model, n_train, seed, job_id, base_model, status, created_at, finished_at,
    training_file_sha256, trained_tokens, steps, seconds, cpu_seconds, loss, validation_loss, precision,
    recipe, versions."""
    provenance: dict[str, Any]
    """Base model, machine, dates, versions, and the sha256 of every file."""

    @property
    def answers_path(self) -> Path:
        """The table as `Matrix.from_results` takes it."""
        return self.folder / "answers.csv"

    @property
    def general_path(self) -> Path:
        """As `answers_path`, of the general questions."""
        return self.folder / "general.csv"

    def scores_by_run(self, base_prompt: str) -> dict[tuple[int, int], list[float]]:
        """The scores of every tuned model, as `learning_curve` takes them: {(examples, seed): scores}, the
        items of all in one order. (0, 0) is the base model under `base_prompt`. Raises UsageError for a
        prompt that it was not asked with.
        """
        base = self.answers[self.answers["n_train"].isna()]
        if base_prompt not in set(base["prompt"]):
            raise UsageError(
                f"The base model was not asked with the prompt {base_prompt!r}; there are "
                f"{', '.join(sorted(set(base['prompt'])))}."
            )
        tuned = self.answers[self.answers["n_train"].notna()]
        runs = {(0, 0): base[base["prompt"] == base_prompt]}
        for job in self.jobs.to_dict("records"):
            runs[int(job["n_train"]), int(job["seed"])] = tuned[tuned["model"] == job["model"]]
        return {key: part.sort_values("item")["score"].tolist() for key, part in runs.items()}

    @property
    def calls_path(self) -> Path:
        """Every call as the ledger exports it, gzipped."""
        return self.folder / "calls.jsonl.gz"


def read_stored_results(folder: str | Path) -> StoredFineTune:
    """Read and check a folder. Raises DatasetError naming a file that is missing or was changed since."""
    import pandas as pd

    folder = Path(folder)
    try:
        provenance = json.loads((folder / "provenance.json").read_text("utf-8"))
        for name in _FILES:
            if hashlib.sha256((folder / name).read_bytes()).hexdigest() != provenance["files"][name]:
                raise DatasetError(
                    f"{name} in {folder} is not the file that provenance.json tells of; make the "
                    "results again."
                )
    except (OSError, ValueError, KeyError) as error:
        raise DatasetError(
            f"{folder} holds no complete results of a fine-tune ({error}); make them with "
            "data/finetune/make_results.py."
        ) from error
    jobs = pd.DataFrame(json.loads((folder / "jobs.json").read_text("utf-8")))
    runs = jobs[["model", "n_train", "seed"]].astype({"n_train": "Int64", "seed": "Int64"})

    def table(name: str) -> pd.DataFrame:
        # An answer may be the word "null": only an empty cell is a missing one.
        found = pd.read_csv(folder / name, dtype={"expected": str}, keep_default_na=False, na_values=[""])
        return found.merge(runs, on="model", how="left", validate="many_to_one")

    return StoredFineTune(
        folder=folder,
        answers=table("answers.csv"),
        general=table("general.csv"),
        loss=pd.read_csv(folder / "loss_curves.csv"),
        jobs=jobs,
        provenance=provenance,
    )
