"""The simulated example of the memo: made again value for value, whole, and about one migration."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pandas as pd
import pytest

from llmbench.decision import read_example
from llmbench.result_files import changed_files, read_envelope, workload_digest

FOLDER = Path(__file__).resolve().parents[2] / "data" / "migration"


@pytest.fixture(scope="module")
def program() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_example", FOLDER / "make_example.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_simulated_answers_are_made_again(program: ModuleType) -> None:
    kept = pd.read_parquet(FOLDER / "simulated_answers.parquet")
    pd.testing.assert_frame_equal(program.answers(), kept)
    assert kept["simulated"].all()


@pytest.mark.parametrize("report", ["model_matrix", "ab_test", "break_even"])
def test_the_results_are_of_one_workload(program: ModuleType, report: str) -> None:
    result = read_envelope(FOLDER / report / "result.json")
    assert result.workload_sha256 == workload_digest(program.WORKLOAD)


@pytest.mark.parametrize("report", ["model_matrix", "ab_test", "break_even"])
def test_the_results_are_whole_and_older_than_the_decision(report: str) -> None:
    assert changed_files(FOLDER / report) == ()
    result = read_envelope(FOLDER / report / "result.json")
    assert result.data_until is not None
    assert result.data_until[:10] < str(read_example(FOLDER).as_of)
    assert (result.data.get("simulated") is True) == (report != "break_even")
    text = (FOLDER / report / "result.json").read_text(encoding="utf-8")
    assert json.loads(text)["title"].startswith("Simulated data") == (report != "break_even")
