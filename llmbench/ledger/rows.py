"""A `CallRecord` as the values of two table rows, and back.

Nothing is lost on the way: text that UTF-8 cannot carry (a lone surrogate, as half of a cut emoji
or as undecodable bytes of an error message) is stored as a BLOB of UTF-8 with surrogates allowed
and comes back as it was; two halves side by side, as a stream may deliver them, become the
character that they spell. NUL and any length up to SQLite's 1 GB are plain text. A number that is
not finite means "not known": a NaN latency comes back as NaN, a NaN cost as None; so does a time
below zero, which a clock that was set back leaves. A cost below zero is refused: it would be taken off
what others cost. Values that JSON
has no word for (a date in a vendor's metadata) are kept as text, because an answer must not be
lost to its trimmings.
"""

from __future__ import annotations

import hashlib
import json
import math
import operator
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import UTC, datetime
from typing import Any, NamedTuple, SupportsFloat, SupportsIndex, get_args, overload

from llmbench.errors import LedgerError, UsageError
from llmbench.types import CallRecord, CallStatus, CostBasis, Usage

__all__ = [
    "CALL_COLUMNS",
    "REQUEST_COLUMNS",
    "SELECT_RECORD",
    "Statement",
    "StoredText",
    "StoredValue",
    "SurrogateText",
    "TableRows",
    "checksum",
    "decode",
    "digest",
    "encode",
    "instant_text",
    "stored_text",
]


class SurrogateText(bytes):
    """Text with lone surrogates, as UTF-8 that allows them; other bytes are no text."""


StoredText = str | SurrogateText
StoredValue = str | bytes | int | float | None

REQUEST_COLUMNS = (
    "body_digest", "request_hash", "endpoint", "provider", "backend", "model", "messages", "params", "repeat",
)  # fmt: skip
CALL_COLUMNS = (
    "call_id", "attempt", "started_at", "latency_ms", "wall_ms", "status", "error_type", "error_message",
    "content", "finish_reason", "input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens",
    "reasoning_tokens", "queue_ms", "load_ms", "prefill_ms", "decode_ms", "time_to_first_token_ms", "cost",
    "cost_basis", "price_book", "price_as_of", "served_model", "fingerprint", "run_id", "unit_id",
    "experiment_id", "arm", "route", "metadata",
)  # fmt: skip

SELECT_RECORD = ", ".join(
    ("calls.id", *(f"requests.{c}" for c in REQUEST_COLUMNS[1:]), *(f"calls.{c}" for c in CALL_COLUMNS))
)
"""What `decode` reads, of `calls` joined with `requests`."""


class TableRows(NamedTuple):
    """One attempt as values in the order of REQUEST_COLUMNS and of CALL_COLUMNS."""

    request: tuple[StoredValue, ...]
    call: tuple[StoredValue, ...]


class Statement(NamedTuple):
    """Anything else to write: SQL that changes nothing the second time, with ? for its values."""

    sql: str
    values: tuple[StoredValue, ...]


@overload
def stored_text(text: str) -> StoredText: ...
@overload
def stored_text(text: None) -> None: ...
def stored_text(text: str | None) -> StoredText | None:
    r"""`text` as a database can hold it.

    >>> stored_text("né"), stored_text("\ud83d"), stored_text("\ud83d\ude00") == "\U0001f600"
    ('né', b'\xed\xa0\xbd', True)
    """
    if text is None or text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        joined = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
        blob = joined.encode(errors="surrogatepass")
        return joined if blob.decode(errors="ignore") == joined else SurrogateText(blob)
    return text


