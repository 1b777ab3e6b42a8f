"""A routing table: rules in TOML that users edit."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

from llmbench.errors import ConfigError, UsageError
from llmbench.routing.drawing import checked_weights, draw
from llmbench.routing.features import Features

__all__ = ["SHIPPED", "Choice", "Condition", "RoutingTable", "Rule", "routing_table"]

SHIPPED = ("document", "current")
"""Names of the tables that come with llmbench."""

_CONDITIONS = ("task_type", "multi_turn", "characters_below", "characters_above")


class Condition(NamedTuple):
    """When a rule applies: all that is not None must hold."""

    task_types: frozenset[str] | None = None
    multi_turn: bool | None = None
    characters_below: int | None = None
    characters_above: int | None = None

    def holds(self, seen: Features) -> bool:
        """Whether it holds for a request."""
        return (
            (self.task_types is None or seen.task_type in self.task_types)
            and (self.multi_turn is None or seen.multi_turn is self.multi_turn)
            and (self.characters_below is None or seen.characters < self.characters_below)
            and (self.characters_above is None or seen.characters > self.characters_above)
        )

    def told(self, seen: Features) -> str:
        """Why it holds, in words."""
        parts = []
        if self.task_types is not None:
            parts.append(f"the hint is {seen.task_type!r}")
        if self.multi_turn is not None:
            parts.append("the conversation has several turns" if seen.multi_turn else "there is one turn")
        if self.characters_below is not None:
            parts.append(f"{seen.characters} characters are fewer than {self.characters_below}")
        if self.characters_above is not None:
            parts.append(f"{seen.characters:,} characters are more than {self.characters_above:,}")
        return " and ".join(parts) or "no other rule applies"


@dataclass(frozen=True, slots=True)
class Rule:
    """Which models are preferred when. `parts` holds one list, or several with their shares."""

    name: str
    when: Condition
    parts: tuple[tuple[str, ...], ...]
    shares: Mapping[str, float] = field(default_factory=dict)
    """Share of each of `parts`, by its number as a text."""

    def prefer(self, key: str) -> tuple[tuple[str, ...], str]:
        """The models for `key`, and how its share of the rule says so."""
        if len(self.parts) == 1:
            return self.parts[0], ""
        drawn = draw(self.shares, key, f"rule {self.name}")
        return self.parts[int(drawn)], f"; {self.shares[drawn]:.0%} of rule {self.name!r} go there"


class Choice(NamedTuple):
    """What a table says of a request."""

    rule: str
    reason: str
    models: tuple[str, ...]
    """Preferred models, the first first; the table's `fallback` follows."""


@dataclass(frozen=True, slots=True)
class RoutingTable:
    """Rules in the order in which they are tried; the first that applies decides."""

    name: str
    title: str
    rules: tuple[Rule, ...]
    fallback: tuple[str, ...] = ()
    quality: tuple[str, ...] = ()
    """Models by falling quality, where no measurement is at hand."""
    speed: tuple[str, ...] = ()
    """Models by falling speed, likewise."""
    experiment: Mapping[str, Any] | None = None
    """The `id` and `arms` of the A/B test where a router is given no other."""

    def choose(self, seen: Features, key: str) -> Choice:
        """The first rule that applies. `key` is whose share of a split rule it is: the same every time."""
        for rule in self.rules:
            if rule.when.holds(seen):
                models, share = rule.prefer(key)
                return Choice(rule.name, rule.when.told(seen) + share, models)
        raise UsageError(
            f"No rule of the routing table {self.name!r} applies; add one without conditions last."
        )

    @property
    def task_types(self) -> frozenset[str]:
        """Every hint that a rule knows."""
        return frozenset().union(*(rule.when.task_types or () for rule in self.rules))

    @property
    def models(self) -> tuple[str, ...]:
        """Every model it names, in order."""
        ruled = (model for rule in self.rules for part in rule.parts for model in part)
        return tuple(dict.fromkeys((*ruled, *self.fallback, *self.quality, *self.speed)))


def routing_table(source: str | Path | Mapping[str, Any] | RoutingTable) -> RoutingTable:
    """A shipped table by its name, a TOML file by its path, or its content as a mapping.

    Raises ConfigError that names file, rule and key for anything that is not understood.

    >>> routing_table("document").choose(Features(None, False, 12), "")
    Choice(rule='short', reason='12 characters are fewer than 200', models=('mixtral-8x7b',))
    """
    if isinstance(source, RoutingTable):
        return source
    if isinstance(source, Mapping):
        return _table("the routing table", source)
    if source in SHIPPED:
        text = files("llmbench.routing").joinpath(f"tables/{source}.toml").read_text(encoding="utf-8")
        return _table(str(source), tomllib.loads(text))
    path = Path(source)
    try:
        return _table(path.name, tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise ConfigError(
            f"The routing table {path.name} cannot be opened ({error.strerror}); give the path of a file, or "
            f"one of {', '.join(SHIPPED)}."
        ) from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path.name} cannot be read: {error}; correct that line.") from error


