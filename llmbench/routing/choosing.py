"""Which models a request goes to, and in which order."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from llmbench.errors import UsageError
from llmbench.routing.calibrated import CalibratedRouting
from llmbench.routing.experiment import Experiment
from llmbench.routing.features import features_of
from llmbench.routing.ranking import by_price, by_quality, by_speed
from llmbench.routing.recording import seed_speeds
from llmbench.routing.route import Assigned, Route
from llmbench.routing.strategy import RoutingStrategy
from llmbench.routing.table import RoutingTable
from llmbench.routing.targets import Endpoints, Target

if TYPE_CHECKING:
    from llmbench.ledger import Ledger
    from llmbench.routing.speeds import Speeds
    from llmbench.types import Message

__all__ = ["Chooser"]

_HINTS_WARNED = 1000


class Chooser:
    """Turns strategy and request into a route. It makes no call; for the arguments see `ModelRouter`."""

    def __init__(
        self,
        endpoints: Endpoints,
        table: RoutingTable | CalibratedRouting,
        *,
        models: Sequence[str] | None,
        quality: Any,
        speeds: Speeds,
        ledger: Ledger | None,
        allow_unpriced: bool,
        fallback: bool,
    ) -> None:
        self._endpoints = endpoints
        self._table = table
        self._quality = _scores(quality)
        self._speeds = speeds
        self._unread = ledger
        """The ledger, until the speeds in it have been read."""
        self._allow_unpriced = allow_unpriced
        self._fallback = fallback
        if isinstance(table, CalibratedRouting):
            _refuse_unserved(table, endpoints)
        self._models = self._choices(models)
        self._chains: dict[tuple[str, ...], list[Target]] = {}
        self._hints_warned: set[str] = set()
        self._drift_warned = False

    def decide(
        self,
        default: RoutingStrategy,
        messages: Sequence[Message],
        task_type: str | None,
        strategy: RoutingStrategy | str | None,
        provider: str | None,
        model: str | None,
        unit_id: str | None,
        options: Mapping[str, Any],
        *,
        observe: bool = False,
    ) -> Route:
        """The route of a request; one without targets for AB_TEST, whose arm `route_of` takes. `observe`
        lets a calibrated router's drift monitor count the prompt.
        """
        if unit_id is not None and (type(unit_id) is not str or not unit_id):
            raise UsageError(f"unit_id must be a text; it is {unit_id!r}.")
        if provider is not None or model is not None:
            return self._explicit(provider, model)
        chosen = default if strategy is None else RoutingStrategy.of(strategy)
        if chosen is RoutingStrategy.SMART:
            if isinstance(self._table, CalibratedRouting):
                return self._calibrated(self._table, messages, observe=observe)
            return self._smart(self._table, messages, task_type, unit_id)
        if chosen is RoutingStrategy.AB_TEST:
            return Route(chosen, "", "", ())
        features_of(messages, task_type)
        return self._ranked(chosen, messages, options)

    def _explicit(self, provider: str | None, model: str | None) -> Route:
        if provider is not None:
            if provider not in self._endpoints.providers:
                self._endpoints.target(provider, "")
            named = model or self._endpoints.providers[provider].default_model
            if not named:
                raise UsageError(f"provider={provider!r} names no model; give model= too.")
            targets = [self._endpoints.target(provider, named)]
        else:
            targets = self.named(str(model))
        return Route(None, "explicit", "the caller named it", targets, explicit=True)

    def _calibrated(self, routing: CalibratedRouting, messages: Sequence[Message], *, observe: bool) -> Route:
        one_turn = not features_of(messages, None).multi_turn
        prompt = "\n".join(str(each["content"]) for each in messages if each["role"] == "user")
        choice = routing.choose(prompt, one_turn=one_turn, observe=observe)
        if routing.monitor.alarm is not None and not self._drift_warned:
            self._drift_warned = True
            warnings.warn(
                f"The guarantee of {routing.name} is void, and all goes to {routing.strong}: "
                f"{routing.monitor.alarm}. Calibrate again on prompts of today.",
                stacklevel=4,
            )
        return Route(
            RoutingStrategy.SMART, choice.rule, choice.reason, self._chain(choice.rule, choice.models)
        )

    def _smart(
        self, table: RoutingTable, messages: Sequence[Message], task_type: str | None, unit_id: str | None
    ) -> Route:
        seen = features_of(messages, task_type)
        choice = table.choose(seen, unit_id or str(messages[-1]["content"]))
        reason = choice.reason
        if task_type is not None and task_type not in table.task_types:
            reason += f"; the hint {task_type!r} is in no rule"
            self._warn_of(task_type)
        return Route(RoutingStrategy.SMART, choice.rule, reason, self._chain(choice.rule, choice.models))

    def _chain(self, rule: str, models: tuple[str, ...]) -> list[Target]:
        """Where the models of a rule can be asked, then the table's fallback, then what providers name."""
        found = self._chains.get(models)
        if found is None:
            preferred = self._endpoints.serving_all(models)
            others = (*self._endpoints.serving_all(self._table.fallback), *self._endpoints.defaults())
            found = list(dict.fromkeys((*preferred, *others)))
            if not found:
                raise UsageError(
                    f"Rule {rule!r} of the table {self._table.name!r} prefers {', '.join(models)}, and "
                    f"no provider of the router ({', '.join(self._endpoints.providers)}) serves that or a "
                    "fallback; "
                    'give routes= with your models, or write them as "endpoint/model".'
                )
            found = found if self._fallback else found[:1]
            self._chains[models] = found
        return found

    def _ranked(
        self, strategy: RoutingStrategy, messages: Sequence[Message], options: Mapping[str, Any]
    ) -> Route:
        if not self._models:
            raise UsageError(
                f"{strategy.name} has nothing to choose from: the providers serve none of the models of the "
                f"routing table {self._table.name!r}; give models=."
            )
        if strategy is RoutingStrategy.BEST_QUALITY:
            ranking = by_quality(self._models, self._table.quality, self._quality)
        else:
            self._read_speeds()
            speeds = self._speeds
            if strategy is RoutingStrategy.FASTEST:
                ranking = by_speed(self._models, self._table.speed, options, speeds)
            else:
                ranking = by_price(
                    self._models, messages, options, speeds, allow_unpriced=self._allow_unpriced
                )
        end = len(ranking.targets) if self._fallback else 1
        return Route(strategy, strategy.value, ranking.reason, ranking.targets[:end], ranking.notes[:end])

    def route_of(self, assigned: Assigned, experiment: Experiment) -> Route:
        """The arm of a unit, and the other arms where the experiment lets them answer in its place."""
        arms = [assigned.arm]
        if experiment.fallback and self._fallback:
            arms += sorted(
                (arm for arm in experiment.arms if arm != assigned.arm), key=lambda a: -experiment.arms[a]
            )
        targets = [self._endpoints.serving(arm)[0] for arm in arms]
        reason = (
            f"the unit is in arm {assigned.arm} of {assigned.experiment_id!r} "
            f"(epoch {assigned.epoch}, probability {assigned.probability:g})"
        )
        return Route(RoutingStrategy.AB_TEST, assigned.experiment_id, reason, targets, assigned=assigned)

    def named(self, name: str) -> list[Target]:
        """Where `name` can be asked. Raises UsageError where it cannot."""
        found = self._endpoints.serving(name)
        if found:
            return found
        if len(self._endpoints.providers) == 1:  # there is no other place to ask
            return [self._endpoints.target(next(iter(self._endpoints.providers)), name)]
        raise UsageError(
            f"No provider of the router serves {name!r}; write it as endpoint/model, with one of "
            f"{', '.join(self._endpoints.providers)} as the endpoint."
        )

    def _choices(self, models: Sequence[str] | None) -> list[Target]:
        if models is not None:
            return list(dict.fromkeys(target for name in models for target in self.named(name)))
        named = self._endpoints.serving_all(self._table.models)
        return list(dict.fromkeys((*named, *self._endpoints.defaults())))

    def experiment(self, given: Experiment | None) -> Experiment | None:
        """The experiment with its arms as endpoint/model; None where no arm of the table is served."""
        declared = self._table.experiment
        if given is None and declared is None:
            return None
        wanted = given or Experiment(**declared)  # type: ignore[arg-type]
        arms: dict[str, float] = {}
        for arm, weight in wanted.arms.items():
            found = self.named(arm)[:1] if given else self._endpoints.serving(arm)[:1]
            for target in found:
                arms[target.id] = arms.get(target.id, 0.0) + weight
        if not arms:
            return None
        return Experiment(wanted.id, arms, wanted.salt, wanted.fallback)

    def baseline(self, named: str | None) -> Target | None:
        """The model named, else the best of the table that somebody sells."""
        if named is not None:
            return self.named(named)[0]
        best = self._endpoints.serving_all(self._table.quality)
        hosted = [target for target in best if not target.provider.self_hosted]
        return hosted[0] if hosted else None

    def _read_speeds(self) -> None:
        if self._unread is not None:
            seed_speeds(self._speeds, self._models, self._unread)
            self._unread = None

    def _warn_of(self, hint: str) -> None:
        if hint not in self._hints_warned and len(self._hints_warned) < _HINTS_WARNED:
            self._hints_warned.add(hint)
            known = ", ".join(sorted(self._table.task_types)) or "none"
            warnings.warn(
                f"No rule of the routing table {self._table.name!r} knows task_type={hint!r} (it knows "
                f"{known}); the request is routed as if it had none.",
                stacklevel=5,
            )


def _refuse_unserved(routing: CalibratedRouting, endpoints: Endpoints) -> None:
    """A model that nobody serves would send its prompts to others, against the guarantee."""
    absent = next((name for name in routing.models if not endpoints.serving(name)), None)
    if absent is not None:
        raise UsageError(
            f"The calibrated router asks {absent!r}, and no provider of the router "
            f"({', '.join(endpoints.providers)}) serves that; calibrate with "
            f'names={{{absent!r}: "endpoint/model"}}, or give that provider.'
        )


def _scores(quality: Any) -> Mapping[str, float] | None:
    """Scores by model, of a mapping or of a matrix's results (anything with `cells` of model and score)."""
    if quality is None or isinstance(quality, Mapping):
        return quality
    cells = getattr(quality, "cells", None)
    if cells is None:
        raise UsageError("quality must map models to scores, or be the results of a matrix.")
    best: dict[str, float] = {}
    for cell in cells:
        if cell.score is not None:
            best[cell.model] = max(cell.score, best.get(cell.model, cell.score))
    return best
