"""Train, ask and store: everything in results/ is made by `python data/finetune/make_results.py`.

Four steps, each of which leaves alone what is there already, so that it may be interrupted:

    train     a LoRA adapter for each size of the training set and each seed (extra `train`)
    ask       the base model and all tuned ones on the held-out items; the base and those of the largest
              training set on the general questions
    compare   what transformers and llama.cpp say of the same prompts, for one tuned model
    store     answers, loss curves, times and provenance, into results/

    python data/finetune/make_results.py                       # all of it; about 40 minutes on one idle core
    python data/finetune/make_results.py --sizes 40 --seeds 1  # a part
    python data/finetune/make_results.py ask store

A stronger model is asked too where `--stronger ENDPOINT/MODEL` names one, its endpoint in the llmbench.toml
of the current folder; stronger_model.py tells how to get that of results/. Without it, its stored answers
are taken from there.

The adapters and the tuned models stay on the machine: in the models folder, and in `--work`.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import hashlib
import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
STORED = HERE / "results"
sys.path.insert(0, str(HERE))

from make_training import HELD_OUT, draw, lines, make  # noqa: E402
from stronger_model import Stored, described, stored  # noqa: E402

from llmbench import Dataset, Ledger, LocalProvider, Matrix, UniversalModelTrainer  # noqa: E402
from llmbench.finetune.local_job import loss_curve, resume_local_job  # noqa: E402
from llmbench.providers.local_jobs import local_jobs  # noqa: E402
from llmbench.providers.local_tuning import PYTHON_VARIABLE  # noqa: E402
from llmbench.providers.model_files import find, models_folder  # noqa: E402

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
PROMPTS = {
    "zero_shot": HERE.parent / "prompts" / "zero_shot.txt",
    "few_shot": HERE.parent / "prompts" / "few_shot.txt",
    "short": HERE / "short.txt",
}
HELD_OUT_PARAMS = {"temperature": 0.0, "max_tokens": 16}
GENERAL_PARAMS = {"temperature": 0.0, "max_tokens": 24}
STRONGER_PARAMS = {**HELD_OUT_PARAMS, "stop": ["\n"]}
"""It may be a model that only continues a text, and goes on to the next example."""
SECONDS_BETWEEN_LOOKS = 5.0
KEPT_COLUMNS = (
    "item", "model", "prompt", "category", "cluster", "question", "expected", "answer", "score",
    "finish_reason", "latency_ms", "input_tokens", "output_tokens", "cost_usd",
)  # fmt: skip


def name_of(size: int, seed: int) -> str:
    """The name under which a tuned model stands in the results, and in the models folder."""
    return f"{BASE}-tuned-{size}-{seed}"


def runs(options: argparse.Namespace) -> Iterator[tuple[int, int]]:
    """Sizes and seeds: seed after seed, small sets first."""
    return ((size, seed) for seed in options.seeds for size in options.sizes)


async def train(options: argparse.Namespace) -> None:
    """Train what is not trained yet."""
    pool, _ = make()
    trainer = UniversalModelTrainer(LocalProvider({}))
    for size, seed in runs(options):
        record = options.work / f"{name_of(size, seed)}.json"
        if record.exists():
            continue
        path = options.work / f"training-{size}-{seed}.jsonl"
        path.write_text(lines(draw(pool, size, seed)), encoding="utf-8")
        job_id = _begun(f"n{size}-s{seed}", path)
        if job_id is not None:
            job = await trainer.get_fine_tuning_status(job_id)
        else:
            job = await trainer.fine_tune(
                training_file_path=path,
                base_model=BASE,
                suffix=f"n{size}-s{seed}",
                validation_file_path=HERE / "validation.jsonl",
                seed=seed,
                n_epochs=EPOCHS[size],
                **RECIPE,
            )
        _say(name_of(size, seed), job["job_id"])
        said = ""
        while job["status"] in {"queued", "running"}:
            await asyncio.sleep(SECONDS_BETWEEN_LOOKS)
            job = await trainer.get_fine_tuning_status(job["job_id"])
            told = job["details"]
            where = f"step {told['step']} of {told['steps']}" if told.get("step") else job["status"]
            if where != said:
                _say(name_of(size, seed), where)
            said = where
        if job["status"] != "succeeded":
            raise SystemExit(f"{job['job_id']} {job['status']}: {job['error']}")
        record.write_text(json.dumps(job, indent=1) + "\n", encoding="utf-8")


def _begun(suffix: str, training: Path) -> str | None:
    """The job that an earlier run of this program has started, going on where it was stopped."""
    for job in reversed(local_jobs()):
        order = job.order()
        same = order["suffix"] == suffix and order["files"]["training"]["sha256"] == _sha256(training)
        if same and RECIPE.items() <= order["recipe"].items():
            if job.state()["status"] in {"failed", "cancelled"}:
                resume_local_job(job.job_id)
            return job.job_id
    return None


def trained(options: argparse.Namespace) -> dict[tuple[int, int], dict[str, Any]]:
    """What the jobs say, by size and seed; those that are there."""
    found = {}
    for size, seed in runs(options):
        record = options.work / f"{name_of(size, seed)}.json"
        if record.exists():
            found[size, seed] = json.loads(record.read_text("utf-8"))
    return found


def matrices(options: argparse.Namespace, ledger: Ledger) -> dict[str, list[Matrix]]:
    """What is asked, model after model: of the held-out items and of the general questions."""
    tuned = [f"local/{name_of(size, seed)}" for size, seed in trained(options)]
    largest = [f"local/{name_of(size, seed)}" for size, seed in trained(options) if size == max(EPOCHS)]
    held_out = Dataset.load(HELD_OUT, prompt_column="question")
    general = Dataset.load(HERE / "general.jsonl", prompt_column="question")
    base = f"local/{BASE}"

    def matrix(data: Dataset, model: str, prompt: str, path: Path, params: dict[str, Any]) -> Matrix:
        graded = {"grade_truncated": True} if data is general else {}
        return Matrix(data, [model], {prompt: path}, params, ledger=ledger, **graded)

    asked = [
        (base, "zero_shot"),
        (base, "few_shot"),
        *((model, "short") for model in (base, *tuned)),
    ]
    beyond = [*largest, options.stronger] if options.stronger else largest
    answers = [matrix(held_out, m, p, PROMPTS[p], HELD_OUT_PARAMS) for m, p in asked]
    if options.stronger:
        answers.append(matrix(held_out, options.stronger, "few_shot", PROMPTS["few_shot"], STRONGER_PARAMS))
    return {
        "answers": answers,
        "general": [
            matrix(general, m, "plain", HERE / "general.txt", GENERAL_PARAMS) for m in (base, *beyond)
        ],
    }


def ask(options: argparse.Namespace) -> None:
    """Ask what the ledger cannot answer."""
    for (size, seed), job in trained(options).items():
        own = models_folder() / f"{name_of(size, seed)}.gguf"
        if not own.exists():
            os.link(job["details"]["model_file"], own)
    with Ledger(options.work / "ledger.db") as ledger:
        for path in options.answers:
            ledger.import_lines(path)
        for kind, all_of_them in matrices(options, ledger).items():
            for matrix in all_of_them:
                results = matrix.run(budget_usd=options.budget_usd)
                cell = results.cells[0]
                _say(kind, cell.cell, f"{cell.score:.3f}, {results.calls.made} calls made")


def compare(options: argparse.Namespace) -> None:
    """Ask one tuned model in both engines, to see that the written file says what was trained."""
    found = trained(options).get((max(options.sizes), options.seeds[0]))
    path = options.work / "agreement.json"
    if found is None or path.exists():
        return
    code = (
        "import json, sys; from pathlib import Path; from llmbench.finetune.agreement import agreement; "
        "from llmbench.finetune.dequantise import dequantised; "
        "rows = [json.loads(line)['messages'][:-1] for line in Path(sys.argv[1]).open()][:12]; "
        "found = agreement(dequantised(Path(sys.argv[2])), Path(sys.argv[3]), Path(sys.argv[4]), rows); "
        "Path(sys.argv[5]).write_text(json.dumps(found._asdict()))"
    )
    told = found["details"]
    words = [HERE / "validation.jsonl", find(BASE).path, told["adapter"], told["model_file"], path]
    # The Python that trains, which may be another than this one; it needs the extra `local` too.
    python = os.environ.get(PYTHON_VARIABLE) or sys.executable
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [python, "-c", code, *map(str, words)], check=False, env=environment, capture_output=True, text=True
    )
    if done.returncode:
        _say("not compared:", (done.stderr.strip().splitlines() or ["no reason given"])[-1])


def store(options: argparse.Namespace) -> None:
    """Write results/ from the ledger and the jobs; makes no call."""
    out = options.out
    out.mkdir(parents=True, exist_ok=True)
    kept = None if options.stronger else stored(STORED, _asked_of_the_stronger())
    wanted: set[str] = set()
    with Ledger(options.work / "ledger.db") as ledger:
        for name, all_of_them in matrices(options, ledger).items():
            _write_answers(out / f"{name}.csv", all_of_them, kept)
            wanted |= {_key(call) for matrix in all_of_them for call in _planned(matrix)}
        every = options.work / "calls.jsonl"
        every.unlink(missing_ok=True)
        ledger.export(every)
    newest = {_key(json.loads(line)): line for line in every.read_text("utf-8").splitlines()}
    for line in kept.calls if kept else ():
        newest[_key(json.loads(line))] = line
        wanted.add(_key(json.loads(line)))
    calls = [newest[key] for key in sorted(wanted & set(newest))]
    with (out / "calls.jsonl.gz").open("wb") as file, gzip.GzipFile("", "wb", 9, file, mtime=0) as packed:
        packed.write(("\n".join(calls) + "\n").encode())
    jobs = [_job(size, seed, job) for (size, seed), job in trained(options).items()]
    _write_json(out / "jobs.json", jobs)
    _write_curves(out / "loss_curves.csv", trained(options))
    told: dict[str, Any] | None = None
    if options.stronger:
        told = described(options.stronger, {"answers": STRONGER_PARAMS, "general": GENERAL_PARAMS})
    elif kept:
        told = dict(kept.told) if kept.folder == out.resolve() else {**kept.told, "asked_again": False}
    _write_json(out / "provenance.json", _provenance(options, calls, told))


def _planned(matrix: Matrix) -> Iterator[dict[str, Any]]:
    for cell in matrix.plan.cells:
        if cell.template is None:
            continue  # a column of recorded answers; there are none here
        for call in matrix.plan.calls(cell):
            messages = cell.template.messages(call.item)
            yield {"model": cell.asked_model, "messages": messages, "params": dict(cell.options)}


def _key(call: dict[str, Any]) -> str:
    return json.dumps([call["model"], call["messages"], call["params"]], sort_keys=True)


def _write_answers(path: Path, all_of_them: Sequence[Matrix], kept: Stored | None) -> None:
    import pandas as pd

    frames = [matrix.results().answers for matrix in all_of_them]
    # Once each, with the first model's answers: who reads the table takes what is known of an item.
    asked = {
        item.id: item.fields.get("text") or item.fields["question"] for item in all_of_them[0].dataset.rows
    }
    frames[0] = frames[0].assign(question=frames[0]["item_id"].map(asked))
    table = pd.concat(frames, ignore_index=True).rename(columns={"item_id": "item"})
    table["latency_ms"] = table["latency_ms"].round(1)
    for name in ("input_tokens", "output_tokens"):
        table[name] = table[name].astype("Int64")
    more = kept.rows(path.name) if kept else ""  # read before it may be written over
    text = table.loc[:, list(KEPT_COLUMNS)].to_csv(index=False, lineterminator="\n")
    path.write_text(text + more, encoding="utf-8", newline="")


def _job(size: int, seed: int, job: dict[str, Any]) -> dict[str, Any]:
    told = job["details"]
    return {
        "model": f"local/{name_of(size, seed)}",
        "n_train": size,
        "seed": seed,
        **{key: job[key] for key in ("job_id", "base_model", "status", "created_at", "finished_at")},
        **{key: job[key] for key in ("training_file_sha256", "trained_tokens")},
        **{
            key: told[key]
            for key in ("steps", "seconds", "cpu_seconds", "loss", "validation_loss", "precision")
        },
        "recipe": told["recipe"],
        "versions": told["versions"],
    }


def _write_curves(path: Path, jobs: dict[tuple[int, int], dict[str, Any]]) -> None:
    import pandas as pd

    columns = [
        "event",
        "step",
        "epoch",
        "loss",
        "validation_loss",
        "learning_rate",
        "tokens",
        "seconds",
        "cpu_seconds",
    ]
    frames = []
    for (size, seed), job in jobs.items():
        frame = pd.DataFrame(loss_curve(job["job_id"])).reindex(columns=columns)
        frame.insert(0, "seed", seed)
        frame.insert(0, "n_train", size)
        frames.append(frame)
    table = pd.concat(frames, ignore_index=True)
    table["epoch"] = table["epoch"].astype("Int64")
    table["tokens"] = table["tokens"].astype("Int64")
    table["learning_rate"] = table["learning_rate"].round(8)
    table.to_csv(path, index=False, lineterminator="\n")


def _asked_of_the_stronger() -> dict[str, str]:
    paths = [HELD_OUT, PROMPTS["few_shot"], HERE / "general.jsonl", HERE / "general.txt"]
    return {path.relative_to(ROOT).as_posix(): _sha256(path) for path in paths}


def _provenance(
    options: argparse.Namespace, calls: Sequence[str], stronger: dict[str, Any] | None
) -> dict[str, Any]:
    days = sorted(json.loads(call)["started_at"] for call in calls)
    inputs = [
        HELD_OUT,
        *(HERE / name for name in ("training.jsonl", "validation.jsonl", "general.jsonl", "general.txt")),
    ]
    return {
        "made_by": "data/finetune/make_results.py",
        "base_model": {"name": BASE, "file_sha256": find(BASE).sha256, "licence": "Apache-2.0"},
        "adapters": "LoRA by peft, trained on the dequantised base; not kept here, its answers are",
        "stronger_model": stronger,
        "agreement_of_engines": json.loads((options.work / "agreement.json").read_text("utf-8"))
        if (options.work / "agreement.json").exists()
        else None,
        "calls": len(calls),
        "asked_from": days[0],
        "asked_until": days[-1],
        "machine": f"{platform.system()}, {platform.machine()}, {os.cpu_count()} cores shared with others, "
        "one thread, no GPU: seconds are of a busy machine, cpu_seconds are not",
        "python": platform.python_version(),
        "engine": f"xllamacpp {version('xllamacpp')}",
        "inputs": {path.relative_to(ROOT).as_posix(): _sha256(path) for path in [*inputs, *PROMPTS.values()]},
        "files": {
            path.name: _sha256(path)
            for path in sorted(options.out.iterdir())
            if path.name != "provenance.json"
        },
    }


def _say(*words: str) -> None:
    sys.stdout.write(" ".join(words) + "\n")
    sys.stdout.flush()


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")


def main() -> None:
    """Do the steps named on the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("steps", nargs="*", default=["train", "ask", "compare", "store"])
    parser.add_argument("--sizes", nargs="+", type=int, choices=sorted(EPOCHS), default=sorted(EPOCHS))
    parser.add_argument("--seeds", nargs="+", type=int, default=list(SEEDS))
    parser.add_argument("--work", type=Path, default=ROOT / ".llmbench" / "fine-tune")
    parser.add_argument("--out", type=Path, default=STORED)
    parser.add_argument(
        "--answers", type=Path, nargs="*", default=[], help="ledger exports to take answers from"
    )
    parser.add_argument("--stronger", metavar="ENDPOINT/MODEL", help="a stronger model to ask as well")
    parser.add_argument(
        "--budget-usd", type=float, default=1.0, help="what a model's answers to one file may cost"
    )
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    if "train" in options.steps:
        asyncio.run(train(options))
    if "ask" in options.steps:
        ask(options)
    if "compare" in options.steps:
        compare(options)
    if "store" in options.steps:
        store(options)


if __name__ == "__main__":
    main()
