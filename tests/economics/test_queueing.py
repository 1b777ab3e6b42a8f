from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from llmbench.economics import availability, erlang_c, replicas_needed, waiting
from llmbench.errors import UsageError


def by_definition(servers: int, load: float) -> float:
    top = load**servers / math.factorial(servers) * servers / (servers - load)
    return top / (math.fsum(load**k / math.factorial(k) for k in range(servers)) + top)


def test_erlang_c_published_values(throughput_data: Path) -> None:
    golden = json.loads((throughput_data / "golden.json").read_text(encoding="utf-8"))["erlang_c"]
    for case, expected in golden.items():
        servers, load = (part.partition("=")[2] for part in case.split(","))
        assert erlang_c(int(servers), float(load)) == pytest.approx(expected, abs=5e-7)


@pytest.mark.parametrize(("servers", "load"), [(1, 0.5), (3, 2.9), (40, 31.0), (120, 100.0)])
def test_erlang_c_is_its_definition(servers: int, load: float) -> None:
    assert erlang_c(servers, load) == pytest.approx(by_definition(servers, load), rel=1e-12)


def test_erlang_c_at_its_ends() -> None:
    assert erlang_c(5, 0) == 0
    assert erlang_c(5, 5) == erlang_c(5, 50) == 1
    assert erlang_c(1, 0.7) == pytest.approx(0.7)
    assert 0 < erlang_c(20_000, 19_900) < 1


def test_a_call_centre_as_published() -> None:
    """pyworkforce's example: 100 calls of 3 minutes in half an hour, 14 agents, answer within 20 seconds."""
    queue = waiting(14, 100 * 3 / 30, 180)
    assert queue.probability == pytest.approx(0.1741319335950498, abs=1e-12)
    assert 1 - queue.beyond(20) == pytest.approx(0.8883500191794669, abs=1e-12)
    assert queue.utilisation == pytest.approx(0.7142857142857143)


def test_one_server_is_the_textbook_queue() -> None:
    queue = waiting(1, 0.8, 10.0)
    assert queue.mean_s == pytest.approx(0.8 / (1 - 0.8) * 10)
    assert waiting(1, 0.8, 10.0, service_cv2=0).mean_s == pytest.approx(queue.mean_s / 2)  # M/D/1
    assert waiting(1, 0.8, 10.0, arrival_cv2=3).mean_s == pytest.approx(queue.mean_s * 2)


def test_the_mean_is_that_of_the_tail() -> None:
    queue = waiting(8, 6.5, 4.0)
    step = 0.001
    tail = math.fsum(queue.beyond(step * (k + 0.5)) for k in range(60_000)) * step
    assert tail == pytest.approx(queue.mean_s, rel=1e-3)
    assert queue.beyond(queue.quantile_s(0.95)) == pytest.approx(0.05)
    assert queue.quantile_s(0.1) == 0


def test_waiting_against_a_simulation() -> None:
    rng = np.random.default_rng(20250123)
    servers, load, service = 4, 3.0, 1.0
    free = np.zeros(servers)
    clock, waits = 0.0, []
    for gap, length in zip(
        rng.exponential(service / load, 60_000), rng.exponential(service, 60_000), strict=True
    ):
        clock += gap
        first = int(free.argmin())
        start = max(clock, free[first])
        waits.append(start - clock)
        free[first] = start + length
    found = waiting(servers, load, service)
    assert np.mean(waits) == pytest.approx(found.mean_s, rel=0.08)
    assert np.mean(np.array(waits) > 0) == pytest.approx(found.probability, rel=0.05)


def test_a_queue_that_cannot_keep_up() -> None:
    queue = waiting(2, 2.5, 1.0)
    assert math.isinf(queue.mean_s)
    assert queue.beyond(1e9) == 1


def test_one_replica_is_not_production() -> None:
    plan = replicas_needed(0.038, 32, 10.0)
    assert (plan.serving, plan.spare, plan.total) == (1, 1, 2)
    assert plan.binding == "one replica is the least"
    assert replicas_needed(0.038, 32, 10.0, spare=0).total == 1


def test_replicas_are_the_fewest() -> None:
    """By trying all numbers."""
    rate, places, service = 6.0, 8, 9.0
    plan = replicas_needed(rate, places, service)

    def enough(count: int) -> bool:
        queue = waiting(count * places, rate * service, service)
        return queue.beyond(1.0) <= 0.05 and queue.utilisation <= 0.7

    assert plan.serving == next(count for count in range(1, 50) if enough(count))
    assert plan.utilisation <= 0.7
    assert plan.late_share <= 0.05


def test_a_strict_limit_binds() -> None:
    plan = replicas_needed(1.0, 1, 2.0, wait_limit_s=0.1, late_share=0.001)
    assert plan.binding == "waiting"
    assert replicas_needed(100.0, 8, 9.0).binding == "utilisation"


def test_bursts_need_more() -> None:
    smooth = replicas_needed(6.0, 1, 2.0, utilisation_limit=1.0)
    bursts = replicas_needed(6.0, 1, 2.0, utilisation_limit=1.0, arrival_cv2=9.0)
    assert bursts.serving > smooth.serving


def test_availability_by_enumeration() -> None:
    assert availability(3, 2, 0.9) == pytest.approx(0.9**3 + 3 * 0.9**2 * 0.1)
    assert availability(2, 1, 0.99) == pytest.approx(1 - 0.01**2)
    assert availability(2, 3, 0.99) == 0


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: erlang_c(0, 1), "servers"),
        (lambda: erlang_c(2.5, 1), "servers"),  # type: ignore[arg-type]
        (lambda: erlang_c(2, -1), "offered_load"),
        (lambda: waiting(2, 1, math.nan), "service_s"),
        (lambda: replicas_needed(1, 8, 2, late_share=0), "late_share"),
        (lambda: replicas_needed(1e12, 8, 2), "replicas would be needed"),
        (lambda: availability(2, 1, 1.5), "each"),
    ],
)
def test_bad_input_is_named(call: object, named: str) -> None:
    with pytest.raises(UsageError, match=named):
        call()  # type: ignore[operator]


def test_it_shows_itself() -> None:
    assert "utilisation" in replicas_needed(1.0, 32, 20.0)._repr_html_()
