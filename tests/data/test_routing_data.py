"""The items and the real answers that the notebook `routing` starts from."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import re
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest

from llmbench.matrix import Dataset, Matrix
from llmbench.matrix.graders import grader_for
from llmbench.routing import evaluate, evaluate_policy

DATA = Path(__file__).resolve().parents[2] / "data"
ROUTING = DATA / "routing"
CELLS = ("smollm/smollm2-135m", "smollm_plain/smollm2-135m-plain")


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROUTING / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def results() -> pd.DataFrame:
    return pd.read_parquet(ROUTING / "results.parquet")


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return Dataset.load(ROUTING / "items.jsonl", prompt_column=None)


def test_items_are_made_again_byte_for_byte() -> None:
    lines = [json.dumps(item, ensure_ascii=False) for item in load("make_items").make()]
    assert "\n".join(lines) + "\n" == (ROUTING / "items.jsonl").read_text(encoding="utf-8")


def test_items_differ_and_every_one_can_be_graded(dataset: Dataset) -> None:
    assert len(dataset.rows) == 1100
    assert len({(item.fields["question"], item.fields["text"]) for item in dataset.rows}) == 1100
    assert len({item.fields["template"] for item in dataset.rows}) > 150
    grader = grader_for(None, dataset)
    for item in dataset.rows:
        assert grader.grade(str(item.expected), item).score == 1.0, item.id
    assert all("{" not in item.fields["text"] for item in dataset.rows)


def test_prompts_show_no_item(dataset: Dataset) -> None:
    shown = set(re.findall(r"Text: (.*)", (ROUTING / "prompts" / "few_shot.txt").read_text(encoding="utf-8")))
    assert len(shown) > 50
    assert not shown & {item.fields["text"] for item in dataset.rows}


def test_results_hold_one_answer_of_each_model_to_each_item(results: pd.DataFrame, dataset: Dataset) -> None:
    ids = [item.id for item in dataset.rows]
    assert tuple(results["model"].unique()) == CELLS
    for _, rows in results.groupby("model", sort=False):
        assert list(rows["item"]) == ids
    assert results["score"].isin([0.0, 1.0]).all()
    assert (ROUTING / "results.parquet").stat().st_size < 1_000_000


def test_results_are_graded_as_the_items_say(results: pd.DataFrame, dataset: Dataset) -> None:
    grader = grader_for(None, dataset)
    items = {item.id: item for item in dataset.rows}
    for row in results.itertuples():
        if row.finish_reason != "length":  # an answer that was cut off scores 0
            assert grader.grade(str(row.answer), items[row.item]).score == row.score, row.item


def test_costs_follow_from_tokens(results: pd.DataFrame) -> None:
    price = load("run_models").price
    assert np.allclose(results["cost_usd"], price(results["input_tokens"], results["output_tokens"]))
    assert (results["cached_tokens"] <= results["input_tokens"]).all()


def test_matrix_reads_them() -> None:
    read = Matrix.from_results(ROUTING / "results.parquet", baseline=CELLS[1])
    assert [cell.n for cell in read.cells] == [1100, 1100]


def test_what_the_readme_says(results: pd.DataFrame) -> None:
    readme = (DATA / "README.md").read_text(encoding="utf-8")
    for name in ("items.jsonl", "results.parquet"):
        digest = hashlib.sha256((ROUTING / name).read_bytes()).hexdigest()
        assert digest in readme, f"the sha256 of {name} is {digest}"
    weak, strong = (results[results["model"] == cell].reset_index(drop=True) for cell in CELLS)
    for side in (weak, strong):
        assert f"{side['score'].mean():.1%}" in readme
        assert f"{side['input_tokens'].mean():.0f}" in readme
    found = evaluate(
        weak["question"].str.len(), weak["score"], strong["score"], categories=weak["category"].tolist()
    )
    for name in ("router", "category", "oracle"):
        assert f"{found.policy(name).apgr:.3f}" in readme, name


def test_policies_over_both(results: pd.DataFrame) -> None:
    quality = {cell: rows["score"].to_numpy() for cell, rows in results.groupby("model", sort=False)}
    cost = {cell: rows["cost_usd"].to_numpy() for cell, rows in results.groupby("model", sort=False)}
    found = evaluate_policy([CELLS[0]] * 1100, quality, cost)
    assert found.against(CELLS[1]).difference_interval.high < 0
    assert found.against(CELLS[1]).saving_interval.low > 0
