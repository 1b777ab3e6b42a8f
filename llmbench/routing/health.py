"""Which models can be asked at the moment: cooldowns, and what only somebody's action brings back."""

from __future__ import annotations

import math
from dataclasses import dataclass

from llmbench.errors import ProviderError, RateLimitError

__all__ = ["CooldownPolicy", "Health"]

_MOST_DOUBLINGS = 64  # beyond any `longest_s`; a power of thousands is no float


@dataclass(frozen=True, slots=True)
class CooldownPolicy:
    """When a model is left alone, and for how long."""

    after_failures: int = 3
    """Failures in a row (server errors, timeouts, cut connections, garbage) before it rests."""
    first_s: float = 5.0
    """The first rest; each further one is twice as long."""
    longest_s: float = 300.0
    rate_limit_s: float = 1.0
    """The rest after a rate limit that names no time; doubles likewise."""
    longest_asked_s: float = 3600.0
    """A server that asks for more is looked at again after this."""


@dataclass(slots=True)
class Health:
    """The state of one model at one endpoint. Times are seconds of the router's clock."""

    policy: CooldownPolicy
    failures: int = 0
    """In a row."""
    rate_limits: int = 0
    """In a row."""
    resting_until: float = 0.0
    rested_at: float = -math.inf
    """When the last rest began. A call that was let in before tells of the same trouble once more."""
    reason: str = ""
    disabled: str | None = None
    """Why nothing is asked of it until somebody enables it again."""
    probing: bool = False
    """One call is on its way to see whether it is back."""

    def blocked(self, now: float) -> str | None:
        """Why it cannot be asked at `now`; None if it can."""
        if self.disabled is not None:
            return self.disabled
        if now < self.resting_until:
            return f"rests for {self.resting_until - now:.1f} s more: {self.reason}"
        if self.probing:
            return "one call is on its way to see whether it is back"
        return None

    def entered(self) -> None:
        """A call goes to it; after a row of failures it is the only one until it has ended."""
        self.probing = self.failures >= self.policy.after_failures

    def answered(self) -> None:
        """It answered, if only with a refusal: it is there."""
        self.failures = self.rate_limits = 0
        self.probing = False

    def left(self, since: float) -> None:
        """A call let in at `since` ended without telling anything of the model, as a cancelled one."""
        if since > self.rested_at:
            self.probing = False

    def failed(self, error: ProviderError, now: float, since: float) -> None:
        """Take in the failure of a call let in at `since`."""
        if error.disables_model:
            self.probing = False
            self.disabled = f"{type(error).__name__}: {error}"
        elif not error.retryable:
            self.answered()
        elif since <= self.rested_at:
            # Many were in flight when the trouble began: together they are one failure, and none of
            # them is the call that is to see whether it is over.
            if error.retry_after is not None:
                asked = min(error.retry_after, self.policy.longest_asked_s)
                self.resting_until = max(self.resting_until, now + asked)
        elif isinstance(error, RateLimitError):
            self.probing = False
            self.rate_limits += 1
            self._rest(now, self.policy.rate_limit_s, self.rate_limits - 1, error)
        else:
            self.probing = False
            self.failures += 1
            over = self.failures - self.policy.after_failures
            if over >= 0 or error.retry_after is not None:
                self._rest(now, self.policy.first_s, max(over, 0), error)

    def _rest(self, now: float, first_s: float, doublings: int, error: ProviderError) -> None:
        # What the server asks for counts, also where it is less than ours.
        if error.retry_after is not None:
            seconds = min(error.retry_after, self.policy.longest_asked_s)
        else:
            seconds = min(first_s * 2.0 ** min(doublings, _MOST_DOUBLINGS), self.policy.longest_s)
        self.resting_until = max(self.resting_until, now + seconds)
        self.rested_at = now
        self.reason = type(error).__name__
