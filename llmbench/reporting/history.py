"""The runs of a report over time: each model's score, cost and latency, or the numbers of its own kind.

A score is a score whenever it was graded. Latency and cost are facts of the calls: a run that answered from
the ledger repeats those of an earlier one, so only a run that made all of its calls counts for them
(result.json `data.calls`). Of a report of outcomes, only a run of new data counts: see `measures`.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from llmbench.errors import ReportError, UsageError
from llmbench.numbers import finite
from llmbench.plain_table import PlainTable
from llmbench.reporting.folder import ReportFolder
from llmbench.reporting.measures import Measure, measures_of, new_data
from llmbench.reporting.sparkline import sparkline
from llmbench.reporting.wording import counted, minute
from llmbench.result_data import as_count, cell_label, ends_of, part_of, rows_of
from llmbench.result_files import read_envelope
from llmbench.results import ResultEnvelope
from llmbench.run_files import RESULT
from llmbench.shown import shown

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ModelPoint", "RunHistory", "RunPoint", "Trend", "history_of", "run_history"]


@shown
class ModelPoint(NamedTuple):
    """One model in one run; None: not known, or not measured by this run."""

    model: str
    """The model's label: endpoint/model, with its prompt and parameters where there are any."""
    n: int | None
    score: float | None
    score_low: float | None
    score_high: float | None
    cost_per_1k_calls: float | None
    """USD; of freshly made calls only."""
    latency_p50_ms: float | None
    """Milliseconds; of freshly made calls only."""
    usd_per_million_tokens: float | None
    """The price in effect: cost by input and output tokens together; of freshly made calls only."""
    price_book: str
    """The book by which the run priced its calls."""


@shown
class RunPoint(NamedTuple):
    """One run of the report."""

    run_id: str
    generated_at: str
    decision: str
    made: int | None
    """Calls made by this run; None where the report makes none."""
    replayed: int | None
    """Answers taken from the ledger."""
    spent_usd: float | None
    new_data: bool
    """Whether it is of data that no run before it had; where not, it has no models and no measures."""
    measures: tuple[Measure, ...]
    """What a report that is not one of models is followed by."""
    models: tuple[ModelPoint, ...]

    @property
    def fresh(self) -> bool:
        """Whether every answer was made by this run."""
        return bool(self.made) and self.replayed == 0


@shown
class Trend(NamedTuple):
    """One number of one model, arm, option or policy, run by run; None where a run does not know it."""

    model: str
    values: tuple[float | None, ...]

    def words(self) -> str:
        """First and last known value in words.

        >>> Trend("a", (0.5, None, 0.75)).words()
        'from 0.5 to 0.75 over 2 of 3 runs'
        >>> Trend("a", (None,)).words()
        'not known of any run'
        """
        known = [value for value in self.values if value is not None]
        if not known:
            return "not known of any run"
        runs = f"{len(known)} of {counted(len(self.values), 'run')}"
        if len(known) == 1:
            return f"{known[0]:.3g} in {runs}"
        return f"from {known[0]:.3g} to {known[-1]:.3g} over {runs}"


@shown
class RunHistory(NamedTuple):
    """Every run of a notebook that can be read, oldest first."""

    notebook: str
    runs: tuple[RunPoint, ...]
    unreadable: tuple[str, ...] = ()
    """Ids of the runs whose result cannot be read."""

    def models(self) -> tuple[str, ...]:
        """The models of all runs, in the order of their first run."""
        return tuple(dict.fromkeys(point.model for run in self.runs for point in run.models))

    def trend(self, model: str, number: str = "score") -> Trend:
        """One number of one model over all runs.

        `number` is score, cost_per_1k_calls, latency_p50_ms or usd_per_million_tokens.

        Raises UsageError for another.
        """
        if number not in _NUMBERS:
            raise UsageError(f"There is no trend of {number!r}; there is one of {', '.join(_NUMBERS)}.")
        found = ({point.model: point for point in run.models}.get(model) for run in self.runs)
        return Trend(model, tuple(getattr(point, number) if point is not None else None for point in found))

    def measures(self) -> tuple[tuple[str, str], ...]:
        """(of, what) of every number that is followed, in the order of their first run."""
        return tuple(dict.fromkeys((point.of, point.what) for run in self.runs for point in run.measures))

    def measure_trend(self, of: str, what: str) -> Trend:
        """One of the numbers of `measures` over all runs; raises UsageError for another."""
        if (of, what) not in self.measures():
            raise UsageError(f"{self.notebook} has no {what!r} of {of!r}; `measures()` lists what it has.")
        found = ({point[:2]: point.value for point in run.measures} for run in self.runs)
        return Trend(of, tuple(values.get((of, what)) for values in found))

    def to_pandas(self) -> pd.DataFrame:
        """One row a run and model, or a run and measure; a run without either has one row of its own."""
        import pandas as pd

        no_model, no_measure = (None,) * len(ModelPoint._fields), (None,) * len(Measure._fields)
        rows = [
            (*run[:-2], run.fresh, *model, *measure)
            for run in self.runs
            for model, measure in [
                *((point, no_measure) for point in run.models),
                *((no_model, point) for point in run.measures),
            ]
            or [(no_model, no_measure)]
        ]
        columns = [*RunPoint._fields[:-2], "fresh", *ModelPoint._fields, *Measure._fields]
        return pd.DataFrame(rows, columns=columns)

    def _repr_html_(self) -> str:
        """One row a model: its trends as lines, and in words."""
        runs = counted(len(self.runs), "run")
        if self.runs:
            runs += f", {minute(self.runs[0].generated_at)} to {minute(self.runs[-1].generated_at)}"
        head = f"<p>{html.escape(f'{self.notebook}: {runs}')}</p>"
        if self.measures():
            followed = "".join(self._measure_row(of, what) for of, what in self.measures())
            heads = "".join(f'<th scope="col">{title}</th>' for title in ("of", "number", "run by run"))
            head += f"<table><thead><tr>{heads}</tr></thead><tbody>{followed}</tbody></table>"
            if not self.models():
                return head
        if not self.models():
            rows = [(minute(run.generated_at), run.decision) for run in self.runs]
            return head + PlainTable(("generated", "verdict"), rows, texts=2).html()
        titles = "".join(f'<th scope="col">{title}</th>' for title in ("model", *_NUMBERS.values()))
        body = "".join(
            f'<tr><th scope="row" style="{_ROW_STYLE}">{html.escape(model)}</th>'
            + "".join(f"<td>{self._cell(model, number)}</td>" for number in _NUMBERS)
            + "</tr>"
            for model in self.models()
        )
        return f"{head}<table><thead><tr>{titles}</tr></thead><tbody>{body}</tbody></table>"

    def _measure_row(self, of: str, what: str) -> str:
        name = f'<th scope="row" style="{_ROW_STYLE}">{html.escape(of)}</th>'
        return f"<tr>{name}<td>{html.escape(what)}</td><td>{_line(self.measure_trend(of, what))}</td></tr>"

    def _cell(self, model: str, number: str) -> str:
        return _line(self.trend(model, number))


