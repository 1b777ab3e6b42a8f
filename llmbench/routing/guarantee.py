"""A threshold that comes with a guarantee: fixed-sequence Learn-then-Test.

Candidate thresholds are fixed before the calibration prompts are looked at, from the most careful (all to
the strong model) to the boldest. Each is tested in that order at the full level, and the first that does not
pass ends the sequence (Angelopoulos, Bates, Candès, Jordan and Lei 2021, arXiv:2110.01052). So over draws of
the calibration prompts, the chance that the last one passed loses more than the tolerance is at most the
level, whatever the models and however many thresholds.

A threshold loses more than the tolerance t where E[(1 - t) strong - routed] > 0. That is the mean of bounded
paired differences, and it is tested by betting against it (Waudby-Smith and Ramdas 2024, JRSS B 86:1): a
gambler who may stake only what he has cannot become 1 / level times as rich against a true null but with a
chance of at most the level (Ville 1939). This needs no normality and no large sample. He spreads what he has
over constant stakes (Cover's universal portfolio), so that nothing is tuned. Unlike the bounds of Hoeffding
and Bentkus it profits from the small variance of paired differences.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from llmbench.errors import UsageError
from llmbench.stats.checks import check_number, check_open_unit

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["Passed", "betting_p_values", "excess_losses", "fixed_sequence"]

STAKES = 40
"""Constant stakes, each with an equal share of what the gambler has to begin with."""


class Passed(NamedTuple):
    """How far a fixed sequence went."""

    steps: int
    """Hypotheses rejected before the first that was not; 0 where none was."""
    p_values: tuple[float, ...]
    """One per hypothesis, also of those after the end."""


def excess_losses(strong: ArrayLike, routed: ArrayLike, tolerance: float) -> NDArray[np.float64]:
    """(1 - tolerance) · strong - routed: above 0 in the mean where more than the tolerance is lost.

    `strong` has one score in 0..1 per prompt, `routed` one row per prompt and one column per threshold.
    """
    kept = 1 - check_open_unit("tolerance", tolerance)
    wanted: NDArray[np.float64] = kept * np.asarray(strong, dtype=float)
    found: NDArray[np.float64] = wanted.reshape(-1, 1) - np.asarray(routed, dtype=float)
    return found


def betting_p_values(
    losses: ArrayLike, low: float, high: float, units: ArrayLike | None = None
) -> NDArray[np.float64]:
    """p-values of "the mean loss is 0 or more", one per column of `losses` (n x columns in low..high).

    1 over the most that was ever owned: the wealth after each row is the mean, over STAKES stakes b that fill
    0..1/high evenly, of the product of 1 - b · loss. Valid for every n and every distribution in low..high.
    Rows must come in an order that the losses did not choose.

    `units` numbers what is drawn independently: the losses of a unit are then added up, and divided by the
    size of the largest. Raises UsageError for a loss outside of low..high.

    >>> never_loses = np.full((100, 1), -0.05)
    >>> betting_p_values(never_loses, -1, 0.95).round(4).tolist()
    [0.0301]
    >>> betting_p_values(-never_loses, -1, 0.95).tolist()
    [1.0]
    """
    if not check_number("low", low) < 0 < check_number("high", high):
        raise UsageError(f"low must be below 0 and high above; they are {low:g} and {high:g}.")
    rows = np.asarray(losses, dtype=float)
    if rows.ndim != 2:
        raise UsageError("losses must have two dimensions: one row per prompt, one column per threshold.")
    if not ((rows >= low - 1e-12) & (rows <= high + 1e-12)).all():
        raise UsageError(f"losses must be numbers in {low:g}..{high:g}; at least one is not.")
    if units is not None:
        rows = _sums(rows, np.asarray(units, dtype=np.intp))
    stakes = (np.arange(STAKES) + 0.5) / STAKES / high
    richest = np.zeros(rows.shape[1])
    for place, column in enumerate(np.minimum(rows, high).T):
        wealth = np.log1p(-np.outer(stakes, column)).cumsum(axis=1)
        most = wealth.max(axis=0)
        mixed = most + np.log(np.exp(wealth - most).mean(axis=0))
        richest[place] = mixed.max(initial=0.0)
    return np.asarray(np.exp(-richest))


def fixed_sequence(p_values: ArrayLike, level: float) -> Passed:
    """How many hypotheses are rejected in their order, each at `level`, up to the first that is not.

    >>> fixed_sequence([0.01, 0.04, 0.2, 0.03], 0.05).steps
    2
    """
    values = np.asarray(p_values, dtype=float)
    failed = np.flatnonzero(~(values <= check_open_unit("level", level)))
    return Passed(int(failed[0]) if len(failed) else len(values), tuple(map(float, values)))


def _sums(rows: NDArray[np.float64], units: NDArray[np.intp]) -> NDArray[np.float64]:
    """Sums by unit, in the order in which units first come, over the size of the largest."""
    if len(units) != len(rows):
        raise UsageError(f"units has {len(units)} numbers for {len(rows)} rows; give one each.")
    _, first, codes = np.unique(units, return_index=True, return_inverse=True)
    place = np.empty(len(first), dtype=np.intp)
    place[np.argsort(first)] = np.arange(len(first))
    sums = np.zeros((len(first), rows.shape[1]))
    np.add.at(sums, place[codes], rows)
    return np.asarray(sums / max(1, np.bincount(codes).max(initial=1)))
