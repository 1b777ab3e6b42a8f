from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from llmbench.errors import UsageError
from llmbench.ledger import Ledger
from llmbench.matrix import Dataset, Item, Matrix, MatrixResults, Pairwise, Rubric
from llmbench.matrix.graders import PerItem
from llmbench.matrix.labels import export_labels
from llmbench.providers.fake import FakeProvider
from llmbench.reporting import matrix_calls as calls
from llmbench.reporting import matrix_judging as judging
from llmbench.reporting import matrix_report
from llmbench.reporting import matrix_tables as show
from llmbench.reporting.display import table_html

PRICES = {name: {"input": 1, "output": 2} for name in "jxyz"}
Ask = Callable[..., MatrixResults]


def lenient(_answer: str, _item: Item) -> bool:
    return True


@pytest.fixture
def ask(tmp_path: Path) -> Ask:
    """Models x, y and z on 30 items; x is right always, y on even items, z never. The judge by default
    prefers what is right, and else what stands first.
    """

    def answers(name: str) -> Callable[..., str]:
        def answer(messages: Any, _params: Any) -> str:
            number = int(messages[-1]["content"].split()[-1])
            return str(number) if name == "x" or (name == "y" and number % 2 == 0) else "no"

        return answer

    def verdict(messages: Any, _params: Any) -> str:
        text = messages[-1]["content"]
        first, second = text.split("FIRST ANSWER")[1], text.split("SECOND ANSWER")[1]
        wrong = ("no" in first.split("SECOND ANSWER")[0], "no" in second)
        return json.dumps({"winner": "second" if wrong == (True, False) else "first"})

    def run(grader: Any = None, reply: Any = verdict, models: str = "xyz") -> MatrixResults:
        path = tmp_path / "items.jsonl"
        rows = [{"id": f"i{k}", "prompt": f"word {k}", "expected": str(k), "by": "exact"} for k in range(30)]
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        with Ledger(tmp_path / "l.db") as ledger:
            return Matrix(
                Dataset.load(path), [f"{name}/{name}" for name in models], ledger=ledger, grader=grader,
                providers={
                    name: FakeProvider(script, prices=PRICES, ledger=ledger, max_attempts=1)
                    for name, script in [("judges", reply), *((name, answers(name)) for name in models)]
                },
            ).run()  # fmt: skip

    return run


def test_without_a_judge_there_is_a_sentence(ask: Ask) -> None:
    results = ask()
    assert judging.judge_table(results) is None
    assert judging.strength_table(results) is None
    told = "No model judged: scores are by the rule of the grader 'exact', the same for everybody."
    assert judging.judge_sentence(results) == told
    assert "the grader 'contains', " in judging.judge_sentence(ask("contains"))
    assert "the grader 'lenient', " in judging.judge_sentence(ask(lenient))
    assert "the grader that the data name for each item, " in judging.judge_sentence(ask(PerItem("by")))
    assert "llmbench label export" in judging.label_sentence(None, results)


def test_pairs_show_where_the_judge_leans(ask: Ask) -> None:
    results = ask(Pairwise("judges/j", "y/y"))
    assert results.judging is not None
    text = judging.judge_sentence(results)
    assert "judges/j judged in pairs against y/y[prompt], in both orders: " in text
    assert f"{results.judging.asked:,} calls, 0 without a verdict" in text
    table = judging.judge_table(results)
    assert table is not None
    rows = table.shown.set_index("measure")
    assert rows.loc["the answer shown first is preferred", "without a leaning"] == "50%"
    assert rows.loc["the answer shown first is preferred", "found"].startswith("50.0% (")
    assert rows.loc["both orders agree", "found"] == "100.0%"
    table_html(table.shown, "", table.numbers)


