"""The TOML that holds a migration's gates and phases, as rows; what they mean is read by whose they are."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from llmbench.errors import ConfigError

__all__ = ["read_toml", "rows_named"]


def read_toml(path: Path, what: str) -> dict[str, Any]:
    """The tables in `path`, where the `what` are. Raises ConfigError naming the file."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"The {what} {path.name} cannot be read: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:  # a long number and a deep list are neither TOML errors
        raise ConfigError(f"{path.name} is not TOML: {error}.") from error


def rows_named(what: str, tables: dict[str, Any], path: Path, because: str) -> list[Any]:
    """The rows of [[what]], of any kind. Raises ConfigError, ending with `because`, where there are none."""
    rows = tables.get(what)
    if not isinstance(rows, list) or not rows:
        raise ConfigError(f"{path.name} has no [[{what}]]; {because}.")
    return rows
