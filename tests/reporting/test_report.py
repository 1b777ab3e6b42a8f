from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from llmbench.errors import ReportError, UsageError
from llmbench.reporting.figures import ForestRow, forest
from llmbench.reporting.progress import Progress
from llmbench.reporting.report import Parameters, Report
from llmbench.result_files import workload_digest
from llmbench.results import Decision, Spend, Verdict

VERDICT = Verdict(Decision.GO, "Yes.")
FINISH: dict[str, Any] = {
    "verdict": VERDICT,
    "data": {"x": float("nan")},
    "price_book": "2025-01-23",
    "seed": 1,
    "spend": Spend(0.5, None),
}


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, str]]:
    """What a kernel would have been given to show."""
    bundles: list[dict[str, str]] = []
    monkeypatch.setattr("IPython.display.display", lambda bundle, raw: bundles.append(bundle))
    return bundles


@pytest.fixture
def run_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, project: Path) -> Path:
    folder = tmp_path / "staging"
    folder.mkdir()
    monkeypatch.setenv("LLMBENCH_RUN_DIR", str(folder))
    return folder


@pytest.fixture
def notebook(make_notebook: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make_notebook("margin: float = 0.03  # that\nnames: list = []  # those")
    monkeypatch.setenv("LLMBENCH_NOTEBOOK", str(path))


@pytest.mark.usefixtures("notebook", "project")
def test_what_nobody_stated_is_told_but_of_simulated_data(
    shown: list[dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    report = Report("made", "T")
    report.parameters({"margin": 0.03, "names": ["a"]})
    report.assumed("margin", "names")
    assert shown[-1]["text/plain"] == "Not stated for this run, so as the notebook has it: margin (0.03)."
    before = len(shown)
    report.assumed("names")
    report.simulated = True
    report.assumed("margin")
    assert len(shown) == before
    monkeypatch.setenv("LLMBENCH_GIVEN", "seed margin")
    report = Report("made", "T")
    report.parameters({"margin": 0.03, "names": ["a"]})
    assert shown[-1]["text/html"].count("<td>given</td>") == 2
    before = len(shown)
    report.assumed("margin")
    assert len(shown) == before


@pytest.mark.usefixtures("notebook", "project")
def test_parameters_are_checked_shown_and_fixed(shown: list[dict[str, str]]) -> None:
    P = Report("made", "T").parameters({"margin": 1, "names": ["<b>"], "other": 3})  # noqa: N806
    assert (P.margin, P["names"], len(P)) == (1.0, ["<b>"], 2)
    assert "<code>margin</code>" in shown[0]["text/html"]
    assert "&lt;b&gt;" in shown[0]["text/html"]
    assert shown[0]["text/html"].count("<td>given</td>") == 2
    with pytest.raises(UsageError, match="'margin' is set in the cell"):
        P.margin = 2
    with pytest.raises(AttributeError, match="no parameter 'margn'"):
        P.margn  # noqa: B018


@pytest.mark.usefixtures("notebook", "project")
@pytest.mark.parametrize(
    ("namespace", "message"),
    [({"margin": "x", "names": []}, "'margin' takes a number"), ({"margin": 0.1}, "'names' is not set")],
)
def test_parameters_refuses(namespace: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Report("made", "T").parameters(namespace)


@pytest.mark.usefixtures("project")
def test_nothing_is_written_in_an_interactive_notebook(shown: list[dict[str, str]], tmp_path: Path) -> None:
    report = Report("made", "T")
    report.verdict(VERDICT)
    report.table("a", pd.DataFrame({"x": [1]}))
    report.figure("b", *forest([ForestRow("m", 0.5, 0.4, 0.6, 10)], xlabel="x", caption="C"))
    report.finish(**FINISH)
    assert len(shown) == 4
    assert [p.name for p in tmp_path.rglob("*") if p.is_file()] == ["llmbench.toml"]


def test_table_and_figure_leave_their_numbers(run_folder: Path, shown: list[dict[str, str]]) -> None:
    report = Report("made", "T")
    frame = pd.DataFrame(
        {"x": [0.123456789, None], "ci": [(0.1, 0.2), None], "text": ["=HYPERLINK(1)", "ü\n"]}
    )
    report.table("scores", frame, shown=pd.DataFrame({"x": ["12.3%"]}), caption="Scores")
    report.figure("scores", *forest([ForestRow("m", 0.5, 0.4, 0.6, 10)], xlabel="x", caption="C"))
    kept = pd.read_csv(run_folder / "tables" / "scores.csv")
    assert kept["x"].tolist()[0] == 0.123456789
    assert json.loads(kept["ci"][0]) == [0.1, 0.2]
    assert kept["text"].tolist() == ["'=HYPERLINK(1)", "ü\n"]
    assert pd.read_csv(run_folder / "figures" / "scores.csv")["estimate"].tolist() == [0.5]
    assert (run_folder / "figures" / "scores.svg").read_bytes().startswith(b"<?xml")
    assert "12.3%" in shown[0]["text/html"]
    with pytest.raises(ReportError, match=r"already has tables/scores\.csv"):
        report.table("scores", frame)


@pytest.mark.parametrize("name", ["../x", "A b", "", "x/y", ".hidden"])
def test_a_name_that_leaves_the_folder_is_refused(run_folder: Path, name: str) -> None:
    with pytest.raises(UsageError, match="cannot name a table or figure"):
        Report("made", "T").table(name, pd.DataFrame())


def test_finish_writes_the_envelope(run_folder: Path, project: Path, shown: list[dict[str, str]]) -> None:
    (project / "in.csv").write_text("x\n1\n")
    Report("made", "T").finish(
        **FINISH,
        inputs={"in.csv": 1},
        baseline="a",
        candidate="b",
        parameters={"p": (1, 2)},
        data_until="2025-01-23",
    )
    result = json.loads((run_folder / "result.json").read_text())
    assert list(result) == [
        *(
            "schema",
            "report",
            "title",
            "verdict",
            "parameters",
            "inputs",
            "workload_sha256",
            "baseline",
            "candidate",
        ),
        *(
            "price_book",
            "generated_at",
            "data_until",
            "llmbench_version",
            "git_commit",
            "seed",
            "spend",
            "data",
        ),
    ]
    assert result["data"] == {"x": None}
    assert result["spend"] == {"quoted_usd": 0.5, "actual_usd": None}
    assert result["inputs"][0]["path"] == "in.csv"
    assert result["parameters"] == {"p": [1, 2]}
    assert "in.csv, 1 rows" in shown[0]["text/plain"]


def test_a_run_whose_folder_is_gone_says_so(run_folder: Path) -> None:
    run_folder.rmdir()
    with pytest.raises(ReportError, match="The folder of this run is gone"):
        Report("made", "T").finish(**FINISH)


@pytest.mark.usefixtures("project")
def test_progress_goes_to_the_file_of_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "progress.jsonl"
    monkeypatch.setenv("LLMBENCH_PROGRESS", str(path))
    report = Report("made", "T")
    report.progress(Progress(done=1, total=2))
    report.progress({"done": 2, "total": 2})
    assert [json.loads(line)["done"] for line in path.read_text().splitlines()] == [1, 2]


@pytest.mark.usefixtures("project")
def test_progress_of_an_interactive_notebook_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[str] = []

    class Handle:
        def update(self, bundle: dict[str, str], raw: bool) -> None:
            lines[-1] = bundle["text/plain"]

    def display(bundle: dict[str, str], raw: bool, display_id: bool) -> Handle:
        lines.append(bundle["text/plain"])
        return Handle()

    monkeypatch.setattr("IPython.display.display", display)
    report = Report("made", "T")
    report.progress({"done": 1, "total": 2})
    report.progress({"done": 2, "total": 2})
    assert lines == ["2 of 2 calls: 0 made, 0 replayed, 0 failed"]


def test_parameters_are_a_mapping_that_is_equal_to_its_values() -> None:
    assert dict(Parameters({"a": 1})) == {"a": 1}


def test_half_a_character_is_written_as_an_escape(run_folder: Path, shown: list[dict[str, str]]) -> None:
    report = Report("made", "T")
    report.table("answers", pd.DataFrame({"answer": ["a\ud800b"]}, dtype=object))
    report.text("\udfff")
    report.finish(**{**FINISH, "data": {"\ud800": ["\ud800"]}})
    assert "a\\ud800b" in (run_folder / "tables" / "answers.csv").read_text(encoding="utf-8")
    assert json.loads((run_folder / "result.json").read_text("utf-8"))["data"] == {"\\ud800": ["\\ud800"]}
    for bundle in shown:
        "".join(bundle.values()).encode("utf-8")


def test_a_full_disk_is_one_sentence_of_the_report(
    run_folder: Path, monkeypatch: pytest.MonkeyPatch, shown: list[dict[str, str]]
) -> None:
    def full(path: Path, data: bytes) -> int:
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(ReportError, match=r"No space is left on the disk of .*: free some, nothing that was"):
        Report("made", "T").table("a", pd.DataFrame({"x": [1]}))


def test_provenance_shows_instants_to_the_minute(run_folder: Path, shown: list[dict[str, str]]) -> None:
    Report("made", "T").finish(**FINISH, data_until="2025-01-23T09:30:15.123456+00:00")
    assert "2025-01-23 09:30 UTC" in shown[-1]["text/plain"]
    assert "09:30:15" not in shown[-1]["text/plain"]


def test_simulated_data_say_so_in_every_file(run_folder: Path, shown: list[dict[str, str]]) -> None:
    (run_folder / "in.csv").write_text("a\n1\n")
    report = Report("made", "T")
    report.simulated = True
    report.table("scores", pd.DataFrame({"x": [1, 2]}))
    report.figure("scores", *forest([ForestRow("m", 0.5, 0.4, 0.6, 10)], xlabel="x", caption="C"))
    report.finish(**FINISH, inputs={str(run_folder / "in.csv"): 1})
    for folder in ("tables", "figures"):
        assert pd.read_csv(run_folder / folder / "scores.csv")["simulated"].all()
    result = json.loads((run_folder / "result.json").read_text())
    assert result["title"] == "Simulated data: T"
    assert [item["simulated"] for item in result["inputs"]] == [True]
    assert ", simulated, sha256" in shown[-1]["text/plain"]


def test_measured_data_have_no_mark(run_folder: Path, shown: list[dict[str, str]]) -> None:
    (run_folder / "in.csv").write_text("a\n1\n")
    report = Report("made", "T")
    report.table("scores", pd.DataFrame({"x": [1, 2]}))
    report.finish(**FINISH, inputs={str(run_folder / "in.csv"): 1})
    assert list(pd.read_csv(run_folder / "tables" / "scores.csv")) == ["x"]
    result = json.loads((run_folder / "result.json").read_text())
    assert result["title"] == "T"
    assert list(result["inputs"][0]) == ["path", "sha256", "rows"]
    assert shown


def test_a_named_workload_stands_before_the_digest(
    run_folder: Path, shown: list[dict[str, str]], make_notebook: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make_notebook('workload_name: str = ""  # what the messages are called')
    monkeypatch.setenv("LLMBENCH_NOTEBOOK", str(path))
    report = Report("made", "T")
    report.parameters({"workload_name": " cold e-mails "})
    report.finish(**FINISH, workload_sha256="a" * 64)
    told = json.loads((run_folder / "result.json").read_text(encoding="utf-8"))
    assert told["workload_sha256"] == workload_digest("cold e-mails")
