"""How likely a test statistic that is looked at repeatedly first crosses a bound, and at which look.

At information t the score B(t) = z √t is a Brownian motion with drift, for all statistics that groups of
independent units add up to. Its density among the paths that crossed nothing so far is carried from look
to look by numerical integration: Armitage, McPherson and Rowe (1969), JRSS A 132:235; Jennison and
Turnbull (2000), Group Sequential Methods, chapter 19.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtr

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Walk"]

_POINTS, _WEIGHTS = np.polynomial.legendre.leggauss(10)
_PANEL = 1.5
"""Width of a panel of ten points, in standard deviations of the shorter of the steps beside it."""
_MOST_CELLS = 1_000_000
"""Of the kernel that are in memory at once."""
_REACH = 8.3
"""Standard deviations beyond which nothing is left: 1e-16."""


class Walk:
    """The paths that have crossed no bound yet."""

    def __init__(self, drift: float = 0.0) -> None:
        self.drift = drift
        """Expected z at information 1."""
        self.time = 0.0
        self._places: NDArray[np.float64] = np.zeros(1)
        self._mass: NDArray[np.float64] = np.ones(1)
        """Probability that stands for each place, as of a quadrature."""

    def above(self, z: float, time: float) -> float:
        """Probability of no crossing so far and a statistic above `z` at the later `time`."""
        return self._beyond(z, time, 1.0)

    def below(self, z: float, time: float) -> float:
        """Probability of no crossing so far and a statistic below `z` at the later `time`."""
        return self._beyond(z, time, -1.0)

    def go_on(self, low: float, high: float, time: float, next_time: float) -> None:
        """Keep the paths whose statistic is between `low` and `high` at `time`; look next at `next_time`."""
        step = time - self.time
        spread = math.sqrt(step)
        centre, reach = self.drift * time, _REACH * math.sqrt(time)
        start, stop = max(low * math.sqrt(time), centre - reach), min(high * math.sqrt(time), centre + reach)
        width = _PANEL * math.sqrt(min(step, next_time - time))
        edges = np.linspace(start, max(start, stop), max(1, math.ceil((stop - start) / width)) + 1)
        half = np.diff(edges)[:, None] / 2
        places = (edges[:-1, None] + half * (1 + _POINTS)).ravel()
        density = self._density(places - self.drift * step, spread)
        self._places, self._mass, self.time = places, density * (half * _WEIGHTS).ravel(), time

    def _beyond(self, z: float, time: float, sign: float) -> float:
        step = time - self.time
        distance = self._places + self.drift * step - z * math.sqrt(time)
        return float(self._mass @ ndtr(sign * distance / math.sqrt(step)))

    def _density(self, places: NDArray[np.float64], spread: float) -> NDArray[np.float64]:
        # Only the old places within reach of a new one matter: many looks close together stay cheap.
        first = np.searchsorted(self._places, places - _REACH * spread)
        last = np.searchsorted(self._places, places + _REACH * spread)
        longest = int((last - first).max(initial=0))
        old = np.append(self._places, np.full(longest, math.inf))
        mass = np.append(self._mass, np.zeros(longest))
        density = np.empty(len(places))
        rows = max(1, _MOST_CELLS // max(1, longest))
        for start in range(0, len(places), rows):
            part = slice(start, start + rows)
            near = first[part, None] + np.arange(longest)
            distance = (places[part, None] - old[near]) / spread
            density[part] = (np.exp(-0.5 * distance**2) * mass[near]).sum(axis=1)
        return density / (spread * math.sqrt(2 * math.pi))
