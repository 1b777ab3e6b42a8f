from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from llmbench.errors import DatasetError, UsageError
from llmbench.matrix import Choice, Contains, Dataset, Exact, Function, Grade, Item, Numeric, Regex
from llmbench.matrix.choices import find_label, split_choices
from llmbench.matrix.graders import GRADERS, grader_for


def item(expected: Any, **fields: Any) -> Item:
    return Item("x", fields, expected, None, None, 1)


@pytest.mark.parametrize(
    ("answer", "expected", "score"),
    [
        ("Positive.", "positive", 1),
        ("  “NOT   interested”\n", "not interested", 1),
        ("positive!", "negative", 0),
        ("positive one", "positive", 0),
        ("ｐｏｓｉｔｉｖｅ", "positive", 1),
        ("STRASSE", "straße", 1),
        ("1", 1.0, 1),
        ("1.0", "1", 1),
        ("1.5", "1.50", 1),
        ("v1.0.0", "1", 0),
        ("b", ["a", "b"], 1),
        ("", "x", 0),
        ("...", "?", 0),
        ("?", "?", 1),
        ("5", "-5", 0),
        ("5", ".5", 0),
        (".5", 0.5, 1),
        ("C#", "C++", 0),
        ("**C++**.", "c++", 1),
        ("_id", "id", 0),
        ("true", True, 1),
        ("pos\u202eitive\x00\u200b", "positive", 1),
    ],
)
def test_exact(answer: str, expected: Any, score: float) -> None:
    assert Exact().grade(answer, item(expected)).score == score


@pytest.mark.parametrize(
    ("answer", "expected", "score"),
    [
        ("The city is Oslo.", "oslo", 1),
        ("Oslofjord", "Oslo", 0),
        ("the price (45 euro)", "45", 1),
        ("the price 450", "45", 0),
        ("C++ it is", "c", 0),
        ("C++ it is", "C++", 1),
        ("45.5 kg", "45", 0),
        ("1,450", "450", 0),
        ("it fell by -45", "45", 0),
        ("non-refundable", "refundable", 0),
        ("grade A+", "A", 0),
        ("neither", ["x", "neither"], 1),
        ("anything", "...", 0),
    ],
)
def test_contains(answer: str, expected: Any, score: float) -> None:
    assert Contains().grade(answer, item(expected)).score == score


def test_regex_by_item_and_by_grader() -> None:
    assert Regex().grade("Order AB-12 shipped", item(r"\bab-\d+\b")).score == 1
    assert Regex(r"^\d{4}$").grade("12345", item(None)).score == 0
    assert Regex(r"^\d{4}$").grade("1234", item(None)).score == 1
    assert "not a regular expression" in str(Regex().problem(item("(")))
    assert "takes as the pattern" in str(Regex().problem(item(None)))


@pytest.mark.parametrize(
    ("answer", "expected", "score"),
    [
        ("42", 42, 1),
        ("It is 42.", 42, 1),
        ("17 + 25 = 42", "42", 1),
        ("$1,234.50", 1234.5, 1),
        ("1,234.5", "$1,234.50", 1),
        ("EUR 1.5k", 1500, 1),
        ("€2bn", 2_000_000_000, 1),
        ("-3", -3, 1),
        ("−3", -3, 1),
        ("5-3", 3, 0),
        ("45%", 45, 1),
        ("45%", 0.45, 0),
        ("1e3", 1000, 1),
        ("1.234,50", 1234.5, 0),
        ("1.234,50", 50, 0),
        ("3/4", 4, 0),
        ("at 12:30", 30, 0),
        ("5kg", 5, 0),
        ("1,23", 123, 0),
        ("none", 1, 0),
        ("42 or 43", 42, 0),
        ("nan", 1, 0),
        ("1\u202f234,50 or so: 1\u202f234.5", 1234.5, 1),
        ("1\xa0234\xa0567 €", 1234567, 1),
        ("it costs 1\u2009234", 234, 0),
        ("12\xa034", 34, 0),
        ("12 eggs for 2½ cups", 12, 0),
        ("not 1, but ½", 1, 0),
        ("3 by 10²", 3, 0),
        ("ends at 7\xa0", 7, 1),
        ("it is 42 [²]", 42, 1),
    ],
)
def test_numeric(answer: str, expected: Any, score: float) -> None:
    assert Numeric().grade(answer, item(expected)).score == score


def test_numeric_tolerances_are_decimal() -> None:
    assert Numeric(tolerance=0.1).grade("42.1", item(42)).score == 1
    assert Numeric(tolerance=0.1).grade("42.11", item(42)).score == 0
    assert Numeric(relative=0.01).grade("101", item(100)).score == 1
    assert Numeric(relative=0.01).grade("101.1", item(100)).score == 0
    with pytest.raises(UsageError, match="tolerance"):
        Numeric(tolerance=-1)
    with pytest.raises(UsageError, match="relative"):
        Numeric(relative=math.nan)


def test_numeric_says_why_it_does_not_parse() -> None:
    assert Numeric().grade("no idea", item(1)).note == "does not parse: no number"
    assert Numeric().grade("1.234,50", item(1)).note == "does not parse: '1.234,50' is not plainly a number"
    assert Numeric().grade("12 for 2½", item(1)).note == "does not parse: '2½' is not plainly a number"
    assert "cannot read as one number" in str(Numeric().problem(item("4 or 5")))


LABELS = ["positive", "negative", "neutral"]


