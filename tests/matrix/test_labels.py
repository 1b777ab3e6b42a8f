from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd
import pytest

from llmbench.errors import DatasetError, UsageError
from llmbench.matrix.labels import check_questions, export_labels, import_labels, key_path
from llmbench.stats import cohen_kappa, prediction_powered_mean

HOSTILE = '=HYPERLINK("http://evil.test","click")'
Fill = Callable[[list[dict[str, Any]]], list[dict[str, Any]]]


def answers(n: int = 20, text: str = "answer") -> pd.DataFrame:
    return pd.DataFrame(
        {
            "item_id": [f"i{k}" for k in range(n)],
            "cell": ["a/m[p]"] * n,
            "repeat": 0,
            "question": "q?",
            "expected": "right",
            "answer": [f"{text} {k}" for k in range(n)],
            "score": [k % 2 for k in range(n)],
        }
    )


def read(path: Path) -> list[dict[str, Any]]:
    if path.suffix == ".csv":
        with path.open(encoding="utf-8-sig", newline="") as file:
            return list(csv.DictReader(file))
    head, *rows = openpyxl.load_workbook(path)["labels"].iter_rows(values_only=True)
    return [dict(zip(map(str, head), row, strict=True)) for row in rows]


def fill(path: Path, change: Fill) -> None:
    rows = change(read(path))
    if path.suffix == ".csv":
        pd.DataFrame(rows).to_csv(path, index=False)
    else:
        pd.DataFrame(rows).to_excel(path, index=False)


def rate(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """1 for an odd number, by every rater."""
    return [
        {k: int(row["answer"].split()[-1]) % 2 if k.startswith("rating") else v for k, v in row.items()}
        for row in rows
    ]


@pytest.mark.parametrize("suffix", [".csv", ".xlsx"])
def test_labels_go_out_blinded_and_come_back(tmp_path: Path, suffix: str) -> None:
    sheet = tmp_path / f"labels{suffix}"
    assert export_labels(answers(), sheet, n=8, seed=1) == 8
    rows = read(sheet)
    assert list(rows[0]) == ["row", "question", "expected", "answer", "rating_1", "comment"]
    assert "a/m" not in str(rows)
    assert [row["answer"] for row in rows] != sorted(row["answer"] for row in rows)
    fill(sheet, rate)
    found = import_labels(sheet)
    assert len(found.table) == 8
    assert list(found.table["label"]) == list(found.table["judge"])
    assert set(found.table["probability"]) == {0.4}
    assert found.judged["sampled"].sum() == 8
    assert len(found.judged) == 20
    assert found.blank == 0
    assert found.kappa is None


def test_a_seed_draws_the_same_answers(tmp_path: Path) -> None:
    drawn = []
    for name in "ab":
        export_labels(answers(), tmp_path / f"{name}.csv", n=5, seed=7)
        drawn.append([row["answer"] for row in read(tmp_path / f"{name}.csv")])
    assert drawn[0] == drawn[1]
    key = json.loads(key_path(tmp_path / "a.csv").read_text())
    assert key["seed"] == 7


@pytest.mark.parametrize("suffix", [".csv", ".xlsx"])
def test_an_answer_is_never_a_formula(tmp_path: Path, suffix: str) -> None:
    sheet = tmp_path / f"labels{suffix}"
    export_labels(answers(2, HOSTILE), sheet, n=2)
    assert all(row["answer"].startswith("'=") for row in read(sheet))
    if suffix == ".xlsx":
        cells = [cell for row in openpyxl.load_workbook(sheet)["labels"] for cell in row]
        assert not any(cell.data_type == "f" for cell in cells)
    # An apostrophe that a spreadsheet has swallowed is no change.
    taken = "'" if suffix == ".csv" else ""
    fill(sheet, lambda rows: [{**row, "answer": row["answer"].lstrip(taken), "rating_1": 1} for row in rows])
    assert list(import_labels(sheet).table["label"]) == [1.0, 1.0]


def test_a_lone_carriage_return_begins_no_row(tmp_path: Path) -> None:
    sheet = tmp_path / "labels.csv"
    export_labels(answers(2, "yes\r=1+1"), sheet, n=2)
    assert {row["answer"] for row in read(sheet)} == {"yes\n=1+1 0", "yes\n=1+1 1"}
    assert b"\r" not in sheet.read_bytes()


def test_what_no_sheet_can_hold_is_written_all_the_same(tmp_path: Path) -> None:
    given = answers(1)
    given["answer"] = pd.Series(["\x00\ud800" + "x" * 40_000], dtype=object)
    export_labels(given, tmp_path / "labels.xlsx", n=1)
    (row,) = read(tmp_path / "labels.xlsx")
    assert row["answer"].endswith("[cut here]")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda rows: rows[1:], "lacks the row"),
        (lambda rows: [*rows, rows[0]], "is there twice"),
        (lambda rows: [*rows, {**rows[0], "row": "r0"}], "is not of this sheet"),
        (lambda rows: [{**rows[0], "answer": "better"}, *rows[1:]], "was changed"),
        (lambda rows: [{**rows[0], "rating_1": 2}, *rows[1:]], "not a whole number from 0 to 1"),
        (lambda rows: [{**rows[0], "rating_1": 0.5}, *rows[1:]], "not a whole number"),
        (lambda rows: [{**rows[0], "rating_1": "good"}, *rows[1:]], "not a whole number"),
        (lambda rows: [{k: v for k, v in r.items() if k != "rating_1"} for r in rows], "no column rating_1"),
    ],
)
def test_a_spoilt_sheet_is_refused_with_a_sentence(tmp_path: Path, change: Fill, said: str) -> None:
    sheet = tmp_path / "labels.csv"
    export_labels(answers(), sheet, n=4)
    fill(sheet, lambda rows: change(rate(rows)))
    with pytest.raises(DatasetError, match=said):
        import_labels(sheet)


