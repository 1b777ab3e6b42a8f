"""Rows of a data set of Hugging Face `datasets`: of the hub by name, or one that is loaded already."""

from __future__ import annotations

import hashlib
import json
from typing import Any, NamedTuple

from llmbench.errors import DatasetError
from llmbench.matrix.readers import Row, Table, cell_value

__all__ = ["PREFIX", "HubTable", "is_loaded", "read_hub", "read_loaded"]

PREFIX = "hf:"


class HubTable(NamedTuple):
    """The rows, and what they are known by."""

    name: str
    table: Table
    sha256: str
    """Of the columns and rows as JSON: a data set of the hub has no one file."""


def is_loaded(given: object) -> bool:
    """Whether it is a `datasets.Dataset` or a `datasets.DatasetDict`, told without importing the library."""
    return any(base.__module__.partition(".")[0] == "datasets" for base in type(given).__mro__)


def read_hub(name: str) -> HubTable:
    """The data set that `hf:owner/name[@revision][:config[:split]]` names.

    Give a revision (a commit) where a later run must see the same rows. Raises DatasetError.
    """
    path, config, split = ([*name.removeprefix(PREFIX).split(":"), "", ""])[:3]
    path, _, revision = path.partition("@")
    if not path or name.count(":") > 3:
        raise DatasetError(
            f"{name} names no data set; write hf:owner/name, hf:owner/name:config or "
            "hf:owner/name:config:split."
        )
    try:
        import datasets
    except ImportError as error:
        raise DatasetError(f"{name} needs datasets: pip install 'llmbench[huggingface]'.") from error
    try:
        found = datasets.load_dataset(path, config or None, split=split or None, revision=revision or None)
    except Exception as error:
        raise DatasetError(f"{name} cannot be loaded: {' '.join(str(error).split())}") from error
    return read_loaded(found, name)


def read_loaded(found: Any, name: str = "") -> HubTable:
    """The rows of a data set that is loaded; class labels by their names. Raises DatasetError."""
    what = name or "The data set"
    if hasattr(found, "keys"):
        splits = list(found)
        if len(splits) != 1:
            raise DatasetError(
                f"{what} has the splits {', '.join(map(str, splits)) or 'none'}; choose one, as in "
                'hf:owner/name:config:test or load_dataset(..., split="test").'
            )
        found = found[splits[0]]
    if not hasattr(found, "num_rows"):
        raise DatasetError(f"{name or 'The data set'} is a stream; load it whole, without streaming=True.")
    labels = {
        column: feature.int2str for column, feature in found.features.items() if hasattr(feature, "int2str")
    }
    rows = [
        Row(
            number,
            {
                column: labels[column](value)
                if column in labels and isinstance(value, int) and value >= 0
                else cell_value(value)
                for column, value in record.items()
            },
        )
        for number, record in enumerate(found.with_format(None), start=1)
    ]
    columns = list(found.column_names)
    content = json.dumps([columns, [row.cells for row in rows]], default=str, ensure_ascii=True)
    return HubTable(
        name or f"{PREFIX}{found.info.dataset_name or 'loaded'}:{found.split or ''}".rstrip(":"),
        Table(columns=columns, rows=rows),
        hashlib.sha256(content.encode()).hexdigest(),
    )
