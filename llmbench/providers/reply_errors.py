"""The errors of replies that do not come, or are not what was asked for: one sentence for all vendors."""

from __future__ import annotations

from collections.abc import Sequence

from llmbench.errors import BadResponseError, ConnectionFailedError, ProviderTimeoutError
from llmbench.providers.reply_limit import RefusedReplyError
from llmbench.providers.wire_errors import shown

__all__ = ["bad_response", "no_answer", "no_connection", "no_reply_in_time", "stream_cut"]


def bad_response(
    what: str,
    body: bytes | str,
    provider: str,
    model: str,
    secrets: Sequence[str],
    *,
    interface: str = "an OpenAI-compatible interface",
) -> BadResponseError:
    """The error of a body that is not the format of `interface`; `what` says what it is instead."""
    text = body.decode("utf-8", "replace") if isinstance(body, bytes) else body
    said = f": {shown(text, secrets)}" if text.strip() else " (an empty body)"
    return BadResponseError(
        f"{provider} answered a request to {model!r} with {what}{said}; "
        f"check that base_url is the address of {interface}.",
        provider=provider,
        model=model,
    )


def no_answer(provider: str, base_url: str, model: str, error: RefusedReplyError) -> BadResponseError:
    """The error of a reply that was not read to its end."""
    return BadResponseError(
        f"{provider} at {base_url} answered a request to {model!r} with {error}; check base_url.",
        provider=provider,
        model=model,
    )


def stream_cut(provider: str, model: str) -> ConnectionFailedError:
    """The error of a stream that stopped before its end."""
    return ConnectionFailedError(
        f"{provider} cut the stream of {model!r} before its end; ask again.", provider=provider, model=model
    )


def no_connection(provider: str, base_url: str, model: str, *, billed: bool) -> ConnectionFailedError:
    """The error of a connection that an SDK did not get, or lost; `billed` False where no request left."""
    return ConnectionFailedError(
        f"{provider} at {base_url} could not be reached or cut the connection; "
        "check the network and base_url, then ask again.",
        provider=provider,
        model=model,
        billed=billed,
    )


def no_reply_in_time(provider: str, model: str) -> ProviderTimeoutError:
    """The error of a request that an SDK gave up waiting for."""
    return ProviderTimeoutError(
        f"{provider}/{model} gave no answer in the time allowed; try again.", provider=provider, model=model
    )
