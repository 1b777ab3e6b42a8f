"""Unknowns that rise together: a normal copula, which leaves the law of each as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmbench.errors import UsageError
from llmbench.numbers import finite

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["check_correlation", "correlated"]

_LEAST = 1e-16
"""A uniform number of 0 would have no normal score."""


def check_correlation(what: str, correlation: float) -> float:
    """The number. Raises UsageError unless it lies from 0 to below 1."""
    number = finite(correlation)
    if number is None or not 0 <= number < 1:
        raise UsageError(f"{what} must lie from 0 (apart) to below 1; it is {correlation!r}.")
    return number


def correlated(uniform: Floats, correlation: float) -> Floats:
    """Uniform numbers, draws x unknowns, of which each two have normal scores correlated by `correlation`.

    From independent ones. Each column stays uniform, so what is made of it by a quantile function keeps its
    law; Spearman's rank correlation is 6 asin(correlation / 2) / pi, 0.48 at 0.5. At 0 the numbers are those
    given. Source: Clemen and Reilly (1999), Management Science 45:208. Raises UsageError for a correlation
    outside 0 to 1.

    >>> import numpy as np
    >>> apart = np.random.default_rng(1).random((10_000, 2))
    >>> print(np.corrcoef(correlated(apart, 0.5).T).round(2)[0, 1])
    0.47
    """
    import numpy as np
    from scipy.special import ndtr, ndtri

    if check_correlation("The correlation", correlation) == 0:
        return uniform
    count = uniform.shape[1]
    among = np.full((count, count), correlation) + (1 - correlation) * np.eye(count)
    scores = ndtri(np.clip(uniform, _LEAST, 1 - _LEAST))
    return np.asarray(ndtr(scores @ np.linalg.cholesky(among).T))
