from __future__ import annotations

import csv
import json
import math
from pathlib import Path

import pandas as pd
import pytest

from llmbench import Matrix
from llmbench.errors import DatasetError, UsageError
from llmbench.stats import mean_and_standard_error

PREFERENCES = Path(__file__).resolve().parents[4] / "shared" / "validation" / "preferences"

LONG = """item,model,score,category,cost_usd,latency_ms,answer
a,old,1,x,0.001,100,yes
b,old,0,y,0.001,200,no
a,new,1,x,,300,yes
b,new,,y,,,
"""


def write(tmp_path: Path, text: str, name: str = "results.csv") -> Path:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_table_of_answers(tmp_path: Path) -> None:
    results = Matrix.from_results(write(tmp_path, LONG))
    assert [cell.cell for cell in results.cells] == ["old", "new"]
    assert results.baseline == "old"
    old, new = results.cells
    assert (old.n, old.missing, old.score, old.cost_usd) == (2, 0, 0.5, pytest.approx(0.002))
    assert (new.n, new.missing, new.score, new.cost_usd) == (1, 1, 1.0, None)  # no silent $0
    assert results.comparisons[0].n == 1
    assert results.missing() == [{"model": "new", "error": "no score", "answers": 1}]
    assert [item.category for item in results.dataset.rows] == ["x", "y"]
    assert results.calls.made == results.quote.to_make == 0


def test_parquet_jsonl_xlsx_and_tabs_say_the_same(tmp_path: Path) -> None:
    first = Matrix.from_results(write(tmp_path, LONG)).ranking()
    frame = pd.read_csv(tmp_path / "results.csv")
    frame.to_parquet(tmp_path / "r.parquet")
    frame.to_json(tmp_path / "r.jsonl", orient="records", lines=True)
    frame.to_excel(tmp_path / "r.xlsx", index=False)
    frame.to_csv(tmp_path / "r.tsv", sep="\t", index=False)
    for name in ("r.parquet", "r.jsonl", "r.xlsx", "r.tsv"):
        pd.testing.assert_frame_equal(Matrix.from_results(tmp_path / name).ranking(), first)


def test_rows_that_are_not_there_are_missing(tmp_path: Path) -> None:
    text = "item,model,score\na,old,1\nb,old,0\nc,old,1\nb,new,1\n"
    results = Matrix.from_results(write(tmp_path, text))
    assert results.cell("new").missing == 2
    assert results.missing()[0] == {"model": "new", "error": "not in results.csv", "answers": 2}
    assert results.answers[results.answers["cell"] == "new"]["item_id"].tolist() == ["a", "b", "c"]


def test_prompts_and_repeats_make_cells_and_draws(tmp_path: Path) -> None:
    rows = [
        f"{item},m,{prompt},{repeat},{int(item == 'a' or repeat == 0)}"
        for prompt in ("short", "long")
        for item in "ab"
        for repeat in range(2)
    ]
    results = Matrix.from_results(write(tmp_path, "item,model,prompt,repeat,score\n" + "\n".join(rows)))
    assert [cell.cell for cell in results.cells] == ["m[short]", "m[long]"]
    assert [cell.score for cell in results.cells] == [0.75, 0.75]
    assert results.reliability()[0].pass_hat_k == 0.5


def test_columns_by_other_names_and_a_scale(tmp_path: Path) -> None:
    text = "id;wer;note_5\n1;m;5\n2;m;1\n3;m;3\n"
    results = Matrix.from_results(
        write(tmp_path, text),
        columns={"item": "id", "model": "wer", "score": "note_5"},
        score_scale=(1, 5),
    )
    assert results.answers["score"].tolist() == [1.0, 0.0, 0.5]


