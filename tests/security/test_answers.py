"""Hostile answers on their whole way: model, matrix, ledger, exports, terminal, notebook, report."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from llmbench.cli import cli, main
from llmbench.ledger import Ledger
from llmbench.matrix import Dataset, Matrix
from llmbench.matrix.labels import export_labels
from llmbench.matrix.results import MatrixResults
from llmbench.providers import CustomProvider, FakeClock
from llmbench.providers.fake import FakeProvider
from llmbench.reporting.envelope import write_envelope
from llmbench.results import Decision, ResultEnvelope, Spend, Verdict
from tests.providers.vendor_stub import running
from tests.security.hostile import HOSTILE, changed_json, hostile_texts, many

FORMULA = ("=", "+", "-", "@", "\t", "\r")
NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?", re.IGNORECASE)


def asked(folder: Path, answers: Sequence[str], ledger: Ledger) -> MatrixResults:
    rows = [{"id": k, "prompt": f"item {k}", "expected": "no"} for k in range(len(answers))]
    path = folder / "items.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")

    def script(messages: Sequence[Mapping[str, str]], _params: Mapping[str, Any]) -> str:
        return answers[int(messages[-1]["content"].split()[1])]

    provider = FakeProvider(script, self_hosted=True, ledger=ledger)
    return Matrix(Dataset.load(path), ["fake/m"], ledger=ledger, providers={"fake": provider}).run()


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Ledger, MatrixResults]]:
    folder = tmp_path_factory.mktemp("answers")
    (folder / "llmbench.toml").touch()
    with Ledger(folder / "ledger.db") as ledger:
        yield folder, ledger, asked(folder, list(HOSTILE.values()), ledger)


def joined(text: str) -> str:
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")


def test_the_ledger_has_them_as_they_were(said: tuple[Path, Ledger, MatrixResults]) -> None:
    _, ledger, results = said
    assert ledger.verify().sound
    assert {call.content for call in ledger.calls()} == set(HOSTILE.values())
    assert (results.answers["score"] == 0).all()


def cells(path: Path) -> Iterator[str]:
    if path.suffix == ".csv":
        csv.field_size_limit(20_000_000)
        with path.open(encoding="utf-8-sig", newline="") as file:
            for row in csv.reader(file):
                yield from row
    elif path.suffix == ".xlsx":
        import openpyxl

        for sheet in openpyxl.load_workbook(path).worksheets:
            for row in sheet.iter_rows():
                for cell in row:
                    assert cell.data_type != "f", cell.value
                    assert cell.hyperlink is None
                    yield "" if cell.value is None else str(cell.value)


def runs_in_a_spreadsheet(text: str) -> bool:
    return text.startswith(FORMULA) and not NUMBER.fullmatch(text)


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".jsonl"])
def test_an_export_of_the_ledger(
    said: tuple[Path, Ledger, MatrixResults], suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = said[0]
    monkeypatch.chdir(folder)
    monkeypatch.setenv("LLMBENCH_LEDGER", str(folder / "ledger.db"))
    done = CliRunner().invoke(cli, ["ledger", "export", f"out{suffix}"])
    assert done.exit_code == 0, done.output
    assert not [cell for cell in cells(folder / f"out{suffix}") if runs_in_a_spreadsheet(cell)]
    if suffix == ".jsonl":
        with Ledger(folder / "again.db") as again:
            assert again.import_lines(folder / "out.jsonl") == len(HOSTILE)
            assert {joined(str(call.content)) for call in again.calls()} == {
                joined(text) for text in HOSTILE.values()
            }


@pytest.mark.parametrize("suffix", [".csv", ".xlsx"])
def test_a_sheet_for_labels(said: tuple[Path, Ledger, MatrixResults], suffix: str, tmp_path: Path) -> None:
    export_labels(said[2].answers, tmp_path / f"sheet{suffix}", n=100, questions={})
    assert not [cell for cell in cells(tmp_path / f"sheet{suffix}") if runs_in_a_spreadsheet(cell)]


def test_the_terminal_is_not_steered(
    said: tuple[Path, Ledger, MatrixResults], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, ledger, _ = said
    monkeypatch.chdir(folder)
    monkeypatch.setenv("LLMBENCH_LEDGER", str(folder / "ledger.db"))
    commands = [["ledger", "show"], ["ledger", "spend"]]
    commands += [["ledger", "show", call.call_id] for call in ledger.calls()]
    for words in commands:
        done = CliRunner().invoke(cli, words)
        assert done.exit_code == 0, done.output
        assert not steering(done.output), (words, steering(done.output))


def steering(output: str) -> list[str]:
    return re.findall(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", output)


def test_two_runs_of_a_hostile_result_do_not_steer_the_terminal(tmp_path: Path) -> None:
    for run in ("1", "2"):
        data = {"models": [{"model": text[:300], "score": int(run)} for text in HOSTILE.values()]}
        (tmp_path / "odd" / "runs" / run).mkdir(parents=True)
        told = ResultEnvelope(
            report="odd",
            title="Odd",
            verdict=Verdict(Decision.HOLD, f"{HOSTILE['ansi']} {run}"),
            parameters={},
            inputs=(),
            workload_sha256=None,
            baseline=None,
            candidate=f"{HOSTILE['bidi']} {run}",
            price_book="current",
            generated_at="2026-01-23T00:00:00+00:00",
            data_until=None,
            llmbench_version="0",
            git_commit=None,
            seed=1,
            spend=Spend(None, None),
            data=data,
        )
        write_envelope(tmp_path / "odd" / "runs" / run / "result.json", told)
    done = CliRunner().invoke(cli, ["diff", "odd~1", "odd", "--out", str(tmp_path)])
    assert done.exit_code == 0, done.output
    assert "\\x1b[2J" in done.output
    assert not steering(done.output)


def test_a_sentence_of_an_error_does_not_steer_the_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["llmbench", "report", HOSTILE["ansi"]])
    with pytest.raises(SystemExit):
        main()
    assert not steering(capsys.readouterr().err)


class Tags(HTMLParser):
    """What a page holds that acts."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in {"script", "link", "iframe", "object", "embed", "base", "form", "img"}:
            source = dict(attrs).get("src") or ""
            if not (tag == "img" and source.startswith("data:image/")):
                self.found.append(f"{tag} {attrs}")
        for name, value in attrs:
            target = re.sub(r"[\x00-\x20]", "", value or "").lower()
            runs = name.startswith("on") or target.startswith(("javascript:", "vbscript:", "data:text"))
            if runs or (name == "http-equiv" and target == "refresh"):
                self.found.append(f"{tag} {name}={value}")
            # A link may be shown, for a reader to follow or not; nothing may be asked for by itself.
            if name in {"src", "srcdoc", "action", "background"} and "evil.test" in target:
                self.found.append(f"{tag} {name}={value}")


