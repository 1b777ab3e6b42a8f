"""Answers of a weak and a strong model to the same prompts, checked and without the missing."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from llmbench.errors import UsageError
from llmbench.routing.curve import Sweep
from llmbench.stats.checks import cluster_codes, number_array, paired_arrays

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["TwoModels", "two_models"]


@dataclass(frozen=True, slots=True, eq=False)
class TwoModels:
    """Quality, costs and clusters of the prompts that both models have a quality of."""

    weak: NDArray[np.float64]
    strong: NDArray[np.float64]
    costs: tuple[NDArray[np.float64], NDArray[np.float64]] | None
    codes: NDArray[np.intp] | None
    kept: NDArray[np.bool_]
    """Of all prompts given, which these are."""
    notes: tuple[str, ...]

    @property
    def n(self) -> int:
        """Prompts with both."""
        return len(self.weak)

    @property
    def missing(self) -> int:
        """Prompts left out."""
        return len(self.kept) - self.n

    def sweep(self, scores: NDArray[np.float64]) -> Sweep:
        """Of scores of all prompts given."""
        return Sweep(scores[self.kept], self.weak, self.strong, self.costs)


def two_models(
    weak: Any, strong: Any, costs: Any, clusters: Iterable[Hashable] | None, *, n: int
) -> TwoModels:
    """For the arguments see `llmbench.routing.evaluate`; `n` scores are given. Raises UsageError."""
    one, two = paired_arrays("weak", weak, "strong", strong)
    if len(one) != n:
        raise UsageError(f"scores has {n} values and weak has {len(one)}; both need one per prompt.")
    codes = cluster_codes(clusters, "weak", weak, n)
    kept = ~(np.isnan(one) | np.isnan(two))
    if not kept.any():
        raise UsageError("No prompt has a quality of both models, so there is nothing to compare.")
    prices, notes = _costs(costs, n, kept)
    if codes is not None:
        codes = np.unique(codes[kept], return_inverse=True)[1].astype(np.intp)
    return TwoModels(one[kept], two[kept], prices, codes, kept, notes)


def _costs(
    costs: Any, n: int, kept: NDArray[np.bool_]
) -> tuple[tuple[NDArray[np.float64], NDArray[np.float64]] | None, tuple[str, ...]]:
    if costs is None:
        return None, ("No costs are given: only shares of calls are told, no dollars.",)
    if isinstance(costs, str) or not hasattr(costs, "__len__") or len(costs) != 2:
        raise UsageError("costs must be a pair (weak, strong): USD per prompt, or one number for all.")
    found = []
    for side, each in zip(("weak", "strong"), costs, strict=True):
        usd = number_array(f"costs of the {side} model", each, dimensions=(0, 1))
        if usd.ndim and len(usd) != n:
            raise UsageError(f"The costs of the {side} model have {len(usd)} values for {n} prompts.")
        usd = np.broadcast_to(usd, n)[kept]
        if (usd < 0).any():
            raise UsageError(f"The costs of the {side} model hold a negative one; costs are USD from 0 on.")
        found.append(usd)
    unknown = int((np.isnan(found[0]) | np.isnan(found[1])).sum())
    if unknown:
        return None, (f"The costs of {unknown} prompts are not known, so no dollars are told.",)
    notes = []
    dearer = float(found[1].mean()) > float(found[0].mean())
    if not dearer:
        notes.append("The strong model costs no more than the weak one here: there is nothing to save.")
    return (found[0], found[1]), tuple(notes)
