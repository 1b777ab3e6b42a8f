from __future__ import annotations

import gzip
import io
import json
from pathlib import Path

import pytest

from llmbench.errors import DatasetError
from llmbench.providers import training_lines
from llmbench.providers.training_file import CHAT, check_training_file
from llmbench.providers.training_lines import Line, parse_line, read_lines, row_problems


def test_read_lines_knows_where_each_begins() -> None:
    content = b'{"a": 1}\n\n{"b": 2}\r\nlast'
    lines = list(read_lines(io.BytesIO(content)))
    assert [line.number for line in lines] == [1, 2, 3, 4]
    assert [content[line.offset : line.offset + len(line.content or b"")] for line in lines] == [
        line.content for line in lines
    ]


def test_read_lines_gives_up_on_a_line_and_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training_lines, "LONGEST_LINE", 8)
    seen: list[bytes] = []
    content = b"short\n" + b"x" * 30 + b"\nnext\n" + b"y" * 8
    lines = list(read_lines(io.BytesIO(content), seen.append))
    assert [(line.number, line.offset, line.content) for line in lines] == [
        (1, 0, b"short\n"), (2, 6, None), (3, 37, b"next\n"), (4, 42, None),
    ]  # fmt: skip
    assert b"".join(seen) == content


def test_parse_line_behind_a_byte_order_mark_is_read_and_refused() -> None:
    row, problem = parse_line(Line(1, 0, b'\xef\xbb\xbf{"a": 1}'))
    assert row == {"a": 1}
    assert problem is not None
    assert problem.code == "byte_order_mark"


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b'{"a": NaN}', "is not JSON (it holds NaN, which only Python reads as a number)"),
        (b'{"a" 1}', "is not JSON (Expecting ':' delimiter at character 6)"),
        (b"[" * 100_000, "is not JSON (it is nested too deeply)"),
        (b'{"a": ' + b"1" * 5000 + b"}", "is not JSON (Exceeds the limit"),
    ],
)
def test_parse_line_says_what_is_no_json(content: bytes, text: str) -> None:
    row, problem = parse_line(Line(1, 0, content))
    assert row is None
    assert problem is not None
    assert problem.code == "not_json"
    assert problem.text.startswith(text)


def test_row_problems_gives_all_of_them() -> None:
    row = {"messages": [{"role": "x"}, {"role": "user", "content": ""}, {"role": "user", "content": "a"}]}
    codes = [problem.code for problem in row_problems(row, frozenset({CHAT}))]
    assert codes == ["role", "empty_turn", "no_assistant"]


@pytest.mark.parametrize(
    ("content", "message"),
    [(gzip.compress(b"{}", mtime=0), "gzip"), (json.dumps({}).encode("utf-16"), "UTF-16")],
)
def test_check_training_file_names_what_a_file_is(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "train.jsonl"
    path.write_bytes(content)
    with pytest.raises(DatasetError, match=message):
        check_training_file(path, formats=frozenset({CHAT}))
