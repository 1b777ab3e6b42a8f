from __future__ import annotations

from typing import Any

import pytest

from llmbench.economics.checks import check_amount
from llmbench.errors import UsageError


def test_an_amount_is_given_back_as_a_float() -> None:
    assert repr(check_amount("usd", 2)) == "2.0"
    assert check_amount("tokens", 1, 1) == 1


@pytest.mark.parametrize("value", [-1, 0.5, float("inf"), float("nan"), 10**400, None, "3"])
def test_what_is_no_amount_is_refused_by_name(value: Any) -> None:
    with pytest.raises(UsageError, match=r"^tokens must be a number of at least 1; it is "):
        check_amount("tokens", value, 1)
