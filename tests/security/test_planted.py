"""Secrets planted wherever they might leak from: no file that is kept, and nothing said, has them."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from llmbench.errors import LLMBenchError
from llmbench.ledger import Ledger
from llmbench.matrix import Dataset, Matrix
from llmbench.providers import CustomProvider, FakeClock
from llmbench.reporting import run_report
from tests.faults.killing import environment
from tests.faults.vendor import Vendor, serving, write_project
from tests.reporting.conftest import write_notebook

SECRET = "correct/horse+battery=staple-7351"
NAME = "MOCK_API_KEY"


def forms(secret: str = SECRET) -> list[bytes]:
    encoded = base64.b64encode(secret.encode()).decode().rstrip("=")
    return [form.encode() for form in {secret, json.dumps(secret)[1:-1], quote(secret, safe=""), encoded}]


def leaks(folder: Path) -> list[str]:
    """Files below `folder` that hold the secret in any form, also packed as those of a DOCX are."""
    return [
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and any(form in content for content in contents(path) for form in forms())
    ]


def contents(path: Path) -> Iterator[bytes]:
    yield path.read_bytes()
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            yield from (archive.read(name) for name in archive.namelist())


def test_leaks_are_found_in_what_is_packed(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.docx", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("word/document.xml", SECRET * 9)
    assert leaks(tmp_path) == ["a.docx"]


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    with serving() as found:
        found.seconds = 0.0
        yield found


@pytest.fixture
def planted(project: Path, vendor: Vendor, monkeypatch: pytest.MonkeyPatch) -> Path:
    (project / "llmbench.toml").unlink()
    write_project(project, vendor, 6)
    table = (project / "llmbench.toml").read_text(encoding="utf-8")
    table = table.replace("[endpoints.mock.prices]", f'api_key_env = "{NAME}"\n[endpoints.mock.prices]')
    (project / "llmbench.toml").write_text(table, encoding="utf-8")
    monkeypatch.setenv(NAME, SECRET)
    monkeypatch.setenv("LLMBENCH_LEDGER", str(project / ".llmbench" / "ledger.db"))
    return project


REFUSALS: list[tuple[int, dict[str, Any]]] = [
    (401, {"error": {"message": f"Incorrect API key provided: {SECRET}"}}),
    (403, {"error": {"message": f"{SECRET} may not"}}),
    (400, {"error": {"message": "bad", "headers": {"Authorization": f"Bearer {SECRET}"}}}),
    (429, {"error": {"message": f"key {SECRET} is too fast"}}),
    (500, {"error": {"message": f"Traceback: client(api_key='{SECRET}')"}}),
]


@pytest.mark.parametrize(("status", "body"), REFUSALS, ids=[str(status) for status, _ in REFUSALS])
def test_a_vendor_that_repeats_the_key(
    planted: Path, vendor: Vendor, status: int, body: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    vendor.status, vendor.refusal = status, body
    caplog.set_level("DEBUG")
    with Ledger() as ledger:
        provider = CustomProvider(
            {"base_url": vendor.url, "api_key": SECRET, "ledger": ledger, "clock": FakeClock(), "model": "m"}
        )
        matrix = Matrix(
            Dataset.load("data/items.jsonl"), ["mock/m"], ledger=ledger, providers={"mock": provider}
        )
        said = ""
        try:
            results = matrix.run()
            said = results.answers.to_json() + str(results.missing())
        except LLMBenchError as error:
            said = repr(error) + str(error)
        assert SECRET not in said
        assert ledger.verify().calls > 0
    assert leaks(planted / ".llmbench") == []
    assert SECRET not in caplog.text


REPORT = """\
from llmbench import Matrix
from llmbench.reporting import Report
from llmbench.results import Decision, Spend, Verdict
report = Report("asking", title="Asking")
P = report.parameters(globals())
results = Matrix("data/items.jsonl", ["mock/m"]).run()
report.table("answers", results.answers)
report.finish(verdict=Verdict(Decision.GO, "Yes."), data={}, price_book="current", seed=1,
    spend=Spend(None, None))"""


def with_notebook(folder: Path, *cells: str) -> None:
    write_notebook(
        folder / "notebooks" / "asking.ipynb", ["seed: int = 1  # seed", *cells], {0: ["parameters"]}
    )


@pytest.mark.security
@pytest.mark.parametrize("formats", [(), ("docx", "md")], ids=["page", "documents"])
def test_an_answer_that_holds_a_key_makes_no_report(
    planted: Path, vendor: Vendor, formats: tuple[str, ...]
) -> None:
    vendor.text = f"my key is {SECRET}"
    with_notebook(planted, REPORT)
    with pytest.raises(LLMBenchError, match=NAME) as caught:
        run_report("asking", formats=formats)
    assert SECRET not in str(caught.value)
    assert leaks(planted / "reports") == []


@pytest.mark.security
@pytest.mark.parametrize(
    "cell",
    [
        f"import os\nraise ValueError('refused ' + os.environ['{NAME}'])",
        f"import os\nkey = os.environ['{NAME}']\nraise KeyError(key)",
        f"import os, sys\nsys.stderr.write(os.environ['{NAME}'])\n1 / 0",
        f"import os, logging\nlogging.getLogger('x').warning(os.environ['{NAME}'])\n1 / 0",
        f"import os, base64\nprint(base64.b64encode(os.environ['{NAME}'].encode()))\n1 / 0",
    ],
)
def test_a_failure_that_tells_a_key_is_not_kept(planted: Path, cell: str) -> None:
    with_notebook(planted, REPORT, cell)
    with pytest.raises(LLMBenchError) as caught:
        run_report("asking")
    assert SECRET not in str(caught.value)
    assert leaks(planted / "reports") == []


@pytest.mark.security
def test_a_report_without_one_is_kept_and_clean(planted: Path) -> None:
    with_notebook(planted, REPORT)
    run_report("asking", formats=("docx", "md"))
    assert (planted / "reports" / "asking" / "report.md").is_file()
    assert leaks(planted / "reports") == []
    assert leaks(planted / ".llmbench") == []


@pytest.mark.security
@pytest.mark.parametrize("kind", ["crontab", "github", "airflow"])
def test_no_schedule_holds_a_key(planted: Path, kind: str) -> None:
    with_notebook(planted, REPORT)
    words = ["schedule", "asking", "--cron", "0 7 * * 1", "--as", kind]
    done = subprocess.run(
        [sys.executable, "-m", "llmbench", *words, "--out", "made.txt"], cwd=planted,
        env=environment(planted, **{NAME: SECRET}), capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "asking" in (planted / "made.txt").read_text(encoding="utf-8")
    assert not any(form.decode() in done.stdout + done.stderr for form in forms())
    assert leaks(planted) == []


@pytest.mark.security
@pytest.mark.parametrize(
    "words", [["doctor", "--offline"], ["models"], ["ledger", "show"], ["ledger", "spend"]]
)
def test_no_command_says_a_key(planted: Path, words: list[str]) -> None:
    with Ledger():
        pass
    done = subprocess.run(
        [sys.executable, "-m", "llmbench", *words], cwd=planted, env=environment(planted, **{NAME: SECRET}),
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert SECRET not in done.stdout + done.stderr
