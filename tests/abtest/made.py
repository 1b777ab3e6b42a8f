"""Counts of experiments that never were, unit by unit, with a truth that is known."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from llmbench.abtest.counts import (
    AssignedCounts,
    AssignedDayCounts,
    ClusterCosts,
    ClusterProducts,
    ContextCounts,
    CostCounts,
    Counts,
    DayCounts,
    Excluded,
    GuardrailCounts,
    SegmentCounts,
    UnitSums,
)

START = date(2026, 9, 1)


def units_of(
    rates: Mapping[str, float],
    n: int,
    *,
    weights: Sequence[Mapping[str, float]] = ({"gpt-4o": 0.1, "mixtral": 0.9},),
    costs: Mapping[str, float] | None = None,
    days: int = 60,
    drift: float = 0.0,
    clusters: int = 0,
    spread: float = 0.0,
    messages: int = 3,
    other: float = 0.01,
    segment_effect: float = 1.0,
    complaint: float = 0.01,
    seed: int = 1,
) -> list[dict[str, Any]]:
    """One dict a unit; strata are as many equal spans of time as there are `weights`."""
    rng = np.random.default_rng(seed)
    found = []
    bad = rng.beta(0.03 / max(spread, 1e-9), 0.97 / max(spread, 1e-9), size=max(1, clusters)) / 0.03
    draws = rng.random((n, 6))
    sent_of = rng.integers(1, messages + 1, size=n)
    cluster_of = rng.integers(max(1, clusters), size=n)
    noise = rng.lognormal(0, 0.2, size=n)
    for unit in range(n):
        share = unit / n
        epoch = min(int(share * len(weights)), len(weights) - 1)
        arms = list(weights[epoch])
        limits = np.cumsum(list(weights[epoch].values()))
        arm = arms[min(int(np.searchsorted(limits, draws[unit, 0], side="right")), len(arms) - 1)]
        segment = "saas" if draws[unit, 1] < 0.5 else "retail" if draws[unit, 1] < 0.8 else "health"
        cluster = int(cluster_of[unit]) if clusters else None
        rate = rates[arm] * (1 + drift * share)
        if segment == "retail" and arm == "mixtral":
            rate *= segment_effect
        if cluster is not None and spread:
            rate = min(1.0, rate * bad[cluster])
        sent = int(sent_of[unit])
        found.append(
            {
                "arm": arm,
                "stratum": f"epoch {epoch + 1}" if len(weights) > 1 else "",
                "probability": weights[epoch][arm],
                "day": int(share * days),
                "cluster": cluster,
                "segment": segment,
                "messages": sent,
                "replied": bool(draws[unit, 2] < rate),
                "extra": int(draws[unit, 3] < 0.2),
                "cost": None if costs is None else costs[arm] * sent * float(noise[unit]),
                "other": int(draws[unit, 4] < other),
                "complaint": bool(draws[unit, 5] < complaint),
                "fold": unit % 5,
            }
        )
    return found


def counted(
    units: Sequence[Mapping[str, Any]],
    *,
    days: int = 60,
    window: float = 14.0,
    as_of: int | None = None,
    experiment_id: str = "mail-7",
    simulated: bool = True,
    with_weights: bool = True,
    buckets: int = 20,
) -> Counts:
    """Counts as of day `as_of` (default: all units are mature)."""
    today = days + math.ceil(window) if as_of is None else as_of
    known = [u for u in units if u["day"] < today]
    mature = [u for u in known if u["day"] + window <= today]
    cells = sorted({(u["arm"], u["stratum"]) for u in known})
    now = datetime(START.year, START.month, START.day, tzinfo=UTC) + timedelta(days=today)
    clustered = any(u["cluster"] is not None for u in mature)
    return Counts(
        experiment_id=experiment_id,
        as_of=now,
        window_days=window,
        arms=tuple(_sums(arm, stratum, mature) for arm, stratum in cells),
        assigned=tuple(_assigned(arm, stratum, known, with_weights=with_weights) for arm, stratum in cells),
        days=tuple(_days(known, mature)),
        assigned_days=tuple(
            AssignedDayCounts(arm, stratum, START + timedelta(days=day), n)
            for (arm, stratum, day), n in sorted(
                Counter((u["arm"], u["stratum"], u["day"]) for u in known).items()
            )
        ),
        clusters=tuple(_products(mature)) if clustered else (),
        segment_clusters={
            ("industry", name): tuple(_products([u for u in mature if u["segment"] == name]))
            for name in sorted({u["segment"] for u in mature} if clustered else ())
        },
        guardrail_clusters={"complaints": tuple(_products(mature, "complaint"))} if clustered else {},
        cluster_costs=tuple(_cluster_costs(mature)) if clustered else (),
        segments=tuple(
            SegmentCounts("industry", s, a, e, n, x)
            for (s, a, e), (n, x) in _tally(mature, ("segment", "arm", "stratum"), "replied").items()
        ),
        guardrails=tuple(
            GuardrailCounts("complaints", a, e, n, x)
            for (a, e), (n, x) in _tally(mature, ("arm", "stratum"), "complaint").items()
        ),
        costs=tuple(_costs(mature, buckets)),
        contexts=tuple(_contexts(mature)),
        excluded=(Excluded("not mature yet", len(known) - len(mature)),),
        data_until=now,
        inputs={},
        simulated=simulated,
    )


def write_tables(units: Sequence[Mapping[str, Any]], folder: Path) -> dict[str, Any]:
    """The same units as files, and the notebook's parameters that read them."""
    import pandas as pd

    start = datetime(START.year, START.month, START.day, 12, tzinfo=UTC)
    sends, replies, assignments = [], [], []
    for number, u in enumerate(units):
        at = start + timedelta(days=u["day"])
        unit = f"u{number}"
        assignments.append(
            {
                "unit_id": unit,
                "arm": u["arm"],
                "assigned_at": at - timedelta(minutes=5),
                "epoch": u["stratum"],
                "probability": u["probability"],
            }
        )
        sends += [
            {
                "message_id": f"{unit}-{m}",
                "unit_id": unit,
                "sent_at": at + timedelta(days=m),
                "served_model": "llama" if u["other"] and not m else u["arm"],
                "cost_usd": None if u["cost"] is None else u["cost"] / u["messages"],
                "industry": u["segment"],
                "complaint": bool(u["complaint"] and not m),
                "simulated": True,
            }
            for m in range(u["messages"])
        ]
        replies += [
            {"unit_id": unit, "replied_at": at + timedelta(days=4 + k), "kind": "human"}
            for k in range(u["replied"] * (1 + u["extra"]))
        ]
        if number % 40 == 0:
            replies.append({"unit_id": unit, "replied_at": at + timedelta(hours=1), "kind": "auto-reply"})
    for name, rows in (("sends", sends), ("replies", replies), ("assignments", assignments)):
        pd.DataFrame(rows).to_parquet(folder / f"{name}.parquet")
    epochs = len({u["stratum"] for u in units}) > 1
    return {
        "experiment_id": "mail-7",
        "sends": str(folder / "sends.parquet"),
        "replies": str(folder / "replies.parquet"),
        "assignments": str(folder / "assignments.parquet"),
        "unit_column": "unit_id",
        "delivered_column": "",
        "epoch_column": "epoch" if epochs else "",
        "guardrails": ["complaint"],
        "guardrail_source": "",
        "guardrail_margins": {"complaint": 2.0},
        "segments": ["industry"],
        "contexts": ["industry"],
        "cluster": "",
    }


