"""What no float can hold, and what is no number at all, is refused by name and never a bare Python error."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from llmbench.economics import Workload, api_cost, erlang_c, memory_fit, throughput
from llmbench.economics.finance import net_present_value
from llmbench.economics.week import week_profile
from llmbench.errors import UsageError

TAKES: dict[str, Callable[[Any], object]] = {
    "servers": lambda bad: erlang_c(bad, 1.0),
    "offered_load": lambda bad: erlang_c(2, bad),
    "discount_per_year": lambda bad: net_present_value([1.0, 2.0], bad),
    "messages_per_month": lambda bad: Workload(messages_per_month=bad, input_tokens=1, output_tokens=1),
    "growth_per_month": lambda bad: Workload(1, 1, 1, growth_per_month=bad),
    "input_tokens": lambda bad: api_cost("gpt-4o", bad, 1),
    "output_tokens": lambda bad: memory_fit("llama-3.1-8b", "T4", input_tokens=1, output_tokens=bad),
    "concurrency": lambda bad: throughput("llama-3.1-8b", "T4", 1, "fp16", "vllm", 10, 10, concurrency=bad),
    "peak_to_mean": week_profile,
}


@pytest.mark.parametrize("bad", [10**400, float("nan"), [3]], ids=["too large", "nan", "list"])
@pytest.mark.parametrize("name", TAKES)
def test_what_is_no_finite_number_is_refused_by_name(name: str, bad: object) -> None:
    with pytest.raises(UsageError, match=name):
        TAKES[name](bad)
