from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable

import pytest

from llmbench.errors import UsageError
from llmbench.ledger import Ledger
from llmbench.ledger.privacy import PATTERNS, Discreet, matches, redacted, without_texts
from llmbench.types import CallRecord, Usage


def clean(text: str, *names: str) -> str:
    patterns = {name: re.compile(PATTERNS[name]) for name in names or PATTERNS}
    from llmbench.ledger.privacy import _blacken

    for name, pattern in patterns.items():
        text = _blacken(text, name, pattern)[0]
    return text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mail ann.o'b+x@mail.example.co.uk now", "mail ann.o'[email] now"),
        ("call +49 30 901820-17 or (030) 1234-567", "call [phone] or [phone]"),
        ("call 555.123.4567, pi is 3.14159265", "call [phone], pi is 3.14159265"),
        ("IBAN DE89 3704 0044 0532 0130 00.", "IBAN [iban]."),
        ("card 4111 1111 1111 1111!", "card [card]!"),
        ("host 192.168.17.4", "host [ip]"),
        ("hosts 2001:db8::8a2e:370:7334 and ::1", "hosts [ip] and [ip]"),
        ("std::vector at 12:30:45, ratio 3:", "std::vector at 12:30:45, ratio 3:"),
        ("Jürgen@müller.example", "[email]"),
        ("3.14 items of 17 for $12.50 on 2026-11-24", "3.14 items of 17 for $12.50 on 2026-11-24"),
    ],
)
def test_patterns(text: str, expected: str) -> None:
    assert clean(text, "email", "iban", "card", "ip", "phone") == expected


def test_number_that_is_no_card_stays() -> None:
    assert clean("order 4111 1111 1111 1112", "card") == "order 4111 1111 1111 1112"


def test_without_texts_keeps_figures_only(make_call: Callable[..., CallRecord]) -> None:
    call = make_call(
        "c",
        params={"temperature": 0, "stop": ["secret"], "response_format": {"title": "secret"}},
        error_message="you said: secret",
        metadata={"id": "r1", "reasoning": "secret", "seed": 7, "served_by": "secret " * 50},
        usage=Usage(3, 4),
        cost=0.1,
    )
    told = without_texts(call)
    assert "secret" not in repr(told)
    assert (told.params, told.metadata) == ({"temperature": 0}, {"id": "r1", "seed": 7})
    assert (told.usage, told.cost, told.request_hash) == (call.usage, 0.1, call.request_hash)


def test_redacted_covers_every_text_and_marks_the_hash(make_call: Callable[..., CallRecord]) -> None:
    mail = "ann@example.org"
    call = make_call(
        "c",
        messages=[{"role": "user", "content": mail}],
        content=mail,
        error_message=mail,
        params={"stop": [mail]},
        metadata={"deep": [{"in": mail}]},
    )
    told = redacted(call, {"email": re.compile(PATTERNS["email"])})
    assert mail not in repr(told)
    assert told.request_hash == "redacted:hash of c"
    untouched = make_call("d")
    assert redacted(untouched, {"email": re.compile(PATTERNS["email"])}) is untouched


def test_redacted_answer_is_not_replayed(ledger: Ledger, make_call: Callable[..., CallRecord]) -> None:
    recorder = Discreet(ledger, texts=True, redact=["email"])
    asyncio.run(recorder.record(make_call("c", content="ann@example.org")))
    asyncio.run(recorder.record(make_call("d", content="nothing personal")))
    assert list(ledger.answers(["hash of c", "hash of d"])) == ["hash of d"]


@pytest.mark.parametrize("redact", [["("], "email", [3]])
def test_expression_that_cannot_be_read(ledger: Ledger, redact: list[str]) -> None:
    with pytest.raises(UsageError):
        Discreet(ledger, texts=True, redact=redact)


@pytest.mark.parametrize("piece", ["a", "1", "a.", "1 ", "A1", "AB12 ", "a@", "1:", "+1"])
def test_long_texts_take_no_minutes(piece: str) -> None:
    begin = time.perf_counter()
    clean(piece * (200_000 // len(piece)))
    assert time.perf_counter() - begin < 20


def test_messages_keep_what_else_they_hold(make_call: Callable[..., CallRecord]) -> None:
    parts = [{"type": "text", "text": "ann@example.org"}]
    call = make_call("c", messages=[{"role": "tool", "content": parts, "tool_call_id": "t1"}])
    told = redacted(call, {"email": re.compile(PATTERNS["email"])})
    assert told.messages == [
        {"role": "tool", "content": [{"type": "text", "text": "[email]"}], "tool_call_id": "t1"}
    ]


def test_matches_are_what_is_blackened() -> None:
    text = "a@example.org, 4242 4242 4242 4242, 4242 4242 4242 4243"
    assert [found.group() for found in matches(text, "card")] == ["4242 4242 4242 4242"]
    assert [found.group() for found in matches(text, "email")] == ["a@example.org"]