def _sums(arm: str, stratum: str, mature: Sequence[Mapping[str, Any]]) -> UnitSums:
    mine = [u for u in mature if u["arm"] == arm and u["stratum"] == stratum]
    m = np.array([u["messages"] for u in mine], dtype=float)
    x = np.array([u["replied"] for u in mine], dtype=float)
    r = np.array([u["replied"] * (1 + u["extra"]) for u in mine], dtype=float)
    costed = [u for u in mine if u["cost"] is not None]
    c = np.array([u["cost"] for u in costed], dtype=float)
    cx = np.array([u["replied"] for u in costed], dtype=float)
    return UnitSums(
        arm, stratum, len(mine), int(x.sum()), int(m.sum()), int(r.sum()), float(m @ m), float(r @ r),
        float(m @ r), len(costed), int(cx.sum()), float(c.sum()), float(c @ c), float(c @ cx),
        sum(u["other"] for u in mine),
    )  # fmt: skip


def _assigned(
    arm: str, stratum: str, known: Sequence[Mapping[str, Any]], *, with_weights: bool
) -> AssignedCounts:
    mine = [u for u in known if u["arm"] == arm and u["stratum"] == stratum]
    last = datetime(START.year, START.month, START.day, tzinfo=UTC) + timedelta(
        days=max(u["day"] for u in mine)
    )
    return AssignedCounts(arm, stratum, len(mine), mine[0]["probability"] if with_weights else None, last)


