from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from llmbench.errors import BudgetExceededError, DatasetError, ReportError, UsageError
from llmbench.matrix import CellQuote, MatrixResults, Quote, Range
from llmbench.reporting import matrix_calls as calls
from llmbench.reporting import matrix_judging as judging
from llmbench.reporting import matrix_report
from llmbench.reporting import matrix_tables as show
from llmbench.reporting import matrix_variation as variation
from llmbench.reporting.display import table_html
from llmbench.reporting.wording import shorten
from llmbench.results import Decision

DEFAULTS: dict[str, Any] = {
    "dataset": "items.jsonl",
    "models": [],
    "prompts": [],
    "recorded_models": [
        {"name": "old", "answer_column": "old", "date": "2025-01-01", "cost_column": "cost"},
        {"name": "new", "answer_column": "new", "date": "2025-01-02"},
    ],
    "baseline": "",
    "margin": 0.03,
    "redact_columns": [],
    "results_path": "",
    "results_options": {},
    "grader": "",
    "judge": "",
    "judge_rubric": "",
    "judge_against": "",
    "judge_question": "",
    "labels": "",
    "parameter_sets": [],
    "batch": [],
    "confirmation": 0.5,
    "temperature": 0.0,
    "max_tokens": 16,
    "stop": [],
    "allow_unpriced": False,
    "repeats": 0,
    "where": {},
    "sample": 0,
    "limit": 0,
    "budget_usd": 1.0,
    "pilot": 0,
    "limits": {},
    "concurrency": 0,
    "max_answer_age_days": 0,
    "confidence": 0.95,
    "seed": 1,
    "id_column": "id",
    "prompt_column": "question",
    "expected_column": "expected",
    "category_column": "category",
    "cluster_column": "",
}


