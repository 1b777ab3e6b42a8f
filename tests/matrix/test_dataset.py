from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from llmbench.errors import DatasetError, UsageError
from llmbench.matrix import Dataset

GOOD = '{"id": "a", "prompt": "p", "expected": "x"}\n'


def save(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_jsonl_gives_items_in_order(tmp_path: Path) -> None:
    text = (
        '{"id": 7, "prompt": "first", "expected": 1.0, "category": "c", "note": null}\n'
        "\n"
        '{"id": "b", "prompt": "second\u2028still", "expected": ["x", "y"], "who": "k"}\n'
    )
    path = save(tmp_path, "items.jsonl", "\ufeff" + text)
    data = Dataset.load(path, cluster_column="who")
    assert [(i.id, i.line, i.expected, i.category, i.cluster) for i in data.rows] == [
        ("7", 1, 1.0, "c", None),
        ("b", 3, ["x", "y"], None, "k"),
    ]
    assert data.rows[1].fields["prompt"] == "second\u2028still"
    assert data.columns == ("id", "prompt", "expected", "category", "note", "who")
    assert data.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert not data.clustered


@pytest.mark.parametrize(
    ("content", "note"),
    [
        ("id;prompt;expected\n1;Où, donc?;été\n".encode(), "delimiter"),
        (b"\xef\xbb\xbf" + 'id,prompt,expected\n1,"Où, donc?",été\n'.encode(), None),
        ("id\tprompt\texpected\r\n1\tOù, donc?\tété\r\n".encode("cp1252"), "Windows-1252"),
        ("id;prompt;expected\n1;Où, donc?;été\n".encode("utf-16"), "delimiter"),
        ("id|prompt|expected\n\n1|Où, donc?|été\n".encode(), "delimiter"),
    ],
    ids=["semicolon", "bom", "cp1252-tab", "utf-16", "pipe-and-blank-line"],
)
def test_csv_spellings_give_the_same_item(tmp_path: Path, content: bytes, note: str | None) -> None:
    data = Dataset.load(save(tmp_path, "items.csv", content))
    (item,) = data.rows
    assert (item.id, item.fields["prompt"], item.expected) == ("1", "Où, donc?", "été")
    assert any(note in line for line in data.notes) if note else data.notes == ()


def test_cp1252_note_names_the_line(tmp_path: Path) -> None:
    data = Dataset.load(
        save(tmp_path, "old.csv", "id,prompt\n1,plain\n2,caf\u00e9 \u201cquoted\u201d\n".encode("cp1252"))
    )
    assert data.rows[1].fields["prompt"] == "café “quoted”"
    assert data.notes == ("old.csv: line 3 is not UTF-8; the file was read as Windows-1252 (cp1252)",)


def test_bytes_of_no_encoding_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"bad\.csv: line 2 is not UTF-8, and not Windows-1252"):
        Dataset.load(save(tmp_path, "bad.csv", b"id,prompt\n1,\x81\xe9\n"))
    with pytest.raises(DatasetError, match=r"items\.jsonl: line 2 is not UTF-8"):
        Dataset.load(save(tmp_path, "items.jsonl", GOOD.encode() + b'{"prompt": "\xe9"}\n'))


def test_csv_line_numbers_count_lines_inside_quotes(tmp_path: Path) -> None:
    path = save(tmp_path, "items.csv", 'id,prompt\na,"two\nlines"\nb,\nc,x\n')
    with pytest.raises(DatasetError, match=r"items\.csv:4 has an empty 'prompt'"):
        Dataset.load(path)


def test_csv_rows_of_another_width_and_open_quotes_are_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"items\.csv:3 has 3 cells where the header has 2"):
        Dataset.load(save(tmp_path, "items.csv", "id,prompt\na,x\nb,y,z\n"))
    with pytest.raises(DatasetError, match=r"cannot be read as CSV after line 2.*unclosed quote"):
        Dataset.load(save(tmp_path, "open.csv", 'id,prompt\na,x\nb,"y\n'), delimiter=",")


def test_csv_cell_may_be_long(tmp_path: Path) -> None:
    data = Dataset.load(save(tmp_path, "items.csv", "id,prompt\na," + "x" * 300_000 + "\n"))
    assert len(data.rows[0].fields["prompt"]) == 300_000


