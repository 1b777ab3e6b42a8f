"""The page of every answer in a real browser: its filters work, and nothing that a model said runs."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from llmbench import Matrix
from llmbench.reporting.matrix_view import matrix_view
from llmbench.reporting.text import encodable
from tests.real.browser import browser

HOSTILE = [
    "<script>document.title='owned'</script>",
    "</script><script>document.title='owned'</script>",
    "<img src=x onerror=\"document.title='owned'\">",
    "<!--<script>", "]]>", "\u2028document.title='owned'\u2029", "\u202egnorw\u202c", "nul\x00\x07",
    "<a href=\"javascript:document.title='owned'\">go</a>", "'\"`${document.title='owned'}`",
    "<svg/onload=document.title='owned'>", "{{constructor.constructor('document.title=1')()}}",
]  # fmt: skip


TEXTS = ("answer", "category", "question", "expected")


def page(tmp_path: Path, rows: Sequence[dict[str, object]]) -> Path:
    table = tmp_path / "results.jsonl"
    table.write_text("".join(json.dumps(row) + "\n" for row in rows))
    view = tmp_path / "matrix_view.html"
    view.write_text(matrix_view(Matrix.from_results(table)).html, encoding="utf-8")
    return view


ITEMS = "[...document.querySelectorAll('.id')].map((node) => node.textContent)"
COUNT = "document.getElementById('count').textContent"


def run(page: Path, *steps: tuple[str, str]) -> list[Any]:
    """What expressions give, each after the page is opened with a fragment."""

    async def found() -> list[Any]:
        async with browser() as tab:
            values = []
            for fragment, expression in steps:
                await tab.open(page.as_uri() + fragment)
                values.append(await tab.evaluate(expression))
            return values

    return asyncio.run(found())


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    """60 items: on 20 both are right, on 20 they differ, on 20 both are wrong; the last misses one answer."""
    rows: list[dict[str, object]] = []
    for k in range(60):
        for model, right in (("a", k < 40), ("b", k < 20)):
            score = None if (k, model) == (59, "b") else float(right)
            row = {"item": f"i{k}", "model": model, "score": score, "category": "ab"[k % 2]}
            rows.append({**row, "question": f"q{k}"})
    return page(tmp_path, rows)


def test_nothing_that_a_model_said_runs(tmp_path: Path) -> None:
    rows = [
        {"item": f"{k}{text}", "model": f"m{text}", "score": 0, **dict.fromkeys(TEXTS, text)}
        for k, text in enumerate(HOSTILE)
    ]
    title, scripts, strange, shown, answers = run(
        page(tmp_path, rows),
        ("", "document.title"),
        ("", "document.scripts.length"),
        ("", "document.querySelectorAll('img, svg, a, iframe, [onerror], [onload]').length"),
        ("", ITEMS),
        ("", "[...document.querySelectorAll('td .text')].map((node) => node.textContent)"),
    )
    assert title == "Every answer"
    assert scripts == 2  # the data, and the page's own
    assert strange == 0
    assert shown == [f"{k}{encodable(text)}" for k, text in enumerate(HOSTILE)]
    assert set(answers) >= {encodable(text) for text in HOSTILE}


def test_a_script_put_into_the_page_does_not_run_either(plain: Path) -> None:
    written = plain.read_text(encoding="utf-8")
    plain.write_text(
        written.replace("<h1>", "<script>document.title = 'owned'</script><h1>"), encoding="utf-8"
    )
    assert run(plain, ("", "document.title")) == ["Every answer"]


def test_filters_and_pages(plain: Path) -> None:
    steps = {
        "": [f"i{k}" for k in range(50)],
        "#page=2": [f"i{k}" for k in range(50, 60)],
        "#different=1": [f"i{k}" for k in range(20, 40)],
        "#failing=1": [f"i{k}" for k in range(20, 60)],
        "#missing=1": ["i59"],
        "#different=1&category=b": [f"i{k}" for k in range(21, 40, 2)],
        "#q=Q33": ["i33"],
        "#q=nowhere": [],
    }
    assert run(plain, *((fragment, ITEMS) for fragment in steps)) == list(steps.values())
    assert run(plain, ("#page=2", COUNT)) == ["60 of 60 items, page 2 of 2"]


def test_boxes_and_buttons(plain: Path) -> None:
    click = "document.querySelector('{}').click(), {}"
    assert run(
        plain,
        ("", click.format("[name=different]", COUNT)),
        ("", click.format("[name=next]", "location.hash")),
        ("#different=1", click.format("#models input", "document.querySelectorAll('thead th').length")),
        # Of one model nothing differs.
        ("#different=1", click.format("#models input", COUNT)),
    ) == ["20 of 60 items, page 1 of 1", "#page=2", 2, "0 of 60 items, page 1 of 1"]


def test_a_long_answer_is_there_whole(tmp_path: Path) -> None:
    rows = [{"item": "i", "model": "m", "score": 1, "answer": "x" * 1_000_000 + "END"}]
    view = page(tmp_path, rows)
    summary, text = run(
        view,
        ("", "document.querySelector('td summary').textContent"),
        ("", "document.querySelector('td .text').textContent"),
    )
    assert summary.endswith("(1,000,003 characters)")
    assert text == rows[0]["answer"]
