from __future__ import annotations

import copy
import pickle

import pytest

from llmbench.errors import ConfigError
from llmbench.providers.fake import FakeProvider
from llmbench.secret import Secret, from_environment

VALUE = "sk-very-secret-value"


def test_no_way_of_showing_shows_it() -> None:
    key = Secret(VALUE)
    provider = FakeProvider(["x"], api_key=VALUE)
    shown = [repr(key), str(key), f"{key:}", repr(vars(provider)), repr(provider), repr([key])]
    assert not any(VALUE in text for text in shown)
    assert key.reveal() == VALUE


def test_it_is_never_written() -> None:
    for store in (pickle.dumps, copy.deepcopy):
        with pytest.raises(TypeError, match="never written"):
            store(Secret(VALUE))


@pytest.mark.parametrize("bad", ["", " x", "x\n"])
def test_a_key_with_white_space_is_refused(bad: str) -> None:
    with pytest.raises(ConfigError, match="white space"):
        Secret(bad)


@pytest.mark.parametrize(
    "bad", ["sk-\u201cabc\u201d", "sk-abc\u200b", "\ufeffsk-abc", "sk-a\x00bc", "sk-a\rb", "sk-\udc80"]
)
def test_a_key_that_no_header_can_hold_is_refused_without_showing_it(bad: str) -> None:
    """As pasted from a page: SDKs raise an error whose repr holds the whole header."""
    with pytest.raises(ConfigError, match="copy it again") as caught:
        Secret(bad)
    assert "abc" not in repr(caught.value)
    assert bad not in str(caught.value)


def test_first_variable_that_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECOND_NAME", VALUE)
    found = from_environment("FIRST_NAME", "SECOND_NAME")
    assert found is not None
    assert found.reveal() == VALUE
    assert from_environment("FIRST_NAME") is None
