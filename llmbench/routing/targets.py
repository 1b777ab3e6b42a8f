"""What a router can ask: a model at one of its endpoints."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from llmbench.catalog import all_models, canonical_name
from llmbench.errors import UsageError

if TYPE_CHECKING:
    from llmbench.providers.base import BaseLLMProvider

__all__ = ["Endpoints", "Target"]


@dataclass(frozen=True, slots=True, eq=False)
class Target:
    """A model at an endpoint. Each is made once, so that it can be told by identity."""

    endpoint: str
    model: str
    provider: BaseLLMProvider
    id: str
    """endpoint/model."""
    context: int | None
    """Tokens it reads and writes, where the catalog knows."""

    def __repr__(self) -> str:
        return f"Target({self.id!r})"


class Endpoints:
    """The providers of a router by name, and the models found at them."""

    def __init__(self, providers: Mapping[str, BaseLLMProvider]) -> None:
        self.providers = dict(providers)
        self._served = {
            name: {info.name for info in each.list_models()} for name, each in self.providers.items()
        }
        self._targets: dict[tuple[str, str], Target] = {}

    def target(self, endpoint: str, model: str) -> Target:
        """The one Target of that endpoint and model. Raises UsageError for an endpoint there is not."""
        found = self._targets.get((endpoint, model))
        if found is None:
            provider = self.providers.get(endpoint)
            if provider is None:
                near = difflib.get_close_matches(endpoint, self.providers, n=1)
                hint = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(self.providers)}."
                raise UsageError(f"The router has no provider {endpoint!r}; {hint}")
            facts = all_models().get(canonical_name(model) or "")
            context = facts.context if facts else None
            found = Target(endpoint, model, provider, f"{endpoint}/{model}", context)
            self._targets[endpoint, model] = found
        return found

    def serving(self, name: str) -> list[Target]:
        """Where `name` can be asked: "endpoint/model" there; a model's bare name wherever it is
        served, one's own machines first. Empty if nowhere.
        """
        endpoint, slash, model = name.partition("/")
        if slash and endpoint in self.providers:
            return [self.target(endpoint, model)]
        found = [
            self.target(each, name)
            for each, provider in self.providers.items()
            if self._serves(provider, each, name)
        ]
        return sorted(found, key=lambda target: not target.provider.self_hosted)

    def serving_all(self, names: Iterable[str]) -> list[Target]:
        """Where any of `names` can be asked, in their order, each once."""
        return list(dict.fromkeys(target for name in names for target in self.serving(name)))

    def defaults(self) -> list[Target]:
        """The models that the providers themselves name."""
        named = ((name, each.default_model) for name, each in self.providers.items())
        return [self.target(name, model) for name, model in named if model]

    def _serves(self, provider: BaseLLMProvider, endpoint: str, model: str) -> bool:
        default = provider.default_model
        if default and same_model(default, model):
            return True
        if default and provider.self_hosted:
            return False  # a machine of one's own serves the model it was started with
        return (canonical_name(model) or model) in self._served[endpoint]


def same_model(one: str, other: str) -> bool:
    """Whether two spellings name one model."""
    return one == other or (canonical_name(one) or one) == (canonical_name(other) or other)
