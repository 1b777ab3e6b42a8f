"""Samples of lm-evaluation-harness: `samples_TASK_DATE.jsonl`, written with --log_samples."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from llmbench.errors import DatasetError
from llmbench.matrix.foreign.rows import ResultRows

__all__ = ["is_lm_eval_sample", "read_lm_eval"]

_NAME = re.compile(r"samples_(?P<task>.+?)_\d{4}-\d\d-\d\dT[\d.:-]+$")


def is_lm_eval_sample(document: Any) -> bool:
    """Whether a line of JSON is one."""
    return isinstance(document, dict) and {"doc_id", "target", "filtered_resps"} <= set(document)


def read_lm_eval(
    path: Path,
    samples: Sequence[tuple[int, Mapping[str, Any]]],
    *,
    score: str | None,
    model: str | None,
    category: str,
) -> ResultRows:
    """Rows of (line, sample). `score` names the metric, or `metric,filter` as in the harness's own tables;
    None is the first of each. The model is the folder's name, which the harness gives it.

    A sample without the metric is a missing answer. Raises DatasetError.
    """
    import pandas as pd

    metric, _, chosen = (score or "").partition(",")
    metrics: dict[str, None] = {}
    filters: dict[str, None] = {}
    for line, sample in samples:
        said = sample.get("metrics")
        if said is not None and (not isinstance(said, list) or not all(isinstance(m, str) for m in said)):
            raise DatasetError(f"{path.name}:{line}: metrics is {said!r:.60}, and must be a list of names.")
        metrics.update(dict.fromkeys(said or _numbers(sample)))
        filters[str(sample.get("filter", "none"))] = None
    metric, chosen = metric or next(iter(metrics), ""), chosen or next(iter(filters), "")
    notes = []
    for what, name, known in (("metric", metric, metrics), ("filter", chosen, filters)):
        if name not in known:
            raise DatasetError(f"{path.name} has no {what} {name!r}; it has {', '.join(known) or 'none'}.")
        if len(known) > 1 and not score:
            notes.append(
                f"{path.name}: the {what} is {name!r} (others: {', '.join(n for n in known if n != name)})"
            )
    rows = [
        {
            "line": line,
            "item": str(sample["doc_id"]),
            "score": sample.get(metric),
            "answer": _answer(sample["filtered_resps"]),
            "question": _question(sample),
            "expected": None if sample["target"] is None else str(sample["target"]),
            "category": _field(sample, category),
            "error": None if sample.get(metric) is not None else f"no {metric}",
        }
        for line, sample in samples
        if str(sample.get("filter", "none")) == chosen
    ]
    named = _NAME.match(path.stem)
    frame = pd.DataFrame(rows).assign(model=model or path.parent.name.replace("__", "/"))
    return ResultRows(path, frame, notes, task=named["task"] if named else path.stem)


def _numbers(sample: Mapping[str, Any]) -> list[str]:
    """Of an old file, which does not say what its metrics are."""
    own = {"doc_id", "target"}
    return [n for n, v in sample.items() if n not in own and isinstance(v, int | float)]


def _answer(responses: Any) -> str | None:
    """A text, or for a choice by likelihood the place of the most likely one."""
    if not isinstance(responses, list) or not responses:
        return None
    pairs = [each for each in responses if isinstance(each, list) and len(each) == 2]
    if len(pairs) == len(responses):
        try:
            return str(max(range(len(pairs)), key=lambda place: float(pairs[place][0])))
        except (TypeError, ValueError, OverflowError):
            return str(responses[0])
    return str(responses[0])


def _question(sample: Mapping[str, Any]) -> str | None:
    arguments = sample.get("arguments")
    if isinstance(arguments, dict):
        first: Any = next(iter(arguments.values()), {})
        return str(first.get("arg_0")) if isinstance(first, dict) else None
    if isinstance(arguments, list) and arguments and isinstance(arguments[0], list) and arguments[0]:
        return str(arguments[0][0])
    return None


def _field(sample: Mapping[str, Any], name: str) -> str | None:
    value = (sample.get("doc") or {}).get(name) if isinstance(sample.get("doc"), dict) else None
    return None if value is None else str(value)
