"""Make replay.jsonl and the stored outputs of the notebooks again: `python tests/notebooks/record.py`.

Needed after a change of the data, of the prompts, or of what identifies a request. Answers that are
still asked for are kept; the others are made on the embedded model and take minutes.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from pathlib import Path

import nbformat

from llmbench.ledger import Ledger
from llmbench.reporting import read_parameters, run_report
from llmbench.reporting.matrix_report import make_matrix

ROOT = Path(__file__).resolve().parents[2]
REPLAY = Path(__file__).with_name("replay.jsonl")
CHECKED = "nbval-check-output"


def record(name: str, reports: Path) -> None:
    """Run the notebook, and store the outputs of its checked cells in it."""
    run_report(name, out=reports)
    # A second run, on what the first has put into the ledger: this is what the check will see.
    run = run_report(name, out=reports)
    executed = {cell.id: cell for cell in nbformat.read(run.folder / "executed.ipynb", as_version=4).cells}
    path = ROOT / "notebooks" / f"{name}.ipynb"
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        if CHECKED in cell.metadata.get("tags", []):
            cell.outputs = executed[cell.id].outputs
            cell.execution_count = 1  # nbval takes outputs without a count for a mistake
    nbformat.write(notebook, path)


def planned_messages(name: str) -> set[str]:
    """The messages of every call that the notebook's defaults mean."""
    defaults = {p.name: p.default for p in read_parameters(ROOT / "notebooks" / f"{name}.ipynb")}
    matrix = make_matrix(defaults, ROOT)
    found: set[str] = set()
    for cell in matrix.plan.cells:
        if cell.template is not None:
            messages = (cell.template.messages(call.item) for call in matrix.plan.calls(cell))
            found |= {json.dumps(message, sort_keys=True) for message in messages}
    return found


def main() -> None:
    os.chdir(ROOT)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(os.environ.get("LLMBENCH_LEDGER") or Path(folder) / "ledger.db")
        os.environ["LLMBENCH_LEDGER"] = str(path)
        if REPLAY.is_file():
            with Ledger(path) as ledger:
                ledger.import_lines(REPLAY)
        record("model_matrix", Path(folder) / "reports")
        record("break_even", Path(folder) / "reports")  # makes no call: the catalog may have changed
        for name in ("ab_test", "fine_tune", "routing", "migration_memo"):
            record(name, Path(folder) / "reports")
        wanted = planned_messages("model_matrix")
        all_calls = Path(folder) / "all.jsonl"
        with Ledger(path) as ledger:
            ledger.export(all_calls)
        lines = all_calls.read_text("utf-8").splitlines()
        kept = _newest_of_each(lines, wanted)
        new = Path(folder) / "replay.jsonl"
        new.write_text("\n".join(kept) + "\n", encoding="utf-8")
        shutil.copyfile(new, REPLAY)
    print(f"{len(kept)} answers in {REPLAY.name}")


def _newest_of_each(lines: list[str], wanted: set[str]) -> list[str]:
    """One answer to each request that is wanted: the last, for what identifies a request may change."""
    found: dict[str, str] = {}
    for line in lines:
        call = json.loads(line)
        if call["status"] == "ok" and json.dumps(call["messages"], sort_keys=True) in wanted:
            found[json.dumps([call["model"], call["messages"], call["params"], call["repeat"]])] = line
    return list(found.values())


if __name__ == "__main__":
    main()
