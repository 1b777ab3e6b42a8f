from __future__ import annotations

import pytest

from llmbench.finetune.personal import find_personal


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("Write to jane@example.org", ["email"]),
        ("Call +1 (415) 555-0133 today", ["phone"]),
        ("GB82 WEST 1234 5698 7654 32", ["iban"]),
        ("GB82 WEST 1234 5698 7654 33", ["phone"]),  # a wrong check digit; the digits may be a telephone's
        ("card 4242 4242 4242 4242", ["card"]),
        ("Order 12 of 2026-11-28, version 1.2.3, $1,234,567.00", []),
        ("nothing here", []),
        ("", []),
    ],
)
def test_find_personal_kinds(text: str, kinds: list[str]) -> None:
    assert [each.kind for each in find_personal(text)] == kinds


def test_find_personal_never_shows_the_value() -> None:
    (found,) = find_personal("Write to jane.doe@example.org")
    assert found.hint == "ja…rg"


def test_find_personal_of_a_long_word_ends() -> None:
    assert list(find_personal("a" * 200_000 + "1@")) == []
