"""A small project with small notebooks; the one that runs through is run once for all tests."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import nbformat
import pytest
from rich.console import Console

from llmbench.reporting.run import ReportRun, run_report

PARAMETERS = """\
greeting: str = "hello"  # what is said
repeat: int = 2  # how often
share: float = 0.5  # a number
loud: bool = False  # whether it is shouted
names: list = ["ada", "grace"]  # to whom
extra: dict = {}  # anything else
"""

HOSTILE = (
    '<script>alert(1)</script></style></td><img src=x onerror="alert(2)"> '
    '<a href="javascript:alert(3)">go</a>'
)

REPORT_CELLS = [
    "# Is it so?\n\nOne sentence, $5 and $6.",
    PARAMETERS,
    """\
import pandas as pd
from llmbench.reporting import Report, ForestRow, forest
from llmbench.results import Decision, Spend, Verdict
report = Report("small", title="Is it so?")
P = report.parameters(globals())""",
    f"hostile = {HOSTILE!r}",
    """\
verdict = Verdict(Decision.NO_GO, "No: " + hostile, ["Because " + hostile])
report.verdict(verdict)""",
    'report.table("answers", pd.DataFrame({"answer": [hostile, "=1+1"], "score": [0.25, float("nan")]}))',
    """\
for name in ("one", "two"):
    plot = forest([ForestRow(hostile, .5, .4, .6, 100)], xlabel="share", caption="Share. " + hostile)
    report.figure(name, *plot)""",
    """\
from IPython.display import HTML, Markdown, display
display(HTML("<div onclick='alert(4)'>raw</div><script>alert(5)</script>" + hostile))
display(Markdown("**bold** " + hostile + " [click](javascript:alert(6))"))
print(hostile)
import os, sys, pathlib
print("made in", pathlib.Path.cwd() / "data", "by", sys.executable, "at", pathlib.Path.home())""",
    'report.progress({"done": 2, "total": 2, "made": 1, "replayed": 1, "spent_usd": 0.01})',
    """\
import numpy as np
report.finish(
    verdict=verdict, data={"score": np.float64("nan"), "n": np.int64(3), "ci": (np.float32(.5), None)},
    price_book="2025-01-23", seed=1, spend=Spend(None, 0.01), inputs={"pyproject.toml": 3})""",
]
REPORT_TAGS = {1: ["parameters"], 2: ["appendix"], 6: ["pair"], 9: ["appendix"]}


def write_notebook(path: Path, cells: Sequence[str], tags: dict[int, list[str]] | None = None) -> Path:
    """Cells that start with # and a space are Markdown."""
    notebook = nbformat.v4.new_notebook()
    for number, source in enumerate(cells):
        make = nbformat.v4.new_markdown_cell if source.startswith("# ") else nbformat.v4.new_code_cell
        notebook.cells.append(make(source, metadata={"tags": (tags or {}).get(number, [])}))
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, path)
    return path


@dataclass
class Project:
    root: Path
    lines: io.StringIO

    def notebook(self, name: str, cells: Sequence[str], tags: dict[int, list[str]] | None = None) -> Path:
        return write_notebook(self.root / "notebooks" / f"{name}.ipynb", cells, tags)

    @property
    def console(self) -> Console:
        return Console(file=self.lines, width=200)


@pytest.fixture(scope="session")
def session_project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    root = tmp_path_factory.mktemp("pro{ject} with space")
    (root / "pyproject.toml").write_text("[project]\nname = 'small'\nversion = '1'\n")
    project = Project(root, io.StringIO())
    project.notebook("small", REPORT_CELLS, REPORT_TAGS)
    return project


@pytest.fixture
def reports_project(session_project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.chdir(session_project.root)
    return session_project


@pytest.fixture(scope="session")
def good_run(session_project: Project) -> ReportRun:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(session_project.root / "notebooks")  # the root is found from below, too
        patch.setenv("LLMBENCH_BROWSER", "no-browser")
        return run_report(
            "small", {"repeat": "3", "share": 1}, console=session_project.console, formats="md,pdf"
        )


@pytest.fixture
def make_notebook(tmp_path: Path) -> Callable[..., Path]:
    def make(source: str, name: str = "made") -> Path:
        return write_notebook(tmp_path / f"{name}.ipynb", [source], {0: ["parameters"]})

    return make


@pytest.fixture
def hostile() -> str:
    return HOSTILE
