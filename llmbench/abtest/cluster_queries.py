"""What is summed over clusters: products of cells' counts, and how many clusters there are.

A unit without a cluster is one of its own; its products are added to the others' by a SELECT of their own.
"""

from __future__ import annotations

from collections.abc import Sequence

from llmbench.abtest.layout import Layout
from llmbench.abtest.union import Union, What, cell_of

__all__ = ["NO_SEGMENT", "add_clusters"]

NO_SEGMENT = "(none)"
_REPLIED = "x"


def add_clusters(union: Union, layout: Layout, keys: list[str]) -> None:
    """Products for the effect, its segments, the unwanted events, and the cost per reply."""
    if not layout.source.cluster:
        return
    cluster = f"a{layout.attribute(layout.source.cluster)}"
    cell = [key for key in cell_of(keys) if key != "NULL"]
    add = _Adder(union, cluster, keys)
    add.products(What.CLUSTERS, cell, _REPLIED)
    add.shared(What.CLUSTER_ARMS)
    for name in layout.source.segments:
        i = layout.attribute(name)
        segment = f"COALESCE(a{i}, '{NO_SEGMENT}')"
        add.products(What.SEGMENT_CLUSTERS, cell, _REPLIED, f"'{i}'", segment)
        add.shared(What.SEGMENT_CLUSTER_ARMS, f"'{i}'", segment)
    for i in range(len(layout.source.guardrails)):
        hit = f"CASE WHEN r{i + 1} > 0 THEN 1 ELSE 0 END"
        add.products(What.GUARDRAIL_CLUSTERS, cell, hit, f"'{i}'")
    add.costs()
    union.add(
        What.NO_CLUSTER, cell_of(keys), ["COUNT(*)", "SUM(x)"], f"lb_units WHERE st = 0 AND {cluster} IS NULL"
    )


class _Adder:
    """Adds the SELECTs of one column of clusters."""

    def __init__(self, union: Union, cluster: str, keys: list[str]) -> None:
        self._union = union
        self._cluster = cluster
        self._keys = keys

    def products(self, what: What, cell: Sequence[str], y: str, label: str = "", segment: str = "") -> None:
        """Sums over clusters of n · n, n · y and y · y between the cells, within each segment."""
        tail = [label] if label else []
        whole = self._grouped(cell, ["COUNT(*) AS n", f"SUM({y}) AS y"], segment)
        self._union.add(
            what,
            [
                *cell_of(self._keys, "p_"),
                *cell_of(self._keys, "q_"),
                *tail,
                *(["p_sg"] if segment else []),
            ],
            [
                "COUNT(*)", "SUM(CAST(p_n AS DOUBLE) * q_n)", "SUM(CAST(p_n AS DOUBLE) * q_y)",
                "SUM(CAST(p_y AS DOUBLE) * q_y)",
            ],
            self._pairs(whole, [*cell, "n", "y"], segment),
        )  # fmt: skip
        own = [*cell_of(self._keys), *cell_of(self._keys), *tail, *(["sg"] if segment else [])]
        sums = ["COUNT(*)", "COUNT(*)", f"SUM({y})", f"SUM({y})"]
        self._union.add(what, own, sums, self._alone(segment))

    def shared(self, what: What, label: str = "", segment: str = "") -> None:
        """Clusters that two arms have both units in, whatever the stratum; an arm with itself: its own."""
        tail = [label] if label else []
        whole = self._grouped(["lo"], ["COUNT(*) AS n"], segment)
        shown = ["p_lo", "q_lo", *tail, *(["p_sg"] if segment else [])]
        self._union.add(what, shown, ["COUNT(*)"], self._pairs(whole, ["lo"], segment))
        own = ["lo", "lo", *tail, *(["sg"] if segment else [])]
        self._union.add(what, own, ["COUNT(*)"], self._alone(segment))

    def costs(self) -> None:
        """Sums over the clusters of an arm, of units whose cost is known."""
        sums = ["COUNT(*) AS n", "SUM(x) AS y", "SUM(c) AS c"]
        known = f"lb_units WHERE st = 0 AND known = 1 AND {self._cluster}"
        whole = f"SELECT lo, {', '.join(sums)} FROM {known} IS NOT NULL GROUP BY lo, {self._cluster}"
        n, y = "CAST(n AS DOUBLE)", "CAST(y AS DOUBLE)"
        numbers = ["COUNT(*)", f"SUM({n} * n)", f"SUM({y} * y)", "SUM(c * c)"]
        numbers += [f"SUM({n} * y)", f"SUM({n} * c)", f"SUM({y} * c)"]
        self._union.add(What.CLUSTER_COSTS, ["lo"], numbers, f"({whole}) AS costed")
        alone = ["COUNT(*)", "COUNT(*)", "SUM(x)", "SUM(c * c)", "SUM(x)", "SUM(c)", "SUM(x * c)"]
        self._union.add(What.CLUSTER_COSTS, ["lo"], alone, f"{known} IS NULL")

    def _alone(self, segment: str) -> str:
        """Units without a cluster."""
        chosen = f"lb_units WHERE st = 0 AND {self._cluster} IS NULL"
        # Not every dialect finds an expression of GROUP BY again inside of another one.
        return f"(SELECT *, {segment} AS sg FROM {chosen}) AS alone" if segment else chosen

    def _grouped(self, keys: Sequence[str], sums: Sequence[str], segment: str) -> str:
        by = [f"{self._cluster}", *keys]
        shown = [f"{self._cluster} AS cl", *keys]
        if segment:
            by.append(segment)
            shown.append(f"{segment} AS sg")
        return (
            f"SELECT {', '.join([*shown, *sums])} FROM lb_units WHERE st = 0 AND {self._cluster} IS NOT NULL "
            f"GROUP BY {', '.join(by)}"
        )

    @staticmethod
    def _pairs(whole: str, names: Sequence[str], segment: str) -> str:
        columns = [*names, "sg"] if segment else names
        sides = [f"{side}.{name} AS {side}_{name}" for side in ("p", "q") for name in columns]
        same = "q.cl = p.cl" + (" AND q.sg = p.sg" if segment else "")
        return f"(SELECT {', '.join(sides)} FROM ({whole}) AS p JOIN ({whole}) AS q ON {same}) AS pairs"
