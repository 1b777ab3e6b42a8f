"""The checked parameters of a run, and which of them somebody stated."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from llmbench.errors import UsageError
from llmbench.reporting.parameters import Parameter

__all__ = ["Parameters", "unstated"]


class Parameters(Mapping[str, Any]):
    """The checked parameters of a run: `P.margin` or `P["margin"]`; they cannot be changed.

    >>> P = Parameters({"margin": 0.03})
    >>> P.margin, dict(P)
    (0.03, {'margin': 0.03})
    """

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.__dict__["_values"] = MappingProxyType(dict(values))

    def __getattr__(self, name: str) -> Any:
        try:
            return self.__dict__["_values"][name]
        except KeyError:
            raise AttributeError(f"This notebook has no parameter {name!r}.") from None

    def __setattr__(self, name: str, value: Any) -> None:
        raise UsageError(
            f"Parameter {name!r} is set in the cell tagged `parameters`, or with -p {name} VALUE."
        )

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def __iter__(self) -> Any:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"Parameters({dict(self._values)})"


def unstated(declared: Sequence[Parameter], values: Mapping[str, Any]) -> frozenset[str]:
    """Names of the parameters that are as the notebook declares them because nobody said otherwise.

    `llmbench report` tells in LLMBENCH_GIVEN which ones were given: one that was given as the notebook has
    it was stated all the same. Without it, in JupyterLab, only what differs is known to be.
    """
    given = os.environ.get("LLMBENCH_GIVEN", "").split()
    return frozenset(
        each.name for each in declared if values[each.name] == each.default and each.name not in given
    )
