"""How far two raters agree beyond chance."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Iterable

from llmbench.errors import UsageError
from llmbench.stats.checks import check_same_items, label_list

__all__ = ["cohen_kappa"]


def cohen_kappa(a: Iterable[Hashable], b: Iterable[Hashable]) -> float:
    """Cohen's kappa of two raters' labels of the same items, one each per item and rater.

    (observed - chance) / (1 - chance), chance being the agreement of raters who keep their own shares of
    labels and choose blindly: Cohen (1960), Educational and Psychological Measurement 20:37. 1 is full
    agreement, 0 what chance gives. Labels are compared by ==, without order or distance. NaN without
    items, and where both gave one and the same label throughout, which tells nothing. Raises UsageError
    for lists of different length and missing labels.

    >>> cohen_kappa(["yes", "yes", "no", "no"], ["yes", "no", "no", "no"])
    0.5
    """
    check_same_items("a", a, "b", b)
    first, second = label_list("a", a), label_list("b", b)
    if len(first) != len(second):
        raise UsageError(f"a has {len(first)} labels and b has {len(second)}; both need one per item.")
    n = len(first)
    if n == 0:
        return math.nan
    observed = sum(one == two for one, two in zip(first, second, strict=True))
    shares, others = Counter(first), Counter(second)
    # Whole numbers up to the last division: full agreement must come out as exactly 1.
    by_chance = sum(count * others[label] for label, count in shares.items())
    if by_chance == n * n:
        return math.nan
    return (observed * n - by_chance) / (n * n - by_chance)
