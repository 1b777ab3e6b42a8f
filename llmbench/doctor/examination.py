"""All checks, in the order in which they are shown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime
from urllib.parse import unquote, urlsplit

from llmbench import background
from llmbench.config import ProjectConfig, find_root
from llmbench.doctor import endpoints, machine, project
from llmbench.doctor.diagnosis import Check, Diagnosis
from llmbench.doctor.reach import SECONDS, Contact, contact_all
from llmbench.reporting.secrets import find_secret, known_secrets

__all__ = ["examine"]


def examine(*, offline: bool = False, today: date | None = None, seconds: float = SECONDS) -> Diagnosis:
    """Check this machine and the project of the current folder.

    `offline`: no endpoint is asked. `seconds`: how long each has for its answer; all are asked at
    once. No call is paid for, nothing is changed, and no message holds a key.
    """
    today = today or datetime.now(UTC).date()
    config, read = project.configuration()
    known = config or ProjectConfig(root=find_root(), endpoints={}, ledger_url="")
    found: list[Check | Contact] = [
        machine.python(),
        machine.disk(known.root),
        read,
        project.ledger(config, offline=offline),
        *project.prices(today),
        *endpoints.vendors(known, offline=offline),
        *endpoints.endpoints(known, offline=offline),
        *endpoints.shutdowns(known, today),
        *machine.extras(endpoints.needed_extras(known)),
        machine.model_file(),
    ]
    answered = _asked([each for each in found if isinstance(each, Contact)], seconds)
    checks = (next(answered) if isinstance(each, Contact) else each for each in found)
    return Diagnosis(tuple(_without_secrets(checks, known)))


def _asked(contacts: list[Contact], seconds: float) -> Iterator[Check]:
    return iter(background.run(contact_all(contacts, seconds)) if contacts else [])


def _without_secrets(checks: Iterable[Check], config: ProjectConfig) -> Iterator[Check]:
    """The last guard: a message that would hold a key, from wherever, is not shown."""
    secrets = known_secrets(config)
    for endpoint in config.endpoints.values():
        password = _password(endpoint.base_url or "")
        secrets |= {f"base_url of {endpoint.name}": password} if password else {}
    for check in checks:
        name = find_secret(f"{check.subject} {check.message}", secrets)
        if name is None:
            yield check
        else:
            yield Check(
                "a check", check.status, f"Not shown, because it would show {name}: look for it there."
            )


def _password(url: str) -> str:
    try:
        return unquote(urlsplit(url).password or "")
    except ValueError:
        return ""
