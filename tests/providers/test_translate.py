from __future__ import annotations

from typing import Any

import pytest

from llmbench.errors import InvalidRequestError
from llmbench.providers.sse import EventSplitter
from llmbench.providers.translate import JSON_OBJECT, conversation, stop_sequences, wanted_schema
from llmbench.types import ChatRequest, Message


def asked(*roles: str, **params: Any) -> ChatRequest:
    return ChatRequest("m", [Message(role=role, content=f"{n}") for n, role in enumerate(roles)], params)


def test_instructions_at_the_start_stand_apart() -> None:
    found = conversation(asked("system", "developer", "user", "assistant", "user"), provider="acme")
    assert found.system == "0\n\n1"
    assert [turn["content"] for turn in found.turns] == ["2", "3", "4"]


def test_without_instructions_there_is_no_system() -> None:
    assert conversation(asked("user"), provider="acme").system is None


@pytest.mark.parametrize(
    ("roles", "says"),
    [
        (("system",), "instructions only"),
        (("assistant", "user"), r"messages\[0\] has role 'assistant'"),
        (("system", "assistant"), r"messages\[1\] has role 'assistant'"),
        (("user", "system"), r"messages\[1\] has role 'system'"),
        (("system", "user", "assistant", "developer", "user"), r"messages\[3\] has role 'developer'"),
    ],
)
def test_a_conversation_of_another_shape_is_refused(roles: tuple[str, ...], says: str) -> None:
    with pytest.raises(InvalidRequestError, match=says) as caught:
        conversation(asked(*roles), provider="acme")
    assert caught.value.provider == "acme"
    assert caught.value.model == "m"


@pytest.mark.parametrize(
    ("stop", "sent"), [("END", ["END"]), (["a", "b"], ["a", "b"]), (("a",), ["a"]), ([], [])]
)
def test_stop(stop: Any, sent: list[str]) -> None:
    assert stop_sequences(asked("user", stop=stop), provider="acme") == sent


@pytest.mark.parametrize("stop", [5, [5], {"a": 1}, [["a"]], b"END"])
def test_stop_of_another_type_is_refused(stop: Any) -> None:
    with pytest.raises(InvalidRequestError, match="stop"):
        stop_sequences(asked("user", stop=stop), provider="acme")


def test_a_schema_is_taken_as_it_is() -> None:
    schema = {"type": "object", "properties": {"a": {"default": None}}}
    wanted = {"type": "json_schema", "json_schema": {"name": "a", "schema": schema}}
    assert wanted_schema(asked("user", response_format=wanted), provider="acme") == schema


def test_json_object_and_text() -> None:
    assert (
        wanted_schema(asked("user", response_format={"type": "json_object"}), provider="acme") is JSON_OBJECT
    )
    assert wanted_schema(asked("user", response_format={"type": "text"}), provider="acme") is None


@pytest.mark.parametrize(
    "wanted",
    [
        "json",
        {},
        {"type": "xml"},
        {"type": ["json_schema"]},
        {"type": "json_schema"},
        {"type": "json_schema", "json_schema": "a"},
        {"type": "json_schema", "json_schema": {"name": "a"}},
        {"type": "json_schema", "json_schema": {"schema": []}},
    ],
)
def test_a_format_of_another_shape_is_refused(wanted: Any) -> None:
    with pytest.raises(InvalidRequestError, match="response_format"):
        wanted_schema(asked("user", response_format=wanted), provider="acme")


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_events_cut_anywhere(end: bytes, size: int) -> None:
    lines = [
        b": hello",
        b"event: a",
        b"retry: 9",
        b"data: one",
        b"data: two",
        b"",
        b"id: 5",
        b"data:three",
        b"",
        b"data: four",
    ]
    body = end.join(lines)
    events = EventSplitter()
    found = [data for at in range(0, len(body), size) for data in events.feed(body[at : at + size])]
    found += events.feed(b"", last=True)
    assert found == [b"one\ntwo", b"three", b"four"]
    assert events.stray == b""


def test_what_is_no_event_is_kept() -> None:
    events = EventSplitter()
    assert events.feed(b'data: 1\n\n{\n "data: 2": 3\n}', last=True) == [b"1"]
    assert events.stray == b'{\n "data: 2": 3\n}'


def test_a_line_of_megabytes_is_read_in_time() -> None:
    events = EventSplitter()
    assert not events.feed(b"data: ")
    for _ in range(19_999):
        assert not events.feed(b"x" * 512)
    (data,) = events.feed(b"\n\n")
    assert len(data) == 19_999 * 512
