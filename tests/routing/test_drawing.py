from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmbench.errors import UsageError
from llmbench.routing.drawing import checked_weights, draw

KEYS = [f"lead {number}" for number in range(20_000)]


def test_shares_are_those_of_the_weights() -> None:
    weights = {"a": 0.6, "b": 0.3, "c": 0.1}
    drawn = [draw(weights, key, "salt") for key in KEYS]
    for name, weight in weights.items():
        # Four standard errors of a binomial share.
        assert abs(drawn.count(name) / len(KEYS) - weight) < 4 * (weight * (1 - weight) / len(KEYS)) ** 0.5


def test_another_weight_moves_only_what_it_must() -> None:
    before = [draw({"a": 0.9, "b": 0.1}, key, "salt") for key in KEYS]
    after = [draw({"a": 0.5, "b": 0.5}, key, "salt") for key in KEYS]
    moves = {(one, other) for one, other in zip(before, after, strict=True) if one != other}
    assert moves == {("a", "b")}


def test_a_name_added_or_dropped_moves_nobody_between_the_others() -> None:
    two = [draw({"a": 1, "b": 1}, key, "salt") for key in KEYS]
    three = [draw({"a": 1, "b": 1, "c": 1}, key, "salt") for key in KEYS]
    assert {other for one, other in zip(two, three, strict=True) if one != other} == {"c"}


def test_salts_are_independent() -> None:
    weights = {"a": 1, "b": 1}
    same = sum(draw(weights, key, "one") == draw(weights, key, "other") for key in KEYS)
    assert abs(same / len(KEYS) - 0.5) < 4 * 0.5 / len(KEYS) ** 0.5


@given(st.text(), st.text())
def test_draw_takes_any_text_and_is_stable(key: str, salt: str) -> None:
    assert draw({"a": 1, "b": 2}, key, salt) == draw({"b": 2, "a": 1}, key, salt)


def test_weight_zero_is_never_drawn() -> None:
    assert {draw({"a": 1, "b": 0}, key, "s") for key in KEYS[:500]} == {"a"}


@pytest.mark.parametrize("weights", [{}, {"a": 0}, {"a": -1}, {"a": float("nan")}, {"a": "1"}, {"a": True}])
def test_weights_that_are_none_are_refused(weights: dict[str, float]) -> None:
    with pytest.raises(UsageError, match="The test"):
        checked_weights(weights, "The test")
