from __future__ import annotations

import numpy as np
import pytest

from llmbench.economics.autoscale import cold_start_s, scaled_hours
from llmbench.errors import UsageError


def test_steady_traffic_keeps_a_replica_up() -> None:
    """100,000 messages a month come every 26 seconds: nothing falls asleep in between."""
    found = scaled_hours([137.0] * 168, 2000.0)
    assert found.replica_hours == pytest.approx(730, rel=0.001)
    assert found.cold_share < 1e-4


def test_one_hour_a_day_is_billed_as_one_hour() -> None:
    day = [0.0] * 24
    day[9] = 900.0
    found = scaled_hours(day, 2000.0)
    assert found.replica_hours == pytest.approx(730 / 24, rel=0.01)
    assert found.always_on_hours == 730


def test_a_kept_replica_is_billed_always() -> None:
    assert scaled_hours([0.0] * 24, 2000.0, least=1).replica_hours == 730
    assert scaled_hours([0.0] * 24, 2000.0).replica_hours == 0


def test_replicas_follow_the_load() -> None:
    day = [1000.0] * 12 + [5000.0] * 12
    found = scaled_hours(day, 2000.0, least=1, start_s=36.0)
    assert found.peak == 4
    assert found.replica_hours == pytest.approx(730 / 24 * (12 * 1 + 12 * 4 + 3 * 0.01))
    assert found.cold_starts == pytest.approx(3 * 730 / 24)


def test_sleeping_and_waking_against_a_simulation() -> None:
    rng = np.random.default_rng(20250123)
    gaps = rng.exponential(3600 / 10, 200_000)
    idle = 300.0
    up = np.minimum(gaps, idle).sum() / gaps.sum()
    wakes = (gaps > idle).mean()
    found = scaled_hours([10.0], 2000.0, idle_s=idle, start_s=0.0)
    assert found.replica_hours / 730 == pytest.approx(up, rel=0.01)
    assert found.cold_share == pytest.approx(wakes, rel=0.01)


def test_starting_is_billed() -> None:
    without = scaled_hours([10.0], 2000.0, start_s=0.0)
    found = scaled_hours([10.0], 2000.0, start_s=76.0)
    assert found.replica_hours - without.replica_hours == pytest.approx(found.cold_starts * 76 / 3600)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"requests_by_hour": []}, "requests_by_hour"),
        ({"requests_by_hour": [-1.0]}, "requests_by_hour"),
        ({"requests_per_replica_hour": 0.0}, "requests_per_replica_hour"),
        ({"utilisation_limit": 0.0}, "utilisation_limit"),
        ({"least": 0.5}, "least"),
    ],
)
def test_bad_input_is_named(options: dict[str, object], named: str) -> None:
    given: dict[str, object] = {"requests_by_hour": [1.0], "requests_per_replica_hour": 10.0} | options
    with pytest.raises(UsageError, match=named):
        scaled_hours(**given)  # type: ignore[arg-type]


def test_a_cold_start_reads_the_weights() -> None:
    assert cold_start_s(141.0, read_gb_per_s=2.0, engine_s=60.0) == pytest.approx(130.5)
    with pytest.raises(UsageError, match="read_gb_per_s"):
        cold_start_s(16.0, read_gb_per_s=0.0)
