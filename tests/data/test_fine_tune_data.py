"""The training items of the fine-tune experiment, and the results that are stored of it."""

from __future__ import annotations

import gzip
import hashlib
import importlib.util
import json
import re
import sys
from collections import Counter
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd
import pytest

from llmbench.matrix import Dataset, Matrix
from llmbench.matrix.graders import grader_for
from llmbench.matrix.prompts import prompts_for

DATA = Path(__file__).resolve().parents[2] / "data"
FOLDER = DATA / "finetune"
RESULTS = FOLDER / "results"
BASE = "local/smollm2-135m"


STRONGER = "gemma/gemma-3-270m"


def _program(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    return _program("make_training")


@pytest.fixture(scope="module")
def stronger_model() -> ModuleType:
    return _program("stronger_model")


@pytest.fixture(scope="module")
def made(generator: ModuleType) -> tuple[list[Any], list[Any]]:
    training, validation = generator.make()
    return training, validation


def test_the_files_are_what_the_generator_makes(generator: ModuleType, made: tuple[list[Any], Any]) -> None:
    training, validation = made
    assert generator.lines(training) == (FOLDER / "training.jsonl").read_text("utf-8")
    assert generator.lines(validation) == (FOLDER / "validation.jsonl").read_text("utf-8")


def test_no_held_out_text_is_trained_on(generator: ModuleType, made: tuple[list[Any], list[Any]]) -> None:
    items = [json.loads(line) for line in (DATA / "sales_tasks.jsonl").read_text("utf-8").splitlines()]
    held_out = [item["text"] for item in items]
    texts = [example.text for part in made for example in part]
    assert len(set(texts)) == len(texts) == 768
    for words in (6, 7, 8):
        assert not generator.shingles(texts, words) & generator.shingles(held_out, words)
    names = {item["cluster"] for item in items if item["cluster"] != item["id"]}
    invented = {word for text in texts for word in re.findall(r"\w+", text.lower())}
    assert not names & invented  # other companies


def test_the_training_items_have_the_form_of_the_held_out_ones(made: tuple[list[Any], list[Any]]) -> None:
    training = made[0]
    assert Counter(example.category for example in training) == dict.fromkeys(
        ("reply_sentiment", "intent", "extraction"), 240
    )
    labels = Counter(example.label for example in training if example.category != "extraction")
    assert set(labels.values()) == {80, 40}
    data = Dataset.load(DATA / "sales_tasks.jsonl", prompt_column="question")
    (prompt,) = prompts_for(data, {"short": FOLDER / "short.txt"})
    shown = {prompt.messages(item)[-1]["content"].partition("\n")[0] for item in data.rows}
    trained = {example.messages()[1]["content"].partition("\n")[0] for example in training[:300]}
    assert {"Attitude?", "Kind?", "On which weekday will the meeting take place?"} <= shown & trained


@pytest.mark.parametrize("size", [40, 120, 360])
def test_a_draw_is_balanced_and_its_own(
    generator: ModuleType, made: tuple[list[Any], Any], size: int
) -> None:
    pool = made[0]
    drawn = generator.draw(pool, size, 1)
    assert drawn == generator.draw(pool, size, 1) != generator.draw(pool, size, 2)
    assert len(set(drawn)) == size
    counts = Counter(example.category for example in drawn)
    assert max(counts.values()) - min(counts.values()) <= 1


def test_general_questions_can_be_graded() -> None:
    data = Dataset.load(FOLDER / "general.jsonl", prompt_column="question")
    assert Counter(item.category for item in data.rows) == {"arithmetic": 20, "facts": 25, "form": 15}
    grader = grader_for("regex", data)
    first = data.rows[0]
    assert grader.grade("2 + 3 = 5.", first).score == 1
    assert grader.grade("25", first).score == 0


def _table(name: str) -> pd.DataFrame:
    # An answer may be the word "null": only an empty cell is a missing one.
    return pd.read_csv(RESULTS / name, dtype={"expected": str}, keep_default_na=False, na_values=[""])


def _jobs() -> pd.DataFrame:
    return pd.DataFrame(json.loads((RESULTS / "jobs.json").read_text("utf-8")))


def test_the_stored_results_are_whole() -> None:
    answers, general, jobs = _table("answers.csv"), _table("general.csv"), _jobs()
    assert sum(path.stat().st_size for path in RESULTS.iterdir()) < 1_000_000
    cells = answers.groupby(["model", "prompt"]).size()
    assert set(cells) == {144}
    assert {(BASE, "zero_shot"), (BASE, "few_shot"), (BASE, "short")} <= set(cells.index)
    assert {(model, "short") for model in jobs["model"]} <= set(cells.index)
    assert (STRONGER, "few_shot") in cells.index
    assert answers["score"].isin([0, 1]).all()
    assert set(general.groupby("model").size()) == {60}
    assert STRONGER in set(general["model"])
    assert (jobs["status"] == "succeeded").all()
    calls = [
        json.loads(line) for line in gzip.decompress((RESULTS / "calls.jsonl.gz").read_bytes()).splitlines()
    ]
    provenance = json.loads((RESULTS / "provenance.json").read_text("utf-8"))
    assert len(calls) == len(answers) + len(general) == provenance["calls"]
    text = "".join(path.read_text("utf-8") for path in RESULTS.iterdir() if path.suffix != ".gz")
    assert "/root" not in text + json.dumps(calls)
    assert "/tmp" not in text + json.dumps(calls)


def test_loss_curves_are_of_every_job() -> None:
    losses = _table("loss_curves.csv")
    for job in _jobs().itertuples():
        curve = losses[(losses["n_train"] == job.n_train) & (losses["seed"] == job.seed)]
        steps = curve[curve["event"] == "step"]
        assert list(steps["step"]) == list(range(1, job.steps + 1))
        assert steps["loss"].notna().all()
        validation = curve[curve["event"] == "validation"]["validation_loss"]
        assert validation.iloc[-1] < validation.iloc[0]


def test_the_answers_are_a_table_of_results_for_the_matrix() -> None:
    results = Matrix.from_results(RESULTS / "answers.csv", baseline=f"{BASE}[zero_shot]")
    stored = _table("answers.csv")
    for cell in results.cells:
        rows = stored[(stored["model"] == cell.model) & (stored["prompt"] == cell.prompt)]
        assert cell.score == pytest.approx(rows["score"].mean())


def test_the_stronger_model_is_told(stronger_model: ModuleType) -> None:
    told = json.loads((RESULTS / "provenance.json").read_text("utf-8"))["stronger_model"]
    assert told["name"] == STRONGER
    known = stronger_model.KNOWN[told["file_sha256"]]
    assert all(known.values())
    assert known.items() <= told.items()
    assert told["parameters"]["answers"] == {"temperature": 0.0, "max_tokens": 16, "stop": ["\n"]}


def test_stored_answers_of_the_stronger_model_can_be_kept_as_they_are(stronger_model: ModuleType) -> None:
    provenance = json.loads((RESULTS / "provenance.json").read_text("utf-8"))
    kept = stronger_model.stored(
        RESULTS, {"data/prompts/few_shot.txt": provenance["inputs"]["data/prompts/few_shot.txt"]}
    )
    assert len(kept.calls) == 144 + 60
    for name in ("answers.csv", "general.csv"):
        rows = kept.rows(name)
        assert f",{STRONGER}," in rows
        assert (RESULTS / name).read_text("utf-8").endswith("\n" + rows)


def test_answers_to_other_questions_are_not_kept(stronger_model: ModuleType, tmp_path: Path) -> None:
    assert stronger_model.stored(RESULTS, {"data/prompts/few_shot.txt": "0"}) is None
    assert stronger_model.stored(tmp_path, {}) is None


def test_of_a_model_nobody_has_described_nothing_is_made_up(
    stronger_model: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own.gguf").write_bytes(b"x")
    (tmp_path / "llmbench.toml").write_text(
        '[endpoints.own]\nprovider = "local"\nmodel = "own"\nmodel_path = "own.gguf"\n'
    )
    monkeypatch.chdir(tmp_path)
    told = stronger_model.described("own/own", {})
    assert told["file_sha256"] == hashlib.sha256(b"x").hexdigest()
    assert told["licence"] is None
    assert stronger_model.described("openai/gpt-4o", {})["file_sha256"] is None
