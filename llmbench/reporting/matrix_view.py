"""Every answer of a matrix as a page: rows items, columns models, with filters and without a server.

What a model said is hostile input. It is in the page as JSON that no parser of HTML can leave, the page's
script shows it as text only, and the content security policy lets nothing run but that script, by its
hash, and nothing be fetched.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import math
from collections.abc import Mapping
from importlib import resources
from string import Template
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from llmbench.matrix.summary import answers_by_cell
from llmbench.matrix.text import as_text
from llmbench.numbers import nan_as_none
from llmbench.reporting.text import encodable

if TYPE_CHECKING:
    import pandas as pd

    from llmbench.matrix import MatrixResults
    from llmbench.matrix.dataset import Item

__all__ = ["MatrixView", "matrix_view"]

_MOST_ANSWERS = 100_000
_MOST_CHARACTERS = 20_000_000
"""Of all answers together; a browser takes such a page within a second or two."""
_LEAST_CLIP = 200
_SEPARATORS = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}


class MatrixView(NamedTuple):
    """The page and the same answers as a table: `report.page("matrix_view", *view)`."""

    html: str
    frame: pd.DataFrame
    text: str
    """What the page shows, for whoever reads the report."""


def matrix_view(results: MatrixResults) -> MatrixView:
    """The page of `results`. Of more than 100,000 answers it has the items on which the models differ
    first; of more than 20 million characters each answer's beginning. The page says so.
    """
    cells = [cell.cell for cell in results.cells]
    count = len(results.dataset)
    by_cell = answers_by_cell(results.answers)
    kept = _kept(results, cells, by_cell)
    clip = _clip_length(results.answers)
    data = {
        "cells": [encodable(cell) for cell in cells],
        "baseline": cells.index(results.baseline),
        "items": [_item(results.dataset.rows[place], results) for place in kept],
        "answers": [_draws(by_cell[cell], count, kept, clip) for cell in cells],
    }
    shown = f"{len(kept):,} items" if len(kept) == count else f"{len(kept):,} of {count:,} items"
    summary = f"{shown} by {len(cells):,} models; a row is an item, a column a model."
    if len(kept) < count:
        summary += " Items on which the models differ come before the others in what is kept."
    if clip is not None:
        summary += f" Answers are cut off after {clip:,} characters."
    return MatrixView(_page(data, summary), _frame(results, kept), f"Every answer: {summary}")


def _kept(results: MatrixResults, cells: list[str], by_cell: Mapping[str, pd.DataFrame]) -> list[int]:
    """Places of the items that the page has, in their order."""
    count = len(results.dataset)
    most = max(1, _MOST_ANSWERS * count // max(1, len(results.answers)))
    if count <= most:
        return list(range(count))
    means = np.array([_means(by_cell[cell], count) for cell in cells])
    differ = np.nanmax(means, axis=0, initial=-1) > np.nanmin(means, axis=0, initial=2)
    order = np.argsort(~differ, kind="stable")[:most]
    return sorted(int(place) for place in order)


def _means(rows: pd.DataFrame, count: int) -> Any:
    scores = rows["score"].to_numpy(dtype=float).reshape(count, -1)
    known = ~np.isnan(scores)
    total = np.where(known, scores, 0.0).sum(axis=1)
    return np.divide(total, known.sum(axis=1), out=np.full(count, math.nan), where=known.any(axis=1))


def _clip_length(answers: pd.DataFrame) -> int | None:
    lengths = answers["answer"].str.len().fillna(0).to_numpy(dtype=float)
    if lengths.sum() <= _MOST_CHARACTERS:
        return None
    return max(_LEAST_CLIP, int(_MOST_CHARACTERS / len(lengths)))


def _item(item: Item, results: MatrixResults) -> dict[str, Any]:
    roles = {name for role, name in results.dataset.roles.items() if name and role != "prompt"}
    hidden = roles | {"id", "expected", "category", "cluster"}
    fields = {
        encodable(str(name)): encodable(as_text(value))
        for name, value in item.fields.items()
        if name not in hidden and value is not None
    }
    expected = None if item.expected is None else encodable(as_text(item.expected))
    category = None if item.category is None else encodable(item.category)
    return {"id": encodable(item.id), "category": category, "expected": expected, "fields": fields}


def _draws(rows: pd.DataFrame, count: int, kept: list[int], clip: int | None) -> list[list[dict[str, Any]]]:
    """Of one cell: by item, its draws."""
    repeats = len(rows) // count
    columns = [rows[name].tolist() for name in ("answer", "score", "note", "error", "cost_usd", "latency_ms")]
    found = []
    for place in kept:
        draws = []
        for number in range(place * repeats, (place + 1) * repeats):
            answer, score, note, error, usd, ms = (column[number] for column in columns)
            draws.append(
                {
                    "answer": _text(answer, clip), "score": nan_as_none(score), "note": _text(note, 500),
                    "error": _text(error, 500), "usd": nan_as_none(usd), "ms": nan_as_none(ms),
                }
            )  # fmt: skip
        found.append(draws)
    return found


def _question_of(item: Item, results: MatrixResults) -> str | None:
    """What an item asks, for whoever grades answers to it: the column of its prompt, else the columns that
    the templates name, but for the right answer; without templates its longest text that is no answer.
    """
    data = results.dataset
    if data.prompt_column is not None:
        value = item.fields.get(data.prompt_column)
        return None if value is None else encodable(as_text(value))
    named = {name for role, name in data.roles.items() if name and role != "prompt"}
    asked = {
        name: as_text(item.fields[name])
        for name in results.asked
        if name not in named and item.fields.get(name) is not None
    }
    if len(asked) > 1:
        return encodable("\n".join(f"{name}: {value}" for name, value in asked.items()))
    if not asked:
        asked = {
            name: value
            for name, value in item.fields.items()
            if name not in named and name not in results.recorded and isinstance(value, str)
        }
    return encodable(max(asked.values(), key=len)) if asked else None


def _frame(results: MatrixResults, kept: list[int]) -> pd.DataFrame:
    names = ["item_id", "category", "cell", "repeat", "answer", "expected", "score", "note", "error"]
    frame = results.answers[[*names, "cost_usd", "latency_ms", "input_tokens", "output_tokens"]].copy()
    questions = {item.id: _question_of(item, results) for item in results.dataset.rows}
    # What people need to grade an answer: `llmbench label export` reads this file.
    frame.insert(2, "question", frame["item_id"].map(questions).astype(object))
    if len(kept) == len(results.dataset):
        return frame
    return frame[frame["item_id"].isin([results.dataset.rows[place].id for place in kept])]


def _page(data: Mapping[str, Any], summary: str) -> str:
    folder = resources.files("llmbench.reporting") / "templates" / "matrix_view"
    script, style, page = (
        (folder / name).read_text("utf-8") for name in ("view.js", "view.css", "page.html")
    )
    policy = (
        f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    return Template(page).substitute(
        policy=policy, style=style, script=script, summary=html.escape(summary), data=_json(data)
    )


def _hash(source: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()}"


def _json(data: Mapping[str, Any]) -> str:
    """JSON without a character that could end the element it stands in."""
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for character, escape in _SEPARATORS.items():
        text = text.replace(character, escape)
    return text


def _text(value: Any, clip: int | None) -> str | None:
    if not isinstance(value, str):
        return None
    return encodable(value if clip is None or len(value) <= clip else value[:clip] + "…")
