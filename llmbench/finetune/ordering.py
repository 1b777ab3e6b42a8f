"""From what a caller gives to an order that is checked, and its identity."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from llmbench.catalog.training_prices import TRAINING_METHODS
from llmbench.errors import DatasetError, UsageError
from llmbench.finetune.backend import JobOrder, TuningBackend

__all__ = ["checked_budget", "make_order", "order_facts", "order_hash"]

_PIECE = 1024 * 1024


def make_order(
    backend: TuningBackend,
    training_file: str | Path,
    base_model: object,
    *,
    epochs: object,
    method: str,
    suffix: str | None,
    validation_file: str | Path | None,
    seed: int | None,
    options: Mapping[str, Any],
) -> JobOrder:
    """The order, checked by what trains as well; nothing is sent.

    Raises UsageError, DatasetError and FineTuningUnavailableError.
    """
    if not isinstance(base_model, str) or not base_model.strip():
        raise UsageError("base_model is empty; name the model that is to be trained, such as gpt-4o-mini.")
    if isinstance(epochs, bool) or not isinstance(epochs, int) or epochs < 1:
        raise UsageError(f"epochs must be a whole number of at least 1; it is {epochs!r}.")
    if method not in TRAINING_METHODS:
        raise UsageError(f"method is {method!r}; it is one of {', '.join(TRAINING_METHODS)}.")
    training = Path(training_file)
    held_out = None if validation_file is None else Path(validation_file)
    order = JobOrder(
        training_file=training,
        training_sha256=_sha256(training, "training"),
        base_model=base_model,
        epochs=epochs,
        method=method,
        suffix=suffix,
        validation_file=held_out,
        validation_sha256=None if held_out is None else _sha256(held_out, "validation"),
        seed=seed,
        options={key: value for key, value in options.items() if value is not None},
    )
    backend.check(order)
    return order


def order_facts(order: JobOrder) -> dict[str, Any]:
    """The order as the ledger keeps it: of files the bare names."""
    return {
        "training_file": order.training_file.name,
        "training_sha256": order.training_sha256,
        "base_model": order.base_model,
        "epochs": order.epochs,
        "method": order.method,
        "suffix": order.suffix,
        "validation_file": None if order.validation_file is None else order.validation_file.name,
        "validation_sha256": order.validation_sha256,
        "seed": order.seed,
        "options": {key: order.options[key] for key in sorted(order.options)},
    }


def order_hash(backend: TuningBackend, order: JobOrder) -> str:
    """The identity of an order: the same content, however its files are named, trained the same way there."""
    facts = order_facts(order) | {"endpoint": backend.endpoint, "place": backend.place}
    del facts["training_file"], facts["validation_file"]
    try:
        text = json.dumps(facts, sort_keys=True)
    except (TypeError, ValueError) as error:
        raise UsageError(
            f"An option of the job cannot be written as JSON ({error}); give plain values."
        ) from error
    return hashlib.sha256(text.encode()).hexdigest()


def checked_budget(budget_usd: object) -> float:
    """The budget. Raises UsageError for what is none."""
    if (
        isinstance(budget_usd, bool)
        or not isinstance(budget_usd, int | float)
        or not 0 <= budget_usd < math.inf
    ):
        raise UsageError(f"budget_usd must be a number of USD, at least 0; it is {budget_usd!r}.")
    return float(budget_usd)


def _sha256(path: Path, what: str) -> str:
    digest = hashlib.sha256()
    try:
        with path.open("rb") as content:
            while piece := content.read(_PIECE):
                digest.update(piece)
    except OSError as error:
        raise DatasetError(f"The {what} file {path} cannot be read: {error.strerror}.") from error
    return digest.hexdigest()
