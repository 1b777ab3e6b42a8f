"""What a ledger is told of a call: all of it, or no texts, or texts with personal data blackened."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields, replace
from functools import cache
from ipaddress import ip_address
from typing import Any

from llmbench.errors import UsageError
from llmbench.types import CallRecord, Recorder

__all__ = [
    "PATTERNS", "Discreet", "compiled", "matches", "metadata_without_texts", "params_without_texts",
    "redacted", "without_texts",
]  # fmt: skip

PATTERNS: Mapping[str, str] = {
    # Bounded, because an open-ended part in front of @ takes minutes on a long word without one.
    "email": r"[\w.%+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}",
    "iban": r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b",
    "card": r"\b(?:\d[ -]?){12,18}\d\b",
    # Seven digits and more, however they are set apart; dates are not meant.
    "phone": r"(?<![\w.$])(?!\d{4}-\d\d-\d\d\b)\+?\(?\d(?:[ ()/-]{0,2}\d){6,14}(?!\w)"
    r"|\b\d{3}\.\d{3}\.\d{4}\b",
    "ip": r"\b(?:\d{1,3}\.){3}\d{1,3}\b"
    r"|(?<![\w:])(?=[0-9A-Fa-f:]*[0-9A-Fa-f])[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7}(?![\w:])",
}
"""Regular expressions by name. They find the usual forms and not every one: a sieve, no guarantee."""

_KEPT_METADATA = frozenset({"id", "request_id", "service_tier", "seed", "served_by", "retry_after"})
_TEXT_PARAMETERS = frozenset({"stop", "response_format"})
_KEPT_LENGTH = 100
_FIGURES = tuple(
    each.name
    for each in fields(CallRecord)
    if each.name not in {"messages", "params", "content", "error_message", "metadata"}
)


def without_texts(call: CallRecord) -> CallRecord:
    """The call without anything that was written or read: who asked which model when, tokens, costs and
    times stay, and the hash of the request.
    """
    # Not dataclasses.replace, which takes three times as long, and this is done for every routed attempt.
    return CallRecord(
        **{name: getattr(call, name) for name in _FIGURES},
        messages=[],
        params=params_without_texts(call.params),
        content=None,
        error_message=None,
        metadata=metadata_without_texts(call.metadata),
    )


def params_without_texts(params: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters of a request without those that are written by somebody."""
    return {key: value for key, value in params.items() if key not in _TEXT_PARAMETERS}


def metadata_without_texts(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """What an endpoint said beside its answer: ids and the tier, by which a call can be priced again."""
    return {
        key: value
        for key, value in metadata.items()
        if key in _KEPT_METADATA and len(str(value)) <= _KEPT_LENGTH
    }


def redacted(call: CallRecord, patterns: Mapping[str, re.Pattern[str]]) -> CallRecord:
    """The call with whatever matches replaced by [name]. Its hash is marked where something was: the
    answer is no longer the answer to what the hash stands for, and must not be replayed as such.
    """
    count = 0

    def clean(value: Any) -> Any:
        nonlocal count
        if isinstance(value, str):
            for name, pattern in patterns.items():
                value, found = _blacken(value, name, pattern)
                count += found
            return value
        if isinstance(value, Mapping):
            return {key: clean(item) for key, item in value.items()}
        if isinstance(value, Sequence) and not isinstance(value, bytes):
            return [clean(item) for item in value]
        return value

    cleaned = replace(
        call,
        messages=clean(call.messages),
        params=clean(call.params),
        content=clean(call.content),
        error_message=clean(call.error_message),
        metadata=clean(call.metadata),
    )
    return replace(cleaned, request_hash=f"redacted:{call.request_hash}") if count else call


def matches(text: str, name: str) -> Iterator[re.Match[str]]:
    """Where a pattern of PATTERNS finds something in a text.

    >>> [found.group() for found in matches("Write to a@example.org, or to 4242 4242 4242 4242.", "card")]
    ['4242 4242 4242 4242']
    """
    check = _CHECKS.get(name)
    return (found for found in _pattern(name).finditer(text) if check is None or check(found.group()))


@cache
def _pattern(name: str) -> re.Pattern[str]:
    return re.compile(PATTERNS[name])


class Discreet:
    """A recorder in front of another, which is told less.

    Args:
        recorder: the one that keeps.
        texts: whether prompts, answers and error messages are kept at all.
        redact: names of PATTERNS, or regular expressions, to blacken in kept texts.

    Raises UsageError for an expression that cannot be read.
    """

    def __init__(self, recorder: Recorder, *, texts: bool = False, redact: Sequence[str] = ()) -> None:
        self.recorder = recorder
        self._texts = texts
        self._patterns = compiled(redact)

    async def record(self, call: CallRecord) -> None:
        """As the recorder's own."""
        if not self._texts:
            call = without_texts(call)
        elif self._patterns:
            call = redacted(call, self._patterns)
        await self.recorder.record(call)


def compiled(redact: Sequence[str]) -> dict[str, re.Pattern[str]]:
    """What `redacted` takes, of names of PATTERNS and regular expressions. Raises UsageError for one that
    cannot be read.
    """
    if isinstance(redact, str):
        raise UsageError(f"redact is a list, such as [{redact!r}].")
    return {
        name if name in PATTERNS else "redacted": re.compile("|".join(found))
        for name, found in _grouped(redact).items()
    }


def _grouped(redact: Sequence[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for each in redact:
        try:
            re.compile(PATTERNS.get(each, each))
        except (re.error, TypeError) as error:
            names = ", ".join(PATTERNS)
            raise UsageError(
                f"redact holds {each!r}, which is neither one of {names} nor a regular expression ({error})."
            ) from error
        found.setdefault(each if each in PATTERNS else "redacted", []).append(PATTERNS.get(each, each))
    return found


def _blacken(text: str, name: str, pattern: re.Pattern[str]) -> tuple[str, int]:
    count = 0

    def cover(match: re.Match[str]) -> str:
        nonlocal count
        check = _CHECKS.get(name)
        if check is not None and not check(match.group()):
            return match.group()
        count += 1
        return f"[{name}]"

    return pattern.sub(cover, text), count


def _is_card(text: str) -> bool:
    """Whether the digits pass the check of ISO/IEC 7812 (Luhn)."""
    digits = [int(each) for each in text if each.isdigit()]
    doubled = [sum(divmod(2 * each, 10)) for each in digits[-2::-2]]
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def _is_address(text: str) -> bool:
    """Four numbers of a version pass as an address; a time of day is none."""
    if ":" not in text:
        return True
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


_CHECKS: Mapping[str, Callable[[str], bool]] = {"card": _is_card, "ip": _is_address}
