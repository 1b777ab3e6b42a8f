from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from llmbench.errors import UsageError
from llmbench.matrix import Matrix, MatrixResults


def test_disagreements_are_the_largest_and_drawn_by_seed(recorded: Callable[..., MatrixResults]) -> None:
    results = recorded({"base": ["1"] * 50 + ["0"] * 50, "new": ["0"] * 30 + ["1"] * 70})
    found = results.disagreements("new", n=20)
    assert len(found) == 20
    assert (found["difference"].abs() == 1).all()
    assert (found["candidate_answer"] != found["baseline_answer"]).all()
    assert {"i0", "i99"} & set(results.disagreements("new", n=1000)["item_id"]) == {"i0", "i99"}
    assert len(results.disagreements("new", n=1000)) == 80
    assert found.equals(results.disagreements("new", n=20))
    assert not found.equals(results.disagreements("new", n=20, seed=1))
    assert found["prompt"][0] == "q" + found["item_id"][0][1:]
    assert len(results.disagreements("base", n=5)) == 0
    with pytest.raises(UsageError, match=r"'nwe' is not one cell.*Did you mean"):
        results.disagreements("nwe")


def of_others(tmp_path: Path, draws: Mapping[str, Sequence[Any]], text: bool = True) -> MatrixResults:
    """One item asked several times: scores of each model's draws, whose answers are their numbers."""
    rows = [
        {"item": "i", "model": model, "repeat": k, "score": score, "answer": f"{model}{k}" if text else None}
        for model, scores in draws.items()
        for k, score in enumerate(scores)
    ]
    path = tmp_path / "results.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return Matrix.from_results(path)


def test_disagreements_of_repeats_show_two_draws_that_differ(tmp_path: Path) -> None:
    (row,) = of_others(tmp_path, {"b": [1, 0, None], "c": [1, 1, 1]}).disagreements("c").to_dict("records")
    assert (row["baseline_answer"], row["candidate_answer"]) == ("b1", "c0")
    assert (row["baseline_right"], row["baseline_draws"]) == (1, 2)
    assert (row["candidate_right"], row["candidate_draws"]) == (3, 3)
    assert row["difference"] == 0.5
    (row,) = of_others(tmp_path, {"b": [0, 0.5, 1], "c": [0, 0, 0.5]}).disagreements("c").to_dict("records")
    assert (row["baseline_answer"], row["candidate_answer"]) == ("b2", "c0")
    assert math.isnan(row["baseline_right"])


def test_the_same_scores_in_another_order_are_no_disagreement(tmp_path: Path) -> None:
    results = of_others(tmp_path, {"b": [0.1, 0.2, 0.3], "c": [0.3, 0.2, 0.1]})
    assert results.disagreements("c").empty


def test_a_disagreement_without_text_has_no_answer(tmp_path: Path) -> None:
    (row,) = of_others(tmp_path, {"b": [0], "c": [1]}, text=False).disagreements("c").to_dict("records")
    assert row["baseline_answer"] is row["candidate_answer"] is None
