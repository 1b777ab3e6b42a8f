"""Results of others as results of a matrix: the same statistics, verdict and report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from llmbench.errors import DatasetError, UsageError
from llmbench.matrix.counts import CallCounts
from llmbench.matrix.dataset import Dataset, Item
from llmbench.matrix.foreign.draws import numbered, refuse_sparse
from llmbench.matrix.foreign.reading import ResultFiles
from llmbench.matrix.foreign.rows import NUMBERS, first_known, is_simulated, newest_answer
from llmbench.matrix.plan import Cell, Plan
from llmbench.matrix.quote import CellQuote, Quote, Range
from llmbench.matrix.results import MatrixResults, make_results
from llmbench.matrix.scoring import ANSWER_COLUMNS
from llmbench.matrix.text import nearest

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

__all__ = ["results_of"]

_TEXTS = ("answer", "note", "error", "finish_reason")
_NOTHING = Range(0.0, 0.0, 0.0)


def results_of(
    files: ResultFiles,
    *,
    baseline: str | None,
    margin: float,
    confidence: float,
    confirmation: float,
    seed: int,
    kept: Sequence[str] = (),
) -> MatrixResults:
    """The rows of `files` as a matrix: models (and prompts) by items, in the order of their appearance.

    What a model has no row for, or neither a score nor an answer, is missing. Only the cells `kept` are
    looked at, if any are named. Raises DatasetError for two rows on one draw of one answer, and UsageError
    for a baseline or a kept cell that is none.
    """
    import pandas as pd

    if kept:
        files = _of_cells(files, kept)
    cell_codes, cells = pd.factorize(_labels(files.frame))
    files = numbered(files, cell_codes, list(cells))
    frame = files.frame
    item_codes, items = pd.factorize(frame["item"])
    if (items == "").any():
        raise DatasetError(f"{files.paths[0].name}: an item has an empty name.")
    plan = _plan(files, frame, cell_codes, list(cells), item_codes, list(items))
    refuse_sparse(files, plan)
    answers = _answers(files, frame, plan, cell_codes, item_codes)
    nothing = [
        CellQuote(
            c.label,
            plan.size(c),
            plan.size(c),
            0,
            _NOTHING,
            _NOTHING,
            _NOTHING,
            "results of others, no calls",
        )
        for c in plan.cells
    ]
    return make_results(
        plan,
        answers,
        baseline=_baseline(plan, baseline),
        calls=CallCounts(),
        quote=Quote(tuple(nothing), files.notes),
        spent_usd=0.0,
        price_book=None,
        data_until=newest_answer(files.paths[0], frame),
        margin=margin,
        confidence=confidence,
        seed=seed,
        run_id=None,
        confirmation_share=confirmation,
        sources=files.paths,
        simulated=is_simulated(frame),
    )


def _of_cells(files: ResultFiles, kept: Sequence[str]) -> ResultFiles:
    labels = _labels(files.frame)
    unknown = [cell for cell in kept if cell not in set(labels)]
    if unknown:
        raise UsageError(
            f"There is no cell {unknown[0]!r} in these results.{nearest(unknown[0], list(labels.unique()))}"
        )
    rows = files.frame[labels.isin(list(kept))].reset_index(drop=True)
    return replace(files, frame=rows)


def _labels(frame: pd.DataFrame) -> pd.Series[str]:
    if frame["prompt"].isna().all():
        return frame["model"]
    return frame["model"] + "[" + frame["prompt"].fillna("").astype(str) + "]"


def _plan(
    files: ResultFiles,
    frame: pd.DataFrame,
    cell_codes: NDArray[np.intp],
    cells: list[str],
    item_codes: NDArray[np.intp],
    items: list[str],
) -> Plan:
    import numpy as np

    firsts = np.unique(cell_codes, return_index=True)[1]
    draws = np.zeros(len(cells), dtype=np.int64)
    np.maximum.at(draws, cell_codes, frame["repeat"].to_numpy())
    models, prompts = frame["model"].to_numpy(), frame["prompt"].to_numpy()
    known = {
        name: first_known(frame[name].to_numpy(dtype=object), item_codes, len(items))
        for name in ("question", "expected", "category", "cluster")
    }
    lines = frame["line"].to_numpy()[np.unique(item_codes, return_index=True)[1]]
    rows = []
    for place, item in enumerate(items):
        question, expected, category, cluster = (_text(known[name][place]) for name in known)
        fields = {"question": question, "expected": expected, "category": category, "cluster": cluster}
        rows.append(Item(item, fields, expected, category, cluster, int(lines[place])))
    dataset = Dataset(
        path=files.paths[0],
        sha256=files.sha256,
        rows=tuple(rows),
        columns=("question", "expected", "category", "cluster"),
        prompt_column="question",
        notes=files.notes,
    )
    return Plan(
        dataset,
        tuple(
            Cell(
                label,
                str(models[first]),
                "" if prompts[first] is None else str(prompts[first]),
                "",
                repeats=int(draw) + 1,
            )
            for label, first, draw in zip(cells, firsts, draws, strict=True)
        ),
    )


def _answers(
    files: ResultFiles,
    frame: pd.DataFrame,
    plan: Plan,
    cell_codes: NDArray[np.intp],
    item_codes: NDArray[np.intp],
) -> pd.DataFrame:
    """The answer table (see `llmbench.matrix.scoring.answer_table`), a row for every draw that is planned."""
    import numpy as np
    import pandas as pd

    count = len(plan.dataset)
    repeats = np.array([cell.repeats for cell in plan.cells])
    starts = np.concatenate([[0], np.cumsum(repeats * count)])
    places = starts[cell_codes] + item_codes * repeats[cell_codes] + frame["repeat"].to_numpy()
    _refuse_twice(files, frame, places)
    size = int(starts[-1])
    there = np.zeros(size, dtype=bool)
    there[places] = True

    def number(name: str) -> NDArray[np.float64]:
        values = np.full(size, np.nan)
        values[places] = frame[name].to_numpy(dtype=float)
        return values

    def text(name: str) -> NDArray[np.object_]:
        values = np.full(size, None, dtype=object)
        values[places] = frame[name].to_numpy(dtype=object)
        values[pd.isna(values)] = None
        return values

    texts = {name: text(name) for name in _TEXTS}
    score = number("score")
    missing = np.isnan(score) & np.array([answer is None for answer in texts["answer"]])
    why = texts["error"]
    why[~there] = f"not in {files.paths[0].name if len(files.paths) == 1 else 'the files'}"
    why[missing & (why == None)] = "no score"  # noqa: E711 - element by element
    per_item = {
        name: np.array([getattr(item, name) for item in plan.dataset.rows], dtype=object)
        for name in ("id", "category", "cluster", "expected")
    }
    item_of = np.concatenate([np.repeat(np.arange(count), draw) for draw in repeats])
    of_cell = {
        name: np.repeat(np.array([getattr(c, name) for c in plan.cells], dtype=object), repeats * count)
        for name in ("label", "model", "prompt", "params")
    }
    columns: dict[str, Any] = {
        "item_id": per_item["id"][item_of],
        "category": per_item["category"][item_of],
        "cluster": per_item["cluster"][item_of],
        "cell": of_cell["label"],
        "model": of_cell["model"],
        "prompt": of_cell["prompt"],
        "params": of_cell["params"],
        "repeat": np.concatenate([np.tile(np.arange(draw), count) for draw in repeats]),
        "expected": per_item["expected"][item_of],
        "score": score,
        "missing": missing,
        "served_model": np.full(size, None, dtype=object),
        "replayed": there,
        "attempts": np.zeros(size, dtype=np.int64),
        **texts,
        **{name: number(name) for name in NUMBERS},
    }
    return pd.DataFrame({name: _column(columns[name]) for name in ANSWER_COLUMNS})


def _column(values: Any) -> Any:
    """Texts stay objects: Arrow's strings, which pandas infers, cannot hold half of a surrogate pair."""
    import pandas as pd

    return pd.Series(values, dtype=object) if values.dtype == object else values


def _refuse_twice(files: ResultFiles, frame: pd.DataFrame, places: NDArray[np.int64]) -> None:
    import pandas as pd

    again = pd.Series(places).duplicated().to_numpy()
    if not again.any():
        return
    row = frame[again].iloc[0]
    first = frame[places == places[again][0]].iloc[0]
    where, before = (f"{files.paths[int(r['file'])].name}:{r['line']}" for r in (row, first))
    raise DatasetError(
        f"{where}: {row['model']} has a second result for item {row['item']!r} (see {before}), and "
        f"{int(again.sum()) - 1:,} more are there twice; draws of one answer need a column repeat (0, 1, "
        "...), other runs another model name."
    )


def _baseline(plan: Plan, given: str | None) -> str:
    """The label meant by `given`; None is the first cell."""
    if given is None:
        return plan.cells[0].label
    matches = [c.label for c in plan.cells if c.label == given] or [
        c.label for c in plan.cells if c.model == given
    ]
    if len(matches) == 1:
        return matches[0]
    labels = [cell.label for cell in plan.cells]
    raise UsageError(f"baseline {given!r} is not one of {', '.join(labels)}.{nearest(given, labels)}")


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None if value is None or value != value else str(value)