def _write_items(root: Path, n: int = 120, **columns: Any) -> None:
    """The old model is right on every second item, the new one on all but the first ten."""
    rows = [
        {
            "id": f"i{i}",
            "category": "even" if i % 2 == 0 else "odd",
            "question": f"What is {i}?",
            "expected": str(i),
            "old": str(i) if i % 2 == 0 else "<b>no</b>",
            "new": None if i == 0 else "no" if i < 10 else str(i),
            "cost": 0.002,
            **columns,
        }
        for i in range(n)
    ]
    (root / "items.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def _run(root: Path, **parameters: Any) -> MatrixResults:
    given = {**DEFAULTS, **parameters}
    with matrix_report.make_matrix(given, root) as matrix:
        return matrix_report.run_matrix(matrix, given, None)


@pytest.fixture
def results(project: Path) -> MatrixResults:
    _write_items(project)
    return _run(project)


def test_ranked_table_has_the_best_first_and_every_interval(results: MatrixResults) -> None:
    frame, shown, numbers = show.ranked_table(results)
    assert set(numbers) < set(shown.columns)
    assert shown["model [prompt]"].tolist() == ["new[recorded]", "old[recorded]"]
    assert shown["n"].tolist() == [119, 120]
    assert shown["missing"].tolist() == [1, 0]
    new, old = shown.to_dict("records")
    assert new["score"].startswith("92.4% (")  # 110 of 119
    assert old["score"] == "50.0% (41.2% to 58.8%)"  # Wilson, 60 of 120
    assert old["difference, points"] == "baseline"
    assert new["difference, points"].startswith("+")
    assert new["verdict"] == "better"
    assert new["p adjusted"] == "<0.001"
    assert new["$ per 1,000 calls"] == "unknown"  # never $0
    assert old["$ per 1,000 calls"] == "$2.00"
    assert new["latency p50, ms"] == "unknown"
    assert frame["score"].tolist() == pytest.approx([110 / 119, 0.5])


def test_figures_hold_the_numbers_of_the_results(results: MatrixResults) -> None:
    scores = show.score_figure(results)
    assert scores is not None
    assert scores.frame["label"].tolist() == ["new[recorded]", "old[recorded]"]
    assert scores.frame["highlight"].tolist() == [False, True]
    assert "read from the differences" in scores.caption
    differences = show.difference_figure(results)
    assert differences is not None
    (comparison,) = results.comparisons
    assert differences.frame["difference"].tolist() == [comparison.difference]
    assert differences.frame["mde"].tolist() == [comparison.mde]
    assert "paired" in differences.caption


def test_disagreements_show_both_answers_escaped(results: MatrixResults) -> None:
    table = show.disagreement_table(results, n=120)
    assert table is not None
    assert set(table.shown["right"]) == {"baseline", "candidate"}
    assert table.shown["item"].iloc[0].startswith("What is ")
    markup = table_html(table.shown)
    assert "&lt;b&gt;no&lt;/b&gt;" in markup
    assert "<b>" not in markup


def test_no_disagreement_is_no_table(project: Path) -> None:
    _write_items(project, new="x", old="x")
    assert show.disagreement_table(_run(project)) is None


def test_disagreements_of_repeats_say_how_many_draws_were_right(project: Path) -> None:
    scores = {"b": (1, 0), "c": (1, 1), "d": (0.5, 0)}
    rows = [f"i,{name},{k},{s},{name}{k}" for name, both in scores.items() for k, s in enumerate(both)]
    (project / "theirs.csv").write_text("item,model,repeat,score,answer\n" + "\n".join(rows[:4]))
    given = {**DEFAULTS, "results_path": "theirs.csv", "baseline": "b"}

    def shown() -> Any:
        results = matrix_report.run_matrix(matrix_report.make_matrix(given, project), given, None)
        table = show.disagreement_table(results)
        assert table is not None
        assert "asked more than once" in str(show.disagreement_sentence(results))
        return table.shown.iloc[0]

    row = shown()
    assert (row["baseline answer"], row["candidate answer"]) == ("b1", "c0")
    assert row["right"] == "candidate: 2 of 2 against 1 of 2"
    (project / "theirs.csv").write_text(
        "item,model,repeat,score,answer\n" + "\n".join([*rows[:2], *rows[4:]])
    )
    assert shown()["right"] == "baseline: 0.50 against 0.25"


def test_scores_without_answers_are_not_called_missing(project: Path) -> None:
    given = {**DEFAULTS, "results_path": "theirs.csv", "baseline": "b"}
    (project / "theirs.csv").write_text("item,model,score\ni,b,0\ni,c,1\n")
    results = matrix_report.run_matrix(matrix_report.make_matrix(given, project), given, None)
    assert show.disagreement_table(results) is None
    assert "scores and no answers" in str(show.disagreement_sentence(results))
    (project / "theirs.csv").write_text("item,model,score,answer\ni,b,0,\ni,c,1,yes\n")
    results = matrix_report.run_matrix(matrix_report.make_matrix(given, project), given, None)
    table = show.disagreement_table(results)
    assert table is not None
    assert table.shown["baseline answer"].tolist() == ["not in the file"]


def test_calls_say_why_an_answer_is_missing(results: MatrixResults) -> None:
    rows = calls.call_table(results).shown.set_index("cell")
    assert rows.loc["new[recorded]", "why missing"] == "1 x no answer was recorded ('new' is empty in line 1)"
    assert rows.loc["new[recorded]", "cost usd"] == "unknown"
    assert rows.loc["old[recorded]", "cost usd"] == "$0.24"
    assert calls.call_sentence(results).startswith("This run made 0 calls (0 retried, 0 failed)")


def test_score_text_is_small_and_stable(results: MatrixResults) -> None:
    lines = show.score_text(results).splitlines()
    assert len(lines) == 3
    assert lines[1].split() == ["new[recorded]", "119", "1", "92.4%", "+42.9", "better"]  # (110 - 59) of 119
    assert lines[2].split() == ["old[recorded]", "120", "0", "50.0%", "baseline"]


def test_envelope_fields_name_who_is_compared(results: MatrixResults) -> None:
    fields = matrix_report.envelope_fields(results, results.dataset)
    assert fields["verdict"].decision is Decision.GO
    assert (fields["baseline"], fields["candidate"]) == ("old[recorded]", "new[recorded]")
    assert fields["data_until"].startswith("2025-01-02")
    assert set(fields["data"]) == {
        "models", "comparisons", "calls", "frontier", "power", "missing", "quote", "judge",
        "confirmation", "missing_uneven", "reliability", "strengths", "labels",
    }  # fmt: skip


def test_workload_is_the_items_that_were_run(results: MatrixResults, project: Path) -> None:
    whole = matrix_report.envelope_fields(results, results.dataset)["workload_sha256"]
    again, fewer = _run(project), _run(project, limit=50)
    assert matrix_report.envelope_fields(again, again.dataset)["workload_sha256"] == whole
    assert matrix_report.envelope_fields(fewer, fewer.dataset)["workload_sha256"] != whole


def test_margin_sentence_states_margin_reason_and_confidence(results: MatrixResults) -> None:
    sentence = show.margin_sentence(results, "a person reads every answer")
    assert "at most 3 points below the baseline old[recorded], because a person reads" in sentence
    assert "Intervals are 95%" in sentence


def test_nothing_answered_is_an_error_with_the_reason(project: Path) -> None:
    _write_items(project, n=3, old=None, new=None)
    with pytest.raises(ReportError, match="None of 6 answers is there; most often: no answer was recorded"):
        _run(project)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"recorded_models": [{"name": "x"}]}, "each is a dict of name and answer_column"),
        ({"recorded_models": ["x"]}, "each is a dict of name and answer_column"),
        ({"recorded_models": [{"name": "x", "answer_column": "old", "price": 1}]}, "each is a dict"),
        ({"prompts": ["a/p.txt", "b/p.txt"]}, "names two files 'p'"),
        ({"prompts": [3]}, "holds 3; each is the path"),
    ],
)
def test_parameters_that_cannot_be_meant(project: Path, parameters: dict[str, Any], message: str) -> None:
    _write_items(project)
    with pytest.raises(UsageError, match=message):
        matrix_report.make_matrix({**DEFAULTS, **parameters}, project)


