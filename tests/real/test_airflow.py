"""A DAG of `llmbench schedule` in a real Airflow, run by `airflow dags test`; a workflow against its schema.

Three runs at once, each in a home and a data base of its own, into one folder of reports: two of a good
notebook, one of a good and a broken one. An `airflow dags test` takes most of its time to import Airflow.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

from llmbench.result_files import changed_files, read_envelope
from tests.real.install import AIRFLOW_PYTHON
from tests.real.parts import _SECRETS
from tests.reporting.conftest import REPORT_CELLS, REPORT_TAGS, write_notebook

pytestmark = pytest.mark.skipif(
    not AIRFLOW_PYTHON.with_name("airflow").exists(),
    reason="Airflow is not installed; the end of .real/install.log says why",
)

TEXT = "100% 'of' \"it\" $HOME `id` {{ ds }} {{{{ é\\n\nsecond line"
TOKEN = "correct horse battery"
BROKEN = "import os\nraise ValueError('no luck with ' + os.environ['MY_TOKEN'])"
_LIMIT_S = 200


class Ran(NamedTuple):
    """How the runs ended, what they printed, and where they left it."""

    root: Path
    codes: Mapping[str, int]
    said: Mapping[str, str]


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ran]:
    folder = tmp_path_factory.mktemp("airflow")
    root = folder / "pro{ject} with space"
    write_notebook(root / "notebooks" / "good.ipynb", REPORT_CELLS, REPORT_TAGS)
    write_notebook(
        root / "notebooks" / "broken.ipynb", ["greeting: str = ''  # what", BROKEN], {0: ["parameters"]}
    )
    (root / "pyproject.toml").write_text("[project]\nname = 'small'\nversion = '1'\n")
    for names in (["good"], ["good", "broken"]):
        words = [
            "schedule",
            *names,
            "-p",
            "greeting",
            TEXT,
            "--cron",
            "0 7 * * 1",
            "--time-zone",
            "Europe/Berlin",
        ]
        target = folder / "dags" / f"{'-'.join(names)}.py"
        command = [sys.executable, "-m", "llmbench", *words, "--as", "airflow", "--out", str(target)]
        subprocess.run(command, cwd=root, check=True, timeout=60, capture_output=True)
    homes = {name: folder / name for name in ("one", "two", "broken")}
    for home in homes.values():
        home.mkdir()
    _airflow(homes["one"], "db", "migrate").check_returncode()
    for name in ("two", "broken"):
        shutil.copy(homes["one"] / "airflow.db", homes[name] / "airflow.db")
    started = {
        name: _start(home, "dags", "test", "llmbench-good-broken" if name == "broken" else "llmbench-good")
        for name, home in homes.items()
    }
    try:
        said = {name: process.communicate(timeout=_LIMIT_S)[0] for name, process in started.items()}
    finally:
        for process in started.values():
            process.kill()
    return Ran(root, {name: process.returncode for name, process in started.items()}, said)


def _start(home: Path, *words: str) -> subprocess.Popen[str]:
    clean = {key: value for key, value in os.environ.items() if not key.endswith(_SECRETS)}
    own = {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(home.parent / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        "MY_TOKEN": TOKEN,
    }
    return subprocess.Popen(
        [str(AIRFLOW_PYTHON.with_name("airflow")), *words],
        env=clean | own,
        cwd=home,
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def _airflow(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    process = _start(home, *words)
    said, _ = process.communicate(timeout=_LIMIT_S)
    return subprocess.CompletedProcess(words, process.returncode, said)


def test_the_exit_code_tells_a_notebook_that_failed(ran: Ran) -> None:
    assert ran.codes == {"one": 0, "two": 0, "broken": 1}, ran.said


def test_runs_at_once_are_all_published_whole(ran: Ran) -> None:
    report = ran.root / "reports" / "good"
    runs = sorted((report / "runs").iterdir())
    assert len(runs) == 3
    for run in (*runs, report):
        assert changed_files(run) == ()
        assert read_envelope(run / "result.json").parameters["greeting"] == TEXT
    newest = json.loads((report / "manifest.json").read_text())
    assert newest == json.loads((runs[-1] / "manifest.json").read_text())
    assert "3 runs, newest first" in (ran.root / "reports" / "index.html").read_text()


def test_no_path_and_no_secret_is_kept_or_logged(ran: Ran) -> None:
    kept = [path for path in (ran.root / "reports").rglob("*") if path.is_file()]
    assert kept
    for path in kept:
        assert str(ran.root) not in path.read_text(), path
    logged = [path for path in ran.root.parent.rglob("*.log") if path.is_file()]
    said = "".join([*ran.said.values(), *(path.read_text(errors="replace") for path in (*kept, *logged))])
    assert TOKEN not in said
    assert "broken failed" in ran.said["broken"]
    assert "its message is not shown because it contains a secret" in ran.said["broken"]


def test_the_workflow_is_as_its_schema_has_it(ran: Ran) -> None:
    target = ran.root / ".github" / "workflows" / "good.yml"
    words = ["schedule", "good", "-p", "greeting", TEXT, "--cron", "@weekly", "--as", "github"]
    command = [sys.executable, "-m", "llmbench", *words, "--out", str(target)]
    subprocess.run(command, cwd=ran.root, check=True, timeout=60, capture_output=True)
    check = [str(AIRFLOW_PYTHON.with_name("check-jsonschema")), "--builtin-schema", "vendor.github-workflows"]
    done = subprocess.run([*check, str(target)], check=False, timeout=60, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
