"""Kill -9, as in `test_kills`, of commands that leave tables and other files: each is whole, or as it was."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest

from llmbench.catalog.gpu_offers import SNAPSHOTS, read_snapshot
from llmbench.ledger import Ledger
from llmbench.matrix.labels import export_labels
from tests.faults.killing import ROOT
from tests.faults.test_kills import (
    CLI,
    Command,
    _counts,
    _rows,
    _with_ledger,
    _write_lines,
    _write_notebook,
    all_rounds,
    rounds_of,
    survive_changes,
)

pytestmark = [pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")]
few_rounds = pytest.mark.parametrize("rounds", rounds_of(1))

GPUHUNT = """
from types import SimpleNamespace

def query(provider, gpu_name, min_gpu_count):
    return [
        SimpleNamespace(
            provider=provider, instance_name=f"i{count}", location="here", price=1.0 * count,
            gpu_count=count, gpu_name="L4", gpu_memory=24.0, spot=False,
        )
        for count in (1, 2, 4, 8)
    ]
"""
OFFERS = 9 * 4
"""Of nine sellers, each with four sizes."""


def sellers(folder: Path) -> dict[str, str]:
    """The environment in which gpuhunt is one that asks no network, from a module below `folder`."""
    (folder / "stub").mkdir(exist_ok=True)
    (folder / "stub" / "gpuhunt.py").write_text(GPUHUNT, encoding="utf-8")
    return {"PYTHONPATH": os.pathsep.join([str(folder / "stub"), str(ROOT)])}


@few_rounds
def test_a_refresh_of_prices(tmp_path: Path, rounds: int) -> None:
    old = "gpu,n_gpu,seller,instance,as_of,source,region,usd_per_hour,spot_usd_per_hour,reserved_usd_per_hour"
    old += "\nL4,1,aws,old,2026-01-01,gpuhunt,here,2.0,,\n"

    def new(folder: Path) -> None:
        (folder / "llmbench.toml").touch()
        (folder / SNAPSHOTS).mkdir(parents=True)
        for day in ("2026-01-01", f"{datetime.now(UTC):%Y-%m-%d}"):
            (folder / SNAPSHOTS / f"{day}.csv").write_text(old, encoding="utf-8")

    def snapshots(folder: Path) -> list[int]:
        return [len(read_snapshot(path)) for path in sorted((folder / SNAPSHOTS).glob("[!.]*"))]

    def check(folder: Path) -> None:
        assert snapshots(folder) in ([1, 1], [1, OFFERS], [1, 1, OFFERS])  # the last at midnight

    def done(folder: Path) -> None:
        assert snapshots(folder) in ([1, OFFERS], [1, 1, OFFERS])

    command = Command([*CLI, "prices", "refresh"], check, done, sellers(tmp_path))
    survive_changes(command, tmp_path, new, rounds, seed=20)


EXPORT = "day,model,usd\n2026-01-02,m,3.5\n"
TABLES = {
    "spend": ["ledger", "spend", "--by", "unit", "--csv", "out.csv"],
    "reconcile": [
        "ledger", "reconcile", "export.csv", "--vendor", "generic",
        "--columns", "date=day,model=model,cost=usd", "--csv", "out.csv",
    ],
}  # fmt: skip
ROWS = {"spend": 50, "reconcile": 1}
"""One a unit; one a model and day."""
CALLS = 200


@pytest.fixture
def new_books(tmp_path: Path) -> Callable[[Path], None]:
    """Makes a project with a ledger of 200 calls, and a vendor's export beside it."""
    source = tmp_path / "books"
    _write_lines(source / "calls.jsonl", CALLS)
    with Ledger(source / "ledger.db") as ledger:
        ledger.import_lines(source / "calls.jsonl")

    def new(folder: Path) -> None:
        _with_ledger(source)(folder)
        (folder / "export.csv").write_text(EXPORT, encoding="utf-8")

    return new


@pytest.mark.parametrize("name", list(TABLES))
@few_rounds
def test_a_table_of_the_ledger(
    tmp_path: Path, new_books: Callable[[Path], None], name: str, rounds: int
) -> None:
    def new(folder: Path) -> None:
        new_books(folder)
        (folder / "out.csv").write_text("as it was", encoding="utf-8")

    def check(folder: Path) -> None:
        content = (folder / "out.csv").read_bytes()
        assert content == b"as it was" or _rows(folder / "out.csv") == ROWS[name]

    def done(folder: Path) -> None:
        assert _rows(folder / "out.csv") == ROWS[name]
        assert _counts(folder) == (CALLS, CALLS)

    survive_changes(Command([*CLI, *TABLES[name]], check, done), tmp_path, new, rounds, seed=21)


FILES = {
    "export csv": ["ledger", "export", "out.csv"],
    "export jsonl": ["ledger", "export", "out.jsonl"],
    "export parquet": ["ledger", "export", "out.parquet"],
    "reprice": ["ledger", "reprice", "--price-book", "2025-01-23", "--csv", "out.csv"],
    "label import": ["label", "import", "sheet.csv", "--out", "out.csv"],
    "schedule": ["schedule", "asking", "--cron", "0 7 * * 1", "--as", "github", "--out", "run.yml"],
    "simulate": ["simulate", "ab", "--runs", "20", "--out", "plan"],
    "init": ["init", "mine"],
}


def files_of(folder: Path) -> dict[str, bytes]:
    """All files of a project but hidden ones, by path."""
    found = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return {
        path.as_posix(): (folder / path).read_bytes()
        for path in found
        if not any(part.startswith(".") for part in path.parts)
    }


@pytest.mark.parametrize("name", list(FILES))
@all_rounds
def test_each_file_is_as_it_was_or_as_it_will_be(
    tmp_path: Path, new_books: Callable[[Path], None], name: str, rounds: int
) -> None:
    begun: dict[str, bytes] = {}
    ended: dict[str, bytes] = {}

    def new(folder: Path) -> None:
        new_books(folder)
        (folder / "notebooks").mkdir()
        for path in ("notebooks/asking.ipynb", "sheet.csv", "sheet.key.json"):
            (folder / path).write_bytes((tmp_path / path).read_bytes())
        begun.update(files_of(folder))

    def check(folder: Path) -> None:
        for path, content in files_of(folder).items():
            assert content in (begun.get(path), ended[path]), path
        if name == "schedule":
            (folder / "run.yml").unlink(missing_ok=True)  # never written over

    def done(folder: Path) -> None:
        ended.update({} if ended else files_of(folder))
        assert files_of(folder) == ended

    _write_notebook(tmp_path)
    answers = pd.DataFrame(
        {"item_id": [str(i) for i in range(40)], "cell": "e/m[p]", "repeat": 0, "answer": "yes", "score": 1.0}
    )
    export_labels(answers, tmp_path / "sheet.csv", n=40)
    pd.read_csv(tmp_path / "sheet.csv").assign(rating_1=1).to_csv(tmp_path / "sheet.csv", index=False)
    survive_changes(Command([*CLI, *FILES[name]], check, done), tmp_path, new, rounds, seed=24)