def test_all_bad_rows_are_named_up_to_twenty(tmp_path: Path) -> None:
    text = (
        GOOD
        + '{"id": "b", "prompt": "p"\n'
        + "[1]\n"
        + GOOD
        + '{"id": "e", "prompt": "  "}\n'
        + '{"prompt": "p"}\n'
    )
    with pytest.raises(DatasetError) as caught:
        Dataset.load(save(tmp_path, "items.jsonl", text))
    lines = str(caught.value).splitlines()
    assert lines[0] == "items.jsonl has 5 bad rows:"
    assert lines[1].startswith("items.jsonl:2 is not JSON")
    assert lines[2] == "items.jsonl:3 is a JSON array, and must be an object {...}"
    assert lines[3] == "items.jsonl:4 repeats the id 'a' of line 1"
    assert lines[4] == "items.jsonl:5 has an empty 'prompt'"
    assert lines[5] == "items.jsonl:6 has no 'id'"

    with pytest.raises(DatasetError) as caught:
        Dataset.load(save(tmp_path, "many.jsonl", GOOD + "oops\n" * 30))
    assert str(caught.value).count("is not JSON") == 20
    assert "... and 10 more" in str(caught.value)


def test_text_that_utf8_cannot_carry_is_a_bad_row(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"items\.jsonl:1 holds half of a surrogate pair in 'prompt'"):
        Dataset.load(save(tmp_path, "items.jsonl", '{"id": "a", "prompt": "cut \\ud83d"}\n'))


def test_missing_column_lists_columns_and_the_nearest(tmp_path: Path) -> None:
    path = save(tmp_path, "items.csv", "Nr,Promt,Antwort\n1,x,y\n")
    with pytest.raises(DatasetError) as caught:
        Dataset.load(path)
    assert str(caught.value) == (
        "items.csv has no column 'prompt'; its columns are: Nr, Promt, Antwort. Did you mean 'Promt'? "
        "Name the right one in prompt_column=."
    )
    for role in ("id_column", "expected_column", "category_column", "cluster_column", "answer_column"):
        with pytest.raises(DatasetError, match=rf"no column 'nope'.*{role}="):
            Dataset.load(path, prompt_column="Promt", **{role: "nope"})


def test_a_column_of_a_default_name_can_be_left_out(tmp_path: Path) -> None:
    path = tmp_path / "items.csv"
    path.write_text("id,prompt,expected,category,cluster\na,p,4,k,c\na,q,5,k,c\n", encoding="utf-8")
    data = Dataset.load(path, id_column=None, expected_column=None, category_column=None, cluster_column=None)
    assert [item.id for item in data.rows] == ["line-2", "line-3"]
    assert {(item.expected, item.category, item.cluster) for item in data.rows} == {(None, None, None)}
    assert data.rows[0].fields["category"] == "k"  # prompts may still show it
    assert not any("named by line" in note for note in data.notes)  # as it was asked for


def test_absent_default_columns_are_no_error(tmp_path: Path) -> None:
    data = Dataset.load(save(tmp_path, "items.csv", "text\nx\ny\n"), prompt_column=None)
    assert [(i.id, i.expected, i.category) for i in data.rows] == [
        ("line-2", None, None),
        ("line-3", None, None),
    ]
    assert "items are named by line" in data.notes[0]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("items.jsonl", "", "has no column 'prompt'; its columns are: none"),
        ("items.csv", "id,prompt\n", "has no rows"),
        ("items.csv", "id,prompt,prompt\n1,a,b\n", "several columns named 'prompt'"),
        ("items.xlsx", "not a zip", "not a readable XLSX file"),
        ("items.parquet", "not parquet", "not a readable parquet file"),
        ("items.doc", "x", "'.doc'; a data set is"),
    ],
)
def test_files_that_are_no_data_sets(tmp_path: Path, name: str, content: str, message: str) -> None:
    with pytest.raises(DatasetError, match=message.replace(".", r"\.")):
        Dataset.load(save(tmp_path, name, content))


