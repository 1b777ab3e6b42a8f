"""When requests are sent: at moments that do not wait for the answers before."""

from __future__ import annotations

import struct
from numbers import Integral

import numpy as np

from llmbench.errors import UsageError
from llmbench.stats.checks import check_positive

__all__ = ["MOST_REQUESTS", "check_traffic", "poisson_arrivals", "seeds_of"]

MOST_REQUESTS = 100_000
"""At one rate: one client sends no more on time."""


def poisson_arrivals(rate: float, seconds: float, seed: int = 20250123) -> tuple[float, ...]:
    """Moments in [0, seconds) at which a Poisson process of `rate` a second has an arrival, ascending.

    Their number is Poisson with mean rate x seconds: a short run at a low rate may have none. Each rate
    has moments of its own, whatever else is run. Raises UsageError for numbers that cannot be meant, and for
    more arrivals than one client sends on time.

    >>> len(poisson_arrivals(10, 100, seed=1))
    998
    """
    check_traffic(rate, seconds)
    draw = np.random.default_rng([*seeds_of(rate, seed), 0])
    # Given their number, the arrivals are uniform: Ross, Introduction to Probability Models, section 5.3.
    return tuple(float(at) for at in np.sort(draw.uniform(0.0, seconds, draw.poisson(rate * seconds))))


def check_traffic(rate: float, seconds: float, name: str = "rate") -> None:
    """Raise UsageError unless both are numbers above 0, and one client can send so many requests on time."""
    expected = check_positive(name, rate) * check_positive("seconds", seconds)
    if expected > MOST_REQUESTS:
        raise UsageError(
            f"{expected:,.0f} requests at one rate are more than one client sends on time; lower the rate, "
            "or the seconds."
        )


def seeds_of(rate: float, seed: int) -> tuple[int, int]:
    """What makes the draws of one rate its own. Raises UsageError for a seed that is none."""
    given: object = seed  # a parameter of a notebook may be anything
    if isinstance(given, bool) or not isinstance(given, Integral) or seed < 0:
        raise UsageError(f"seed must be a whole number of at least 0; it is {seed!r}.")
    return int(seed), int.from_bytes(struct.pack(">d", rate))
