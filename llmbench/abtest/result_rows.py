"""The rows of the one statement, as the tuples of `Counts`."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple

from llmbench.abtest.cluster_queries import NO_SEGMENT
from llmbench.abtest.counts import (
    AssignedCounts,
    AssignedDayCounts,
    ContextCounts,
    CostCounts,
    DayCounts,
    GuardrailCounts,
    SegmentCounts,
    UnitSums,
)
from llmbench.abtest.layout import Layout
from llmbench.abtest.union import What, key_count
from llmbench.errors import UsageError

__all__ = ["ResultRow", "ResultRows"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MOST_SEGMENTS = 200
_MOST_CONTEXTS = 100_000
_NONE = NO_SEGMENT


class ResultRow(NamedTuple):
    """One row of the result: its keys, and its numbers."""

    keys: Sequence[str | None]
    numbers: Sequence[Any]

    def whole(self, place: int) -> int:
        """A count; an empty sum is 0."""
        value = self.numbers[place]
        return 0 if value is None else round(value)

    def real(self, place: int) -> float:
        """A sum."""
        value = self.numbers[place]
        return 0.0 if value is None else float(value)


class ResultRows:
    """Reads the rows by what they are about."""

    def __init__(self, rows: Iterable[Sequence[Any]], layout: Layout, arms: Sequence[str]) -> None:
        self.layout = layout
        self._arms = arms
        n_keys = key_count(layout)
        self._by: dict[int, list[ResultRow]] = {}
        for row in rows:
            self._by.setdefault(int(row[0]), []).append(ResultRow(row[1 : 1 + n_keys], row[1 + n_keys :]))
        cells = [(row.keys[1], row.keys[2]) for row in self._by.get(What.ASSIGNED, [])]
        self._epochs = len({epoch for epoch, _ in cells}) > 1
        self._campaigns = len({campaign for _, campaign in cells}) > 1

    def of(self, what: What) -> list[ResultRow]:
        """The rows about `what`."""
        return self._by.get(what, [])

    def arm(self, key: str | None) -> str:
        """The arm of a number."""
        return self._arms[int(key or 0)]

    def _stratum(self, epoch: str | None, campaign: str | None) -> str:
        parts = [epoch or _NONE] if self._epochs else []
        parts += [campaign or _NONE] if self._campaigns else []
        return " | ".join(parts)

    def cell(self, row: ResultRow, start: int = 0) -> tuple[str, str]:
        """Arm and stratum, from three keys."""
        arm, epoch, campaign = row.keys[start : start + 3]
        return self.arm(arm), self._stratum(epoch, campaign)

    def units(self) -> tuple[UnitSums, ...]:
        """Sums over the mature units, by arm and stratum; an arm that has none yet is there with zeros."""
        has_served = self.layout.get("sends", "served_model") is not None
        known = has_served and any(row.whole(13) for row in self.of(What.UNITS))
        found = {}
        for row in self.of(What.UNITS):
            whole, real = row.whole, row.real
            found[self.cell(row)] = UnitSums(
                *self.cell(row),
                whole(0), whole(1), whole(2), whole(3), real(4), real(5), real(6), whole(7), whole(8),
                real(9),
                real(10), real(11), whole(12) if known else None,
            )  # fmt: skip
        for each in self.assigned():
            empty = UnitSums(
                each.arm, each.stratum, 0, 0, 0, 0, 0.0, 0.0, 0.0, 0, 0, 0.0, 0.0, 0.0, 0 if known else None
            )
            found.setdefault((each.arm, each.stratum), empty)
        return tuple(found[cell] for cell in sorted(found))

    def assigned(self) -> tuple[AssignedCounts, ...]:
        """What the split is judged by."""
        weights = self._weights()
        rows = []
        epochs = {}
        for row in self.of(What.ASSIGNED):
            arm, stratum = self.cell(row)
            epochs[stratum] = row.keys[1]
            weight = weights(arm, stratum, row.keys[1])
            rows.append(AssignedCounts(arm, stratum, row.whole(0), weight, _instant(row.numbers[1])))
        there = {(row.arm, row.stratum) for row in rows}
        # An arm with a weight that got nobody is the worst of splits, so it must be seen.
        for stratum, epoch in epochs.items():
            rows += [
                AssignedCounts(arm, stratum, 0, weight, None)
                for arm in self._given(epoch)
                if (arm, stratum) not in there and (weight := weights(arm, stratum, epoch))
            ]
        return tuple(sorted(rows, key=lambda row: row[:2]))

    def assigned_days(self) -> tuple[AssignedDayCounts, ...]:
        """By day of assignment, where that is recorded."""
        return tuple(
            sorted(
                AssignedDayCounts(
                    *self.cell(row), date(1970, 1, 1) + timedelta(days=int(row.keys[3] or 0)), row.whole(0)
                )
                for row in self.of(What.ASSIGNED_DAYS)
            )
        )

    def _given(self, epoch: str | None) -> Mapping[str, float]:
        """The weights that the source's parameters name."""
        source = self.layout.source
        if not source.epochs:
            return source.weights
        return {each.start: each.weights for each in source.epochs}.get(epoch or "", {})

    def _weights(self) -> Any:
        source = self.layout.source
        of_rows: dict[tuple[str, str], tuple[float, float]] = {}
        for row in self.of(What.WEIGHTS):
            if row.numbers[0] is None:
                continue
            cell = self.cell(row)
            low, high = of_rows.get(cell, (math.inf, -math.inf))
            of_rows[cell] = (min(low, row.real(0)), max(high, row.real(1)))
        for (arm, stratum), (low, high) in of_rows.items():
            if high - low > 1e-9:
                where = f" of {stratum}" if stratum else ""
                raise UsageError(
                    f"The arm {arm!r}{where} has probabilities from {low:g} to {high:g}: weights "
                    "changed within "
                    "it; name the column of the epoch (epoch=), or give epochs= by day."
                )

        def weight(arm: str, stratum: str, epoch: str | None) -> float | None:
            given = self._given(epoch)
            if given:
                if arm not in given:
                    if not source.epochs:
                        raise UsageError(
                            f"weights name no weight of the arm {arm!r}; they have "
                            f"{', '.join(sorted(given))}."
                        )
                    return 0.0
                return given[arm] / sum(given.values())
            found = of_rows.get((arm, stratum))
            return None if found is None else found[0]

        return weight

    def days(self) -> tuple[DayCounts, ...]:
        """By day of the first message."""
        return tuple(
            sorted(
                DayCounts(
                    *self.cell(row), date(1970, 1, 1) + timedelta(days=int(row.keys[3] or 0)),
                    row.whole(0), row.whole(1), row.whole(2), row.real(3), row.whole(4),
                )
                for row in self.of(What.DAYS)
            )
        )  # fmt: skip

    def segments(self) -> tuple[SegmentCounts, ...]:
        """By value of each segment column. Raises UsageError for one with too many values."""
        names = [each.name for each in self.layout.attributes]
        rows = [
            SegmentCounts(
                names[int(row.keys[3] or 0)],
                row.keys[4] or _NONE,
                *self.cell(row),
                row.whole(0),
                row.whole(1),
            )
            for row in self.of(What.SEGMENTS)
        ]
        for name in self.layout.source.segments:
            values = {row.segment for row in rows if row.column == name}
            if len(values) > _MOST_SEGMENTS:
                raise UsageError(
                    f"The segment column {name!r} has {len(values):,} different values; name one with "
                    "at most "
                    f"{_MOST_SEGMENTS}."
                )
        return tuple(sorted(rows))

    def guardrails(self) -> tuple[GuardrailCounts, ...]:
        """Unwanted events."""
        names = [each.name for each in self.layout.source.guardrails]
        return tuple(
            sorted(
                GuardrailCounts(names[int(row.keys[3] or 0)], *self.cell(row), row.whole(0), row.whole(1))
                for row in self.of(What.GUARDRAILS)
            )
        )

    def costs(self) -> tuple[CostCounts, ...]:
        """Buckets of like cost."""
        rows = []
        for row in self.of(What.COSTS):
            units = row.whole(0)
            mean = None if row.keys[4] is None else row.real(1) / units
            rows.append(CostCounts(*self.cell(row), _is_one(row.keys[3]), units, mean))
        return tuple(sorted(rows, key=lambda row: (row[:3], row.cost_usd is None, row.cost_usd or 0.0)))

    def contexts(self) -> tuple[ContextCounts, ...]:
        """What a policy may look at. Raises UsageError for columns with too many values together."""
        names = self.layout.source.contexts
        found = self.of(What.CONTEXTS)
        if len(found) > _MOST_CONTEXTS:
            raise UsageError(
                f"The contexts {', '.join(names)} have {len(found):,} combinations with arm and "
                "outcome; name "
                "columns with fewer values."
            )
        weights = {(each.arm, each.stratum): each.weight for each in self.assigned()}
        rows = []
        for row in found:
            context = {name: value or _NONE for name, value in zip(names, row.keys[5:], strict=False)}
            cost = None if row.whole(3) else row.real(2)
            rows.append(
                ContextCounts(
                    context, self.cell(row)[0], weights.get(self.cell(row)), int(row.keys[3] or 0),
                    _is_one(row.keys[4]), row.whole(0), row.whole(1), cost,
                )
            )  # fmt: skip
        return tuple(sorted(rows, key=_place_of))

    def data_until(self) -> datetime | None:
        """The newest instant before the cut-off."""
        times = [row.numbers[1] for row in self.of(What.SEND_ROWS) if row.keys[0] in {"0", "1", "2"}]
        times += [row.numbers[1] for row in self.of(What.EVENT_ROWS) if row.keys[1] == "0"]
        return max((found for found in map(_instant, times) if found is not None), default=None)

    def states(self) -> Iterator[tuple[int, ResultRow]]:
        """Units by state."""
        for row in self.of(What.STATES):
            yield int(row.keys[0] or 0), row


def _place_of(row: ContextCounts) -> tuple[object, ...]:
    """In the same order whatever engine counted them: an engine gives groups as it likes."""
    return (
        sorted(row.context.items()), row.arm, row.fold, row.replied,
        -1.0 if row.probability is None else row.probability, row.units, row.messages,
    )  # fmt: skip


def _is_one(key: str | None) -> bool:
    return key == "1"


def _instant(us: Any) -> datetime | None:
    return None if us is None else _EPOCH + timedelta(microseconds=round(us))
