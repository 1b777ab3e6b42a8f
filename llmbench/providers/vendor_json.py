"""What stands in a vendor's reply about a job, a file or a batch. No I/O."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from llmbench.errors import BadResponseError
from llmbench.numbers import finite
from llmbench.providers.wire_errors import mask

if TYPE_CHECKING:
    from llmbench.providers.base import BaseLLMProvider

__all__ = [
    "first_number",
    "first_text",
    "has_more",
    "instant",
    "numbers",
    "read_list",
    "read_object",
    "read_reply",
]


def read_reply(
    body: bytes, provider: BaseLLMProvider, what: str, *, key: str = "id", within: str | None = None
) -> dict[str, Any]:
    """The JSON object in a reply of status 2xx about `what`, keys masked; it has a `key`. It may stand under
    the name `within`.

    The SDKs' own models are not asked: one of them refuses states that the vendor documents, and the
    id of a job that was just started must not be lost to such a thing.
    """
    text = mask(body.decode("utf-8", "replace"), tuple(provider.secrets()))
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if within and isinstance(found, dict):
        found = found.get(within, found)
    if not isinstance(found, dict) or not isinstance(found.get(key), str) or not found[key]:
        raise BadResponseError(
            f"{provider.endpoint} at {provider.base_url} answered about {what} without its id; "
            "check base_url.",
            provider=provider.name,
        )
    return found


def read_list(body: bytes, provider: BaseLLMProvider, what: str, *keys: str) -> list[dict[str, Any]]:
    """The tables in a reply of status 2xx that lists `what` under the first of `keys` that it has; keys
    masked.
    """
    text = mask(body.decode("utf-8", "replace"), tuple(provider.secrets()))
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if isinstance(found, dict):
        # Where there is none of them, one vendor has null.
        found = next((found[key] or [] for key in keys if key in found), None)
    if not isinstance(found, list):
        raise BadResponseError(
            f"{provider.endpoint} at {provider.base_url} did not list {what}; check base_url.",
            provider=provider.name,
        )
    return [one for one in found if isinstance(one, dict)]


def read_object(body: bytes) -> dict[str, Any]:
    """The JSON object in a reply; empty where it is none."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        found = None
    return found if isinstance(found, dict) else {}


def has_more(body: bytes) -> bool:
    """Whether a page of OpenAI's kind says that another follows."""
    return read_object(body).get("has_more") is True


def numbers(row: Mapping[str, Any]) -> dict[str, float]:
    """The entries that are finite numbers."""
    return {key: found for key, value in row.items() if (found := finite(value)) is not None}


def first_number(row: Mapping[str, Any], keys: Sequence[str]) -> float | None:
    """The entry of the first of `keys` that is a number."""
    return next((found for key in keys if (found := finite(row.get(key))) is not None), None)


def instant(value: Any) -> str | None:
    """An epoch, an ISO text or a datetime as an ISO instant in UTC.

    >>> instant(0), instant("2026-01-02T03:04:05Z"), instant("soon")
    ('1970-01-01T00:00:00+00:00', '2026-01-02T03:04:05+00:00', None)
    """
    try:
        if isinstance(value, int | float) and not isinstance(value, bool):
            value = datetime.fromtimestamp(value, UTC)
        elif isinstance(value, str):
            value = datetime.fromisoformat(value)
        if not isinstance(value, datetime):
            return None
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).astimezone(UTC).isoformat()
    except (ValueError, OverflowError, OSError):
        return None


def first_text(values: Sequence[Any]) -> str | None:
    """The first that is a text with something in it."""
    return next((value for value in values if isinstance(value, str) and value.strip()), None)