def test_wide_is_a_column_a_model(tmp_path: Path) -> None:
    text = "id,length,a,b\n1,10,1.0,2.0\n2,20,,1.5\n3,30,0,1.0\n"
    results = Matrix.from_results(
        write(tmp_path, text), wide=True, columns={"item": "id"}, ignore=["length"], score_scale=(1, 2), tie=0
    )
    scores = results.answers.pivot(index="item_id", columns="cell", values="score")
    assert scores["a"].tolist()[0] == 0
    assert math.isnan(scores["a"].tolist()[1])
    assert scores["a"].tolist()[2] == 0.5
    assert scores["b"].tolist() == [1, 0.5, 0]


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("item,model\na,m\n", {}, r"results.csv has no column score; it has item, model"),
        ("item,model,score\n,m,1\n", {}, r"results.csv:2: has no item"),
        ("item,model,score\na,m,1\nb,m,good\n", {}, r"results.csv:3: score is 'good', which is no number"),
        ("item,model,score\na,m,2\n", {}, r"results.csv:2: the score 2 is off the scale from 0 to 1"),
        ("item,model,score\na,m,inf\n", {}, r"off the scale"),
        ("item,model,score\na,m,1\na,m,0\n", {}, r":3: m has a second result for item 'a' \(see"),
        ("item,model,score,repeat\na,m,1,0.5\n", {}, r":2: repeat must be a whole number from 0"),
        ("item,model,score,cost_usd\na,m,1,-1\n", {}, r":2: has a cost_usd below 0"),
        ("item,model,score,error\na,m,0,timeout\n", {}, r":2: has both an error and a score"),
        ("item,model,score,category\na,m,0,x\na,n,1,y\n", {}, r":3: item 'a' has the category 'y' here"),
        (
            "item,model,score,repeat\na,m,1,0\na,m,1,20000000\n",
            {},
            r"results.csv:3: repeat is 20,000,000, and m has 2 rows in all; count the draws",
        ),
        ("item,model,score,repeat\na,m,1,2\na,m,1,3\n", {}, r"csv:2: the lowest repeat of m is 2;"),
        ("item,model,score,repeat\na,m,1,1e300\n", {}, r"csv:2: repeat must be a whole number from 0"),
        ("item,model,score\n", {}, r"has no rows"),
        ("", {}, r"is empty"),
        ("item,model,score\na,m,1\n", {"columns": {"item": "name"}}, r"has no column name; it has item"),
        ("item,model,score\na,m,1\n", {"ignore": ["x"]}, r"has no column x"),
        ('item,model,score\na,m,1\n"', {}, r"cannot be read as a table after line 2: .* unclosed quote"),
        (
            "item,model,score\na,m,1,\nb,m,1,\n",
            {},
            r":2: has 4 cells where the header has 3 \(it ends with one ',' more: take it away.*:3: has 4",
        ),
        ("item,model,score\nx1,a,m,1\n", {}, r":2: has 4 cells where the header has 3 \(a cell that holds"),
        ("item,model,score\na,m,1\n\nb,m\n", {}, r"results.csv:4: has 2 cells where the header has 3"),
        ("item,model,score,score \na,m,1,0\n", {}, r"has several columns named 'score'"),
        ("item,model,score\na,  ,1\n", {}, r"results.csv:2: has no model"),
    ],
)  # fmt: skip
def test_what_a_table_must_not_hold(
    tmp_path: Path, text: str, options: dict[str, object], message: str
) -> None:
    with pytest.raises(DatasetError, match=message):
        Matrix.from_results(write(tmp_path, text), **options)  # type: ignore[arg-type]


def test_parameters_that_cannot_be_meant(tmp_path: Path) -> None:
    path = write(tmp_path, LONG)
    with pytest.raises(UsageError, match=r"baseline 'nwe' is not one of old, new. Did you mean 'new'"):
        Matrix.from_results(path, baseline="nwe")
    with pytest.raises(UsageError, match="columns names itme"):
        Matrix.from_results(path, columns={"itme": "x"})
    with pytest.raises(UsageError, match="score_scale is"):
        Matrix.from_results(path, score_scale=(1, 1))
    with pytest.raises(DatasetError, match=r"No results at .*nothing.csv"):
        Matrix.from_results(tmp_path / "nothing.csv")
    with pytest.raises(DatasetError, match=r"neither a log of Inspect nor results of promptfoo"):
        Matrix.from_results(write(tmp_path, "{}", "x.json"))


def test_a_name_that_cannot_be_written(tmp_path: Path) -> None:
    path = write(tmp_path, '{"item": "\\ud83d", "model": "m", "score": 1}\n', "r.jsonl")
    with pytest.raises(DatasetError, match=r"r.jsonl:1: its item is no Unicode text"):
        Matrix.from_results(path)


def test_several_files_are_one_matrix(tmp_path: Path) -> None:
    write(tmp_path, "item,score\na,1\nb,0\n", "one.csv")
    write(tmp_path, "item,model,score\na,new,1\nb,new,1\n", "two.csv")
    with pytest.raises(DatasetError, match=r"one.csv has no column model"):
        Matrix.from_results([tmp_path / "one.csv", tmp_path / "two.csv"])
    write(tmp_path, "item,model,score\na,old,1\nb,old,0\n", "one.csv")
    for given in (tmp_path, str(tmp_path / "*.csv"), [tmp_path / "one.csv", tmp_path / "two.csv"]):
        results = Matrix.from_results(given)  # type: ignore[arg-type]
        assert [cell.cell for cell in results.cells] == ["old", "new"]
        assert [path.name for path in results.sources] == ["one.csv", "two.csv"]


