"""The rows about clusters, as the tuples of `Counts`."""

from __future__ import annotations

from collections.abc import Sequence

from llmbench.abtest.cluster_queries import NO_SEGMENT
from llmbench.abtest.counts import ClusterCosts, ClusterProducts
from llmbench.abtest.result_rows import ResultRow, ResultRows
from llmbench.abtest.union import What

__all__ = ["ClusterRows"]


class ClusterRows:
    """Reads them; all are empty where the source names no cluster."""

    def __init__(self, rows: ResultRows) -> None:
        self._rows = rows

    def clusters(self) -> tuple[ClusterProducts, ...]:
        """Products of cells, of all units."""
        return self._products(self._rows.of(What.CLUSTERS), self._rows.of(What.CLUSTER_ARMS))

    def segment_clusters(self) -> dict[tuple[str, str], tuple[ClusterProducts, ...]]:
        """The same of the units of each segment."""
        names = [each.name for each in self._rows.layout.attributes]
        products: dict[tuple[str, str], list[ResultRow]] = {}
        arms: dict[tuple[str, str], list[ResultRow]] = {}
        for what, place, found in (
            (What.SEGMENT_CLUSTERS, 6, products),
            (What.SEGMENT_CLUSTER_ARMS, 2, arms),
        ):
            for row in self._rows.of(what):
                key = names[int(row.keys[place] or 0)], row.keys[place + 1] or NO_SEGMENT
                found.setdefault(key, []).append(row)
        return {key: self._products(rows, arms.get(key, ())) for key, rows in sorted(products.items())}

    def guardrail_clusters(self) -> dict[str, tuple[ClusterProducts, ...]]:
        """The same of each unwanted event."""
        arms = self._rows.of(What.CLUSTER_ARMS)
        found = {}
        for place, each in enumerate(self._rows.layout.source.guardrails):
            rows = [row for row in self._rows.of(What.GUARDRAIL_CLUSTERS) if row.keys[6] == str(place)]
            found[each.name] = self._products(rows, arms)
        return {name: products for name, products in found.items() if products}

    def cluster_costs(self) -> tuple[ClusterCosts, ...]:
        """Products of cost and replies within an arm."""
        sums: dict[str, list[float]] = {}
        for row in self._rows.of(What.CLUSTER_COSTS):
            found = sums.setdefault(self._rows.arm(row.keys[0]), [0.0] * 7)
            for place in range(7):
                found[place] += row.real(place)
        return tuple(ClusterCosts(arm, round(n), *rest) for arm, (n, *rest) in sorted(sums.items()))

    def _products(self, rows: Sequence[ResultRow], arms: Sequence[ResultRow]) -> tuple[ClusterProducts, ...]:
        sums: dict[tuple[str, str, str, str], list[float]] = {}
        for row in rows:
            found = sums.setdefault((*self._rows.cell(row), *self._rows.cell(row, 3)), [0, 0.0, 0.0, 0.0])
            for place in range(4):
                found[place] += row.real(place)
        both: dict[tuple[str, str], int] = {}
        for row in arms:
            pair = self._rows.arm(row.keys[0]), self._rows.arm(row.keys[1])
            both[pair] = both.get(pair, 0) + row.whole(0)
        cells = sorted({key[:2] for key in sums} | {key[2:] for key in sums})

        def either(one: str, other: str) -> int:
            """Clusters with units of one of two arms: those of each, less those of both."""
            if one == other:
                return both.get((one, one), 0)
            return both.get((one, one), 0) + both.get((other, other), 0) - both.get((one, other), 0)

        return tuple(
            ClusterProducts(
                *one, *other, round(found[0]), found[1], found[2], found[3], either(one[0], other[0])
            )
            for one in cells
            for other in cells
            for found in [sums.get((*one, *other), [0, 0.0, 0.0, 0.0])]
        )  # fmt: skip
