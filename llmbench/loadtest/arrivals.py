"""When requests are sent: at moments that do not wait for the answers before."""

from __future__ import annotations

import math
import struct

import numpy as np

from llmbench.errors import UsageError

__all__ = ["poisson_arrivals", "seeds_of"]


def poisson_arrivals(rate: float, seconds: float, seed: int = 20250123) -> tuple[float, ...]:
    """Moments in [0, seconds) at which a Poisson process of `rate` a second has an arrival, ascending.

    Their number is Poisson with mean rate x seconds: a short run at a low rate may have none. Each rate
    has moments of its own, whatever else is run. Raises UsageError for numbers that cannot be meant.

    >>> len(poisson_arrivals(10, 100, seed=1))
    998
    """
    for name, value in (("rate", rate), ("seconds", seconds)):
        if not (math.isfinite(value) and value > 0):
            raise UsageError(f"{name} must be a number above 0; it is {value!r}.")
    draw = np.random.default_rng([*seeds_of(rate, seed), 0])
    # Given their number, the arrivals are uniform: Ross, Introduction to Probability Models, section 5.3.
    return tuple(float(at) for at in np.sort(draw.uniform(0.0, seconds, draw.poisson(rate * seconds))))


def seeds_of(rate: float, seed: int) -> tuple[int, int]:
    """What makes the draws of one rate its own."""
    if isinstance(seed, bool | float) or seed < 0:
        raise UsageError(f"seed must be a whole number of at least 0; it is {seed!r}.")
    return seed, int.from_bytes(struct.pack(">d", rate))