def test_a_quote_of_recorded_answers_needs_no_calls(project: Path) -> None:
    _write_items(project)
    with matrix_report.make_matrix(DEFAULTS, project) as matrix:
        frame, shown, numbers = calls.quote_table(matrix.quote())
        assert set(numbers) < set(shown.columns)
        assert calls.prompt_table(matrix_report.templates(matrix)) is None
        (items,) = matrix_report.input_files(matrix, DEFAULTS, project)
        assert (items.path, items.rows, items.sha256) == ("items.jsonl", 120, matrix.dataset.sha256)
    assert shown["to make"].tolist() == [0, 0]
    assert shown["usd"].tolist() == ["$0.00", "$0.00"]
    assert len(frame) == 2


@pytest.mark.parametrize("down", ["old", "new"])
def test_a_model_that_never_answered_is_shown_with_its_reason(project: Path, down: str) -> None:
    _write_items(project, **{down: None})
    results = _run(project)
    assert results.verdict().decision is Decision.HOLD
    assert show.difference_figure(results) is None
    scores = show.score_figure(results)
    assert scores is not None
    assert scores.frame["label"].tolist() == [f"{'new' if down == 'old' else 'old'}[recorded]"]
    text = calls.missing_text(results)
    assert text is not None
    role = ", the baseline," if down == "old" else ""
    assert text.startswith(f"{down}[recorded]{role} has none of 120 answers, so nothing")
    assert f"most often: no answer was recorded ('{down}' is empty in line" in text
    assert "call" not in text  # nothing was called
    ranked = show.ranked_table(results).shown.set_index("model [prompt]")
    assert ranked.loc[f"{down}[recorded]", "score"] == "unknown"
    assert ranked.loc[f"{down}[recorded]", "missing"] == 120
    assert show.disagreement_table(results) is None
    categories = variation.category_table(results)
    assert categories is not None
    assert categories.shown[f"{down}[recorded]"].tolist() == ["unknown, n 0"] * 2
    called = calls.call_table(results)
    table_html(called.shown, "", called.numbers)
    assert (
        f"x no answer was recorded ('{down}' is empty"
        in called.shown.set_index("cell").loc[f"{down}[recorded]", "why missing"]
    )
    assert "unknown" in show.score_text(results)
    assert matrix_report.envelope_fields(results, results.dataset)["verdict"].decision is Decision.HOLD


