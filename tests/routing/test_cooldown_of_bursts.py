from __future__ import annotations

from collections.abc import Callable

import pytest

from llmbench.errors import ProviderError, RateLimitError, ServerError
from llmbench.providers.fake import FakeClock, FakeProvider
from llmbench.routing.gate import Gate, Ticket
from llmbench.routing.health import CooldownPolicy
from llmbench.routing.limits import Budgets
from llmbench.routing.targets import Target

IN_FLIGHT = 64


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def gate(clock: FakeClock) -> Gate:
    return Gate(clock, limits={}, budgets=Budgets(), cooldown=CooldownPolicy())


@pytest.fixture
def target() -> Target:
    return Target("one", "m", FakeProvider(), "one/m", None)


def enter(gate: Gate, target: Target) -> Ticket:
    ticket = gate.enter(target, tokens=0, worst_usd=0.0)
    assert isinstance(ticket, Ticket)
    return ticket


def server_error() -> ProviderError:
    return ServerError("out of order", provider="one", model="m")


def rate_limit() -> ProviderError:
    return RateLimitError("slow down", provider="one", model="m")


@pytest.mark.parametrize(("failure", "rests"), [(server_error, "5.0"), (rate_limit, "1.0")])
def test_calls_that_were_in_flight_together_make_one_rest(
    failure: Callable[[], ProviderError], rests: str, gate: Gate, target: Target
) -> None:
    for ticket in [enter(gate, target) for _ in range(IN_FLIGHT)]:
        gate.failed(ticket, failure())
    condition = gate.condition(target)
    assert condition is not None
    assert condition.startswith(f"rests for {rests} s more")


def test_each_probe_that_fails_doubles_the_rest(gate: Gate, target: Target, clock: FakeClock) -> None:
    for ticket in [enter(gate, target) for _ in range(IN_FLIGHT)]:
        gate.failed(ticket, server_error())
    for seconds in (5.0, 10.0, 20.0):
        assert f"rests for {seconds} s more" in str(gate.condition(target))
        clock._elapsed += seconds
        probe = enter(gate, target)
        assert "one call is on its way" in str(gate.condition(target))
        gate.failed(probe, server_error())


def test_a_late_failure_neither_ends_the_probe_nor_lets_a_second_one_in(
    gate: Gate, target: Target, clock: FakeClock
) -> None:
    *burst, late = [enter(gate, target) for _ in range(IN_FLIGHT)]
    for ticket in burst:
        gate.failed(ticket, server_error())
    clock._elapsed += 5.0
    probe = enter(gate, target)
    gate.failed(late, server_error())
    assert gate.condition(target) == "one call is on its way to see whether it is back"
    gate.answered(probe, latency_ms=1.0, tokens=None, charged_usd=0.0)
    assert gate.condition(target) is None


@pytest.mark.parametrize("failure", [server_error, rate_limit])
def test_a_model_may_be_away_for_weeks(
    failure: Callable[[], ProviderError], gate: Gate, target: Target, clock: FakeClock
) -> None:
    for _ in range(1100):
        gate.failed(enter(gate, target), failure())
        clock._elapsed += 301.0
    gate.answered(enter(gate, target), latency_ms=1.0, tokens=None, charged_usd=0.0)
    assert gate.condition(target) is None
