"""DIR/index.html: every report of a folder, its newest verdict first, its history below."""

from __future__ import annotations

import html
from pathlib import Path

from llmbench.errors import ReportError
from llmbench.money import dollars
from llmbench.reporting.display import DECISION_WORDS
from llmbench.reporting.folder import ReportFolder
from llmbench.reporting.folder_lock import folder_lock
from llmbench.reporting.formats import FORMATS
from llmbench.reporting.history import RunHistory, history_of
from llmbench.reporting.html import PAGE_POLICY, style_sheet
from llmbench.reporting.sparkline import sparkline
from llmbench.reporting.text import encodable
from llmbench.reporting.wording import counted, minute
from llmbench.result_files import read_envelope
from llmbench.results import Decision, ResultEnvelope
from llmbench.run_files import EXECUTED, INDEX, PAGE, RESULT, RUNS, report_as
from llmbench.shown import undirected
from llmbench.whole_file import write_whole

__all__ = ["write_index"]

_WORST_FIRST = [str(decision) for decision in reversed(Decision)]
_DECISIONS_IN_WORDS = 5
_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<title>Reports</title>
<style>
{style}
</style>
</head>
<body>
<main>
<h1>Reports</h1>
{body}
</main>
</body>
</html>
"""


def write_index(out: Path) -> Path:
    """Rebuild `out`/index.html from every result.json below it; returns its path.

    A run whose result cannot be read is listed with the reason: it must not hide the others.
    """
    with folder_lock(out):  # else a page that was read earlier could be written later
        return _write_index(out)


def _write_index(out: Path) -> Path:
    sections: list[tuple[str, str]] = []
    for folder in sorted(p for p in out.iterdir() if (p / RUNS).is_dir()):
        report = ReportFolder(out, folder.name)
        runs = [(run_id, _read(report.runs / run_id)) for run_id in report.run_ids()]
        if runs:
            sections.append((runs[0][0], _section(report, runs)))
    sections.sort(reverse=True)
    body = "\n".join(section for _, section in sections) or "<p>No report yet.</p>"
    target = out / INDEX
    page = _PAGE.format(policy=PAGE_POLICY, style=style_sheet(), body=body)
    write_whole(target, undirected(encodable(page)))
    return target


def _read(run: Path) -> ResultEnvelope | str:
    try:
        return read_envelope(run / RESULT)
    except ReportError as error:
        return str(error)


def _section(report: ReportFolder, runs: list[tuple[str, ResultEnvelope | str]]) -> str:
    notebook = report.path.name
    name = html.escape(notebook)
    newest = next((result for _, result in runs if isinstance(result, ResultEnvelope)), None)
    title = html.escape(newest.title) if newest else name
    count = counted(len(runs), "run")
    trends = _trends(history_of(notebook, runs))
    history = "".join(
        _row(name, html.escape(run_id), result, report.runs / run_id) for run_id, result in runs
    )
    return (
        f'<h2><a href="{name}/{PAGE}">{title}</a></h2>'
        f"{trends}<table><caption>{name}: {count}, newest first</caption>"
        "<thead><tr>"
        '<th scope="col">generated</th><th scope="col">verdict</th><th scope="col">in one sentence</th>'
        '<th scope="col">data until</th><th scope="col">spent</th><th scope="col">files</th>'
        f"</tr></thead><tbody>{history}</tbody></table>"
    )


def _trends(history: RunHistory) -> str:
    """How the verdict went from run to run, and the numbers that are followed."""
    if len(history.runs) < 2:
        return ""
    decisions = [run.decision for run in history.runs]
    line = sparkline(
        [float(_WORST_FIRST.index(decision)) for decision in decisions], 0.0, len(_WORST_FIRST) - 1.0
    )
    newest = "; ".join(DECISION_WORDS[Decision(decision)] for decision in decisions[-_DECISIONS_IN_WORDS:])
    last = "the last of them" if len(decisions) > _DECISIONS_IN_WORDS else "oldest first"
    words = f"Verdicts over {len(decisions)} runs, {last}: {newest}"
    kind, count = (
        ("model", len(history.models())) if history.models() else ("number", len(history.measures()))
    )
    details = (
        f"<details><summary>Trends of {counted(count, kind)}</summary>{history._repr_html_()}</details>"
        if count
        else ""
    )
    return f"<p>{line} {html.escape(words)}</p>{details}"


def _row(notebook: str, run_id: str, result: ResultEnvelope | str, run: Path) -> str:
    folder = f"{notebook}/{RUNS}/{run_id}"
    if isinstance(result, str):
        return f'<tr><td>{run_id}</td><td colspan="5">{html.escape(result)}</td></tr>'
    others = "".join(
        f' · <a href="{folder}/{report_as(name)}">{name}</a>'
        for name in FORMATS
        if (run / report_as(name)).is_file()
    )
    return (
        f"<tr><td>{html.escape(minute(result.generated_at))}</td>"
        f'<td class="decision">{html.escape(DECISION_WORDS[result.verdict.decision])}</td>'
        f"<td>{html.escape(result.verdict.summary)}</td><td>{html.escape(minute(result.data_until))}</td>"
        f"<td>{html.escape(dollars(result.spend.actual_usd))}</td>"
        f'<td><a href="{folder}/{PAGE}">report</a> · <a href="{folder}/{RESULT}">result</a> · '
        f'<a href="{folder}/{EXECUTED}">notebook</a>{others}</td></tr>'
    )
