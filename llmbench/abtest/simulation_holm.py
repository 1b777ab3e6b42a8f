"""Which treatments are decided at which look, when several share one alpha: Holm's procedure, run by run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from llmbench.abtest.simulation_result import DECISIONS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]

__all__ = ["holm_decisions"]

_BETTER, _NOT_WORSE, _WORSE, _CANNOT_TELL = range(len(DECISIONS))


def holm_decisions(
    above: Numbers, below: Numbers, better: Numbers, critical: Numbers
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Look at which each treatment is decided in each run, and the place of its decision in DECISIONS.

    `above`, `below` and `better` are statistics (treatments x runs x looks) for the treatment above the
    margin, below it, and above no difference; `critical[k]` is what they must reach by look at alpha over
    k + 1. As the analysis does it: at each look the treatment with the most evidence is tested at alpha
    over the number of those not yet shown to be above the margin; each one shown frees its part for the
    next. Holm (1979), Scand. J. Stat. 6:65; over looks Maurer and Bretz (2013), Stat. Biopharm. Res. 5:311.
    """
    treatments, runs, looks = above.shape
    look = np.full((treatments, runs), looks - 1)
    decision = np.full((treatments, runs), _CANNOT_TELL)
    left = np.full(runs, treatments - 1)
    rows = np.arange(runs)
    for number in range(looks):
        order = np.argsort(-above[:, :, number], axis=0, kind="stable")
        for arm in order:
            needed = critical[left, number]
            open_ones = decision[arm, rows] == _CANNOT_TELL
            shown = open_ones & (above[arm, rows, number] >= needed)
            worse = open_ones & ~shown & (below[arm, rows, number] >= needed)
            kind = np.where(better[arm, rows, number] >= needed, _BETTER, _NOT_WORSE)
            for found, value in ((shown, kind), (worse, np.full(runs, _WORSE))):
                decision[arm[found], rows[found]] = value[found]
                look[arm[found], rows[found]] = number
            left = np.where(shown, np.maximum(left - 1, 0), left)
    return look, decision
