"""Whether an endpoint answers: one GET of its list of models, which no vendor charges for.

A key goes into the header of a request to its own vendor, or to the address that llmbench.toml
gives it to, and nowhere else. What a server says is never shown: it may repeat the key.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from llmbench.doctor.diagnosis import Check
from llmbench.errors import LLMBenchError, ProviderTimeoutError
from llmbench.providers.transport import HttpTransport
from llmbench.secret import Secret

__all__ = ["SECONDS", "Contact", "contact_all", "headers_of"]

SECONDS = 3.0
"""How long an endpoint has for its answer."""


@dataclass(frozen=True, slots=True)
class Contact:
    """Whom to ask, and how."""

    subject: str
    base_url: str
    path: str
    interface: str
    """The vendor whose way of sending a key it is."""
    key: Secret | None = None
    key_name: str | None = None
    """The variable that holds the key."""
    allow_http: bool = False


def headers_of(interface: str, key: Secret | None) -> Mapping[str, str]:
    """The headers beyond a bearer token that an interface wants."""
    if interface == "anthropic":
        headers = {"anthropic-version": "2023-06-01"}
        return headers | {"x-api-key": key.reveal()} if key else headers
    name = {"gemini": "x-goog-api-key", "azure": "api-key"}.get(interface)
    return {name: key.reveal()} if name and key else {}


_OWN_HEADER = frozenset({"anthropic", "gemini", "azure"})


async def contact_all(contacts: Sequence[Contact], seconds: float = SECONDS) -> list[Check]:
    """Ask all at the same time."""
    return list(await asyncio.gather(*(_contact(contact, seconds) for contact in contacts)))


async def _contact(contact: Contact, seconds: float) -> Check:
    try:
        transport = HttpTransport(
            contact.base_url,
            api_key=None if contact.interface in _OWN_HEADER else contact.key,
            headers=headers_of(contact.interface, contact.key),
            allow_http=contact.allow_http,
            name="the endpoint",
        )
    except LLMBenchError as error:
        return Check(contact.subject, "problem", str(error))
    start = time.monotonic()
    try:
        reply = await transport.get(contact.path, timeout_s=seconds)
    except ProviderTimeoutError:
        text = f"{contact.base_url} gave no answer within {seconds:g} s; check the address and the network."
        return Check(contact.subject, "problem", text)
    except LLMBenchError as error:
        text = str(error)
        return Check(contact.subject, "problem", text[:1].upper() + text[1:])
    finally:
        await transport.aclose()
    return _judged(contact, reply.status, (time.monotonic() - start) * 1000)


def _judged(contact: Contact, status: int, milliseconds: float) -> Check:
    where = contact.base_url
    key = f"the key in {contact.key_name}" if contact.key_name else "a call without a key"
    # Google answers 400 to a key that is none.
    refused = {401, 403} | ({400} if contact.interface == "gemini" and contact.key else set())
    if status in refused:
        advice = "set a valid one" if contact.key_name else "name one by api_key_env"
        return Check(contact.subject, "problem", f"{where} refuses {key} ({status}): {advice}.")
    if status >= 500:
        return Check(contact.subject, "problem", f"{where} fails ({status}): look at the server, or wait.")
    if status == 429:
        return Check(contact.subject, "warning", f"{where} answers that calls come too fast (429): wait.")
    if 300 <= status < 400:
        text = f"{where} sends elsewhere ({status}), which is never followed: correct base_url."
        return Check(contact.subject, "problem", text)
    with_key = f", and takes {key}" if contact.key_name and status < 300 else ""
    listed = "" if status < 300 else f" (without a list of models: {status})"
    return Check(contact.subject, "ok", f"{where} answers in {milliseconds:.0f} ms{listed}{with_key}.")