@pytest.mark.parametrize("name", ["id_column", "category_column", "cluster_column"])
def test_an_empty_column_is_none_whatever_the_data_have(project: Path, name: str) -> None:
    _write_items(project, cluster="one")
    results = _run(project, **{name: ""})
    role = name.removesuffix("_column")
    assert results.dataset.roles[role] is None
    assert results.verdict().decision is not None
    categories = variation.category_table(results)
    assert (categories is None) is (variation.category_figure(results) is None) is (role == "category")
    if categories is not None:
        table_html(categories.shown, "", categories.numbers)
    matrix_report.envelope_fields(results, results.dataset)


def test_without_a_column_of_right_answers_nothing_is_graded_by_one(project: Path) -> None:
    _write_items(project)
    with pytest.raises(DatasetError, match="has no expected answer, which grader 'exact' needs"):
        _run(project, expected_column="")


def test_what_is_missing_has_a_column_only_where_something_is(project: Path) -> None:
    _write_items(project, new="x")
    shown = show.ranked_table(_run(project)).shown
    assert "n" in shown
    assert "missing" not in shown


def test_every_model_answered_something_needs_no_words(results: MatrixResults) -> None:
    assert calls.missing_text(results) is None


def test_an_excerpt_can_be_written() -> None:
    assert shorten("a\n\ud800") == "a \\ud800"


def test_results_of_another_tool_make_the_report_without_a_call(project: Path) -> None:
    rows = [f"i{k},{model},{int(k % 2 == 0)}" for model in ("a", "b") for k in range(10)]
    (project / "theirs.csv").write_text("item,model,score\n" + "\n".join(rows))
    given = {**DEFAULTS, "results_path": "theirs.csv", "baseline": "b"}
    matrix = matrix_report.make_matrix(given, project)
    assert isinstance(matrix, matrix_report.ResultsOfOthers)
    assert matrix.quote().to_make == 0
    results = matrix_report.run_matrix(matrix, given, None)
    assert results.baseline == "b"
    assert [(file.path, file.rows) for file in matrix_report.input_files(matrix, given, project)] == [
        ("theirs.csv", None)
    ]
    assert matrix_report.templates(matrix) == {}
    assert judging.judge_sentence(results).startswith("The scores are those of the files that were read: ano")
    assert calls.call_sentence(results) == "No call was made: another tool wrote these results (theirs.csv)."
    shown = show.ranked_table(results).shown
    assert "$ per 1,000 calls" not in shown  # nothing is known of it for anybody
    assert matrix_report.envelope_fields(results, results.dataset)["spend"].quoted_usd == 0
    with pytest.raises(UsageError, match=r"'results_options' has wid; it takes category, columns"):
        matrix_report.make_matrix({**given, "results_options": {"wid": True}}, project)


class Asked(dict[str, Any]):
    """A dict that knows what was asked of it."""

    asked: set[str]

    def __init__(self, values: Any) -> None:
        super().__init__(values)
        self.asked = set()

    def __getitem__(self, name: str) -> Any:
        self.asked.add(name)
        return super().__getitem__(name)


def test_parameters_that_results_of_others_do_not_use(project: Path) -> None:
    _write_items(project)
    (project / "theirs.csv").write_text("item,model,score\na,m,1\n")
    given = Asked({**DEFAULTS, "results_path": "theirs.csv"})
    matrix = matrix_report.make_matrix(given, project)
    matrix_report.quote_matrix(matrix, given, None)
    matrix_report.run_matrix(matrix, given, None)
    matrix_report.input_files(matrix, given, project)
    unused = matrix_report.unused_parameters(given)
    assert not (given.asked - {"where"}) & unused
    assert {*DEFAULTS} - unused - given.asked == set()
    assert matrix_report.unused_parameters(DEFAULTS) == {"results_options"}


