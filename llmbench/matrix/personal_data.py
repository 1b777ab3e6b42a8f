"""Items that hold personal data go only to endpoints that are marked for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from llmbench.errors import ConfigError, DatasetError

if TYPE_CHECKING:
    from llmbench.config import ProjectConfig
    from llmbench.matrix.dataset import Dataset
    from llmbench.providers.base import BaseLLMProvider

__all__ = ["COLUMN", "check_personal_data", "said_personal"]

COLUMN = "personal_data"
"""A column of this name says of each item whether it holds some."""

_YES = frozenset({"true", "yes", "y", "1", "1.0"})
_NO = frozenset({"false", "no", "n", "0", "0.0", ""})


def said_personal(value: object, *, where: str) -> bool:
    """What a cell of the column says. Raises DatasetError for a word that is neither yes nor no.

    >>> said_personal("Yes", where="items.csv:2"), said_personal(None, where="items.csv:3")
    (True, False)
    """
    word = "" if value is None else str(value).strip().casefold()
    if word in _YES | _NO:
        return word in _YES
    raise DatasetError(f"{where} has {COLUMN} = {value!r}; write true or false.")


def check_personal_data(
    dataset: Dataset, providers: Mapping[str, BaseLLMProvider], config: ProjectConfig
) -> None:
    """Refuse, before any call, an endpoint that is not marked `personal_data = true` for a data set
    that says it holds some: in its column `personal_data`, by `Dataset.load(personal_data=True)`,
    or by `[data] personal` in llmbench.toml. What runs in this process is always allowed.
    """
    if not (dataset.personal_data or config.says_personal(dataset.path)):
        return
    refused = sorted(name for name, provider in providers.items() if not provider.personal_data)
    if refused:
        raise ConfigError(
            f"{dataset.path.name} says that it holds personal data, and the endpoint"
            f"{'s' if len(refused) > 1 else ''} {', '.join(refused)} may not be sent any; set "
            f"personal_data = true in [endpoints.{refused[0]}] of llmbench.toml if that is agreed, "
            "or choose other models."
        )
