"""The five ways to choose a model."""

from __future__ import annotations

from enum import StrEnum

from llmbench.errors import UsageError

__all__ = ["RoutingStrategy"]


class RoutingStrategy(StrEnum):
    """How a router chooses."""

    CHEAPEST = "cheapest"
    """The lowest price of this very request."""
    FASTEST = "fastest"
    """The shortest measured time, else one's own machines first."""
    BEST_QUALITY = "best_quality"
    """The best score of a matrix, else the table's order."""
    SMART = "smart"
    """The rules of a routing table."""
    AB_TEST = "ab_test"
    """The arm of an experiment that the unit is assigned to."""

    @classmethod
    def of(cls, word: str) -> RoutingStrategy:
        """The strategy of that name in any case. Raises UsageError with the names there are.

        >>> RoutingStrategy.of("Cheapest")
        <RoutingStrategy.CHEAPEST: 'cheapest'>
        """
        try:
            return cls(str(word).lower())
        except ValueError:
            raise UsageError(
                f"There is no routing strategy {word!r}; choose one of {', '.join(cls)}."
            ) from None
