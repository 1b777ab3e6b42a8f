from __future__ import annotations

from llmbench.errors import (
    ContextWindowError,
    ProviderError,
    QuotaExhaustedError,
    RateLimitError,
    ServerError,
)
from llmbench.routing.health import CooldownPolicy, Health

POLICY = CooldownPolicy(after_failures=3, first_s=5, longest_s=15, rate_limit_s=1)


def failing(*errors: ProviderError, at: float = 0.0) -> Health:
    health = Health(POLICY)
    for error in errors:
        health.entered()
        health.failed(error, at, at)
    return health


def test_rests_after_failures_in_a_row_longer_each_time() -> None:
    health = failing(ServerError("no"), ServerError("no"))
    assert health.blocked(0.0) is None
    now = 100.0
    for rest in (5, 10, 15, 15):
        health.failed(ServerError("no"), now, now)
        assert health.resting_until == now + rest
        now = health.resting_until


def test_an_answer_ends_the_row() -> None:
    health = failing(ServerError("no"), ServerError("no"))
    health.answered()
    health.failed(ServerError("no"), 0.0, 0.0)
    assert health.blocked(0.0) is None


def test_after_the_rest_one_call_looks_whether_it_is_back() -> None:
    health = failing(*[ServerError("no")] * 3)
    assert health.blocked(4.9)
    assert health.blocked(5.0) is None
    health.entered()
    assert "one call is on its way" in str(health.blocked(5.0))
    health.answered()
    assert health.blocked(5.0) is None


def test_rate_limit_rests_as_long_as_the_server_asks() -> None:
    health = failing(RateLimitError("slow", retry_after=40.0))
    assert health.blocked(39.9)
    assert health.blocked(40.0) is None
    unnamed = failing(RateLimitError("slow"))
    assert unnamed.resting_until == 1.0
    unnamed.failed(RateLimitError("slow"), 5.0, 5.0)
    assert unnamed.resting_until == 7.0


def test_out_of_quota_disables() -> None:
    assert "QuotaExhaustedError" in str(failing(QuotaExhaustedError("no credit")).blocked(1e9))


def test_a_refused_request_says_nothing_against_the_model() -> None:
    health = failing(ServerError("no"), ServerError("no"), ContextWindowError("too long"), ServerError("no"))
    assert health.blocked(0.0) is None


def test_a_call_that_was_given_up_frees_the_probe() -> None:
    health = failing(*[ServerError("no")] * 3)
    health.entered()
    health.left(5.0)
    assert health.blocked(5.0) is None


def test_no_server_can_send_a_model_away_for_good() -> None:
    assert failing(RateLimitError("see you in 2099", retry_after=2.3e9)).resting_until == 3600.0
