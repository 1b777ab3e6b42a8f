"""When a vendor ends a model: the day, when it was announced, and where that stands."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from functools import cache
from typing import Any, NamedTuple

from llmbench.catalog.fact_files import read_facts
from llmbench.catalog.models import all_models, canonical_name

__all__ = ["SOON_DAYS", "Ending", "ending_of"]

SOON_DAYS = 90
"""An end that is nearer is warned of, wherever models are listed."""


class Ending(NamedTuple):
    """The end of a model at one backend."""

    ends: date
    """From this day on it is not answered any more."""
    announced: date | None
    """None: not known, which is not to say that it was not announced."""
    source: str
    url: str
    as_of: str
    """ISO date on which the source was read."""


@cache
def _facts() -> Mapping[str, Any]:
    return read_facts("endings")


def ending_of(model: str, backend: str) -> Ending | None:
    """The end of `model` (any spelling that the catalog knows) at `backend`; None where none is known.

    None is not "never": what is not announced may be announced tomorrow.

    >>> found = ending_of("gpt-4o", "openai")
    >>> str(found.ends), str(found.announced)
    ('2027-01-14', '2026-10-14')
    """
    name = canonical_name(model)
    day = all_models()[name].shutdown.get(backend) if name else None
    if day is None:
        return None
    about = _facts()[backend]
    told = [date.fromisoformat(at) for at, names in about.get("announced", {}).items() if name in names]
    return Ending(
        date.fromisoformat(day),
        min(told, default=None),
        about["source"],
        about["url"],
        about["as_of"],
    )
