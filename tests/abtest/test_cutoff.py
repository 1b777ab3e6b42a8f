from __future__ import annotations

from datetime import UTC, datetime

import pytest

from llmbench.abtest.cutoff import resolve_cutoff
from llmbench.errors import UsageError

NOW = datetime(2025, 1, 23, 15, tzinfo=UTC)


@pytest.mark.parametrize(
    ("as_of", "zone", "expected"),
    [
        ("today", "", datetime(2025, 1, 23, tzinfo=UTC)),
        ("today", "Asia/Tokyo", datetime(2025, 1, 23, 15, tzinfo=UTC)),
        ("last_monday", "Europe/Berlin", datetime(2025, 1, 19, 23, tzinfo=UTC)),
        ("2025-01-23", "", datetime(2025, 1, 23, tzinfo=UTC)),
        ("2025-01-23T16:00+01:00", "", NOW),
    ],
)
def test_a_cutoff_up_to_the_clock(as_of: str, zone: str, expected: datetime) -> None:
    assert resolve_cutoff(as_of, NOW, zone) == expected


@pytest.mark.parametrize("as_of", ["2025-01-24", "2026-12-31", "2025-01-23T15:00:01+00:00"])
def test_a_cutoff_after_the_clock_is_refused(as_of: str) -> None:
    with pytest.raises(UsageError, match=r"which is after the clock \(2025-01-23 15:00 UTC\)"):
        resolve_cutoff(as_of, NOW)