def acting(html: str) -> list[str]:
    seen = Tags()
    seen.feed(html)
    return seen.found


@given(st.lists(hostile_texts, min_size=1, max_size=6))
@many(10)
def test_any_answer_keeps_to_its_place(tmp_path_factory: pytest.TempPathFactory, answers: list[str]) -> None:
    folder = tmp_path_factory.mktemp("any")
    with Ledger(folder / "ledger.db") as ledger:
        results = asked(folder, answers, ledger)
        assert ledger.verify().sound
        kept = sorted(joined(str(call.content)) for call in ledger.calls())
        assert kept == sorted(map(joined, answers))
        scores = results.answers["score"].dropna()
        assert scores.isin([0.0, 1.0]).all()
        export_labels(results.answers, folder / "sheet.csv", questions={})
        assert not [cell for cell in cells(folder / "sheet.csv") if runs_in_a_spreadsheet(cell)]


REPLY = {
    "id": "c", "object": "chat.completion", "created": 1, "model": "m", "system_fingerprint": "f",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "yes"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7, "cost": 0.5,
              "prompt_tokens_details": {"cached_tokens": 1},
              "completion_tokens_details": {"reasoning_tokens": 1}},
}  # fmt: skip


@given(st.lists(changed_json(REPLY), min_size=5, max_size=5))
@many(6)
def test_any_reply_of_a_server_is_an_answer_or_an_error_of_ours(
    tmp_path_factory: pytest.TempPathFactory, replies: list[Any]
) -> None:
    folder = tmp_path_factory.mktemp("replies")
    left = iter(replies * 10)

    async def answer(_request: web.Request) -> web.Response:
        return web.Response(body=json.dumps(next(left, REPLY)).encode(), content_type="application/json")

    rows = [{"id": k, "prompt": f"item {k}", "expected": "yes"} for k in range(5)]
    (folder / "items.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows), encoding="utf-8")
    with (
        running(lambda app: app.router.add_post("/v1/chat/completions", answer) and None) as root,
        Ledger(folder / "ledger.db") as ledger,
    ):
        prices = {"m": {"input": 1.0, "output": 4.0, "as_of": "2026-11-01"}}
        provider = CustomProvider(
            {"base_url": f"{root}/v1", "prices": prices, "ledger": ledger, "clock": FakeClock()}
        )
        data = Dataset.load(folder / "items.jsonl")
        results = Matrix(data, ["one/m"], ledger=ledger, providers={"one": provider}).run(concurrency=1)
        assert ledger.verify().sound
        assert results.answers["score"].dropna().isin([0.0, 1.0]).all()
        for call in ledger.calls():
            assert call.cost is None or 0 <= call.cost < 1e6
            assert call.usage is None or call.usage.input_tokens >= 0


CELLS = [
    "seed: int = 1  # seed",
    """\
import json, pathlib
from llmbench.ledger import Ledger
from llmbench.matrix import Dataset, Matrix
from llmbench.providers.fake import FakeProvider
from llmbench.reporting import Report
from llmbench.results import Decision, Spend, Verdict
report = Report("odd", title="Odd")
P = report.parameters(globals())
answers = json.loads(pathlib.Path("answers.json").read_text())
script = lambda messages, params: answers[int(messages[-1]["content"].split()[1])]
ledger = Ledger()
fake = FakeProvider(script, self_hosted=True, ledger=ledger)
matrix = Matrix(Dataset.load("items.jsonl"), ["fake/m"], ledger=ledger, providers={"fake": fake})
results = matrix.run()""",
    "results",
    'report.table("answers", results.answers)',
    "for text in answers[:-1]:\n    print(text)",
    """\
from IPython.display import Markdown, HTML, display
for text in answers[:-1]:
    text = text.encode("utf-8", "replace").decode()  # IPython's own display takes no half characters
    display(Markdown(text))
    display(HTML(text))""",
    """\
verdict = Verdict(Decision.HOLD, answers[0] + answers[5], answers[1:-1])
report.verdict(verdict)
report.finish(verdict=verdict, data={"answers": answers[:-1]}, price_book="current", seed=1,
    spend=Spend(None, None), baseline=answers[0], candidate=answers[5])""",
]


@pytest.mark.security
def test_a_report_of_hostile_answers(project: Path) -> None:
    from llmbench.reporting import run_report
    from tests.reporting.conftest import write_notebook

    answers = list(HOSTILE.values())
    rows = [{"id": k, "prompt": f"item {k}", "expected": "no"} for k in range(len(answers))]
    (project / "items.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows), encoding="utf-8")
    (project / "answers.json").write_text(json.dumps(answers), encoding="utf-8")
    write_notebook(project / "notebooks" / "odd.ipynb", CELLS, {0: ["parameters"]})
    found = run_report("odd")
    for path in found.folder.rglob("*.html"):
        assert acting(path.read_text(encoding="utf-8")) == []
    assert "\u202e" not in (found.folder / "report.html").read_text(encoding="utf-8")
    assert acting(found.index.read_text(encoding="utf-8")) == []
    for path in found.folder.rglob("*.csv"):
        assert not [cell for cell in cells(path) if runs_in_a_spreadsheet(cell)]

    def refuse(word: str) -> None:
        raise AssertionError(word)

    document = json.loads((found.folder / "result.json").read_text(encoding="utf-8"), parse_constant=refuse)
    assert len(document["data"]["answers"]) == len(answers) - 1
    notebook = json.loads((found.folder / "executed.ipynb").read_text(encoding="utf-8"))
    assert notebook["cells"]