def test_strengths_count_wins_over_both_orders(ask: Ask) -> None:
    table = judging.strength_table(ask(Pairwise("judges/j", "y/y")))
    assert table is not None
    rows = table.shown.set_index("cell")
    # x and y give the same answer to even items, a tie nobody is asked about.
    assert rows.loc["x/x[prompt]", ["wins", "ties", "losses"]].tolist() == [15, 15, 0]
    assert rows.loc["z/z[prompt]", ["wins", "ties", "losses"]].tolist() == [0, 15, 15]
    assert rows.loc["x/x[prompt]", "log strength"].startswith("+1.10 (")  # logit of 3/4
    assert judging.strength_table(ask(Pairwise("judges/j", "y/y"), models="xy")) is None


def test_a_rubric_is_checked_against_length(ask: Ask) -> None:
    results = ask(Rubric("judges/j", "Right."), reply=lambda *_: '{"score": 4}')
    table = judging.judge_table(results)
    assert table is not None
    assert table.shown["measure"].tolist() == ["rank correlation of score and length"]
    assert table.shown["found"].tolist() == ["unknown"]  # every score is the same
    assert "judged by a rubric: 90 calls" in judging.judge_sentence(results)


def test_verdicts_that_a_judge_did_not_give_are_seen(ask: Ask) -> None:
    def reply(messages: Any, _params: Any) -> str:
        return "I would say four" if "\nno\n" in messages[-1]["content"] else '{"score": 4}'

    results = ask(Rubric("judges/j", "Right."), reply=reply)
    rows = show.ranked_table(results).shown.set_index("model [prompt]")
    assert rows["no score"].to_dict() == {"x/x[prompt]": 0, "y/y[prompt]": 15, "z/z[prompt]": 30}
    assert results.ranking().set_index("cell")["ungraded"].to_dict() == rows["no score"].to_dict()
    called = calls.call_table(results).shown.set_index("cell")
    why = "15 x not judged: the judge's reply is no verdict"
    assert called.loc["y/y[prompt]", "why no score"] == why
    data = results.data()
    assert {each["model"]: each["ungraded"] for each in data["models"]} == {"x/x": 0, "y/y": 15, "z/z": 30}
    assert data["missing"][0] == {"model": "z/z", "error": why[5:], "answers": 30}
    assert {each["candidate"] for each in data["missing_uneven"]} == {"y/y[prompt]", "z/z[prompt]"}


def _fill(sheet: Path, results: MatrixResults, rate: Callable[[str], str]) -> None:
    rows = list(csv.DictReader(sheet.read_text().splitlines()))
    for row in rows:
        row["rating_1"] = rate(row["answer"])
    with sheet.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def test_labels_correct_the_grader(ask: Ask, tmp_path: Path) -> None:
    results = ask()
    sheet = tmp_path / "labels.csv"
    export_labels(results.answers, sheet, n=60)
    _fill(sheet, results, lambda answer: "0" if answer == "no" else "1")
    labels = judging.read_labels("labels.csv", tmp_path, results)
    assert labels is not None
    sentence = judging.label_sentence(labels, results)
    assert sentence.startswith("60 labels by people, 0 rows left empty. Agreement of the grader with people")
    assert (
        "kappa): 1.00. Under 50 labels a corrected interval tends to be too narrow; so few have " in sentence
    )
    table = judging.label_table(labels, results)
    assert table is not None
    rows = table.frame.set_index("cell")
    assert rows["labels"].sum() == 60
    assert rows.loc["y/y[prompt]", "people"] == rows.loc["y/y[prompt]", "grader_there"]  # it never errs
    assert rows.loc["y/y[prompt]", "corrected"] == pytest.approx(0.5, abs=0.1)
    shown = table.shown.set_index("cell")
    assert shown.loc["x/x[prompt]", "grader, all"] == "100.0%"
    assert shown.loc["x/x[prompt]", "difference corrected, points"] == "baseline"
    assert rows.loc["z/z[prompt]", "difference"] == -1
    assert -1 <= rows.loc["z/z[prompt]", "difference_low"] < -0.8
    assert -0.9 < rows.loc["z/z[prompt]", "difference_high"] < -0.6  # all alike is not certain
    assert (rows["low"] >= 0).all()
    assert (rows["high"] <= 1).all()
    assert shown.loc["y/y[prompt]", "kappa"] == "1.00"
    data = matrix_report.envelope_fields(results, results.dataset, labels)["data"]
    json.dumps(data["labels"], allow_nan=False)
    assert data["labels"]["grader_kappa"] == 1
    assert [each["cell"] for each in data["labels"]["cells"]] == list(rows.index)
    assert matrix_report.envelope_fields(results, results.dataset)["data"]["labels"] is None


