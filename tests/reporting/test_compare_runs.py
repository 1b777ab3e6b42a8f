"""Two runs side by side."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from llmbench.cli import cli
from llmbench.errors import UsageError
from llmbench.reporting.compare_runs import compare_runs, find_run
from llmbench.reporting.envelope import write_envelope
from llmbench.results import Decision, InputFile, ResultEnvelope, Spend, Verdict

DATA: dict[str, Any] = {
    "models": [
        {"model": "a", "prompt": "x", "score": 0.5, "score_ci": [0.4, 0.6]},
        {"model": "b", "prompt": "x", "score": 0.7, "score_ci": [0.6, 0.8]},
    ],
    "looks": [{"look": 1, "seen_at": "2026-01-01"}],
}
BEFORE = ResultEnvelope(
    report="model_matrix",
    title="Which?",
    verdict=Verdict(Decision.HOLD, "Not yet."),
    parameters={"margin": 0.03},
    inputs=(InputFile("data/a.csv", "0" * 64, 3),),
    workload_sha256=None,
    baseline="a",
    candidate="b",
    price_book="current",
    generated_at="2026-01-23T00:00:00+00:00",
    data_until=None,
    llmbench_version="0.1.0",
    git_commit=None,
    seed=1,
    spend=Spend(None, None),
    data=DATA,
)
Keep = Callable[[str, ResultEnvelope], Path]


@pytest.fixture
def keep(tmp_path: Path) -> Keep:
    def write(run: str, envelope: ResultEnvelope) -> Path:
        folder = tmp_path / "reports" / envelope.report / "runs" / run
        folder.mkdir(parents=True)
        write_envelope(folder / "result.json", envelope)
        return folder

    return write


def test_rows_are_matched_by_what_they_are_about_and_not_by_their_place(keep: Keep) -> None:
    turned = {"models": [{**DATA["models"][1], "score": 0.77}, DATA["models"][0]],
              "looks": [{"look": 1, "seen_at": "2026-02-01"}]}  # fmt: skip
    found = compare_runs(keep("1", BEFORE), keep("2", replace(BEFORE, data=turned)))
    assert [(c.part, c.what, c.before, c.after) for c in found.changes] == [
        ("number", "models[b, x].score", 0.7, 0.77)
    ]
    assert found.changes[0].relative == pytest.approx(0.1)
    assert found.line() == "model_matrix: HOLD, as before; 1 number changed"


def test_verdict_parameters_and_inputs_come_first(keep: Keep) -> None:
    after = replace(
        BEFORE,
        verdict=Verdict(Decision.GO, "Now."),
        parameters={"margin": 0.05, "new": 1},
        inputs=(InputFile("data/a.csv", "1" * 64, 4),),
    )
    found = compare_runs(keep("1", BEFORE), keep("2", after))
    assert [(c.part, c.what) for c in found.changes] == [
        ("verdict", "decision"), ("verdict", "summary"), ("parameter", "margin"), ("parameter", "new"),
        ("input", "data/a.csv"),
    ]  # fmt: skip
    assert found.verdict_changed
    assert found.line() == "model_matrix: GO, was HOLD; no number changed"
    assert list(found.to_pandas()["what"])[2] == "margin"


def test_rows_of_one_name_are_not_merged(keep: Keep) -> None:
    twice = {"models": [DATA["models"][0], {**DATA["models"][0], "score": 0.1}]}
    found = compare_runs(
        keep("1", replace(BEFORE, data=twice)), keep("2", replace(BEFORE, data={"models": []}))
    )
    assert "models[a, x (2)].score" in [c.what for c in found.changes]


def test_runs_of_two_reports_are_refused(keep: Keep) -> None:
    with pytest.raises(UsageError, match="no numbers in common"):
        compare_runs(keep("1", BEFORE), keep("2", replace(BEFORE, report="ab_test")))


def test_a_run_is_found_by_every_way_to_name_it(keep: Keep, tmp_path: Path) -> None:
    old, new, out = keep("2026a", BEFORE), keep("2026b", BEFORE), tmp_path / "reports"
    assert find_run("model_matrix", out) == new
    assert find_run("model_matrix~1", out) == old
    assert find_run("model_matrix/2026a", out) == old
    assert find_run("2026a", out) == old
    assert find_run(str(new), out) == new
    with pytest.raises(UsageError, match="has 2 runs, so there is none 2 before"):
        find_run("model_matrix~2", out)
    for name in ("ab_test", "", "../x", "model_matrix/other", "model_matrix~x"):
        with pytest.raises(UsageError, match="There are runs of model_matrix"):
            find_run(name, out)


def test_the_command(keep: Keep, tmp_path: Path) -> None:
    keep("1", BEFORE)
    keep(
        "2",
        replace(BEFORE, verdict=Verdict(Decision.NO_GO, "No."), data={**DATA, "models": DATA["models"][:1]}),
    )
    words = ["diff", "model_matrix~1", "model_matrix", "--out", str(tmp_path / "reports")]
    shown = CliRunner().invoke(cli, words, catch_exceptions=False)
    assert shown.exit_code == 0
    assert "model_matrix: NO_GO, was HOLD; 3 numbers changed" in shown.output
    assert "–" in shown.output
    assert CliRunner().invoke(cli, [*words, "--fail-on-change"], catch_exceptions=False).exit_code == 3
    csv = CliRunner().invoke(cli, [*words, "--csv"], catch_exceptions=False).output
    assert csv.splitlines()[0] == "part,what,before,after,relative"


def test_sources_are_told_by_their_report(keep: Keep) -> None:
    def sources(*states: str) -> dict[str, Any]:
        names = ("model_matrix", "ab_test")
        return {"sources": [{"report": n, "state": s} for n, s in zip(names, states, strict=True)]}

    found = compare_runs(
        keep("1", replace(BEFORE, data=sources("used", "missing"))),
        keep("2", replace(BEFORE, data=sources("used", "stale"))),
    )
    assert [c.what for c in found.changes] == ["sources[ab_test].state"]


def test_a_gate_that_moves_to_another_stage_is_the_same_gate(keep: Keep) -> None:
    old, new = ({"gates": [{"gate": "quality", "stage": stage}]} for stage in ("offline", "shadow"))
    found = compare_runs(keep("1", replace(BEFORE, data=old)), keep("2", replace(BEFORE, data=new)))
    assert [(c.what, c.before, c.after) for c in found.changes] == [
        ("gates[quality].stage", "offline", "shadow")
    ]


def test_an_input_of_unknown_rows_has_no_rows(keep: Keep) -> None:
    inputs = (InputFile("gates.toml", "0" * 64, None), InputFile("a.csv", "0" * 64, 1))
    found = compare_runs(keep("1", BEFORE), keep("2", replace(BEFORE, inputs=inputs)))
    assert [c.after for c in found.changes] == [None, "0" * 12, f"{'0' * 12}, 1 row"]


def test_long_texts_crowd_nothing_out_of_80_columns(keep: Keep, tmp_path: Path) -> None:
    keep("1", replace(BEFORE, verdict=Verdict(Decision.HOLD, "Too few. " * 60), data={"sha256": "a" * 64}))
    now = {"sha256": "b" * 64, "score": 0.25}
    keep("2", replace(BEFORE, verdict=Verdict(Decision.GO, "Enough. " * 20), data=now))
    words = ["diff", "model_matrix~1", "model_matrix", "--out", str(tmp_path / "reports")]
    lines = CliRunner().invoke(cli, words, catch_exceptions=False, env={"COLUMNS": "80"}).output.splitlines()
    assert max(map(len, lines)) <= 80
    starts = {line.split()[0] for line in lines[1:] if not line.startswith(" ")}
    assert {"what", "decision", "summary", "sha256", "score"} <= starts
    assert any(line.split()[-2:] == [f"{'a' * 12}…", f"{'b' * 12}…"] for line in lines)
    assert "0.25" in lines[-1]
