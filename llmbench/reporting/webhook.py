"""Tell an address that a report's decision is another one.

The address stands in an environment variable, because it is most often a secret itself: it is never shown.
What is sent is the notebook, the run, the two decisions and the sentence: no parameter, no data.
"""

from __future__ import annotations

import http.client
import ipaddress
import json
import os
import ssl
from urllib.parse import SplitResult, urlsplit

from llmbench import __version__
from llmbench.errors import ConfigError
from llmbench.reporting.run import ReportRun

__all__ = ["post_change", "webhook_address"]

_TIMEOUT_SECONDS = 10.0


def webhook_address(variable: str) -> str:
    """The address in an environment variable.

    Raises ConfigError where the variable is empty, or holds no https address (http only to this machine):
    told before anything runs.
    """
    address = os.environ.get(variable, "").strip()
    if not address:
        raise ConfigError(f"{variable} is not set; put the address of the webhook into it.")
    parts = _parts(address)
    if parts is None or not (parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(parts))):
        raise ConfigError(
            f"{variable} holds no address that a webhook may have: https, or http to this machine."
        )
    if parts.username is not None or parts.password is not None:
        raise ConfigError(f"{variable} has a name or a password before the host; webhooks carry none there.")
    return address


def post_change(address: str, run: ReportRun, before: str) -> str | None:
    """Send one JSON document; returns None, or why it did not arrive, without the address.

    Redirects are not followed: what was sent to one address must not go to another.
    """
    parts = _parts(address)
    if parts is None or parts.hostname is None:
        return "the address cannot be read"
    document = {
        "notebook": run.notebook,
        "run_id": run.run_id,
        "before": before,
        "decision": str(run.decision),
        "summary": run.summary,
    }
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    connection: http.client.HTTPConnection
    if parts.scheme == "https":
        context = ssl.create_default_context()
        connection = http.client.HTTPSConnection(
            parts.hostname, parts.port, timeout=_TIMEOUT_SECONDS, context=context
        )
    else:
        connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=_TIMEOUT_SECONDS)
    try:
        headers = {"Content-Type": "application/json", "User-Agent": f"llmbench/{__version__}"}
        connection.request("POST", path, json.dumps(document).encode(), headers)
        status = connection.getresponse().status
    except TimeoutError:
        return f"no answer within {_TIMEOUT_SECONDS:.0f} s"
    except (OSError, http.client.HTTPException, ValueError) as error:
        # Not its text: that may name the address.
        return f"{type(error).__name__}"
    finally:
        connection.close()
    return None if 200 <= status < 300 else f"it answered {status}"


def _parts(address: str) -> SplitResult | None:
    try:
        parts = urlsplit(address)
        _ = parts.port
    except ValueError:
        return None
    plain = address.isascii() and address.isprintable() and " " not in address
    return parts if parts.hostname and plain else None


def _is_loopback(parts: SplitResult) -> bool:
    try:
        return ipaddress.ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return parts.hostname == "localhost"
