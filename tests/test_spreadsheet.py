"""No text is ever a formula to a spreadsheet, and no number becomes a text."""

from __future__ import annotations

import csv
import io
import unicodedata

import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from llmbench.spreadsheet import formula_safe, frame_csv, holdable

SIGNS = "=+-@＝＋－＠"
texts = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    st.builds(
        str.__add__, st.text(" \t\r\n\x00\ufeff\u200b\u00a0\u3000", max_size=3), st.text(SIGNS + "1.,%eE x")
    ),
)


def is_formula(text: str) -> bool:
    """Whether any spreadsheet may run it: what stands before the sign may be dropped or not."""
    bare = text
    while bare and (bare[0].isspace() or bare[0] in "\ufeff\u200b" or unicodedata.category(bare[0]) == "Cc"):
        bare = bare[1:]
    return bare[:1] in set(SIGNS) - {""} if bare else text[:1] in {"\t", "\r", "\n"}


def plain(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def is_number(text: str) -> bool:
    try:
        float(text.replace(",", "").rstrip("%").strip())
    except ValueError:
        return False
    return True


@given(texts)
@example("\x7f=")
@example("\x9b+1")
def test_no_text_is_a_formula(text: str) -> None:
    safe = formula_safe(text)
    assert safe in {text, f"'{text}"}
    assert not is_formula(safe) or is_number(safe)
    assert formula_safe(safe) == safe


@given(st.one_of(st.integers(), st.floats(allow_nan=False, allow_infinity=False)))
def test_a_number_stays_one(number: float) -> None:
    assert formula_safe(number) is number
    for text in (str(number), f"{number:+,.3f}", f"{number:+.1f}%", f"{number:.2e}"):
        assert formula_safe(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "=1+1", "@SUM(A1)", "+cmd|' /C calc'!A0", "-2+3+cmd|' /C calc'!A0", "\t=1", "\r=1", "\n=1", "  =1",
        "\ufeff=1", "\x00=1", "＝1+1", "-1-1", "+1;=2", "--1", "=", "-", "1e5\n=1"[3:], "-1\n+2", "+٣",
    ],
)  # fmt: skip
def test_a_formula_gets_its_mark(text: str) -> None:
    assert formula_safe(text) == f"'{text}"


@pytest.mark.parametrize("value", ["", "a", "a=1", "'=1", "1-2", "–", "-3.5", "+3.5%", "-.5", None, True, 2])
def test_anything_else_stays(value: object) -> None:
    assert formula_safe(value) == value


@given(st.lists(st.tuples(texts, st.floats()), min_size=1, max_size=5), texts, texts)
def test_a_table_reads_back(rows: list[tuple[str, float]], first: str, second: str) -> None:
    written = frame_csv(pd.DataFrame(rows, columns=[first, second]))
    titles, *read = csv.reader(io.StringIO(written, newline=""))
    assert titles == [formula_safe(plain(first)), formula_safe(plain(second))]
    for (text, number), (kept, value) in zip(rows, read, strict=True):
        assert kept == formula_safe(plain(text))
        assert (value == "") if number != number else float(value) == number


def test_a_table_keeps_whole_numbers_whole_and_its_columns_apart() -> None:
    frame = pd.DataFrame([[1, "=a", True], [-2, None, False]], columns=["n", "n", "yes"])
    assert frame_csv(frame) == "n,n,yes\n1,'=a,True\n-2,,False\n"
    assert frame_csv(pd.DataFrame({"a": pd.Series([], dtype=object)})) == "a\n"
    assert frame_csv(pd.DataFrame()) == "\n"


def test_a_carriage_return_begins_no_row() -> None:
    assert frame_csv(pd.DataFrame({"a": ["x\r=1", "y\r\n=2"]})) == 'a\n"x\n=1"\n"y\n=2"\n'


@given(st.text())
def test_holdable_is_what_xml_can_hold(text: str) -> None:
    import xml.etree.ElementTree as ET

    kept = holdable(text)
    assert len(kept) == len(text)
    ET.fromstring(f"<a>{kept.replace('&', '&amp;').replace('<', '&lt;')}</a>".encode())
