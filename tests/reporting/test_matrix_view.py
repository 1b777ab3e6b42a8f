from __future__ import annotations

import base64
import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from click.testing import CliRunner

from llmbench import Matrix
from llmbench.cli import cli
from llmbench.ledger import Ledger
from llmbench.matrix import Dataset, MatrixResults, RecordedModel
from llmbench.matrix.redaction import redacted
from llmbench.providers.fake import FakeProvider
from llmbench.reporting import matrix_view as module
from llmbench.reporting.matrix_view import matrix_view


def results(tmp_path: Path, rows: list[dict[str, Any]]) -> MatrixResults:
    path = tmp_path / "results.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return Matrix.from_results(path)


def data_of(page: str) -> Any:
    (found,) = re.findall(r'<script id="data" type="application/json">(.*?)</script>', page)
    return json.loads(found)


ROW = {
    "item": "i", "model": "m", "score": 0.5, "question": "Q?", "expected": "E", "category": "c",
    "answer": "A", "cost_usd": 0.001, "latency_ms": 12.5, "note": "half right",
}  # fmt: skip


def test_the_page_has_every_answer(tmp_path: Path) -> None:
    rows = [ROW, {**ROW, "model": "n", "score": None, "answer": None, "error": "timeout"}]
    data = data_of(matrix_view(results(tmp_path, rows)).html)
    assert data["cells"] == ["m", "n"]
    assert data["items"] == [{"id": "i", "category": "c", "expected": "E", "fields": {"question": "Q?"}}]
    given, missing = data["answers"][0][0][0], data["answers"][1][0][0]
    assert given == {
        "answer": "A", "score": 0.5, "note": "half right", "error": None, "usd": 0.001, "ms": 12.5,
    }  # fmt: skip
    assert (missing["answer"], missing["score"], missing["error"]) == (None, None, "timeout")


def test_the_policy_lets_only_the_pages_own_script_and_style_in(tmp_path: Path) -> None:
    page = matrix_view(results(tmp_path, [ROW])).html
    policy = re.findall(r'Content-Security-Policy" content="([^"]*)"', page)[0]
    for element in ("script", "style"):
        body = re.findall(rf"<{element}>(.*?)</{element}>", page, flags=re.DOTALL)[0]
        digest = base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()
        assert f"{element}-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none';")
    assert "unsafe" not in policy
    assert not re.search(r"""(?:src|href)\s*=\s*["']|https?://|innerHTML|eval\(""", page)


@pytest.mark.parametrize(
    "text",
    [
        "</script><script>x()</script>",
        "<!--",
        "a\u2028b",
        "$data $$ ${x}",
        "\ud83d",
        "]]>",
        "\x00",
        "&lt;",
    ],
)
def test_no_text_leaves_its_place(tmp_path: Path, text: str) -> None:
    name = text.replace("\ud83d", "pair")
    rows = [{**ROW, "item": name, "model": name, "answer": text, "category": name, "question": text}]
    page = matrix_view(results(tmp_path, rows)).html
    page.encode("utf-8")
    assert page.count("<script") == 2
    assert page.count("</script>") == 2
    data = data_of(page)
    expected = text.encode("utf-8", "backslashreplace").decode("utf-8")
    assert data["answers"][0][0][0]["answer"] == expected
    assert data["cells"] == [name]
    assert data["items"][0]["fields"] == {"question": expected}


def test_the_table_has_the_question_that_people_grade_by(tmp_path: Path) -> None:
    view = matrix_view(results(tmp_path, [ROW]))
    assert view.frame["question"].tolist() == ["Q?"]
    assert read_questions(view.frame, tmp_path) == {"Q?"}
    hidden = matrix_view(redacted(results(tmp_path, [ROW]), ["question"]))
    assert hidden.frame["question"].tolist() == ["[redacted]"]


def read_questions(frame: Any, folder: Path) -> set[str]:
    frame.to_csv(folder / "matrix_view.csv", index=False)
    sheet = folder / "labels.csv"
    done = CliRunner().invoke(cli, ["label", "export", str(folder / "matrix_view.csv"), "--out", str(sheet)])
    assert done.exit_code == 0, done.output
    return set(pd.read_csv(sheet)["question"])


@pytest.mark.parametrize(
    ("prompts", "question"),
    [
        ({"p": "{{ task }}"}, "sum"),
        ({"p": "{{ task }}", "q": "{{ text }} {{ expected }}"}, "task: sum\ntext: 1 + 1"),
        (None, "1 + 1"),
    ],
)
def test_the_question_is_what_the_templates_show(tmp_path: Path, prompts: Any, question: str) -> None:
    path = tmp_path / "items.jsonl"
    row = {"id": "a", "task": "sum", "text": "1 + 1", "expected": "2", "old": "it is probably two", "usd": 1}
    path.write_text(json.dumps(row))
    with Ledger(tmp_path / "l.db") as ledger:
        found = Matrix(
            Dataset.load(path, prompt_column=None),
            [*(["fake/m"] if prompts else []), RecordedModel("old", "old", cost_column="usd")],
            prompts or {"unused": "x"},
            providers={"fake": FakeProvider("2", self_hosted=True, ledger=ledger)},
            ledger=ledger,
        ).results()
    assert set(matrix_view(found).frame["question"]) == {question}


def test_of_too_many_answers_those_that_differ_come_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MOST_ANSWERS", 8)
    rows = [
        {"item": f"i{k}", "model": model, "score": float(k >= 7 and model == "b"), "answer": "x"}
        for model in "ab"
        for k in range(10)
    ]
    view = matrix_view(results(tmp_path, rows))
    assert [item["id"] for item in data_of(view.html)["items"]] == ["i0", "i7", "i8", "i9"]
    assert "4 of 10 items by 2 models" in view.text
    assert len(view.frame) == 8


def test_of_too_much_text_the_beginnings_are_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_CHARACTERS", 1000)
    rows = [{**ROW, "item": f"i{k}", "answer": "x" * 900} for k in range(4)]
    view = matrix_view(results(tmp_path, rows))
    assert data_of(view.html)["answers"][0][0][0]["answer"] == "x" * 250 + "…"
    assert "cut off after 250 characters" in view.text
