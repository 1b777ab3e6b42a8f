from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from llmbench.economics import Workload, week_profile, workload_of_log
from llmbench.errors import UsageError

MONDAY = datetime(2025, 1, 20, tzinfo=UTC)


@pytest.mark.parametrize("peak", [1, 1.5, 3, 6, 20])
def test_the_peak_is_the_one_asked_for(peak: float) -> None:
    week = week_profile(peak)
    assert len(week) == 168
    assert max(week) == pytest.approx(peak)
    assert sum(week) / 168 == pytest.approx(1)
    assert Workload(1, 1, 1, profile=week).peak_to_mean == pytest.approx(peak)


def test_a_log_tells_rate_tokens_and_week() -> None:
    # Two weeks: 3 messages at Monday 10:00, one in every other hour.
    times = [
        MONDAY + timedelta(hours=h, minutes=m)
        for h in range(336)
        for m in ((0, 20, 40) if h % 168 == 10 else (0,))
    ]
    found = workload_of_log(times, [500.0] * len(times), [200.0, None] * (len(times) // 2))
    assert found.messages == 340
    assert found.without_tokens == 170
    assert found.workload.messages_per_month == pytest.approx(339 / (335 / 24) * 730 / 24)
    assert (found.workload.input_tokens, found.workload.output_tokens) == (500, 200)
    assert found.workload.hours[10] == pytest.approx(3 * found.workload.hours[11])
    assert found.workload.peak_to_mean == pytest.approx(3 / (170 / 168))


def test_times_of_any_zone_are_those_of_utc() -> None:
    zone = timezone(timedelta(hours=5))
    times = [(MONDAY + timedelta(hours=h)).astimezone(zone) for h in (*range(168), 170, 170)]
    found = workload_of_log(times, [1.0] * 170, [1.0] * 170)
    assert found.workload.profile[2] > found.workload.profile[3]


def test_a_short_log_tells_no_week() -> None:
    found = workload_of_log([MONDAY, MONDAY + timedelta(days=1)], [10, 20], [1, 3], [5, 10])
    assert found.workload.profile == ()
    assert found.workload.messages_per_month == pytest.approx(730 / 24)
    assert found.workload.cached_share == pytest.approx(0.5)
    assert (found.input_p95, found.output_p95) == (20, 3)


def test_a_gap_in_the_cached_tokens_is_no_message_without_a_cache() -> None:
    times = [MONDAY, MONDAY + timedelta(days=1), MONDAY + timedelta(days=2)]
    found = workload_of_log(times, [200, 200, None], [1, 3, 1], [100, None, 50])
    assert found.workload.cached_share == pytest.approx(0.5)
    assert workload_of_log(times, [200, 200, 200], [1, 3, 1], [None] * 3).workload.cached_share == 0


@pytest.mark.parametrize("short", ["input_tokens", "output_tokens", "cached_tokens"])
def test_columns_of_another_length_are_named(short: str) -> None:
    names = ("input_tokens", "output_tokens", "cached_tokens")
    columns = [[1.0] if name == short else [1.0, 1.0] for name in names]
    with pytest.raises(UsageError, match=f"{short} has 1 values for the 2 times"):
        workload_of_log([MONDAY, MONDAY + timedelta(days=1)], *columns)


@pytest.mark.parametrize(
    ("times", "tokens", "told"),
    [
        ([MONDAY], [1.0], "at least 2"),
        ([MONDAY, MONDAY], [1.0, 1.0], "same time"),
        ([MONDAY, MONDAY + timedelta(1)], [None, None], "no message's"),
        ([datetime(2025, 1, 20), datetime(2025, 1, 21)], [1.0, 1.0], "no time zone"),  # noqa: DTZ001
    ],
)
def test_logs_that_tell_nothing(times: list[datetime], tokens: list[float | None], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        workload_of_log(times, tokens, tokens)


def test_workloads_that_cannot_be_meant() -> None:
    with pytest.raises(UsageError, match="peak_to_mean"):
        week_profile(0.5)
    with pytest.raises(UsageError, match="168 hours"):
        Workload(1, 1, 1, profile=(1.0,))
    with pytest.raises(UsageError, match="prefix_tokens"):
        Workload(1, 500, 1, prefix_tokens=600)
    with pytest.raises(UsageError, match="one of the two"):
        Workload(1, 500, 1, prefix_tokens=100, cached_share=0.1)
    with pytest.raises(UsageError, match="growth_per_month"):
        Workload(1, 500, 1, growth_per_month=-2)


def test_a_burst_of_minutes_tells_nothing_of_a_month() -> None:
    """The calls of a matrix stand in the ledger too, and came as fast as the endpoint answered."""
    start = datetime(2026, 11, 2, tzinfo=UTC)
    burst = [start + timedelta(seconds=second) for second in range(12)]
    with pytest.raises(UsageError, match=r"12 messages came within 0\.18 minutes"):
        workload_of_log(burst, [500.0] * 12, [200.0] * 12)
