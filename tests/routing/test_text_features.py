from __future__ import annotations

import math

import pytest

from llmbench.routing.text_features import FEATURES, READ, normal_text, simple_features, words_of


def features(text: str) -> dict[str, float]:
    return dict(zip(FEATURES, simple_features(text, words_of(text)), strict=True))


def test_counts() -> None:
    found = features("Tom has 12 apples, costing $3.50 each.\nHow many does he keep?")
    assert found["sentences"] == pytest.approx(math.log(3))
    assert found["numbers"] == pytest.approx(math.log(3))
    assert found["digits"] == pytest.approx(math.log(5))
    assert found["decimals"] == found["money"] == found["question_marks"] == found["commas"] == math.log(2)
    assert found["capitals"] == pytest.approx(math.log(3))
    assert found["word each"] == found["word how"] == found["word many"] == math.log(2)
    assert found["word twice"] == 0


@pytest.mark.parametrize("text", ["", " ", "?", "\n\n", "漢字", "\ud800", "x" * 50_000, "1" * 30_000])
def test_any_text_has_finite_features(text: str) -> None:
    found = simple_features(text, words_of(text))
    assert len(found) == len(FEATURES)
    assert all(map(math.isfinite, found))


def test_long_prompts_are_read_to_a_limit_but_measured_whole() -> None:
    text = "word " * 100_000
    assert len(words_of(text)) == READ // 5
    assert features(text)["characters"] == math.log1p(500_000)


def test_scripts_without_spaces_are_read_by_character() -> None:
    assert words_of("東京は7月") == ["東", "京", "は", "7", "月"]
    assert words_of("Größe 3kg") == ["größe", "3kg"]


def test_normal_text() -> None:
    assert normal_text(" Is  7\nprime? ") == "is 7 prime?"