def instant_text(instant: datetime) -> str:
    """ISO 8601 in UTC with six decimals, so that the order of texts is the order of instants.

    Raises UsageError for an instant without time zone.

    >>> instant_text(datetime(2026, 1, 2, 3, 4, tzinfo=UTC))
    '2026-01-02T03:04:00.000000Z'
    """
    if instant.tzinfo is None or instant.utcoffset() is None:
        raise UsageError(f"The instant {instant!r} has no time zone: give one, such as datetime.now(UTC).")
    return instant.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def encode(call: CallRecord) -> TableRows:
    """The values to store. Raises LedgerError, naming the field, for what cannot be stored."""
    for field, value, allowed in (
        ("status", call.status, get_args(CallStatus)),
        ("cost_basis", call.cost_basis, get_args(CostBasis)),
    ):
        if value not in allowed:
            raise _unstorable(call, f"{field} is {value!r} and must be one of {', '.join(allowed)}")
    usage = call.usage
    try:
        body = (
            stored_text(call.request_hash),
            stored_text(call.endpoint),
            stored_text(call.provider),
            stored_text(call.backend),
            stored_text(call.model),
            _json(call.messages, sort_keys=True),
            _json(call.params, sort_keys=True),
            _whole(call.repeat),
        )
        attempt: tuple[StoredValue, ...] = (
            stored_text(call.call_id),
            _whole(call.attempt),
            instant_text(call.started_at),
            _time(call.latency_ms),
            _time(call.wall_ms),
            call.status,
            stored_text(call.error_type),
            stored_text(call.error_message),
            stored_text(call.content),
            stored_text(call.finish_reason),
            None if usage is None else _whole(usage.input_tokens),
            None if usage is None else _whole(usage.output_tokens),
            None if usage is None else _whole(usage.cache_read_tokens),
            None if usage is None else _whole(usage.cache_write_tokens),
            None if usage is None else _whole(usage.reasoning_tokens),
            _time(call.queue_ms),
            _time(call.load_ms),
            _time(call.prefill_ms),
            _time(call.decode_ms),
            _time(call.time_to_first_token_ms),
            _money(call.cost),
            call.cost_basis,
            stored_text(call.price_book),
            stored_text(call.price_as_of),
            stored_text(call.served_model),
            stored_text(call.fingerprint),
            stored_text(call.run_id),
            stored_text(call.unit_id),
            stored_text(call.experiment_id),
            stored_text(call.arm),
            None if call.route is None else _json(call.route, sort_keys=False),
            _json(call.metadata, sort_keys=False),
        )
    except (TypeError, ValueError, OverflowError, AttributeError, RecursionError, UsageError) as error:
        raise _unstorable(call, str(error)) from error
    return TableRows((digest(body), *body), attempt)


def decode(row: Sequence[Any]) -> CallRecord:
    """The record of one row of SELECT_RECORD. Raises LedgerError naming the row if it is damaged."""
    try:
        (
            _, request_hash, endpoint, provider, backend, model, messages, params, repeat,
            call_id, attempt, started_at, latency_ms, wall_ms, status, error_type, error_message,
            content, finish_reason, input_tokens, output_tokens, cache_read, cache_write, reasoning,
            queue_ms, load_ms, prefill_ms, decode_ms, first_token_ms, cost, cost_basis,
            price_book, price_as_of, served_model, fingerprint, run_id, unit_id, experiment_id, arm, route,
            metadata,
        ) = row  # fmt: skip
        return CallRecord(
            call_id=_text(call_id),
            attempt=attempt,
            request_hash=_text(request_hash),
            endpoint=_text(endpoint),
            provider=_text(provider),
            backend=_text(backend),
            model=_text(model),
            messages=json.loads(_text(messages)),
            params=json.loads(_text(params)),
            repeat=repeat,
            started_at=datetime.fromisoformat(started_at),
            latency_ms=math.nan if latency_ms is None else latency_ms,
            wall_ms=math.nan if wall_ms is None else wall_ms,
            status=status,
            error_type=_text(error_type),
            error_message=_text(error_message),
            content=_text(content),
            finish_reason=_text(finish_reason),
            usage=None
            if input_tokens is None
            else Usage(input_tokens, output_tokens, cache_read, cache_write, reasoning),
            queue_ms=queue_ms,
            load_ms=load_ms,
            prefill_ms=prefill_ms,
            decode_ms=decode_ms,
            time_to_first_token_ms=first_token_ms,
            cost=cost,
            cost_basis=cost_basis,
            price_book=_text(price_book),
            price_as_of=_text(price_as_of),
            served_model=_text(served_model),
            fingerprint=_text(fingerprint),
            run_id=_text(run_id),
            unit_id=_text(unit_id),
            experiment_id=_text(experiment_id),
            arm=_text(arm),
            route=None if route is None else json.loads(_text(route)),
            metadata=json.loads(_text(metadata)),
        )
    except (TypeError, ValueError, AttributeError, RecursionError, UsageError) as error:
        raise LedgerError(
            f"Row {row[0]} of the ledger's table `calls` is damaged ({error}): "
            "run `llmbench ledger verify`, and bring the rows back from an export."
        ) from error


