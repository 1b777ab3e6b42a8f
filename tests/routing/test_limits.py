from __future__ import annotations

import math
import random

import pytest

from llmbench.errors import UsageError
from llmbench.routing.limits import Budgets, Limit, Spending, Window


@pytest.mark.parametrize("seed", range(5))
def test_window_is_never_passed_and_never_waits_too_long(seed: int) -> None:
    """Against the definition: in no 60 seconds are there more calls or tokens than allowed, and a call
    is let in at the first moment at which that holds."""
    rng = random.Random(seed)
    limit = Limit(requests_per_minute=20, tokens_per_minute=1000)
    window, now = Window(limit), 0.0
    log: list[list[float]] = []

    def fits(at: float, tokens: float) -> bool:
        recent = [entry for entry in log if entry[0] + 60 > at]
        return len(recent) < 20 and sum(entry[1] for entry in recent) + tokens <= 1000

    for _ in range(500):
        tokens = rng.randint(1, 150)
        at = window.free_at(now, tokens)
        assert fits(at, tokens)
        if at > now:
            assert not fits(at - 1e-6, tokens)
            now = at
            assert window.free_at(now, tokens) == now
        entry = window.enter(now, tokens)
        log.append(entry)
        if rng.random() < 0.5:
            window.settle(entry, rng.randint(0, tokens))
        now += rng.expovariate(1.0)


def test_call_larger_than_the_minute_never_fits() -> None:
    assert Window(Limit(tokens_per_minute=10)).free_at(5.0, 11) == math.inf


def test_settled_after_it_was_forgotten() -> None:
    window = Window(Limit(tokens_per_minute=10))
    entry = window.enter(0.0, 10)
    assert window.free_at(60.0, 10) == 60.0
    window.settle(entry, 3)
    assert window.free_at(60.0, 10) == 60.0
    assert window.free_at(60.0, 11) == math.inf


@pytest.mark.parametrize("seed", range(5))
def test_spending_never_passes_a_limit(seed: int) -> None:
    rng = random.Random(seed)
    spending = Spending(Budgets(per_hour=1.0, per_day=8.0, per_run=20.0))
    now, charged, open_calls = 0.0, [], []
    for _ in range(3000):
        now += rng.expovariate(1 / 30)
        worst = rng.random() * 0.2
        if spending.lacking(now, worst) is None:
            spending.reserve(worst)
            open_calls.append(worst)
        if open_calls and rng.random() < 0.6:
            worst = open_calls.pop(rng.randrange(len(open_calls)))
            usd = worst * rng.random()
            spending.settle(now, worst, usd)
            charged.append((now, usd))
        for span, limit in ((3600, 1.0), (86_400, 8.0), (math.inf, 20.0)):
            assert sum(usd for at, usd in charged if at + span > now) <= limit + 1e-9
    assert sum(usd for _, usd in charged) > 5


def test_lacking_says_which_and_how_much() -> None:
    spending = Spending(Budgets(per_day=0.5))
    spending.reserve(0.4)
    assert "$0.400000 of the budget of $0.500000 a day" in str(spending.lacking(0.0, 0.2))


def test_past_spending_counts_for_hour_and_day_and_not_for_the_run() -> None:
    spending = Spending(Budgets(per_run=1.0, per_hour=1.0))
    spending.add_past(-1800.0, 0.9)
    assert "hour" in str(spending.lacking(0.0, 0.2))
    assert spending.lacking(1801.0, 0.2) is None


@pytest.mark.parametrize("bad", [{"requests_per_minute": 0}, {"concurrency": -1}, {"answer_within_s": True}])
def test_limits_that_are_none(bad: dict[str, float]) -> None:
    with pytest.raises(UsageError, match=next(iter(bad))):
        Limit(**bad)  # type: ignore[arg-type]


@pytest.mark.parametrize("bad", [-1, math.nan, math.inf, True])
def test_budgets_that_are_none(bad: float) -> None:
    with pytest.raises(UsageError, match="per_day"):
        Budgets(per_day=bad)
