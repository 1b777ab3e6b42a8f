"""The training items of the fine-tune experiment, and the results that are stored of it."""

from __future__ import annotations

import gzip
import importlib.util
import json
import re
import shutil
import sys
from collections import Counter
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from llmbench.errors import DatasetError, UsageError
from llmbench.finetune.learning_curve import learning_curve
from llmbench.finetune.stored_results import read_stored_results
from llmbench.matrix import Dataset, Matrix
from llmbench.matrix.graders import grader_for
from llmbench.matrix.prompts import prompts_for

DATA = Path(__file__).resolve().parents[2] / "data"
FOLDER = DATA / "finetune"
RESULTS = FOLDER / "results"
BASE = "local/smollm2-135m"


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_training", FOLDER / "make_training.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["make_training"] = module
    spec.loader.exec_module(module)
    return module


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


def test_the_stored_results_are_whole() -> None:
    found = read_stored_results(RESULTS)
    assert sum(path.stat().st_size for path in RESULTS.iterdir()) < 1_000_000
    cells = found.answers.groupby(["model", "prompt"]).size()
    assert set(cells) == {144}
    assert {(BASE, "zero_shot"), (BASE, "few_shot"), (BASE, "short")} <= set(cells.index)
    assert {(model, "short") for model in found.jobs["model"]} <= set(cells.index)
    assert found.answers["score"].isin([0, 1]).all()
    assert set(found.general.groupby("model").size()) == {60}
    assert (found.jobs["status"] == "succeeded").all()
    calls = [json.loads(line) for line in gzip.decompress(found.calls_path.read_bytes()).splitlines()]
    assert len(calls) == len(found.answers) + len(found.general) == found.provenance["calls"]
    text = "".join(path.read_text("utf-8") for path in RESULTS.iterdir() if path.suffix != ".gz")
    assert "/root" not in text + json.dumps(calls)
    assert "/tmp" not in text + json.dumps(calls)


def test_loss_curves_are_of_every_job() -> None:
    found = read_stored_results(RESULTS)
    for job in found.jobs.itertuples():
        curve = found.loss[(found.loss["n_train"] == job.n_train) & (found.loss["seed"] == job.seed)]
        steps = curve[curve["event"] == "step"]
        assert list(steps["step"]) == list(range(1, job.steps + 1))
        assert steps["loss"].notna().all()
        validation = curve[curve["event"] == "validation"]["validation_loss"]
        assert validation.iloc[-1] < validation.iloc[0]


def test_the_answers_are_a_table_of_results_for_the_matrix() -> None:
    results = Matrix.from_results(RESULTS / "answers.csv", baseline=f"{BASE}[zero_shot]")
    stored = read_stored_results(RESULTS).answers
    for cell in results.cells:
        rows = stored[(stored["model"] == cell.model) & (stored["prompt"] == cell.prompt)]
        assert cell.score == pytest.approx(rows["score"].mean())


def test_the_scores_make_a_learning_curve() -> None:
    stored = read_stored_results(RESULTS)
    scores = stored.scores_by_run("few_shot")
    assert set(scores) == {(0, 0), *zip(stored.jobs["n_train"], stored.jobs["seed"], strict=True)}
    curve = learning_curve(scores)
    assert [point.n_train for point in curve.points] == [0, *sorted(set(stored.jobs["n_train"]))]
    few_shot = stored.answers[stored.answers["prompt"] == "few_shot"]
    assert curve.points[0].score == pytest.approx(few_shot["score"].mean())
    with pytest.raises(UsageError, match="there are few_shot, short, zero_shot"):
        stored.scores_by_run("none")


def test_a_changed_or_missing_file_is_named(tmp_path: Path) -> None:
    copy = tmp_path / "results"
    shutil.copytree(RESULTS, copy)
    (copy / "jobs.json").write_text("[]", encoding="utf-8")
    with pytest.raises(DatasetError, match=r"jobs\.json in .* is not the file"):
        read_stored_results(copy)
    (copy / "provenance.json").unlink()
    with pytest.raises(DatasetError, match="no complete results"):
        read_stored_results(copy)
