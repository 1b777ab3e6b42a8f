"""The catalog's own files of facts, which come with the package."""

from __future__ import annotations

import tomllib
from importlib.resources import files
from typing import Any

__all__ = ["read_facts"]


def read_facts(name: str) -> dict[str, Any]:
    """What `facts/NAME.toml` holds; read anew at each call.

    >>> sorted(read_facts("claims"))
    ['claim', 'document']
    """
    return tomllib.loads(files("llmbench.catalog").joinpath(f"facts/{name}.toml").read_text(encoding="utf-8"))
