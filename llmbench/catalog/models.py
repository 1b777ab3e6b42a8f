"""Facts about models: who serves them under which id, how much they read, when they end."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from llmbench.catalog.fact_files import read_facts
from llmbench.catalog.quirks import Quirks
from llmbench.errors import UsageError
from llmbench.shown import shown
from llmbench.types import ModelCapability

__all__ = ["ModelFacts", "all_models", "canonical_name", "model_facts"]


@shown
@dataclass(frozen=True, slots=True)
class ModelFacts:
    """One model of the catalog. `shutdown` gives the ISO date of its end at a backend."""

    name: str
    provider: str
    backends: Mapping[str, str]
    capabilities: tuple[ModelCapability, ...]
    context: int | None = None
    max_output: int | None = None
    local: bool = False
    shutdown: Mapping[str, str] = field(default_factory=dict)
    fine_tuning_until: Mapping[str, str] = field(default_factory=dict)
    """The last day on which a backend takes new fine-tuning jobs, where it has named one."""
    aliases: tuple[str, ...] = ()
    quirks: Quirks = field(default_factory=Quirks)


@cache
def all_models() -> Mapping[str, ModelFacts]:
    """Every model of the catalog, by its name."""
    return {name: _facts(name, row) for name, row in read_facts("models").items()}


def _facts(name: str, row: dict[str, Any]) -> ModelFacts:
    row = dict(row)
    capabilities = tuple(ModelCapability(word) for word in row.pop("capabilities"))
    aliases = tuple(row.pop("aliases", ()))
    quirks = _quirks(row.pop("quirks", {}))
    return ModelFacts(name=name, capabilities=capabilities, aliases=aliases, quirks=quirks, **row)


def _quirks(row: dict[str, Any]) -> Quirks:
    lists: dict[str, Any] = {key: tuple(row[key]) for key in ("refuses", "reasoning_efforts") if key in row}
    return Quirks(**{**row, **lists})


@cache
def _spellings() -> Mapping[str, str]:
    found: dict[str, str] = {}
    for name, facts in all_models().items():
        for spelling in (name, *facts.aliases, *facts.backends.values()):
            found[spelling.casefold()] = name
    return found


def canonical_name(model: str) -> str | None:
    """The catalog's name for any spelling of a model, or None.

    >>> canonical_name("mistralai/Mixtral-8x7B-Instruct-v0.1")
    'mixtral-8x7b'
    """
    return _spellings().get(model.casefold())


def model_facts(model: str) -> ModelFacts:
    """The facts of `model`. Raises UsageError with the nearest names."""
    given: object = model  # a parameter of a notebook may be anything
    if not isinstance(given, str):
        raise UsageError(f"A model is named by a text such as 'gpt-4o', not {given!r}.")
    name = canonical_name(model)
    if name is None:
        near = difflib.get_close_matches(model.casefold(), _spellings(), n=3)
        hint = f"did you mean {', '.join(sorted({_spellings()[n] for n in near}))}?" if near else (
            f"it knows {', '.join(sorted(all_models()))}."
        )  # fmt: skip
        raise UsageError(f"The catalog does not know the model {model!r}; {hint}")
    return all_models()[name]