def test_of_many_cells_the_first_screen_has_the_best(project: Path) -> None:
    rows = [f"i{k},m{model:02d},{int(k < model)}" for model in range(20) for k in range(20)]
    (project / "theirs.csv").write_text("item,model,score\n" + "\n".join(rows))
    given = {**DEFAULTS, "results_path": "theirs.csv", "baseline": "m00"}
    results = matrix_report.run_matrix(matrix_report.make_matrix(given, project), given, None)
    table = show.ranked_table(results)
    assert table.shown["model [prompt]"].tolist() == [f"m{k:02d}" for k in range(19, 7, -1)] + ["m00"]
    assert len(table.frame) == len(show.ranked_table(results, most=None).shown) == 20
    told = show.more_sentence(results)
    assert told is not None
    assert told.startswith(
        "The 12 best and the baseline are shown, here and below; all 20 are in the appendix"
    )
    scores = show.score_figure(results)
    assert scores is not None
    assert len(scores.frame) == 13
    assert len(calls.call_table(results).shown) == 12


@pytest.mark.parametrize(
    ("expected", "batch", "stops"),
    [(0.9, [], False), (1.1, [], True), (1.1, ["openai"], False), (None, [], False)],
)
def test_a_run_that_is_too_dear_is_not_begun(expected: float | None, batch: list[str], stops: bool) -> None:
    cell = CellQuote(
        "m", 1, 0, 1, Range(1, 1, 1), Range(1, 1, 1), Range(0.1, expected, 9.0), "",
        batch_usd=Range(0.05, 0.55, 4.5) if expected else None,
    )  # fmt: skip
    given = {**DEFAULTS, "batch": batch}
    if not stops:
        matrix_report.stop_above_budget(Quote((cell,)), given)
        return
    with pytest.raises(
        BudgetExceededError, match=r"expected to cost \$1.10 \(\$0.10 to \$9.00\) and budget_usd is \$1"
    ):
        matrix_report.stop_above_budget(Quote((cell,)), given)


def test_a_filter_by_a_redacted_column_is_refused_before_the_file_is_read(project: Path) -> None:
    given = {**DEFAULTS, "where": {"email": ["u1@corp.example"]}, "redact_columns": ["email"]}
    with pytest.raises(
        UsageError, match=r"where filters by 'email', which redact_columns puts out of"
    ) as caught:
        matrix_report.make_matrix(given, project)
    assert "u1@corp" not in str(caught.value)


def test_answer_hides_the_columns_of_past_answers(project: Path) -> None:
    _write_items(project, old="a past answer")
    results = _run(project, redact_columns=["answer"])
    assert set(results.answers["answer"].dropna()) == {"[redacted]"}
    assert {item.fields["old"] for item in results.dataset.rows} == {"[redacted]"}
    assert {item.fields["new"] for item in results.dataset.rows} == {"[redacted]", None}
    assert results.dataset.rows[0].fields["question"] == "What is 0?"


def test_a_pilot_counts_in_the_budget() -> None:
    cell = CellQuote("m", 9, 0, 9, Range(1, 1, 1), Range(1, 1, 1), Range(0.1, 0.6, 9.0), "")
    matrix_report.stop_above_budget(Quote((cell,), pilot_usd=0.4), DEFAULTS)
    with pytest.raises(
        BudgetExceededError,
        match=r"\$0.60 \(\$0.10 to \$9.00\), beside \$0.41 of the pilot, and .* only the pilot was called",
    ):
        matrix_report.stop_above_budget(Quote((cell,), pilot_usd=0.41), DEFAULTS)


def test_of_many_reasons_the_most_frequent_are_told_and_the_rest_is_counted(project: Path) -> None:
    _write_items(project, new=None)
    results = _run(project)
    answers = results.answers.copy()
    mine = answers.index[answers["cell"] == "new[recorded]"]
    answers.loc[mine, "error"] = [f"reason {min(place // 40, 2) + place % 2}" for place in range(len(mine))]
    answers.loc[mine[-2:], "error"] = ["a rare one", "another rare one"]
    told = calls.call_table(dataclasses.replace(results, answers=answers)).shown.set_index("cell")
    why = told.loc["new[recorded]", "why missing"]
    assert why.count(";") == 3
    counts = [int(part.split(" x ")[0]) for part in why.split("; ")]
    assert sum(counts) == len(mine)
    assert why.endswith(" x another reason")