def _text(value: str | bytes | None) -> Any:
    return value.decode(errors="surrogatepass") if isinstance(value, bytes) else value


def _finite(value: SupportsFloat | None) -> float | None:
    if value is None:
        return None
    number = float(value)
    return number if math.isfinite(number) else None


def _time(value: SupportsFloat | None) -> float | None:
    number = _finite(value)
    return number if number is None or number >= 0 else None


def _money(value: SupportsFloat | None) -> float | None:
    number = _finite(value)
    if number is not None and number < 0:
        raise ValueError(f"its cost is {number} USD, and no call costs less than nothing")
    return number


def _whole(value: SupportsIndex) -> int:
    number = operator.index(value)  # refuses 1.5, takes numpy's integers
    if not -(2**63) <= number < 2**63:
        raise ValueError(f"the whole number {number} has more than 64 bits")
    return number


def _json(value: object, *, sort_keys: bool) -> StoredText:
    if value == {}:
        return "{}"  # most metadata
    if value == []:
        return "[]"
    encoder = _SORTED if sort_keys else _AS_GIVEN
    try:
        return stored_text(encoder.encode(value))
    except (TypeError, ValueError):  # NaN, or keys that JSON refuses or that have no order among themselves
        return stored_text(encoder.encode(_plain(value)))


def _plain(value: object) -> Any:
    """`value` in JSON's own types; text where there is none."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Mapping):
        return {key if isinstance(key, str) else str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, AbstractSet):
        return sorted((_plain(item) for item in value), key=repr)
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray | memoryview):
        return [_plain(item) for item in value]
    return value.isoformat() if isinstance(value, datetime) else repr(value)


_SORTED, _AS_GIVEN = (
    json.JSONEncoder(
        ensure_ascii=False, allow_nan=False, sort_keys=each, separators=(",", ":"), default=_plain
    )
    for each in (True, False)
)


def digest(body: Sequence[StoredValue], size: int = 16) -> bytes:
    """Of all fields of a request, each after its length so that no two bodies read alike."""
    parts: list[bytes] = []
    for value in body:
        if value is None:
            parts.append(b"none 4 None")
        elif isinstance(value, bytes):
            parts += (b"blob %d " % len(value), value)
        else:
            text = str(value).encode()
            parts += (b"text %d " % len(text), text)
    return hashlib.blake2b(b"".join(parts), digest_size=size).digest()


def checksum(row: Sequence[StoredValue], belongs_to: StoredValue) -> bytes:
    """Eight bytes of a row's values and of what they belong to, stored beside them: a database checks its
    structure, and takes a byte of an answer, of a cost or of a probability that has changed on the disk for
    what was written.

    The values of CALL_COLUMNS belong to a request, by its `body_digest`; None for an attempt that was
    recorded before that was part of this.
    """
    # SQLite gives -0.0 back as 0.0.
    values = [value + 0.0 if isinstance(value, float) else value for value in row]
    return digest(values if belongs_to is None else [belongs_to, *values], size=8)


def _unstorable(call: CallRecord, reason: str) -> LedgerError:
    return LedgerError(f"Attempt {call.attempt!r} of call {call.call_id!r} cannot be recorded: {reason}.")
