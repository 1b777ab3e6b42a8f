"""The endpoints of a matrix and the ledger they record to, opened at first use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from llmbench.matrix.limits import check_recorded
from llmbench.matrix.personal_data import check_personal_data
from llmbench.matrix.plan import Plan

if TYPE_CHECKING:
    from llmbench.config import ProjectConfig
    from llmbench.ledger import Ledger
    from llmbench.providers.base import BaseLLMProvider

__all__ = ["Endpoints"]


class Endpoints:
    """Providers by endpoint: those `given`, and the project's for the others.

    Raises UsageError for a given one that records nowhere.
    """

    def __init__(
        self,
        ledger: Ledger | str | Path | None,
        config: ProjectConfig | None,
        given: Mapping[str, BaseLLMProvider],
    ) -> None:
        self._given_ledger = ledger
        self._ledger: Ledger | None = None
        self._config = config
        self._given = dict(given)
        check_recorded(self._given)
        self._opened: dict[str, BaseLLMProvider] = {}

    @property
    def ledger(self) -> Ledger:
        """The ledger given, else the project's."""
        if self._ledger is None:
            from llmbench.ledger import Ledger

            given, project = self._given_ledger, self._project()
            self._ledger = (
                given
                if isinstance(given, Ledger)
                else Ledger(given or project.ledger_url, durability=project.ledger_durability)
            )
        return self._ledger

    def providers(self, plan: Plan, models: Sequence[str] = ()) -> dict[str, BaseLLMProvider]:
        """Those that `plan` calls, and those of `models` (endpoint/model).

        Raises ConfigError, and UsageError where personal data would reach an endpoint not marked for it.
        """
        from llmbench.providers.registry import open_endpoint, split_model_id

        found: dict[str, BaseLLMProvider] = {}
        for name in [cell.endpoint for cell in plan.cells] + [split_model_id(model)[0] for model in models]:
            if name is None or name in found:
                continue
            if name in self._given:
                found[name] = self._given[name]
                continue
            if name not in self._opened:
                self._opened[name] = open_endpoint(name, config=self._project(), recorder=self.ledger)
            found[name] = self._opened[name]
        check_personal_data(plan.dataset, found, self._project())
        return found

    async def disconnect(self) -> None:
        """Close the connections of what was opened here; it opens them again when it is called."""
        for provider in self._opened.values():
            await provider.aclose()

    def close(self) -> None:
        """Close the ledger, if it was opened here."""
        if self._ledger is not None and self._ledger is not self._given_ledger:
            self._ledger.close()
            self._ledger = None
            self._opened.clear()

    def _project(self) -> ProjectConfig:
        if self._config is None:
            from llmbench.config import load_config

            self._config = load_config()
        return self._config