def _table(name: str, data: Mapping[str, Any]) -> RoutingTable:
    _refuse_unknown(name, "", data, {"title", "fallback", "order", "experiment", "rules"})
    rows = data.get("rules")
    if not isinstance(rows, list) or not rows:
        raise ConfigError(f"{name} has no [[rules]]; write at least one.")
    rules = tuple(_rule(name, number, row) for number, row in enumerate(rows, start=1))
    names = [rule.name for rule in rules]
    twice = next((each for each in names if names.count(each) > 1), None)
    if twice:
        raise ConfigError(f"{name} has two rules named {twice!r}; give each a name of its own.")
    order = data.get("order", {})
    if not isinstance(order, Mapping):
        raise ConfigError(f"{name} has an `order` that is no table; write [order] with quality and speed.")
    _refuse_unknown(name, " [order]", order, {"quality", "speed"})
    experiment = data.get("experiment")
    if experiment is not None:
        if not isinstance(experiment, Mapping) or not {"id", "arms"} <= set(experiment):
            raise ConfigError(f"{name} has an [experiment] without id and arms.")
        _refuse_unknown(name, " [experiment]", experiment, {"id", "arms", "salt", "fallback"})
    return RoutingTable(
        name=name,
        title=str(data.get("title", name)),
        rules=rules,
        fallback=_models(name, "fallback", data.get("fallback", [])),
        quality=_models(name, "[order] quality", order.get("quality", [])),
        speed=_models(name, "[order] speed", order.get("speed", [])),
        experiment=experiment,
    )


def _rule(table: str, number: int, row: Any) -> Rule:
    if not isinstance(row, Mapping) or not isinstance(row.get("name"), str) or not row["name"]:
        raise ConfigError(f'Rule {number} of {table} has no name; write name = "...".')
    where = f"rule {row['name']!r}"
    _refuse_unknown(table, f" {where}", row, {"name", "when", "prefer", "split"})
    if ("prefer" in row) == ("split" in row):
        raise ConfigError(f"{table} {where} needs either prefer = [models] or split = [shares].")
    when = _condition(table, where, row.get("when", {}))
    if "prefer" in row:
        return Rule(row["name"], when, (_models(table, f"{where} prefer", row["prefer"], needed=True),))
    parts, shares = [], {}
    split = row["split"]
    if not isinstance(split, list) or not all(isinstance(each, Mapping) for each in split) or not split:
        raise ConfigError(f"{table} {where} has a split that is no list of {{share, prefer}}.")
    for place, part in enumerate(split):
        _refuse_unknown(table, f" {where} split", part, {"share", "prefer"})
        parts.append(_models(table, f"{where} split", part.get("prefer", []), needed=True))
        shares[str(place)] = part.get("share", 0)
    try:
        scaled = checked_weights(shares, f"{table} {where}")
    except UsageError as error:
        raise ConfigError(str(error)) from error
    if abs(sum(shares.values()) - 1) > 1e-6:
        raise ConfigError(f"{table} {where} has shares that sum to {sum(shares.values()):g}; they sum to 1.")
    return Rule(row["name"], when, tuple(parts), scaled)


def _condition(table: str, where: str, row: Any) -> Condition:
    if not isinstance(row, Mapping):
        raise ConfigError(f"{table} {where} has a `when` that is no table.")
    _refuse_unknown(table, f" {where} when", row, set(_CONDITIONS))
    hints = row.get("task_type")
    hints = [hints] if isinstance(hints, str) else hints
    if hints is not None and not (
        isinstance(hints, list) and hints and all(isinstance(h, str) for h in hints)
    ):
        raise ConfigError(f"{table} {where} has task_type = {hints!r}; give a text, or a list of texts.")
    for key in ("characters_below", "characters_above"):
        if key in row and (type(row[key]) is not int or row[key] < 0):
            raise ConfigError(f"{table} {where} has {key} = {row[key]!r}; give a whole number from 0 on.")
    turns = row.get("multi_turn")
    if turns is not None and not isinstance(turns, bool):
        raise ConfigError(f"{table} {where} has multi_turn = {turns!r}; give true or false.")
    return Condition(
        frozenset(hints) if hints else None, turns, row.get("characters_below"), row.get("characters_above")
    )


def _models(table: str, where: str, names: Any, *, needed: bool = False) -> tuple[str, ...]:
    good = isinstance(names, Sequence) and not isinstance(names, str)
    if not good or not all(isinstance(each, str) and each for each in names) or (needed and not names):
        raise ConfigError(f"{table} {where} must be a list of models; it is {names!r}.")
    return tuple(names)


def _refuse_unknown(table: str, where: str, row: Mapping[str, Any], known: set[str]) -> None:
    unknown = sorted(set(row) - known)
    if unknown:
        raise ConfigError(
            f"{table}{where} has an unknown key {unknown[0]!r}; it takes {', '.join(sorted(known))}."
        )
