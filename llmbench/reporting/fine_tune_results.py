"""What the notebook `fine_tune` looks at: a folder of answers of base and tuned models.

answers.csv       an answer a row, columns of llmbench.matrix.foreign.rows.SCHEMA: the held-out items
general.csv       the same for questions that nobody trained for; may be missing
jobs.json         a trained model each: model, n_train, seed, seconds, trained_tokens, ...; may be missing
loss_curves.csv   n_train, seed, event, step, loss, validation_loss; may be missing
provenance.json   asked_until, base_model, engine, machine, sha256 of the files; may be missing
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmbench.errors import DatasetError, UsageError
from llmbench.reporting.fine_tune_checks import check_jobs, check_parameters, need_columns
from llmbench.reporting.fine_tune_provenance import NAME, read_provenance
from llmbench.result_data import cell_label, model_of_cell

if TYPE_CHECKING:
    import pandas as pd

    from llmbench.finetune.learning_curve import LearningCurve
    from llmbench.finetune.report import TrainingReport
    from llmbench.matrix import MatrixResults

__all__ = ["TrainedModel", "TunedResults", "read_tuned_results"]


@dataclass(frozen=True, slots=True)
class TrainedModel:
    """One row of jobs.json; None is not told."""

    model: str
    n_train: int
    seed: int
    seconds: float | None
    trained_tokens: int | None
    usd: float | None
    """What the vendor charged; None of one's own machine, which is paid by the hour."""
    told: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class TunedResults:
    """Everything that was read."""

    results: MatrixResults
    """Cells of the first screen: the base model's prompts, the tuned model, a stronger one."""
    candidate: str
    """The cell of the tuned model that is decided about."""
    pair: MatrixResults
    """That cell and the baseline alone."""
    general: MatrixResults | None
    curve: LearningCurve | None
    jobs: tuple[TrainedModel, ...]
    losses: pd.DataFrame | None
    training: TrainingReport | None
    files: tuple[Path, ...]
    compared: bool = True
    """Whether the evaluation was looked for in the training file."""
    questions: Mapping[str, str] = field(default_factory=dict)
    """What the items of the evaluation say, by id, to show beside answers."""
    provenance: Mapping[str, Any] = field(default_factory=dict)
    """What provenance.json tells; empty where there is none."""
    beside_stronger: MatrixResults | None = None
    """The tuned model and the stronger one alone, where there is one: the latter is the baseline."""

    @property
    def trained(self) -> TrainedModel | None:
        """The job that the candidate came from."""
        model = self.results.cell(self.candidate).model
        return next((job for job in self.jobs if job.model == model), None)

    @property
    def seen_in_training(self) -> int | None:
        """Lines of the training file that hold items of the evaluation; None where nobody looked."""
        if self.training is None or not self.compared:
            return None
        return sum(
            count for (_, code), count in self.training.counts.items() if code.startswith("evaluation_")
        )


def read_tuned_results(parameters: Mapping[str, Any], root: Path) -> TunedResults:
    """Read what the notebook's parameters name; paths are relative to `root`.

    Raises UsageError for cells that are not there, DatasetError for files that cannot be read.
    """
    from llmbench.matrix import Matrix

    p = parameters
    check_parameters(p)
    folder = root / Path(p["results"]).expanduser()
    answers = folder / "answers.csv"
    if not answers.is_file():
        raise DatasetError(f"{p['results']} has no answers.csv; name the folder of results, or retrain.")
    provenance = read_provenance(folder)
    jobs = _jobs(folder / "jobs.json")
    frame = _frame(answers)
    need_columns(answers, frame, "item", "model", "score")
    candidate = p["candidate"] or _candidate(jobs, frame)
    if candidate == p["baseline"]:
        raise UsageError(
            f"'baseline' and 'candidate' are both {candidate!r}; 'baseline' is a cell of the untrained model."
        )
    others = [*p["also"], *([p["stronger"]] if p["stronger"] else [])]
    cells = list(dict.fromkeys([p["baseline"], *others, candidate]))
    common = {"margin": p["margin"], "confidence": p["confidence"], "confirmation": 0.0, "seed": p["seed"]}
    results = Matrix.from_results(answers, baseline=p["baseline"], cells=cells, **common)
    pair = Matrix.from_results(answers, baseline=p["baseline"], cells=[p["baseline"], candidate], **common)
    beside = None
    if p["stronger"] and p["stronger"] != candidate:
        cells = [p["stronger"], candidate]
        beside = Matrix.from_results(answers, baseline=p["stronger"], cells=cells, **common)
    files = [answers]
    general = None
    if (folder / "general.csv").is_file():
        general = _general(folder / "general.csv", p, candidate, common)
        files.append(folder / "general.csv")
    losses = None
    if (folder / "loss_curves.csv").is_file():
        losses = _frame(folder / "loss_curves.csv")
        need_columns(folder / "loss_curves.csv", losses, "n_train", "seed", "step", "loss", "validation_loss")
        files.append(folder / "loss_curves.csv")
    if provenance:
        files.append(folder / NAME)
    if jobs:
        files.append(folder / "jobs.json")
    training = _training(p, root)
    if training is not None:
        files.append(training.path)
    curve = _curve(jobs, frame, results.cell(candidate).prompt, p)
    return TunedResults(
        results, candidate, pair, general, curve, jobs, losses, training, tuple(files),
        bool(p["evaluation"]), _questions(p, root), provenance, beside,
    )  # fmt: skip


