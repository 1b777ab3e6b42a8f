"""llmbench.toml: the project's root, its endpoints, and where its ledger is."""

from __future__ import annotations

import difflib
import math
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from llmbench.errors import ConfigError

__all__ = ["CONFIG_NAME", "EndpointConfig", "ProjectConfig", "find_root", "load_config"]

CONFIG_NAME = "llmbench.toml"
_ROOT_MARKS = (CONFIG_NAME, "pyproject.toml")


@dataclass(frozen=True, slots=True)
class EndpointConfig:
    """One `[endpoints.NAME]` table. Keys are never written here: `api_key_env` names the
    environment variable (or keyring entry) that holds one.
    """

    name: str
    provider: str
    backend: str | None = None
    base_url: str | None = None
    model: str | None = None
    """The model asked for where a call names none."""
    model_path: str | None = None
    """A .gguf file, for provider "local"; relative to the project's root."""
    api_key_env: str | None = None
    usd_per_hour: float | None = None
    allow_http: bool = False
    personal_data: bool = False
    deadline_s: float | None = None
    max_attempts: int | None = None
    prices: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """{model: {input = USD per 1M, output = USD per 1M, cached_input = ..., as_of = "date"}}."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Further settings of one provider (see its docstring)."""


@dataclass(frozen=True, slots=True)
class ProjectConfig:
    """The configuration of one project."""

    root: Path
    endpoints: Mapping[str, EndpointConfig]
    ledger_url: str = field(repr=False)  # it may hold a password
    """A file, or a PostgreSQL URL: LLMBENCH_LEDGER where set, else .llmbench/ledger.db under the root."""
    ledger_durability: Literal["process", "power"] = "process"
    """What a recorded call survives: see `llmbench.ledger.Ledger`."""
    personal_files: tuple[str, ...] = ()
    """Patterns, relative to the root, of files that hold personal data: `[data] personal`."""

    def says_personal(self, path: str | Path) -> bool:
        """Whether llmbench.toml says of the file at `path` that it holds personal data."""
        absolute = Path(path).resolve()
        return any(absolute in {p.resolve() for p in self.root.glob(each)} for each in self.personal_files)

    def relative(self, path: str | Path) -> str:
        """`path` as it may be shown: relative to the root, or its bare name when outside."""
        absolute = Path(path).resolve()
        if absolute.is_relative_to(self.root):
            return absolute.relative_to(self.root).as_posix()
        return absolute.name

    def resolve(self, path: str | Path) -> Path:
        """`path` taken from the root when it is relative."""
        given = Path(path).expanduser()
        return given if given.is_absolute() else self.root / given


def find_root(start: Path | None = None) -> Path:
    """The nearest folder upward with llmbench.toml or pyproject.toml, else the current folder."""
    here = (start or Path.cwd()).resolve()
    for folder in (here, *here.parents):
        if any((folder / mark).is_file() for mark in _ROOT_MARKS):
            return folder
    return here


def load_config(start: Path | None = None) -> ProjectConfig:
    """Read the project's llmbench.toml, if there is one.

    Raises ConfigError naming the file and the key for anything that is not understood: a
    setting that is silently ignored would be a wrong number later.
    """
    root = find_root(start)
    path = root / CONFIG_NAME
    tables = _read_toml(path) if path.is_file() else {}
    unknown = set(tables) - {"endpoints", "ledger", "data"}
    if unknown:
        _refuse(
            path, f"has an unknown table or key {_names(unknown)}", "[endpoints.NAME], [ledger] and [data]"
        )
    ledger = tables.get("ledger", {})
    if not isinstance(ledger, dict) or set(ledger) - {"path", "durability"}:
        _refuse(path, "has a [ledger] table with unknown keys", "path, durability")
    durability = ledger.get("durability", "process")
    if durability not in {"process", "power"}:
        _refuse(path, f"has [ledger] durability = {durability!r}", '"process" or "power"')
    named = str(ledger.get("path", ".llmbench/ledger.db"))
    default_ledger = named if "://" in named else str(root / named)
    endpoints = tables.get("endpoints", {})
    if not isinstance(endpoints, dict):
        _refuse(path, "has `endpoints` that is not a table", "[endpoints.NAME]")
    return ProjectConfig(
        root=root,
        endpoints={name: _endpoint(path, name, table) for name, table in endpoints.items()},
        ledger_url=os.environ.get("LLMBENCH_LEDGER") or default_ledger,
        ledger_durability=durability,
        personal_files=_personal_files(path, tables.get("data", {})),
    )


def _personal_files(path: Path, table: Any) -> tuple[str, ...]:
    if not isinstance(table, dict) or set(table) - {"personal"}:
        _refuse(path, "has a [data] table with unknown keys", "personal")
    patterns = table.get("personal", [])
    if not isinstance(patterns, list) or not all(isinstance(each, str) and each for each in patterns):
        _refuse(path, f"has [data] personal = {patterns!r}", 'a list of files, such as ["data/crm*.csv"]')
    if any(Path(each).is_absolute() for each in patterns):
        _refuse(path, "has an absolute path in [data] personal", "paths relative to the project's root")
    return tuple(patterns)


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:  # TOML's own errors, bytes that are no text, depth, digits
        raise ConfigError(f"{path.name} cannot be read: {error}; correct that line.") from error
    except OSError as error:
        raise ConfigError(f"{path.name} cannot be opened: {error.strerror}.") from error


_ENDPOINT_TYPES: dict[str, tuple[type, ...]] = {
    "provider": (str,),
    "backend": (str,),
    "base_url": (str,),
    "model": (str,),
    "model_path": (str,),
    "api_key_env": (str,),
    "usd_per_hour": (int, float),
    "allow_http": (bool,),
    "personal_data": (bool,),
    "deadline_s": (int, float),
    "max_attempts": (int,),
    "prices": (dict,),
    "options": (dict,),
}


def _endpoint(path: Path, name: str, table: Any) -> EndpointConfig:
    where = f"[endpoints.{name}]"
    if "/" in name:
        _refuse(path, f"names an endpoint {name!r}", 'names without "/", which separates endpoint and model')
    if not isinstance(table, dict):
        _refuse(path, f"has {where} that is not a table", "provider = ...")
    known = {f.name for f in fields(EndpointConfig)} - {"name"}
    for key, value in table.items():
        if key in {"api_key", "key", "token"}:
            raise ConfigError(
                f"{path.name} {where} holds a key in {key!r}; remove it, put the key into the environment "
                f"and name the variable: api_key_env = ..."
            )
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f"{near[0]!r}; all: {', '.join(sorted(known))}" if near else ", ".join(sorted(known))
            _refuse(path, f"{where} has an unknown key {key!r}", hint)
        allowed = _ENDPOINT_TYPES[key]
        if not isinstance(value, allowed) or (isinstance(value, bool) and bool not in allowed):
            _refuse(path, f"{where} has {key} = {value!r}", allowed[-1].__name__)
        if isinstance(value, int | float) and not 0 <= value < math.inf:
            _refuse(path, f"{where} has {key} = {value!r}", "a number from 0 up")
    if "provider" not in table:
        _refuse(path, f"{where} names no provider", 'provider = "openai" or another provider')
    return EndpointConfig(name=name, **table)


def _names(names: set[str]) -> str:
    return ", ".join(repr(name) for name in sorted(names))


def _refuse(path: Path, what: str, expected: str) -> None:
    raise ConfigError(f"{path.name} {what}; expected: {expected}.")
