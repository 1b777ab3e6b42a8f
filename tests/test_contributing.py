"""What CONTRIBUTING.md tells a newcomer to do still works: a provider's row, a grader, a gate, a notebook."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from llmbench import Dataset, FakeProvider, Ledger, Matrix
from llmbench.decision import read_gates
from llmbench.matrix import graders

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")

PLUGIN = """
from llmbench.providers import backends

{row}
backends.BACKENDS[row.name] = row

from llmbench.providers import LlamaProvider
from tests.providers.cases import CASES, COMPATIBLE, Case

CASES.update({{
{case}
}})
"""


def _block(language: str, part: str) -> str:
    """The one block of a language that holds `part`."""
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", TEXT, flags=re.DOTALL | re.MULTILINE)
    found = [block for of, block in blocks if of == language and part in block]
    assert len(found) == 1, f"CONTRIBUTING.md has {len(found)} blocks with {part!r}"
    return str(found[0])


def _python(*arguments: str, cwd: Path, path: str = "") -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, (path, str(ROOT))))},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_a_row_and_a_case_make_a_provider_that_passes_the_suite(tmp_path: Path) -> None:
    plugin = PLUGIN.format(row=_block("python", "row = Backend("), case=_block("", "Case("))
    (tmp_path / "examplecloud_plugin.py").write_text(plugin, encoding="utf-8")
    suite = "tests/providers/test_conformance.py"
    told = _python(
        "-m", "pytest", "-q", "-p", "examplecloud_plugin", "-p", "no:cacheprovider",
        suite, "-k", "examplecloud",
        cwd=ROOT, path=str(tmp_path),
    )  # fmt: skip
    found = re.search(r"(\d+) passed", told)
    assert found is not None
    assert int(found[1]) >= 40


def test_a_grader_that_is_registered_can_be_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names: dict[str, object] = {"__name__": __name__}
    exec(_block("python", "class Prefix"), names)
    monkeypatch.setitem(graders._BY_NAME, "prefix", names["Prefix"])
    items = tmp_path / "items.csv"
    items.write_text("id,prompt,expected\n1,a,refund\n2,b,delivery\n", encoding="utf-8")
    with Ledger(tmp_path / "ledger.db") as ledger:
        script = FakeProvider(["Refund, sure.", "no"], prices={"m": {"input": 1, "output": 1}}, ledger=ledger)
        matrix = Matrix(
            Dataset.load(items),
            ["fake/m"],
            params={"temperature": 0, "max_tokens": 8},
            grader="prefix",
            providers={"fake": script},
            ledger=ledger,
        )
        answers = matrix.run(budget_usd=1.0).answers
    assert list(answers.sort_values("item_id")["score"]) == [1.0, 0.0]


def test_the_gate_is_one(tmp_path: Path) -> None:
    path = tmp_path / "gates.toml"
    path.write_text(_block("toml", "[[gates]]"), encoding="utf-8")
    (gate,) = read_gates(path).gates
    assert (gate.stage, gate.metric.source, gate.minimum_n) == ("canary-25", "ab_test", 1000)


@pytest.mark.slow
def test_the_cells_make_a_notebook_that_reports(tmp_path: Path) -> None:
    given = _block("", "from llmbench.reporting import Report").replace('"NAME"', '"hello"')
    last = "\n".join(
        line for line in _block("", "report.finish(").splitlines() if not line.startswith("report.figure")
    )
    cells = [
        nbformat.v4.new_code_cell("seed: int = 1  # of what is drawn", metadata={"tags": ["parameters"]}),
        nbformat.v4.new_code_cell(given),
        nbformat.v4.new_code_cell('import pandas as pd\n\nframe = pd.DataFrame({"a": [1.0]})'),
        nbformat.v4.new_code_cell(last),
    ]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "llmbench.toml").touch()
    notebook = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})
    nbformat.write(notebook, tmp_path / "notebooks" / "hello.ipynb")
    told = _python("-m", "llmbench", "report", "hello", cwd=tmp_path)
    assert "HOLD" in told
    assert (tmp_path / "reports" / "hello" / "tables" / "name.csv").is_file()
