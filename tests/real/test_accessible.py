"""axe-core on every example report in a real browser: nothing that WCAG 2.2 AA or good practice forbid."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from llmbench import Matrix
from llmbench.reporting import available_notebooks
from llmbench.reporting.html import render_report
from llmbench.reporting.index import write_index
from llmbench.reporting.matrix_view import matrix_view
from llmbench.reporting.notebook_file import read_notebook
from llmbench.result_files import read_envelope
from tests.real.browser import browser
from tests.real.install import NODE_MODULES, ROOT
from tests.reporting.runs import keep_run, model

EXAMPLES = ROOT / "reports" / "examples"
AXE = NODE_MODULES / "axe-core" / "axe.min.js"
ASK = """axe.run().then((found) => JSON.stringify(found.violations.map((each) =>
    [each.id, each.impact, each.help, each.nodes.slice(0, 3).map((node) => node.html.slice(0, 200))])))"""


def violations(page: Path) -> list[Any]:
    async def found() -> list[Any]:
        async with browser() as tab:
            await tab.open(page.as_uri())
            await tab.evaluate(AXE.read_text(encoding="utf-8") + "; true")
            told: list[Any] = json.loads(await tab.evaluate(ASK))
            return told

    return asyncio.run(found())


@pytest.mark.parametrize("name", available_notebooks(ROOT))
def test_an_example_breaks_no_rule(name: str, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    notebook = read_notebook(EXAMPLES / name / "executed.ipynb")
    envelope = read_envelope(EXAMPLES / name / "result.json")
    page.write_text(render_report(notebook, envelope, "run", ["report.pdf"]), encoding="utf-8")
    assert violations(page) == []


def test_the_page_of_every_answer_breaks_no_rule(tmp_path: Path) -> None:
    rows = [
        {"item": str(item), "model": name, "score": item % 2, "question": "q", "answer": "a " * 300}
        for item in range(9)
        for name in "ab"
    ]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    page = tmp_path / "view.html"
    page.write_text(matrix_view(Matrix.from_results(tmp_path / "rows.jsonl")).html, encoding="utf-8")
    assert violations(page) == []


def test_the_index_breaks_no_rule(tmp_path: Path) -> None:
    for day in ("20250101", "20250108"):
        keep_run(tmp_path, f"{day}T000000Z-abcdef", [model("a", 0.5), model("b", 0.6)])
    assert violations(write_index(tmp_path)) == []


def test_what_is_wrong_is_seen(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text(
        "<!DOCTYPE html><body><p style='color: #bbb'>Hardly to be read.</p><img src='data:,'></body>"
    )
    assert {rule for rule, *_ in violations(page)} >= {"color-contrast", "image-alt", "html-has-lang"}
