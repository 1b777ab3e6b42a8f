"""Vendors and endpoints: is their key here, can they be opened, and where would they be asked."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from datetime import date
from typing import NamedTuple
from urllib.parse import urlsplit

from llmbench.catalog import all_models, canonical_name
from llmbench.catalog.endings import SOON_DAYS
from llmbench.config import EndpointConfig, ProjectConfig
from llmbench.doctor.diagnosis import Check
from llmbench.doctor.machine import EXTRAS, installed
from llmbench.doctor.reach import Contact
from llmbench.errors import ConfigError, LLMBenchError
from llmbench.providers.backends import BACKENDS
from llmbench.providers.registry import PROVIDERS, key_variables, open_endpoint
from llmbench.secret import Secret, from_environment

__all__ = ["VENDORS", "Vendor", "endpoints", "needed_extras", "shown_address", "shutdowns", "vendors"]

_UNSHOWN = "the address"
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class Vendor(NamedTuple):
    """Where a vendor lists its models."""

    provider: str
    backend: str | None
    base_url: str
    path: str


VENDORS = {
    "openai": Vendor("openai", None, "https://api.openai.com/v1", "models"),
    "anthropic": Vendor("anthropic", None, "https://api.anthropic.com", "v1/models"),
    "gemini": Vendor("gemini", None, "https://generativelanguage.googleapis.com", "v1beta/models?pageSize=1"),
    "together": Vendor("together", "together", BACKENDS["together"].base_url, "v1/models"),
    "replicate": Vendor("llama", "replicate", BACKENDS["replicate"].base_url, "v1/models"),
}
VENDORS |= {
    row.name: Vendor("llama", row.name, row.base_url, "models")
    for row in BACKENDS.values()
    if row.key_variables and row.name not in VENDORS
}
_PATHS = {name: vendor.path for name, vendor in VENDORS.items()} | {"ollama": "api/tags"}


def vendors(config: ProjectConfig, *, offline: bool) -> Iterator[Check | Contact]:
    """One check, or one contact to make, for each vendor. Without its key nobody is asked.

    A vendor whose name the project gave to an endpoint is that endpoint, and is told of there.
    """
    for name, vendor in VENDORS.items():
        if name in config.endpoints:
            continue
        variables = key_variables(vendor.provider, vendor.backend)
        try:
            key, variable = _key_of(variables)
        except ConfigError as error:
            yield Check(name, "problem", f"{' or '.join(variables)}: {error}")
            continue
        if key is None or variable is None:
            yield Check(name, "ok", f"No key ({' or '.join(variables)} is not set); not asked.")
        elif offline:
            yield Check(name, "ok", f"{_key_place(variable)}; not asked (--offline).")
        else:
            yield Contact(name, vendor.base_url, vendor.path, name, key, variable)


def _key_of(variables: tuple[str, ...]) -> tuple[Secret | None, str | None]:
    for variable in variables:
        key = from_environment(variable)
        if key is not None:
            return key, variable
    return None, None


def _key_place(variable: str) -> str:
    place = "environment" if os.environ.get(variable, "").strip() else "keyring"
    return f"A key is in {variable} ({place})"


def endpoints(config: ProjectConfig, *, offline: bool) -> Iterator[Check | Contact]:
    """One check, or one contact to make, for each endpoint of llmbench.toml."""
    for name, endpoint in config.endpoints.items():
        subject = f"endpoint {name}"
        problem = _problem_of(endpoint, config)
        if problem is not None:
            yield Check(subject, "problem", problem)
        elif endpoint.provider == "local":
            yield Check(subject, "ok", "It runs on this machine.")
        elif offline:
            yield Check(subject, "ok", "It can be opened; not asked (--offline).")
        else:
            yield _contact(subject, endpoint, config)


def _problem_of(endpoint: EndpointConfig, config: ProjectConfig) -> str | None:
    """Why the endpoint cannot be used, or None."""
    where = f"[endpoints.{endpoint.name}]"
    if endpoint.api_key_env and not _VARIABLE.fullmatch(endpoint.api_key_env):
        return (
            f"{where} api_key_env is not the name of a variable: if it is the key itself, remove it, put it "
            "into the environment and name the variable."
        )
    extra = _extra_of(endpoint)
    if extra is not None and not installed(extra):
        return f"It needs an extra: pip install 'llmbench[{extra}]'."
    try:
        open_endpoint(endpoint.name, config=config)
    except LLMBenchError as error:
        return _without_address(str(error), endpoint)
    except Exception as error:  # noqa: BLE001 - whatever it is, the other checks must still be made
        return f"{where} cannot be opened ({type(error).__name__}); see its options in the documentation."
    return None


def _without_address(text: str, endpoint: EndpointConfig) -> str:
    """`text` with the address as it may be shown: a query, a user name or a port may be a key."""
    if not endpoint.base_url:
        return text
    shown = shown_address(endpoint.base_url)
    if shown == _UNSHOWN:
        return f"[endpoints.{endpoint.name}] base_url is no address such as https://host:8000/v1; correct it."
    return text.replace(endpoint.base_url, shown)


def shown_address(base_url: str) -> str:
    """Scheme, host, port and path of an address.

    >>> shown_address("https://ada:secret@gateway.example:8443/v1?key=secret")
    'https://gateway.example:8443/v1'
    """
    try:
        parts = urlsplit(base_url)
        host = f"{parts.hostname or ''}{f':{parts.port}' if parts.port else ''}"
    except ValueError:
        return _UNSHOWN
    return f"{parts.scheme}://{host}{parts.path}" if parts.scheme and host else _UNSHOWN


def _extra_of(endpoint: EndpointConfig) -> str | None:
    row = PROVIDERS.get(endpoint.provider)
    backend = BACKENDS.get(endpoint.backend or "")
    extra = (backend.package if backend else None) or (row.extra if row else None)
    return extra if extra in EXTRAS else None


def _contact(subject: str, endpoint: EndpointConfig, config: ProjectConfig) -> Contact:
    """The address is what the provider itself has checked and would call."""
    interface = endpoint.backend or endpoint.provider
    vendor = VENDORS.get(interface)
    if vendor is not None and endpoint.base_url in {None, vendor.base_url}:
        base_url, at_home = vendor.base_url, True
    else:
        base_url = open_endpoint(endpoint.name, config=config).base_url or ""
        at_home = interface == "azure"  # it would not have opened with its vendor's key elsewhere
    variables = key_variables(endpoint.provider, endpoint.backend) if at_home else ()
    key, variable = _key_of((endpoint.api_key_env,) if endpoint.api_key_env else variables)
    path = _PATHS.get(interface, "models")
    if interface == "azure" and endpoint.options.get("api_version"):
        path = f"openai/models?api-version={endpoint.options['api_version']}"
    return Contact(subject, base_url, path, interface, key, variable, allow_http=endpoint.allow_http)


def needed_extras(config: ProjectConfig) -> set[str]:
    """Extras that a key at hand or an endpoint of the project asks for."""
    found = {extra for endpoint in config.endpoints.values() if (extra := _extra_of(endpoint))}
    for name, vendor in VENDORS.items():
        try:
            key, _ = _key_of(key_variables(vendor.provider, vendor.backend))
        except ConfigError:
            continue
        if key is not None:
            found.add(name)
    return found


def shutdowns(config: ProjectConfig, today: date) -> Iterator[Check]:
    """Models that llmbench.toml names, and that end within SOON_DAYS or have ended."""
    for name, endpoint in config.endpoints.items():
        place = endpoint.backend or endpoint.provider
        for model in dict.fromkeys([*([endpoint.model] if endpoint.model else []), *endpoint.prices]):
            facts = all_models().get(canonical_name(model) or "")
            ends = facts.shutdown.get(place) if facts else None
            if ends is None:
                continue
            days = (date.fromisoformat(ends) - today).days
            subject = f"model {name}/{model}"
            if days <= 0:  # from that day on it is not answered any more
                yield Check(subject, "problem", f"Its vendor ended it on {ends}: choose another.")
            elif days <= SOON_DAYS:
                yield Check(subject, "warning", f"Its vendor ends it on {ends}, in {days} days: plan for it.")
