"""The rows that a statement gives: what each is about, and SELECTs of one width."""

from __future__ import annotations

from enum import IntEnum

from llmbench.abtest.layout import Layout

__all__ = ["Union", "What", "cell_of", "key_count"]

_NUMBERS = 14


class What(IntEnum):
    """What a row of the result is about; its keys and numbers are where it is added."""

    UNITS = 1
    ASSIGNED = 2
    STATES = 3
    SEND_ROWS = 4
    EVENT_ROWS = 5
    EVENTS = 6
    ASSIGNMENT_ROWS = 7
    DAYS = 8
    CLUSTERS = 9
    NO_CLUSTER = 10
    SEGMENTS = 11
    GUARDRAILS = 12
    COSTS = 13
    CONTEXTS = 14
    WEIGHTS = 15
    SEVERAL = 16
    COST_ROWS = 17
    ASSIGNED_DAYS = 18
    KINDS = 19
    CLUSTER_ARMS = 20
    CLUSTER_COSTS = 21
    SEGMENT_CLUSTERS = 22
    SEGMENT_CLUSTER_ARMS = 23
    GUARDRAIL_CLUSTERS = 24
    SHARED = 25


def key_count(layout: Layout) -> int:
    """Keys of each row: those of two cells in a segment, or of a context."""
    return max(8, 5 + len(layout.source.contexts))


class Union:
    """SELECTs of one width."""

    def __init__(self, keys: int) -> None:
        self._keys = keys
        self.selects: list[str] = []

    def add(
        self, what: What, keys: list[str], numbers: list[str], source: str, *, group: bool = True
    ) -> None:
        """One SELECT; keys that are constants are in every row, and not grouped by."""
        texts = [f"CAST({key} AS TEXT)" for key in keys]
        texts += ["CAST(NULL AS TEXT)"] * (self._keys - len(keys))
        sums = [f"CAST({body} AS DOUBLE)" for body in numbers]
        sums += ["CAST(NULL AS DOUBLE)"] * (_NUMBERS - len(numbers))
        columns = [f"{what:d} AS what"]
        columns += [f"{body} AS k{i}" for i, body in enumerate(texts)]
        columns += [f"{body} AS v{i}" for i, body in enumerate(sums)]
        by = ", ".join(key for key in dict.fromkeys(keys) if not _is_constant(key))
        self.selects.append(
            f"SELECT {', '.join(columns)} FROM {source}{f' GROUP BY {by}' if group and by else ''}"
        )


def _is_constant(key: str) -> bool:
    return key == "NULL" or key.startswith("'")


def cell_of(keys: list[str], prefix: str = "") -> list[str]:
    """Arm, epoch, campaign."""
    return [f"{prefix}lo", *(f"{prefix}{key}" if key in keys else "NULL" for key in ("ep", "cp"))]