def test_an_empty_rating_is_no_label(tmp_path: Path) -> None:
    sheet = tmp_path / "labels.csv"
    export_labels(answers(), sheet, n=4, scale=(1, 5))
    fill(sheet, lambda rows: [{**row, "rating_1": 4 if k else None} for k, row in enumerate(rows)])
    found = import_labels(sheet)
    assert found.blank == 1
    assert found.table["label"].dropna().tolist() == [0.75] * 3


def test_a_filled_in_sheet_is_not_overwritten(tmp_path: Path) -> None:
    export_labels(answers(), tmp_path / "labels.csv")
    with pytest.raises(UsageError, match="may hold labels"):
        export_labels(answers(), tmp_path / "labels.csv")


def test_two_raters_agree_by_kappa(tmp_path: Path) -> None:
    sheet = tmp_path / "labels.xlsx"
    export_labels(answers(), sheet, n=6, raters=2)
    fill(
        sheet,
        lambda rows: [{**row, "rating_1": k % 2, "rating_2": int(k == 1)} for k, row in enumerate(rows)],
    )
    found = import_labels(sheet)
    assert found.kappa == cohen_kappa([0, 1, 0, 1, 0, 1], [0, 1, 0, 0, 0, 0])
    assert found.table["label"].tolist() == [0, 1, 0, 0.5, 0, 0.5]


def test_raters_who_gave_one_label_throughout_tell_no_agreement(tmp_path: Path) -> None:
    sheet = tmp_path / "labels.csv"
    export_labels(answers(), sheet, n=6, raters=2)
    fill(sheet, lambda rows: [{**row, "rating_1": 1, "rating_2": 1} for row in rows])
    assert import_labels(sheet).kappa is None


