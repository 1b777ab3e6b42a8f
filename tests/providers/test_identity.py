from __future__ import annotations

from typing import Any

import pytest

from llmbench.providers.identity import request_hash
from llmbench.types import ChatRequest

MESSAGES = [{"role": "user", "content": "héllo \ud800"}]
BASE: dict[str, Any] = {"endpoint": "e", "provider": "p", "backend": "b", "target": "u"}


def of(request: ChatRequest, **changes: Any) -> str:
    return request_hash(request, **{**BASE, **changes})


REQUEST = ChatRequest("m", MESSAGES, {"temperature": 0.5, "max_tokens": 5})


def test_it_is_stable_across_versions() -> None:
    """A changed hash makes every earlier answer unreachable: change it only with a new version."""
    assert of(REQUEST) == "3235f5b8ffee8c76daa85d436557cdfa8da87ded2ebdc25abf2fe0cfc6e0d7bb"


@pytest.mark.parametrize(
    "changes", [{"endpoint": "x"}, {"provider": "x"}, {"backend": None}, {"target": "v"}]
)
def test_each_part_of_the_endpoint_counts(changes: dict[str, Any]) -> None:
    assert of(REQUEST, **changes) != of(REQUEST)


@pytest.mark.parametrize(
    "other",
    [
        ChatRequest("n", MESSAGES, REQUEST.params),
        ChatRequest("m", [{"role": "user", "content": "hello"}], REQUEST.params),
        ChatRequest("m", [{"role": "system", "content": MESSAGES[0]["content"]}], REQUEST.params),
        ChatRequest("m", MESSAGES, {"temperature": 0.5, "max_tokens": 6}),
        ChatRequest("m", MESSAGES, {"temperature": 0.5}),
        ChatRequest("m", MESSAGES, REQUEST.params, repeat=1),
    ],
)
def test_each_part_of_the_request_counts(other: ChatRequest) -> None:
    assert of(other) != of(REQUEST)


def test_order_of_parameters_does_not_count() -> None:
    assert of(ChatRequest("m", MESSAGES, {"max_tokens": 5, "temperature": 0.5})) == of(REQUEST)
