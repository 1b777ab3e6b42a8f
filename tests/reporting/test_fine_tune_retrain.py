"""Training again from the notebook `fine_tune`: what is asked of the recipe, and when it is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from llmbench.errors import ReportError, UsageError
from llmbench.reporting.fine_tune_retrain import retrain

PARAMETERS: dict[str, Any] = {
    "results": "mine", "retrain": True, "stronger": "", "also": [], "speeds": {}, "margin": 0.03,
    "least_gain": 0.03, "general_margin": 0.05, "requests_per_month": 1000.0, "value_per_answer_usd": 0.0,
    "training_usd": -1.0, "preparation_usd": 0.0, "hosting_usd_per_month": 0.0, "usd_per_hour": 3.6,
    "utilisation": 0.5, "input_tokens_per_s": 100.0, "output_tokens_per_s": 50.0, "horizon_months": 24.0,
}  # fmt: skip
SAYS = "import sys; print('step 1'); print(*sys.argv[1:]); print()"
STORED = {"stronger_model": {"name": "gemma/gemma-3-270m"}}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project whose recipe says with what options it was called."""
    folder = tmp_path / "data" / "finetune"
    (folder / "results").mkdir(parents=True)
    (folder / "make_results.py").write_text(SAYS)
    (folder / "results" / "provenance.json").write_text(json.dumps(STORED))
    (tmp_path / "llmbench.toml").write_text(
        '[endpoints.gemma]\nprovider = "local"\nmodel = "gemma-3-270m"\nmodel_path = "gemma.gguf"\n'
        '[endpoints.big]\nprovider = "openai"\n'
    )
    return tmp_path


def _said(root: Path, **changed: Any) -> list[str]:
    lines: list[str] = []
    retrain({**PARAMETERS, **changed}, root, lambda event: lines.append(event["message"]))
    return lines


def test_its_lines_are_shown_while_it_runs(root: Path) -> None:
    assert _said(root) == ["step 1", f"--out {root / 'mine'}"]
    retrain(PARAMETERS, root)  # and nobody has to look


def test_nothing_is_done_unless_asked_for(root: Path) -> None:
    assert _said(root, retrain=False) == []


def test_stored_answers_are_taken_where_the_stronger_model_is_not_here(root: Path) -> None:
    cell = "gemma/gemma-3-270m[few_shot]"
    assert "--stronger" not in _said(root, stronger=cell)[-1]
    (root / "gemma.gguf").write_bytes(b"x")
    assert _said(root, stronger=cell)[-1].endswith("--stronger gemma/gemma-3-270m")
    (root / "llmbench.toml").unlink()
    assert "--stronger" not in _said(root, stronger=cell)[-1]


def test_another_stronger_model_is_asked_at_its_endpoint(root: Path) -> None:
    assert _said(root, stronger="big/gpt[few_shot]")[-1].endswith("--stronger big/gpt")


@pytest.mark.parametrize(
    ("stronger", "words"),
    [
        ("other/gpt[few_shot]", "'other/gpt.few_shot.', and llmbench.toml has no endpoint"),
        ("gemma/larger[few_shot]", "llmbench.toml has no endpoint that could answer as it"),
        ("big/gpt[short]", r"asks a stronger model under few_shot: name big/gpt\[few_shot\]"),
        ("big/gpt", r"asks a stronger model under few_shot: name big/gpt\[few_shot\]"),
    ],
)
def test_a_stronger_model_nobody_can_ask_is_refused_before_training(
    root: Path, stronger: str, words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        _said(root, stronger=stronger)


@pytest.mark.parametrize("text", [None, "{", "[]", '{"stronger_model": null}'])
def test_without_stored_answers_they_cannot_be_taken(root: Path, text: str | None) -> None:
    path = root / "data" / "finetune" / "results" / "provenance.json"
    path.unlink()
    if text is not None:
        path.write_text(text)
    with pytest.raises(UsageError, match="add one, or leave 'stronger' empty"):
        _said(root, stronger="gemma/gemma-3-270m[few_shot]")


def test_what_came_with_the_project_is_kept(root: Path) -> None:
    with pytest.raises(UsageError, match="'utilisation'"):
        _said(root, utilisation=7.0)
    with pytest.raises(UsageError, match="name another one"):
        _said(root, results="data/finetune/results")
    (root / "data" / "finetune" / "make_results.py").unlink()
    with pytest.raises(UsageError, match="run `llmbench init"):
        _said(root)


@pytest.mark.parametrize(
    ("program", "words"),
    [("import sys; sys.exit('no memory')", "no memory"), ("import sys; sys.exit(3)", "it said nothing")],
)
def test_a_training_that_fails_says_why(root: Path, program: str, words: str) -> None:
    (root / "data" / "finetune" / "make_results.py").write_text(program)
    with pytest.raises(ReportError, match=f"The training failed: {words}; what was trained is kept"):
        _said(root)