def _frame(path: Path) -> pd.DataFrame:
    import pandas as pd

    try:
        return pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise DatasetError(f"{path.name} cannot be read as CSV: {error}.") from error


def _jobs(path: Path) -> tuple[TrainedModel, ...]:
    if not path.is_file():
        return ()
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
        found = tuple(
            TrainedModel(
                str(row["model"]), int(row["n_train"]), int(row["seed"]), _amount(row.get("seconds")),
                _whole(row.get("trained_tokens")), _amount(row.get("usd")), row,
            )
            for row in rows
        )  # fmt: skip
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise DatasetError(
            f"{path.name} cannot be read: {error!r}; it is a list of objects with model, n_train and seed."
        ) from error
    check_jobs(path, found)
    return found


def _amount(value: Any) -> float | None:
    return None if value is None else float(value)


def _whole(value: Any) -> int | None:
    return None if value is None else int(value)


def _candidate(jobs: tuple[TrainedModel, ...], frame: pd.DataFrame) -> str:
    """The model of the largest training set, of its first seed: chosen before anything was measured."""
    there = set(frame["model"])
    known = [job for job in jobs if job.model in there]
    if not known:
        raise UsageError("Parameter 'candidate' is empty and jobs.json names no tuned model; name its cell.")
    first = min(known, key=lambda job: (-job.n_train, job.seed))
    return _label(first.model, frame)


def _label(model: str, frame: pd.DataFrame) -> str:
    if "prompt" not in frame or frame["prompt"].isna().all():
        return model
    prompts = list(frame.loc[frame["model"] == model, "prompt"].unique())
    if len(prompts) != 1:
        raise UsageError(
            f"{model} answered under {', '.join(map(str, prompts))}; name its cell in 'candidate'."
        )
    return cell_label(model, prompts[0])


def _general(
    path: Path, p: Mapping[str, Any], candidate: str, common: Mapping[str, Any]
) -> MatrixResults | None:
    """The tuned model against its base on what nobody trained for, whatever prompt they were asked by."""
    from llmbench.matrix import Matrix

    frame = _frame(path)
    need_columns(path, frame, "item", "model", "score")
    base, tuned = (model_of_cell(cell) for cell in (p["baseline"], candidate))
    if not {base, tuned} <= set(frame["model"]):
        return None
    cells = [_label(model, frame) for model in (base, tuned)]
    return Matrix.from_results(
        path, baseline=cells[0], cells=cells, **{**common, "margin": p["general_margin"]}
    )


def _curve(
    jobs: tuple[TrainedModel, ...], frame: pd.DataFrame, prompt: str, p: Mapping[str, Any]
) -> LearningCurve | None:
    """Scores by size and seed, all under the candidate's prompt; 0 is the base model under the same one."""
    from llmbench.finetune.learning_curve import learning_curve

    if prompt:
        frame = frame[frame["prompt"] == prompt]
    sizes = {job.model: (job.n_train, job.seed) for job in jobs}
    base = model_of_cell(p["baseline"])
    if base in set(frame["model"]):
        sizes[base] = (0, 0)
    table = frame.pivot_table(index="item", columns="model", values="score", aggfunc="mean", sort=False)
    scores = {sizes[model]: table[model].tolist() for model in table if model in sizes}
    if len({size for size, _ in scores}) < 2:
        return None
    clusters = None
    if "cluster" in frame and frame["cluster"].notna().all():
        of_item = frame.drop_duplicates("item").set_index("item")["cluster"]
        clusters = [str(of_item[item]) for item in table.index]
    return learning_curve(scores, clusters, p["confidence"])


def _questions(p: Mapping[str, Any], root: Path) -> dict[str, str]:
    from llmbench.finetune.evaluation_items import evaluation_items

    path = root / Path(p["evaluation"]).expanduser()
    if not path.is_file():  # without a training file nothing else needs it
        return {}
    return {item.name: item.text for item in evaluation_items(path, p["evaluation_column"])}


def _training(p: Mapping[str, Any], root: Path) -> TrainingReport | None:
    from llmbench.finetune import check

    if not p["training_file"]:
        return None
    evaluation = root / Path(p["evaluation"]).expanduser() if p["evaluation"] else None
    return check(
        root / Path(p["training_file"]).expanduser(),
        p["priced_as"] or None,
        evaluation=evaluation,
        evaluation_column=p["evaluation_column"],
    )
