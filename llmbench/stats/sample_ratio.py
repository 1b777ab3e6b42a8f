"""Is the split of units over the arms the one that was meant? If not, no comparison of them can be trusted.

Fabijan et al. (2019), "Diagnosing sample ratio mismatch in online controlled experiments", KDD: alarm at
p below .001, because a split that is off is a fault of the machinery and not a finding.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
from scipy.special import chdtrc, gammaln

from llmbench.errors import UsageError
from llmbench.shown import shown
from llmbench.stats.checks import check_choice, check_concentration, finite_array
from llmbench.stats.intervals import TestResult

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["SequentialSampleRatio", "sample_ratio_mismatch", "sequential_sample_ratio_mismatch"]

_LEAST_SHARE = 1e-60


@shown
class SequentialSampleRatio(NamedTuple):
    """What each look at the split found; one value per look."""

    log_e_values: tuple[float, ...]
    """Natural logarithm of the evidence against the split that was meant; infinite where it is impossible."""
    p_values: tuple[float, ...]
    """Always valid: the chance that the p of any look ever falls below a is at most a if the split is
    as meant. Never rises from look to look."""

    @property
    def p_value(self) -> float:
        """Of the last look."""
        return self.p_values[-1]


def sample_ratio_mismatch(
    counts: ArrayLike, weights: ArrayLike, method: Literal["chi-square", "exact"] = "chi-square"
) -> TestResult:
    """Test of the counts of units per arm against the weights they were assigned with, looked at once.

    `counts` is one count per arm, or one row per stratum (an epoch of weights, a campaign) with the same
    arms; `weights` is like it, or one row for all strata. Weights are relative: they need not sum to 1.
    Chi-squares of strata and their degrees of freedom add up. An arm with weight 0 in a stratum is not
    open there, and a unit in it is a mismatch for certain (p = 0). "exact" is the two-sided binomial test
    for two arms in one stratum, for fewer than some 100 units; its statistic is the first count.
    NaN where no unit was assigned, or a single arm is open. Raises UsageError. Looked at repeatedly, take
    `sequential_sample_ratio_mismatch`.

    >>> print(f"{sample_ratio_mismatch([600, 400], [1, 1]).p_value:.3g}")
    2.54e-10
    """
    check_choice("method", method, ("chi-square", "exact"))
    table, shares = _check_split(counts, weights)
    if (table[shares == 0] > 0).any():
        return TestResult(math.inf, 0.0)
    if method == "exact":
        if table.shape != (1, 2):
            raise UsageError("method 'exact' needs two arms and one stratum; 'chi-square' takes more.")
        return _exact(table[0], shares[0])
    table, shares = table[table.sum(axis=1) > 0], shares[table.sum(axis=1) > 0]
    freedom = int((shares > 0).sum()) - len(table)
    if freedom == 0:
        return TestResult(math.nan, math.nan)
    expected = table.sum(axis=1, keepdims=True) * shares
    open_ = expected > 0
    statistic = float(((table[open_] - expected[open_]) ** 2 / expected[open_]).sum())
    return TestResult(statistic, float(chdtrc(freedom, statistic)))


def sequential_sample_ratio_mismatch(
    counts_by_look: ArrayLike,
    weights: ArrayLike,
    concentration: float = 1000.0,
    prior: ArrayLike | None = None,
) -> SequentialSampleRatio:
    """As `sample_ratio_mismatch`, for a split that is looked at as often as one likes.

    `counts_by_look[i]` are the units per arm assigned since the look before, not totals; `weights` is one
    row for all looks or one per look. The evidence is the ratio of two probabilities of the counts: with
    shares drawn from a Dirichlet distribution about the weights, over the weights themselves: Lindon and
    Malek (2020), arXiv:2011.03567. Where the weights change it begins anew, and both multiply.

    `concentration` is how near to the weights the shares are sought, in units: 1,000 finds a split of
    51/49 from some 45,000 units on and a 60/40 one from some 800 on, at p below .001. `prior` instead
    gives the parameters of the Dirichlet distribution, one per arm. Either must be fixed before the data.
    Raises UsageError.

    >>> found = sequential_sample_ratio_mismatch([[520, 480], [1040, 960], [2080, 1920]], [0.5, 0.5])
    >>> print([round(p, 3) for p in found.p_values])
    [0.948, 0.33, 0.021]
    """
    table, shares = _check_split(counts_by_look, weights)
    spread = _check_prior(concentration, prior, table.shape[1])
    logs: list[float] = []
    finished, start = 0.0, 0
    for look in range(len(table)):
        if look and (shares[look] != shares[look - 1]).any():
            finished, start = logs[-1], look
        total = table[start : look + 1].sum(axis=0)
        alpha = spread * shares[look] if prior is None else spread
        logs.append(finished + _log_evidence(total, shares[look], alpha))
    p_values = np.minimum.accumulate(np.exp(np.minimum(0.0, -np.array(logs))))
    return SequentialSampleRatio(tuple(logs), tuple(float(p) for p in p_values))


def _log_evidence(
    total: NDArray[np.float64], shares: NDArray[np.float64], alpha: NDArray[np.float64]
) -> float:
    open_ = shares > 0
    if (total[~open_] > 0).any():
        return math.inf
    x, a = total[open_], alpha[open_]
    mixed = gammaln(a.sum()) - gammaln(a.sum() + x.sum()) + (gammaln(a + x) - gammaln(a)).sum()
    return float(mixed - (x * np.log(shares[open_])).sum())


def _exact(counts: NDArray[np.float64], shares: NDArray[np.float64]) -> TestResult:
    from scipy.stats import binomtest

    total = int(counts.sum())
    if total == 0 or (shares == 0).any():
        return TestResult(math.nan, math.nan)
    return TestResult(
        float(counts[0]), float(binomtest(int(counts[0]), total, min(1.0, float(shares[0]))).pvalue)
    )


def _check_split(counts: ArrayLike, weights: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Counts and shares, both with one row per stratum or look."""
    table = np.atleast_2d(finite_array("counts", counts, (1, 2)))
    given = np.atleast_2d(finite_array("weights", weights, (1, 2)))
    if not table.size:
        raise UsageError("counts is empty; it needs one count per arm.")
    if (table < 0).any() or (table != np.floor(table)).any():
        raise UsageError("counts must be whole numbers of units, none of them negative.")
    if given.shape != table.shape and given.shape != (1, table.shape[1]):
        raise UsageError(
            f"weights must be one per arm, in one row or in as many rows as counts: counts has shape "
            f"{table.shape} and weights {given.shape}."
        )
    if (given < 0).any() or (given.sum(axis=1) <= 0).any():
        raise UsageError("weights must be positive, or 0 for an arm that is not open.")
    shares = given / given.sum(axis=1, keepdims=True)
    if ((shares > 0) & (shares < _LEAST_SHARE)).any():
        raise UsageError(f"weights must give an open arm a share of at least {_LEAST_SHARE:g}, or 0.")
    return table, np.broadcast_to(shares, table.shape)


def _check_prior(concentration: float, prior: ArrayLike | None, arms: int) -> NDArray[np.float64]:
    if prior is None:
        check_concentration(concentration)
        return np.full(arms, float(concentration))
    given = finite_array("prior", prior)
    if given.shape != (arms,):
        raise UsageError(f"prior must be one positive number per arm ({arms}).")
    for place, parameter in enumerate(given.tolist()):
        check_concentration(parameter, f"prior[{place}]")
    return given