def _line(trend: Trend) -> str:
    return f"{sparkline(trend.values)}<br>{html.escape(trend.words())}"


_ROW_STYLE = "border-bottom-width: 1px; border-bottom-color: #e5e7eb"
_NUMBERS = {
    "score": "score",
    "cost_per_1k_calls": "USD per 1,000 calls, of fresh runs",
    "latency_p50_ms": "latency p50 in ms, of fresh runs",
    "usd_per_million_tokens": "USD per 1M tokens, of fresh runs",
}


def run_history(out: str | Path, notebook: str) -> RunHistory:
    """The history of one notebook's runs under the folder of reports `out`, a path or a URL (extra `remote`).

    A run whose result cannot be read is named and does not hide the others.

    Raises UsageError where the notebook has no run there.
    """
    from llmbench.reporting.remote import reports_folder

    report = ReportFolder(reports_folder(out), notebook)
    ids = report.run_ids() if Path(notebook).name == notebook and notebook else []
    if not ids:
        raise UsageError(f"There is no run of {notebook!r} in that folder of reports; make one first.")
    read: list[tuple[str, ResultEnvelope | str]] = []
    for run_id in ids:
        try:
            read.append((run_id, read_envelope(report.runs / run_id / RESULT)))
        except ReportError as error:
            read.append((run_id, str(error)))
    return history_of(notebook, read)


def history_of(notebook: str, runs: Iterable[tuple[str, ResultEnvelope | str]]) -> RunHistory:
    """The history of results that were read: (run id, result or why there is none), in any order."""
    ordered = sorted(runs, key=lambda pair: pair[0])
    unreadable = tuple(run_id for run_id, result in ordered if not isinstance(result, ResultEnvelope))
    read = [(run_id, result) for run_id, result in ordered if isinstance(result, ResultEnvelope)]
    # A fresh run that went on has the id of when it began.
    read.sort(key=_time)
    news = new_data(result for _, result in read)
    points = [_point(run_id, result, new) for (run_id, result), new in zip(read, news, strict=True)]
    return RunHistory(notebook, tuple(points), unreadable)


def _time(run: tuple[str, ResultEnvelope]) -> tuple[float, str]:
    run_id, result = run
    try:
        return datetime.fromisoformat(result.generated_at).timestamp(), run_id
    except (ValueError, TypeError):
        return 0.0, run_id


def _point(run_id: str, result: ResultEnvelope, new: bool) -> RunPoint:
    calls = part_of(result.data, "calls")
    point = RunPoint(
        run_id=run_id,
        generated_at=str(result.generated_at),
        decision=str(result.verdict.decision),
        made=as_count(calls.get("made")),
        replayed=as_count(calls.get("replayed")),
        spent_usd=result.spend.actual_usd,
        new_data=new,
        measures=measures_of(result) if new else (),
        models=(),
    )
    if not new:
        return point
    models = [_model(row, point.fresh, result.price_book) for row in rows_of(result.data, "models")]
    return point._replace(models=tuple(model for model in models if model.model))


def _model(row: Mapping[str, Any], fresh: bool, price_book: str) -> ModelPoint:
    low, high = ends_of(row.get("score_ci"))
    return ModelPoint(
        model=cell_label(*(row.get(key) for key in ("model", "prompt", "params"))),
        n=as_count(row.get("n")),
        score=finite(row.get("score")),
        score_low=low,
        score_high=high,
        cost_per_1k_calls=finite(row.get("cost_per_1k_calls")) if fresh else None,
        latency_p50_ms=finite(part_of(row, "latency_ms").get("p50")) if fresh else None,
        usd_per_million_tokens=_price(row) if fresh else None,
        price_book=price_book,
    )


def _price(row: Mapping[str, Any]) -> float | None:
    tokens = part_of(row, "tokens")
    counts = [finite(tokens.get(kind)) for kind in ("input", "output")]
    known = [count for count in counts if count is not None]
    cost = finite(row.get("cost_usd"))
    if cost is None or len(known) < len(counts) or not sum(known):
        return None
    return cost / sum(known) * 1e6
