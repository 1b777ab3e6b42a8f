from __future__ import annotations

from pathlib import Path

import pytest

from llmbench.reporting.regression import find_previous, is_worse, worse_run
from llmbench.result_files import read_envelope
from llmbench.results import Decision
from tests.reporting.runs import keep_run, model


def _line(*folders: Path) -> str:
    before, after = (read_envelope(folder / "result.json") for folder in folders)
    return worse_run(before, after).line()


def test_decisions_have_an_order() -> None:
    order = [Decision.GO, Decision.GO_WITH_CONDITIONS, Decision.HOLD, Decision.NO_GO]
    for place, before in enumerate(order):
        assert [is_worse(before, after) for after in order] == [n > place for n in range(4)]


def test_a_score_fell_where_its_new_interval_lies_below_the_old_one(tmp_path: Path) -> None:
    before = keep_run(tmp_path, "20250101-a", [model("a", 0.70), model("b", 0.7), model("c", 0.7)])
    touching = keep_run(tmp_path, "20250102-b", [model("a", 0.60), model("b", 0.9), model("d", 0.0)])
    below = keep_run(tmp_path, "20250103-c", [model("a", 0.59), model("b", None), model("c", 0.1, 0.7)])
    assert read_envelope(touching / "result.json").data["models"][0]["score_ci"][1] == 0.65
    assert _line(before, touching) == ""
    assert _line(before, below) == (
        "model_matrix got worse: a scores 0.59 (0.54 to 0.64), was 0.7 (0.65 to 0.75)"
    )
    assert _line(below, before) == ""


def test_a_worse_decision_comes_first(tmp_path: Path) -> None:
    before = keep_run(tmp_path, "20250101-a", [model("a", 0.7)])
    after = keep_run(tmp_path, "20250102-b", [model("a", 0.1)], Decision.HOLD)
    assert _line(before, after).startswith("model_matrix got worse: HOLD, was GO; a scores 0.1 ")
    assert _line(after, before) == ""


def test_the_run_before_is_the_newest_of_the_same_question(tmp_path: Path) -> None:
    first = keep_run(tmp_path, "20250101-a")
    keep_run(tmp_path, "20250102-b", parameters={"margin": 0.05})
    data = keep_run(tmp_path, "20250103-c", sha256="1" * 64)
    broken = keep_run(tmp_path, "20250104-d")
    (broken / "result.json").write_text("{")
    now = keep_run(tmp_path, "20250105-e")
    keep_run(tmp_path, "20250106-f")
    found, wide = find_previous(now), find_previous(now, same_inputs=False)
    assert found is not None
    assert wide is not None
    assert found.generated_at[:10] == "2025-01-01"
    assert wide.generated_at[:10] == "2025-01-03"
    assert find_previous(first) is None
    assert find_previous(data) is None


@pytest.mark.parametrize("score", [float("nan"), None])
def test_an_unknown_score_is_no_fall(tmp_path: Path, score: float | None) -> None:
    before = keep_run(tmp_path, "20250101-a", [model("a", 0.7)])
    after = keep_run(tmp_path, "20250102-b", [model("a", score)])
    assert _line(before, after) == ""