@pytest.mark.parametrize(
    ("answer", "label"),
    [
        ("positive", "positive"),
        ("Answer: Negative.", "negative"),
        ("NEUTRAL\n\nBecause it is not positive.", "neutral"),
        ("Positive. There is nothing negative in it.", "positive"),
        ("positive, negative or neutral", None),
        ("positively", None),
        ("non-negative", None),
        ("", None),
        ("I cannot help with that.", None),
        ("positive positive positive", "positive"),
        ("**negative**", "negative"),
    ],
)
def test_find_label(answer: str, label: str | None) -> None:
    assert find_label(answer, LABELS)[0] == label


def test_longer_label_wins_where_labels_overlap() -> None:
    assert find_label("Not  interested!", ["interested", "not interested"])[0] == "not interested"
    assert find_label("interested", ["interested", "not interested"])[0] == "interested"


def test_one_letter_labels_keep_their_case() -> None:
    assert find_label("a customer would say (B)", ["A", "B"])[0] == "B"
    assert find_label("A", ["A", "B"])[0] == "A"


def test_choices_from_text_and_lists() -> None:
    assert split_choices("a, b") == ["a", "b"]
    assert split_choices("a, b; c") == ["a, b", "c"]
    assert split_choices([1.0, 2.0]) == ["1", "2"]
    assert split_choices("[broken|x") == ["[broken", "x"]


def test_choice_grades_by_the_items_labels() -> None:
    one = item("negative", choices=LABELS)
    assert Choice().grade("negative", one) == Grade(1.0)
    assert Choice().grade("positive", one) == Grade(0.0, "read as 'positive'")
    assert Choice().grade("hm", one).note == "does not parse: none of positive, negative, neutral is given"
    assert "not one of its choices" in str(Choice().problem(item("odd", choices=LABELS)))
    assert "has no 'choices'" in str(Choice().problem(item("odd")))
    assert "differ only in case" in str(Choice().problem(item("a", choices=["aa", "AA"])))


def test_choice_without_a_column_takes_the_data_sets_labels(write: Callable[..., Path]) -> None:
    rows = [{"prompt": "p", "expected": label} for label in ("yes", "no", "yes")]
    grader = grader_for("choice", Dataset.load(write(rows)))
    assert grader.grade("no!", item("no")).score == 1
    many = [{"prompt": "p", "expected": f"label {k}"} for k in range(51)]
    with pytest.raises(UsageError, match="51 different expected answers"):
        grader_for("choice", Dataset.load(write(many)))


def test_huge_and_hostile_answers_are_cut_not_crashed_on() -> None:
    assert Exact().grade("x" * 5_000_000, item("x")).score == 0
    assert Numeric().grade("9" * 100_000, item(1)).score == 0
    assert Numeric().grade("1e999", item(1)).score == 0
    assert Choice().grade("\x00" * 100 + "negative" + "\u202e", item("negative", choices=LABELS)).score == 1
    assert Contains().grade("y" * 20_000 + " oslo", item("oslo")).score == 0


def test_function_scores(write: Callable[..., Path]) -> None:
    data = Dataset.load(write([{"prompt": "p"}]))
    grader = grader_for(lambda answer, _item: len(answer) == 3, data)
    assert grader.grade("abc", data.rows[0]) == Grade(1.0)
    assert Function(lambda _a, _i: Grade(0.5, "half")).grade("", data.rows[0]) == Grade(0.5, "half")
    for wrong in (2, -0.1, math.nan, None, "good"):
        with pytest.raises(UsageError, match="a score is a number from 0 to 1"):
            Function(lambda _a, _i, wrong=wrong: wrong).grade("", data.rows[0])


def test_grader_column_and_its_problems(write: Callable[..., Path]) -> None:
    rows = [
        {"prompt": "p", "grader": "Exact", "expected": "yes"},
        {"prompt": "p", "grader": "numeric", "expected": 3},
        {"prompt": "p", "grader": "choice", "expected": "a", "choices": "a|b"},
    ]
    data = Dataset.load(write(rows))
    grader = grader_for(None, data)
    assert [grader.grade(a, i).score for a, i in zip(("YES", "3.0", "b"), data.rows, strict=True)] == [
        1,
        1,
        0,
    ]

    rows += [
        {"prompt": "p", "grader": "exct", "expected": "a"},
        {"prompt": "p", "expected": "a"},
        {"prompt": "p", "grader": "exact"},
    ]
    with pytest.raises(DatasetError) as caught:
        grader_for(None, Dataset.load(write(rows)))
    assert "items.jsonl:4 names the grader 'exct'" in str(caught.value)
    assert "Did you mean 'exact'?" in str(caught.value)
    assert "items.jsonl:5 has no 'grader'" in str(caught.value)
    assert "items.jsonl:6 has no expected answer" in str(caught.value)


def test_every_named_grader_is_in_the_document() -> None:
    table = (Path(__file__).parents[2] / "docs" / "matrix.md").read_text(encoding="utf-8")
    missing = [name for name in GRADERS if f"\n| `{name}` |" not in table]
    assert not missing, f"docs/matrix.md: the table of graders has no row for {', '.join(missing)}"


def test_unknown_grader_and_no_expected_column(write: Callable[..., Path]) -> None:
    data = Dataset.load(write([{"prompt": "p"}]))
    with pytest.raises(UsageError, match=r"no grader 'exakt'.*Did you mean 'exact'"):
        grader_for("exakt", data)
    with pytest.raises(UsageError, match="a name, a grader or a function"):
        grader_for(3, data)  # type: ignore[arg-type]
    with pytest.raises(DatasetError, match=r"items\.jsonl:1 has no expected answer"):
        grader_for("exact", data)
