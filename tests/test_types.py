from __future__ import annotations

import pytest

from llmbench.errors import UsageError
from llmbench.types import Usage


@pytest.mark.parametrize(
    "counts",
    [
        {"input_tokens": -1, "output_tokens": 1},
        {"input_tokens": 5, "output_tokens": 1, "cache_read_tokens": 6},
        {"input_tokens": 5, "output_tokens": 1, "cache_read_tokens": 3, "cache_write_tokens": 3},
        {"input_tokens": 5, "output_tokens": 1, "reasoning_tokens": 2},
    ],
)
def test_usage_refuses_counts_that_do_not_include(counts: dict[str, int]) -> None:
    with pytest.raises(UsageError):
        Usage(**counts)
