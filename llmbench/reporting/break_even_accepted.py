"""Shares of good answers that the notebook `break_even` weighs costs with."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from llmbench.catalog import canonical_name
from llmbench.errors import UsageError
from llmbench.reporting.break_even_checks import bare_name, shares_in

__all__ = ["accepted_shares"]


def accepted_shares(p: Mapping[str, Any], root: Path) -> tuple[dict[str, float], tuple[str, ...]]:
    """Shares of good answers: of a result of `model_matrix`, with those given on top."""
    given = {}
    for name, share in shares_in(p, "accepted").items():
        known = canonical_name(name) or name
        if not 0 <= share <= 1:
            raise UsageError(f"Parameter 'accepted' holds {share:g} for {name}; it is a share from 0 to 1.")
        given[known] = share
    if not p["matrix_result"]:
        return given, ()
    path = root / Path(p["matrix_result"]).expanduser()
    try:
        result = json.loads(path.read_text(encoding="utf-8"))
        if result["report"] != "model_matrix":
            raise KeyError("report")
        rows = [(str(row["model"]), row["score"]) for row in result["data"]["models"]]
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise UsageError(
            f"Parameter 'matrix_result' names {path.name}, which is no result.json of the notebook "
            "model_matrix."
        ) from error
    found: dict[str, float] = {}
    for model, score in rows:
        name = bare_name(model)
        if score is not None:  # the best prompt of each model
            found[name] = max(found.get(name, 0.0), _share(score, model, path.name))
    return found | given, (p["matrix_result"],)


def _share(score: object, model: str, file: str) -> float:
    """A score as a share of good answers. Raises UsageError where it is none."""
    if isinstance(score, bool) or not isinstance(score, int | float) or not 0 <= score <= 1:
        raise UsageError(
            f"In {file} the score of {model} is {score!r}, which is no share of good answers from 0 to 1; "
            f"give the shares as 'accepted' instead."
        )
    return float(score)