def _days(known: Sequence[Mapping[str, Any]], mature: Sequence[Mapping[str, Any]]) -> list[DayCounts]:
    keys = ("arm", "stratum", "day")
    started = Counter(tuple(u[k] for k in keys) for u in known)
    tallied = _tally(mature, keys, "replied")
    found = []
    for (arm, stratum, day), number in sorted(started.items()):
        n, x = tallied.get((arm, stratum, day), (0, 0))
        found.append(DayCounts(arm, stratum, START + timedelta(days=day), n, x, n * 2, 0.0, number))
    return found


def _products(mature: Sequence[Mapping[str, Any]], what: str = "replied") -> list[ClusterProducts]:
    cells = sorted({(u["arm"], u["stratum"]) for u in mature})
    names = {name: number for number, name in enumerate(sorted({u["cluster"] for u in mature}))}
    n = np.zeros((len(names), len(cells)))
    x = np.zeros_like(n)
    for u in mature:
        at = names[u["cluster"]], cells.index((u["arm"], u["stratum"]))
        n[at] += 1
        x[at] += u[what]
    arms = {arm: sum(n[:, i] for i, cell in enumerate(cells) if cell[0] == arm) > 0 for arm, _ in cells}
    return [
        ClusterProducts(
            *one, *two, int(((n[:, i] > 0) & (n[:, j] > 0)).sum()), float(n[:, i] @ n[:, j]),
            float(n[:, i] @ x[:, j]), float(x[:, i] @ x[:, j]),
            int((arms[one[0]] | arms[two[0]]).sum()),
        )
        for i, one in enumerate(cells)
        for j, two in enumerate(cells)
    ]  # fmt: skip


def _cluster_costs(mature: Sequence[Mapping[str, Any]]) -> list[ClusterCosts]:
    found = []
    for arm in sorted({u["arm"] for u in mature}):
        sums: dict[Any, Any] = {}
        for u in mature:
            if u["arm"] == arm and u["cost"] is not None:
                sums[u["cluster"]] = sums.get(u["cluster"], 0) + np.array([1.0, u["replied"], u["cost"]])
        if sums:
            n, x, c = np.array(list(sums.values())).T
            found.append(ClusterCosts(arm, len(sums), n @ n, x @ x, c @ c, n @ x, n @ c, x @ c))
    return found


def _costs(mature: Sequence[Mapping[str, Any]], buckets: int) -> list[CostCounts]:
    found: list[CostCounts] = []
    groups: dict[tuple[str, str, bool], list[float | None]] = {}
    for u in mature:
        groups.setdefault((u["arm"], u["stratum"], u["replied"]), []).append(u["cost"])
    for (arm, stratum, replied), values in sorted(groups.items()):
        known = sorted(v for v in values if v is not None)
        parts = np.array_split(np.array(known), min(buckets, max(1, len(known))))
        found += [CostCounts(arm, stratum, replied, len(p), float(p.mean())) for p in parts if len(p)]
        if len(known) < len(values):
            found.append(CostCounts(arm, stratum, replied, len(values) - len(known), None))
    return found


def _contexts(mature: Sequence[Mapping[str, Any]]) -> list[ContextCounts]:
    groups: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
    for u in mature:
        groups.setdefault((u["segment"], u["arm"], u["probability"], u["fold"], u["replied"]), []).append(u)
    return [
        ContextCounts(
            {"industry": segment},
            arm,
            probability,
            fold,
            replied,
            len(mine),
            sum(u["messages"] for u in mine),
            None if any(u["cost"] is None for u in mine) else sum(u["cost"] for u in mine),
        )
        for (segment, arm, probability, fold, replied), mine in sorted(groups.items())
    ]


def _tally(
    units: Sequence[Mapping[str, Any]], keys: Sequence[str], what: str
) -> dict[tuple[Any, ...], tuple[int, int]]:
    found: dict[tuple[Any, ...], tuple[int, int]] = {}
    for u in units:
        key = tuple(u[k] for k in keys)
        n, x = found.get(key, (0, 0))
        found[key] = (n + 1, x + int(u[what]))
    return dict(sorted(found.items()))
