"""From a failed HTTP reply to the error that says what to do. No I/O.

What servers say differs more than their statuses do, so codes and wording are read before the
status: an exhausted quota is a 429 at OpenAI and a 402 elsewhere, a prompt that is too long is a
400 everywhere but with another word each time.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

from llmbench.errors import (
    AuthenticationError,
    ContentFilteredError,
    ContextWindowError,
    InvalidRequestError,
    ModelUnavailableError,
    ProviderError,
    ProviderTimeoutError,
    QuotaExhaustedError,
    RateLimitError,
    ServerError,
)

__all__ = ["error_from_status", "mask", "retry_after_seconds", "shown"]

_LONGEST_SHOWN = 240

_CONTEXT_CODES = frozenset(
    {"context_length_exceeded", "exceed_context_size_error", "string_above_max_length"}
)
_CONTEXT_WORDS = re.compile(
    r"maximum context length"  # OpenAI, vLLM, Together
    r"|context (length|size|window|limit)"  # llama.cpp, Ollama, LM Studio, Anthropic
    r"|maximum model length|max_model_len|max_seq_len"  # vLLM, TensorRT-LLM
    r"|prompt is too long|input is too long|too many (input )?tokens"  # Anthropic, Bedrock, Cohere
    r"|input token count.{0,20} exceeds the maximum"  # Gemini
    r"|`inputs` tokens \+ `max_new_tokens`",  # text-generation-inference
    re.IGNORECASE,
)
_FILTER_CODES = frozenset(
    {
        "content_filter", "content_filtered", "content_policy_violation", "responsibleaipolicyviolation",
        "moderation_blocked", "safety_check_failed", "data_inspection_failed", "sensitive_words_detected",
    }
)  # fmt: skip
# "Your account was flagged" must not count as an answer that scores 0.
_FILTER_WORDS = re.compile(
    r"content (management )?policy|content[ _-]filter"
    r"|(input|prompt|content|request|message)s? (was |were |has been |have been |is )?flagged"
    r"|requires moderation",
    re.IGNORECASE,
)
_QUOTA_CODES = frozenset(
    {
        "insufficient_quota", "billing_hard_limit_reached", "billing_not_active", "insufficient_balance",
        "insufficient_credits", "credit_limit_exceeded", "quota_exceeded", "exceeded_current_quota_error",
        "payment_required", "access_terminated", "budget_exceeded",
        # Anthropic: the type, then codes of its details
        "billing_error", "contract_spend_limit_reached", "enforced_spend_limit_reached",
        "linked_organization_spend_limit_reached", "linked_organization_billing_unavailable",
        "organization_on_hold",
    }
)  # fmt: skip
_QUOTA_WORDS = re.compile(
    r"exceeded your current quota|insufficient (quota|balance|credit|funds)|out of credit"
    r"|credit (balance|limit)|credits are depleted|billing (hard )?limit"
    r"|(enable|check|update) .{0,20}billing|(specified|monthly) .{0,10}(usage|spending) (limit|cap)",
    re.IGNORECASE,
)
_MODEL_CODES = frozenset(
    {"model_not_found", "model_not_available", "model_decommissioned", "deploymentnotfound", "invalid_model"}
)
# Gemini calls a key that is wrong, missing or expired an argument that is wrong, with status 400.
_KEY_CODES = frozenset({"api_key_invalid"})
_TIMEOUT_STATUSES = frozenset({408, 504, 524})  # 524: Cloudflare gave up on the server behind it
# What is opened and never closed ends the search, or each one would be looked for through all that follows.
_MARKUP = re.compile(r"<style.*?(?:</style>|\Z)|<[^<>]*>", re.DOTALL)


class _Said(NamedTuple):
    """What an error body says, wherever it says it. Codes are lower case."""

    codes: frozenset[str]
    message: str
    wait: float | None = None
    """Seconds to wait, where the body says so."""


def error_from_status(
    status: int,
    body: bytes | str | Mapping[str, Any] | None,
    headers: Mapping[str, str],
    provider: str,
    model: str,
    *,
    secrets: Sequence[str] = (),
    now: datetime | None = None,
) -> ProviderError:
    """The error of a reply whose status is not 200, as one sentence; it is returned, not raised.

    `secrets` are masked in what the server says: some echo the Authorization header. `now` is
    the instant from which a Retry-After date counts.
    """
    said = _read(body)
    wait = retry_after_seconds(headers, now=now)
    wait = said.wait if wait is None else wait
    words = shown(said.message, secrets)
    quote = f" ({words})" if words else ""
    kind, text = _classify(status, said, wait)
    message = text.format(who=provider, model=repr(model), status=status, quote=quote)
    details: dict[str, Any] = {
        "provider": provider,
        "model": model,
        "status_code": status,
        "retry_after": wait,
    }
    return kind(mask(message, secrets), **details)


def _classify(status: int, said: _Said, wait: float | None) -> tuple[type[ProviderError], str]:
    return _by_words(status, said, wait) or _by_status(status, wait)


def _by_words(status: int, said: _Said, wait: float | None) -> tuple[type[ProviderError], str] | None:
    if status < 500 and said.codes & _KEY_CODES:
        return _WRONG_KEY
    refusable = status in {400, 413, 422}
    if said.codes & _CONTEXT_CODES or (refusable and _CONTEXT_WORDS.search(said.message)):
        return ContextWindowError, (
            "The messages to {model} at {who} and the answer are longer than what the model reads{quote}; "
            "shorten them, lower max_tokens, or take a model with a larger context."
        )
    if said.codes & _FILTER_CODES or (status in {400, 403, 451} and _FILTER_WORDS.search(said.message)):
        return ContentFilteredError, (
            "{who} refused the content of a request to {model}{quote}; it counts as an answer and scores 0."
        )
    # Gemini words its limits per minute like an exhausted quota, but tells when to come back.
    too_fast = wait is not None or "rate_limit_exceeded" in said.codes
    used_up = status in {400, 403, 429} and not too_fast and _QUOTA_WORDS.search(said.message)
    if status == 402 or said.codes & _QUOTA_CODES or used_up:
        return QuotaExhaustedError, (
            "The account at {who} is out of credit or over its limit for {model} (status {status}){quote}; "
            "waiting does not help: add credit or raise the limit, then run again."
        )
    if status != 429 and said.codes & _MODEL_CODES:
        return _NO_MODEL
    return None


_WRONG_KEY: tuple[type[ProviderError], str] = (
    AuthenticationError,
    (
        "{who} refused the key for {model} (status {status}){quote}; "
        "set a key that is valid and may use the model."
    ),
)
_NO_MODEL: tuple[type[ProviderError], str] = (
    ModelUnavailableError,
    (
        "{who} has no model {model} at this address (status {status}){quote}; check the model's name, "
        "base_url, and that the model is not shut down."
    ),
)


def _by_status(status: int, wait: float | None) -> tuple[type[ProviderError], str]:
    if status in {401, 403}:
        return _WRONG_KEY
    if status in {404, 410}:
        return _NO_MODEL
    if status in _TIMEOUT_STATUSES:
        return ProviderTimeoutError, (
            "{who} gave up waiting for {model} (status {status}){quote}; ask again, or for a shorter answer."
        )
    if status == 429:
        when = f"wait {wait:g} s" if wait is not None else "wait, or lower concurrency"
        return RateLimitError, f"{{who}} limits the rate of calls to {{model}}{{quote}}; {when}."
    if status >= 500:
        return ServerError, "{who} failed on a request to {model} (status {status}){quote}; ask again later."
    if 300 <= status < 400:
        # Following it would carry the key to an address nobody named.
        return InvalidRequestError, (
            "{who} sends requests to {model} on to another address (status {status}); "
            "set base_url to that one."
        )
    return InvalidRequestError, (
        "{who} refused the request to {model} as it is (status {status}){quote}; "
        "correct it before asking again."
    )


def _read(body: bytes | str | Mapping[str, Any] | None) -> _Said:
    if isinstance(body, bytes):
        body = body.decode("utf-8", "replace")
    found: Any = body
    if isinstance(body, str):
        try:
            found = json.loads(body)
        except (ValueError, RecursionError):
            # A proxy's HTML page: its tags say nothing, its title may.
            return _Said(frozenset(), _MARKUP.sub(" ", body))
    if isinstance(found, list) and found:  # Gemini's compatible interface wraps its error in a list
        found = found[0]
    if not isinstance(found, Mapping):
        return _Said(frozenset(), "" if found is None else str(found))
    error = found.get("error", found)
    if isinstance(error, str):
        return _Said(_codes(found), error)
    if not isinstance(error, Mapping):
        return _Said(_codes(found), "")
    # FastAPI servers say `detail`, as a text or a list of {loc, msg}.
    message = error.get("message") or error.get("detail") or error.get("msg") or ""
    return _Said(
        _codes(found) | _codes(error),
        message if isinstance(message, str) else json.dumps(message),
        _retry_delay(_details(error)),
    )


def _codes(table: Mapping[str, Any]) -> frozenset[str]:
    inner = table.get("innererror")  # Azure
    values = [table.get("code"), table.get("type"), inner.get("code") if isinstance(inner, Mapping) else None]
    for detail in _details(table):
        values += [detail.get("error_code"), detail.get("reason")]  # Anthropic, Google
    return frozenset(value.lower() for value in values if isinstance(value, str))


def _details(error: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """What stands under `details`: one table at Anthropic, a list of tables at Google."""
    details = error.get("details")
    tables = details if isinstance(details, list) else [details]
    return [table for table in tables if isinstance(table, Mapping)]


def _retry_delay(details: Sequence[Mapping[str, Any]]) -> float | None:
    """The wait that Google asks for: "retryDelay": "26s" in a google.rpc.RetryInfo.

    It also stands beside limits that are called daily, and those reopen then too:
    https://github.com/diegosouzapw/OmniRoute/issues/9504
    """
    for detail in details:
        delay = detail.get("retryDelay")
        if isinstance(delay, str) and re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,12})?s", delay):
            return float(delay[:-1])
    return None


def retry_after_seconds(headers: Mapping[str, str], *, now: datetime | None = None) -> float | None:
    """Seconds that the headers ask to wait: `retry-after-ms`, or `retry-after` as seconds or a date.

    >>> retry_after_seconds({"Retry-After": "1.5"})
    1.5
    """
    lower = {key.lower(): value for key, value in headers.items()}
    for key, scale in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        try:
            seconds = float(lower[key]) / scale
        except (KeyError, ValueError):
            continue
        if math.isfinite(seconds):
            return max(0.0, seconds)
    try:
        until = parsedate_to_datetime(lower["retry-after"])
    except (KeyError, ValueError, OverflowError):  # a time zone may have any number of digits
        return None
    if until.tzinfo is None:
        until = until.replace(tzinfo=UTC)
    return max(0.0, (until - (now or datetime.now(UTC))).total_seconds())


def mask(text: str, secrets: Sequence[str]) -> str:
    """`text` with every secret replaced by stars."""
    for secret in secrets:
        if secret:
            text = text.replace(secret, "****")
    return text


def shown(text: str, secrets: Sequence[str] = ()) -> str:
    r"""What a server said, fit for one sentence: one line, masked, shortened.

    >>> shown("Incorrect key: sk-1234.\n See the docs.", ["sk-1234"])
    'Incorrect key: ****. See the docs'
    """
    # Masked before it is cut: half a key at the cut would not be recognised.
    line = " ".join(mask(text, secrets).split()).rstrip(".")
    line = line if len(line) <= _LONGEST_SHOWN else line[: _LONGEST_SHOWN - 1] + "…"
    # A terminal would obey control characters, and has no bytes for half of a surrogate pair.
    return "".join(character if character.isprintable() else "\ufffd" for character in line)
