from __future__ import annotations

import json
from pathlib import Path

import pytest

from llmbench.desk import quote_run
from llmbench.errors import DatasetError, UsageError
from llmbench.reporting import available_notebooks
from tests.reporting.conftest import Project, write_notebook

ROOT = Path(__file__).resolve().parents[2]
MATRIX = ROOT / "notebooks" / "model_matrix.ipynb"
HOSTED = {"models": ["openai/gpt-4o-mini"], "limit": 6}


@pytest.mark.parametrize("name", [n for n in available_notebooks(ROOT) if n != "model_matrix"])
def test_a_notebook_that_calls_nothing_says_so(name: str) -> None:
    found = quote_run(ROOT / "notebooks" / f"{name}.ipynb", {}, ROOT)
    assert "costs nothing" in found.sentence
    assert found.quote is None
    assert found.to_pandas().empty


def test_training_again_says_that_it_takes_hours() -> None:
    found = quote_run(ROOT / "notebooks" / "fine_tune.ipynb", {"retrain": True}, ROOT)
    assert "takes hours" in found.sentence


def test_a_matrix_is_quoted_by_its_calls(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-no-key-of-anybody")
    found = quote_run(MATRIX, HOSTED, ROOT)
    assert found.quote is not None
    assert found.quote.to_make == found.quote.calls == 12  # two prompts
    assert found.stops is None
    assert "12 calls to make (0 of 12 need none)" in found._repr_html_()
    copy = tmp_path / "weekly.ipynb"
    copy.write_bytes(MATRIX.read_bytes())
    assert quote_run(copy, HOSTED, ROOT).quote == found.quote


def test_a_run_that_would_stop_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-no-key-of-anybody")
    found = quote_run(MATRIX, HOSTED | {"budget_usd": 1e-7}, ROOT)
    assert "raise budget_usd" in str(found.stops)
    assert "<strong>The run is expected to cost" in found._repr_html_()
    pilot = quote_run(MATRIX, HOSTED | {"pilot": 2}, ROOT, fresh=True)
    assert "A pilot of 2 items is asked first" in pilot.sentence


def test_values_are_checked_as_by_the_command() -> None:
    with pytest.raises(UsageError, match="did you mean 'limit'"):
        quote_run(MATRIX, {"limt": 1}, ROOT)
    with pytest.raises(DatasetError, match=r"gone\.csv"):
        quote_run(MATRIX, {"dataset": "gone.csv"}, ROOT)


def test_a_notebook_of_ones_own_may_say_that_it_calls_nothing(
    reports_project: Project, tmp_path: Path
) -> None:
    path = write_notebook(tmp_path / "mine.ipynb", ["n: int = 1  # n"], {0: ["parameters"]})
    notebook = json.loads(path.read_text(encoding="utf-8"))
    for said, expected in (
        ({"calls": "nothing"}, "costs nothing"),
        ({"calls": "much"}, "not known"),
        ("nothing", "not known"),
    ):
        notebook["metadata"]["llmbench"] = said
        path.write_text(json.dumps(notebook), encoding="utf-8")
        assert expected in quote_run(path, {}, tmp_path).sentence


def test_of_a_notebook_of_ones_own_nothing_is_claimed(reports_project: Project, tmp_path: Path) -> None:
    path = write_notebook(tmp_path / "mine.ipynb", ["n: int = 1  # n"], {0: ["parameters"]})
    assert (
        quote_run(path, {"n": "2"}, tmp_path).sentence
        == "What this notebook calls is not known before it runs."
    )
