"""Results of promptfoo: the JSON of `promptfoo eval --output` and `promptfoo export`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from llmbench.errors import DatasetError
from llmbench.matrix.foreign.rows import ResultRows
from llmbench.matrix.foreign.shapes import as_record, part_of

__all__ = ["is_promptfoo", "read_promptfoo"]

_ERROR = 2
"""promptfoo's `failureReason` of a call that failed; 1 is an answer that failed its assertions."""


def is_promptfoo(document: Any) -> bool:
    """Whether a JSON document is one."""
    results = document.get("results") if isinstance(document, dict) else None
    return isinstance(results, dict) and isinstance(results.get("results"), list)


def read_promptfoo(
    path: Path, document: Mapping[str, Any], *, score: str | None, category: str
) -> ResultRows:
    """Rows of a results file. `score` is None (promptfoo's score), "success", or a named score.

    Tests with the same variables are draws of one item. A call that failed is a missing answer, and its
    score of 0 is not taken. A cost of 0 for an answer that took tokens is promptfoo's way to say that it
    knows no price: here it is unknown. Times of cached answers are not taken. Raises DatasetError.
    """
    import pandas as pd

    results = document["results"]["results"]
    if not results:
        raise DatasetError(f"{path.name} has no results; promptfoo wrote none, or they were filtered out.")
    rows = []
    items: dict[str, str] = {}
    draws: dict[tuple[str, str, str], int] = {}
    unpriced = 0
    for line, given in enumerate(results, 1):
        where = f"result {line}"
        result = as_record(path, where, given)
        prompt, test = part_of(path, where, result, "prompt"), part_of(path, where, result, "testCase")
        reply = part_of(path, where, result, "response")
        variables = part_of(path, where, result, "vars") or part_of(path, where, test, "vars")
        same = json.dumps([variables, test.get("description")], sort_keys=True, default=str)
        item = items.setdefault(same, f"test-{result.get('testIdx', len(items))}")
        model = _model(path, where, result)
        label = str(prompt.get("label") or prompt.get("raw") or result.get("promptIdx"))
        draw = draws[model, label, item] = draws.get((model, label, item), -1) + 1
        failed = _failure(result, reply)
        usage = part_of(path, where, reply, "tokenUsage")
        cost = result.get("cost", reply.get("cost"))
        if cost == 0 and usage.get("total") and not reply.get("cached"):
            cost, unpriced = None, unpriced + 1
        rows.append(
            {
                "line": line,
                "item": item,
                "model": model,
                "prompt": label,
                "repeat": draw,
                "score": None if failed else _score(path, line, result, score),
                "answer": None if failed else _text(reply.get("output")),
                "question": prompt.get("raw")
                if len(variables) != 1
                else _text(next(iter(variables.values()))),
                "expected": None,
                "category": part_of(path, where, test, "metadata").get(category) or variables.get(category),
                "cost_usd": None if reply.get("cached") else cost,
                "latency_ms": None if reply.get("cached") else result.get("latencyMs"),
                "input_tokens": usage.get("prompt"),
                "output_tokens": usage.get("completion"),
                "error": failed,
                "note": part_of(path, where, result, "gradingResult").get("reason"),
            }
        )
    frame = pd.DataFrame(rows)
    if frame["prompt"].nunique() == 1:
        frame = frame.drop(columns="prompt")
    notes = [f"{path.name}: {unpriced:,} answers have a cost of 0, taken as unknown"] if unpriced else []
    return ResultRows(path, frame, notes)


def _model(path: Path, where: str, result: Mapping[str, Any]) -> str:
    """Old files have the provider's name as a text."""
    given = result.get("provider")
    provider = {"id": given} if isinstance(given, str) else part_of(path, where, result, "provider")
    name = provider.get("label") or provider.get("id")
    if not isinstance(name, str):
        raise DatasetError(f"{path.name}: {where} names no provider; every result needs one.")
    return name


def _failure(result: Mapping[str, Any], reply: Mapping[str, Any]) -> str | None:
    """Why there is no answer; promptfoo also calls the failure of an assertion an error."""
    reason = result.get("failureReason")
    if reason == _ERROR or (reason is None and reply.get("output") is None):
        return str(reply.get("error") or result.get("error") or "failed")
    return None


def _score(path: Path, line: int, result: Mapping[str, Any], name: str | None) -> Any:
    if name is None:
        return result.get("score")
    if name == "success":
        return None if result.get("success") is None else float(bool(result["success"]))
    named = part_of(path, f"result {line}", result, "namedScores")
    if name not in named:
        raise DatasetError(
            f"{path.name}: result {line} has no score {name!r}; it has success, {', '.join(named)}."
        )
    return named[name]


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)