def test_names_that_look_like_nothing_are_names(tmp_path: Path) -> None:
    results = Matrix.from_results(write(tmp_path, "item,model,score\n007,NA,1\nnull,NA,0\n"))
    assert [item.id for item in results.dataset.rows] == ["007", "null"]
    assert results.cells[0].cell == "NA"


def test_hostile_texts_are_kept_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "h.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["item", "model", "score", "answer"])
        writer.writerow(["<script>", "=cmd()", "1", "a\nb\u202e</script>" + "x" * 200_000])
    results = Matrix.from_results(path)
    assert results.answers["answer"][0].startswith("a\nb\u202e")
    assert "<script>" not in results._repr_html_()


@pytest.mark.skipif(not PREFERENCES.is_dir(), reason="needs the published preferences of AlpacaEval")
def test_published_win_rates_and_standard_errors() -> None:
    results = Matrix.from_results(
        PREFERENCES / "ae2_preference_wide.csv",
        wide=True, columns={"item": "instruction_id", "category": "dataset"}, ignore=["baseline_len"],
        score_scale=(1, 2), tie=0, baseline="gpt4_1106_preview",
    )  # fmt: skip
    board = pd.read_csv(PREFERENCES / "weighted_alpaca_eval_gpt4_turbo_leaderboard.csv", index_col=0)
    found = 0
    for model, rows in results.answers.groupby("cell"):
        if model in board.index:
            mean, error = mean_and_standard_error(rows["score"].dropna().to_numpy())
            assert 100 * mean == pytest.approx(board.loc[model, "win_rate"], abs=1e-6)
            assert 100 * error == pytest.approx(board.loc[model, "standard_error"], abs=1e-6)
            found += 1
    assert found == 57


def test_the_line_that_readers_add_is_no_column_of_the_file(tmp_path: Path) -> None:
    path = write(tmp_path, "id,m\n1,0\n2,1\n")
    with pytest.raises(DatasetError, match=r"has no column line; it has id, m\.$"):
        Matrix.from_results(path, wide=True, columns={"item": "id"}, ignore=["line"])


def test_of_very_many_columns_the_first_are_told(tmp_path: Path) -> None:
    names = [f"m{number}" for number in range(60)]
    path = write(tmp_path, f"{','.join(names)}\n{','.join('1' for _ in names)}\n")
    with pytest.raises(DatasetError, match=r"has no column item; it has m0, .*, m9 and 50 more\."):
        Matrix.from_results(path, wide=True)


def test_an_end_comma_in_header_and_rows_and_blanks_around_names(tmp_path: Path) -> None:
    path = write(tmp_path, "model , item, score,\na,q0,1,\n\nb,q0,0,\n\n")
    results = Matrix.from_results(path)
    assert [(cell.cell, cell.score) for cell in results.cells] == [("a", 1.0), ("b", 0.0)]
    assert results.quote.warnings == ()


def test_a_quoted_text_over_lines_keeps_the_lines_of_the_file(tmp_path: Path) -> None:
    path = write(tmp_path, 'item,model,score,answer\na,m,1,"two\nlines"\nb,m,good,x\n')
    with pytest.raises(DatasetError, match=r"results.csv:4: score is 'good'"):
        Matrix.from_results(path)


def test_columns_of_parquet_are_there_once(tmp_path: Path) -> None:
    frame = pd.DataFrame([["a", "m", 1, 0]], columns=["item", "model", "score", "score "])
    frame.to_parquet(tmp_path / "r.parquet")
    with pytest.raises(DatasetError, match=r"r.parquet has several columns named 'score'"):
        Matrix.from_results(tmp_path / "r.parquet")


def test_draws_may_be_counted_from_one(tmp_path: Path) -> None:
    rows = [f"{item},{model},1,{draw}" for item in "xy" for model in "ab" for draw in (1, 2, 3)]
    results = Matrix.from_results(write(tmp_path, "item,model,score,repeat\n" + "\n".join(rows)))
    assert [(cell.n, cell.missing) for cell in results.cells] == [(2, 0), (2, 0)]
    assert results.answers["repeat"].tolist() == [0, 1, 2] * 4
    assert "results.csv: repeat counts from 1 (of a, b)" in results.quote.warnings
    # Of one item the first draw is not there, of the other it is: they count from 0.
    rows = ["x,a,1,0", "x,a,1,1", "y,a,1,1"]
    results = Matrix.from_results(write(tmp_path, "item,model,score,repeat\n" + "\n".join(rows)))
    assert results.missing() == [{"model": "a", "error": "not in results.csv", "answers": 1}]