def test_no_file_and_folder(tmp_path: Path) -> None:
    save(tmp_path, "items.csv", "id,prompt\n1,a\n")
    with pytest.raises(DatasetError, match=r"no file .*itmes\.csv\. Did you mean 'items\.csv'\?"):
        Dataset.load(tmp_path / "itmes.csv")
    with pytest.raises(DatasetError, match="is a folder"):
        Dataset.load(tmp_path)


def xlsx(folder: Path, rows: list[list[Any]], **sheets: list[list[Any]]) -> Path:
    import openpyxl

    book = openpyxl.Workbook()
    sheet = book.active
    for row in rows:
        sheet.append(row)
    for name, content in sheets.items():
        extra = book.create_sheet(name)
        for row in content:
            extra.append(row)
    path = folder / "items.xlsx"
    book.save(path)
    return path


def test_xlsx_reads_numbers_dates_and_empty_cells(tmp_path: Path) -> None:
    path = xlsx(
        tmp_path,
        [
            [None],
            ["id", "prompt", "expected", "category"],
            [1.0, "p", 1.0, None],
            [None],
            [2, "q", None, date(2025, 1, 2)],
        ],
        Other=[["prompt"], ["z"]],
    )
    data = Dataset.load(path)
    assert [(i.id, i.line, i.expected) for i in data.rows] == [("1", 3, 1), ("2", 5, None)]
    assert data.rows[1].category is not None
    assert data.rows[1].category.startswith("2025-01-02")
    assert "sheet 'Sheet' of 2" in data.notes[0]
    assert Dataset.load(path, sheet="Other").rows[0].fields["prompt"] == "z"
    with pytest.raises(DatasetError, match=r"no sheet 'Third'; it has Sheet, Other"):
        Dataset.load(path, sheet="Third")


def test_xlsx_error_cells_are_bad_rows(tmp_path: Path) -> None:
    path = xlsx(tmp_path, [["id", "prompt"], [1, "#N/A"], [2, "x", "beyond"]])
    with pytest.raises(DatasetError) as caught:
        Dataset.load(path)
    assert "items.xlsx:2 holds the spreadsheet error #N/A" in str(caught.value)
    assert "items.xlsx:3 has a cell beyond the 2 columns" in str(caught.value)


def test_parquet_nan_is_missing(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = tmp_path / "items.parquet"
    pq.write_table(pa.table({"id": [1.0, 2.0], "prompt": ["p", "q"], "expected": [3.0, float("nan")]}), path)
    data = Dataset.load(path)
    assert [(i.id, i.expected, i.line) for i in data.rows] == [("1", 3.0, 1), ("2", None, 2)]


def test_limit_takes_categories_in_turn(write: Callable[..., Path]) -> None:
    rows = [{"id": k, "prompt": "p", "category": "a" if k < 6 else "b"} for k in range(8)]
    data = Dataset.load(write(rows))
    assert [i.id for i in data.limit(4).rows] == ["0", "1", "6", "7"]
    assert [i.id for i in data.limit(6).rows] == ["0", "1", "2", "3", "6", "7"]
    assert len(Dataset.load(data.path, limit=100)) == 8
    with pytest.raises(UsageError, match="limit"):
        data.limit(0)


def test_clustered_only_where_a_cluster_repeats(write: Callable[..., Path]) -> None:
    path = write([{"prompt": "p", "who": "x"}, {"prompt": "p", "who": None}, {"prompt": "p", "who": None}])
    assert not Dataset.load(path, cluster_column="who").clustered
    path = write([{"prompt": "p", "who": "x"}, {"prompt": "p", "who": "x"}])
    assert Dataset.load(path, cluster_column="who").clustered


def test_an_item_that_is_there_twice_is_told_whatever_its_id(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(
        "id,prompt,expected\n1,Where is it?,yes\n2,What?,no\n3,Where is it?,yes\n"
    )
    assert Dataset.load(tmp_path / "a.csv").notes == (
        "a.csv: 1 item is the same as an earlier one (line 4 as line 2) and counts again",
    )
    (tmp_path / "b.csv").write_text("id,prompt,expected\n1,Where is it?,yes\n2,Where is it?,no\n")
    assert Dataset.load(tmp_path / "b.csv").notes == ()
