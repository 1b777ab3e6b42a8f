"""How many calls a run made, and how they ended."""

from __future__ import annotations

from dataclasses import astuple, dataclass

from llmbench.shown import shown

__all__ = ["CallCounts"]


@shown
@dataclass(frozen=True, slots=True)
class CallCounts:
    """Calls of one run."""

    made: int = 0
    """Calls sent, those that failed included."""
    replayed: int = 0
    """Answers taken from the ledger, and from the same request made earlier in the run."""
    failed: int = 0
    """Calls made that gave no answer after their retries."""
    retried: int = 0
    """Attempts beyond the first of each call."""
    charge_unknown: int = 0
    """Attempts whose charge is not known: failed ones that may have been billed, and answers
    without a price. Where there is one, what the run spent is not known."""

    def __add__(self, other: CallCounts) -> CallCounts:
        return CallCounts(*(a + b for a, b in zip(astuple(self), astuple(other), strict=True)))

    @property
    def caveat(self) -> str:
        """What to add to a line about spending; nothing where every charge is known.

        >>> CallCounts(made=5, failed=5, charge_unknown=5).caveat
        ' (spending unknown: the charge of 5 attempts is not known)'
        """
        if not self.charge_unknown:
            return ""
        attempts = "1 attempt" if self.charge_unknown == 1 else f"{self.charge_unknown} attempts"
        return f" (spending unknown: the charge of {attempts} is not known)"