def test_a_judge_is_held_against_people_and_against_itself(ask: Ask, tmp_path: Path) -> None:
    results = ask(Pairwise("judges/j", "y/y"))
    export_labels(results.answers, tmp_path / "labels.csv", n=40)
    _fill(tmp_path / "labels.csv", results, lambda answer: "0" if answer == "no" else "1")
    labels = judging.read_labels("labels.csv", tmp_path, results)
    table = judging.judge_table(results, labels)
    assert table is not None
    rows = table.shown.set_index("measure")["found"]
    assert rows["both orders agree, kappa"] == "1.00"
    assert rows["agreement with people, kappa"] == "unknown"  # a tie is no grade of people's scale
    data = matrix_report.envelope_fields(results, results.dataset, labels)["data"]["judge"]
    assert (data["orders_kappa"], data["kappa_people"]) == (1, None)
    first = ask(Pairwise("judges/j", "y/y", "Best."), reply=lambda *_: '{"winner": "first"}')
    assert first.judging is not None
    assert first.judging.orders_kappa is not None
    assert first.judging.orders_kappa <= 0
    rubric = ask(Rubric("judges/j", "Right.", scale=(0, 1)), reply=_right)
    export_labels(rubric.answers, tmp_path / "again.csv", n=40)
    _fill(tmp_path / "again.csv", rubric, lambda answer: "0" if answer == "no" else "1")
    labels = judging.read_labels("again.csv", tmp_path, rubric)
    table = judging.judge_table(rubric, labels)
    assert table is not None
    assert table.shown.set_index("measure").loc["agreement with people, kappa", "found"] == "1.00"


def _right(messages: Any, _params: Any) -> str:
    return json.dumps({"score": int("\nno\n" not in messages[-1]["content"])})


def test_a_sheet_of_a_part_of_the_answers_is_told(ask: Ask, tmp_path: Path) -> None:
    results = ask()
    export_labels(results.answers.head(50), tmp_path / "labels.csv", n=10)
    labels = judging.read_labels("labels.csv", tmp_path, results)
    assert "drawn from 50 of the 90 answers" in judging.label_sentence(labels, results)


def test_strengths_say_whom_they_are_against(ask: Ask) -> None:
    sentence = judging.strength_sentence(ask(Pairwise("judges/j", "y/y")))
    assert sentence is not None
    assert "met y/y[prompt] only" in sentence
    assert judging.strength_sentence(ask()) is None


def test_labels_of_answers_that_are_graded_otherwise_now(ask: Ask, tmp_path: Path) -> None:
    results = ask()
    before = results.answers.assign(score=1.0)
    export_labels(before, tmp_path / "labels.csv", n=10)
    labels = judging.read_labels("labels.csv", tmp_path, results)
    assert labels is not None
    assert "45 answers of the sheet have another score now" in judging.label_sentence(labels, results)
    assert judging.label_table(labels, results) is None  # nobody filled it in


def test_a_sheet_of_another_matrix_is_refused(ask: Ask, tmp_path: Path) -> None:
    export_labels(ask().answers, tmp_path / "labels.csv", n=10)
    with pytest.raises(UsageError, match=r"sheet of another matrix: it has answers of z/z\[prompt\]"):
        judging.read_labels("labels.csv", tmp_path, ask(models="xy"))
    assert judging.read_labels("", tmp_path, ask()) is None