def test_labels_correct_the_judge(tmp_path: Path) -> None:
    sheet = tmp_path / "labels.csv"
    export_labels(answers(), sheet, n=10)
    fill(sheet, lambda rows: [{**row, "rating_1": k % 2} for k, row in enumerate(rows)])
    found = import_labels(sheet)
    cell = "a/m[p]"
    there = found.table[found.table["cell"] == cell]
    rest = found.judged[(found.judged["cell"] == cell) & ~found.judged["sampled"]]
    expected = prediction_powered_mean(
        there["label"], there["judge"], rest["judge"].to_numpy(), value_range=(0, 1),
        clusters_there=there["item_id"], clusters_elsewhere=rest["item_id"],
    )  # fmt: skip
    assert found.corrected(cell) == expected
    with pytest.raises(UsageError, match="no-such"):
        found.corrected("no-such")


def test_few_labels_stay_within_the_scale_and_repeats_belong_together(tmp_path: Path) -> None:
    given = pd.concat([answers(12), answers(12).assign(repeat=1)], ignore_index=True)
    export_labels(given, tmp_path / "labels.csv", n=11)
    fill(
        tmp_path / "labels.csv", lambda rows: [{**row, "rating_1": int(k > 0)} for k, row in enumerate(rows)]
    )
    found = import_labels(tmp_path / "labels.csv")
    low, high = found.corrected("a/m[p]").interval
    assert 0 <= low < high <= 1
    one = found.corrected("a/m[p]", {f"i{k}": "all" for k in range(12)})
    assert math.isnan(one.interval.low)  # one cluster tells nothing


def test_the_difference_of_two_cells_with_labels(tmp_path: Path) -> None:
    given = pd.concat([answers(40), answers(40).assign(cell="b/m[p]", score=0)], ignore_index=True)
    export_labels(given, tmp_path / "labels.csv", n=60)
    by_answer = {f"answer {k}": k % 2 for k in range(40)}
    fill(
        tmp_path / "labels.csv", lambda rows: [{**row, "rating_1": by_answer[row["answer"]]} for row in rows]
    )
    found = import_labels(tmp_path / "labels.csv").corrected_difference("a/m[p]", "b/m[p]")
    # People give both the same answers the same grades.
    assert found.interval.low < 0 < found.interval.high
    assert found.interval.low >= -1


@pytest.mark.parametrize(("score", "kappa"), [([0, 1] * 10, 1.0), ([0.5, 1] * 10, None)])
def test_grader_and_people_agree_by_kappa(tmp_path: Path, score: list[float], kappa: float | None) -> None:
    export_labels(answers().assign(score=score), tmp_path / "labels.csv", n=20, raters=2)
    fill(tmp_path / "labels.csv", rate)
    found = import_labels(tmp_path / "labels.csv")
    assert found.grader_kappa() == kappa
    assert found.grader_kappa("a/m[p]") == kappa


def test_a_grade_on_which_raters_differ_is_none_by_people(tmp_path: Path) -> None:
    sheet = tmp_path / "labels.csv"
    export_labels(answers().assign(score=[k % 3 / 2 for k in range(20)]), sheet, n=20, raters=2, scale=(1, 3))

    def change(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        judged = [1 + int(row["answer"].split()[-1]) % 3 for row in rows]
        return [
            {**row, "rating_1": grade, "rating_2": grade if k else 4 - grade if grade != 2 else 1}
            for k, (row, grade) in enumerate(zip(rows, judged, strict=True))
        ]

    fill(sheet, change)
    assert import_labels(sheet).grader_kappa() == 1


@pytest.mark.parametrize("question", [None, "", "[redacted]"])
def test_answers_without_questions_are_told(question: str | None) -> None:
    given = answers().assign(question=question)
    with pytest.raises(UsageError, match="without their questions"):
        check_questions(given)
    with pytest.raises(UsageError, match="without their questions"):
        check_questions(given, {"other": "q?"})
    check_questions(given, {"i3": "q?"})
    with pytest.raises(UsageError, match="no answer to read"):
        check_questions(answers().assign(answer="[redacted]"))