def test_a_matrix_with_nearly_nothing_in_it_is_refused(tmp_path: Path) -> None:
    rows = [f"item-{k},model-{k},1" for k in range(4_000)]
    with pytest.raises(
        DatasetError, match=r"4,000 models and prompts by 4,000 items.* are 16,000,000 answers"
    ):
        Matrix.from_results(write(tmp_path, "item,model,score\n" + "\n".join(rows)))


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"item": {"x": 1}}, r"r.jsonl:2: its item is a list or an object; write a text"),
        ({"model": ["m"]}, r"r.jsonl:2: its model is a list or an object"),
        ({"category": {"a": 1}}, r"r.jsonl:2: its category is a list or an object"),
        ({"score": [1]}, r"r.jsonl:2: score is \[1\], which is no number"),
        ({"score": {"a": 1}}, r"r.jsonl:2: score is \{'a': 1\}, which is no number"),
        ({"cost_usd": 10**400}, r"r.jsonl:2: has a cost_usd below 0 or without an end"),
        ({"repeat": [0]}, r"r.jsonl:2: repeat is \[0\], which is no number"),
    ],
)
def test_cells_that_are_lists_or_objects(tmp_path: Path, row: dict[str, object], message: str) -> None:
    lines = [{"item": "a", "model": "m", "score": 1}, {"item": "b", "model": "m", "score": 1, **row}]
    path = write(tmp_path, "".join(json.dumps(line) + "\n" for line in lines), "r.jsonl")
    with pytest.raises(DatasetError, match=message):
        Matrix.from_results(path)


def test_answers_that_are_no_texts_become_texts(tmp_path: Path) -> None:
    lines = [
        {"item": 1, "model": "m", "score": True, "answer": {"a": 1}, "question": ["q"], "expected": 2},
        {"item": 2, "model": "m", "score": "0.5", "answer": 42, "note": False},
    ]
    path = write(tmp_path, "".join(json.dumps(line) + "\n" for line in lines), "r.jsonl")
    results = Matrix.from_results(path)
    assert results.answers["answer"].tolist() == ['{"a": 1}', "42"]
    assert results.answers["score"].tolist() == [1.0, 0.5]
    assert results.dataset.rows[0].expected == "2"


def test_only_the_cells_that_are_named_are_looked_at(tmp_path: Path) -> None:
    path = tmp_path / "results.csv"
    rows = [f"{i},{model},p,{int(i % 3 == j)}" for j, model in enumerate("abc") for i in range(6)]
    path.write_text("item,model,prompt,score\n" + "\n".join(rows) + "\n")
    results = Matrix.from_results(path, cells=["c[p]", "a[p]"], baseline="c[p]")
    assert [cell.cell for cell in results.cells] == ["a[p]", "c[p]"]
    assert len(results.comparisons) == 1
    with pytest.raises(UsageError, match=r"no cell 'd\[p\]' in these results"):
        Matrix.from_results(path, cells=["d[p]"])


def test_when_it_was_answered_and_whether_anybody_did(tmp_path: Path) -> None:
    text = (
        "item,model,score,answered_at,simulated\n"
        "a,old,1,2025-03-28T09:00:00+01:00,true\n"
        "a,new,1,2025-03-27T09:00:00Z,true\n"
    )
    results = Matrix.from_results(write(tmp_path, text))
    assert results.data_until == "2025-03-28T08:00:00+00:00"
    assert results.simulated
    assert results.verdict().summary.startswith("Simulated data: ")
    assert results.data()["simulated"] is True
    real = Matrix.from_results(write(tmp_path, LONG))
    assert (real.data_until, real.simulated, "simulated" in real.data()) == (None, False, False)


@pytest.mark.parametrize("when", ["yesterday", "2025-03-28T09:00:00"])
def test_an_answer_of_no_known_instant_is_refused(tmp_path: Path, when: str) -> None:
    text = f"item,model,score,answered_at\na,old,1,\nb,old,1,{when}\n"
    with pytest.raises(DatasetError, match=rf"results\.csv:3: answered_at is '{when}'; write an ISO instant"):
        Matrix.from_results(write(tmp_path, text))
