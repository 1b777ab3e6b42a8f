"""What was checked, and what was found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from llmbench.plain_table import PlainTable
from llmbench.shown import shown

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Check", "Diagnosis", "Status"]

Status = Literal["ok", "warning", "problem"]


@shown
class Check(NamedTuple):
    """One check: what was looked at, how it is, and a sentence that says what to do."""

    subject: str
    status: Status
    message: str


@shown
@dataclass(frozen=True, slots=True)
class Diagnosis:
    """All checks of one examination.

    >>> found = Diagnosis((Check("python", "ok", "3.13.1"), Check("disk", "warning", "Little space.")))
    >>> found.healthy, found.summary()
    (True, '1 ok, 1 warning, 0 problems.')
    """

    checks: tuple[Check, ...]

    @property
    def healthy(self) -> bool:
        """True if there is no problem; warnings are none."""
        return not self.of("problem")

    def of(self, status: Status) -> tuple[Check, ...]:
        """The checks of one status."""
        return tuple(check for check in self.checks if check.status == status)

    def summary(self) -> str:
        """How many checks there are of each status."""
        warnings, problems = len(self.of("warning")), len(self.of("problem"))
        return (
            f"{len(self.of('ok'))} ok, {warnings} warning{'' if warnings == 1 else 's'}, "
            f"{problems} problem{'' if problems == 1 else 's'}."
        )

    def data(self) -> dict[str, Any]:
        """For JSON."""
        checks = [
            {"check": check.subject, "status": check.status, "message": check.message}
            for check in self.checks
        ]
        return {"healthy": self.healthy, "checks": checks}

    def table(self) -> PlainTable:
        """One row a check."""
        return PlainTable(("check", "status", "what was found"), list(self.checks), texts=3)

    def to_pandas(self) -> pd.DataFrame:
        """One row per check."""
        import pandas as pd

        return pd.DataFrame(list(self.checks), columns=["check", "status", "message"])

    def __str__(self) -> str:
        return self.summary()

    def _repr_html_(self) -> str:
        return f"<p>{self.summary()}</p>{self.table().html()}"
