"""How often the decision of a migration errs: real reports' data, real gates, real verdicts, counted.

One migration is drawn once per report and level of its gates; every scenario puts these together. So
scenarios share draws, and each by itself is a sample of independent migrations.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

from llmbench.decision import GateBook, Source, SourceState, decide, judge_gate, read_gates
from llmbench.decision.gates import STAGES
from llmbench.results import Decision, ResultEnvelope, Spend, Verdict
from llmbench.stats import sequential_inflation
from tests.decisions.migrations import Level, ab_data, matrix_data, money_data, product_of
from tests.decisions.worlds import SEED

GATES = Path(__file__).parent / "gates.toml"
TODAY = date(2026, 11, 2)
AT_EDGE = ("quality", "missing", "replies", "value", "saving")
"""Gates that have a truth which can lie on the threshold."""

_REPORTS: Mapping[str, tuple[str, ...]] = {
    "model_matrix": ("quality", "missing"),
    "ab_test": ("replies", "value"),
    "break_even": ("saving",),
}


def scenarios() -> dict[str, dict[str, Level]]:
    """By name, the level of each gate."""
    found: dict[str, dict[str, Level]] = {
        f"{name} at its threshold": {gate: "edge" if gate == name else "clear" for gate in AT_EDGE}
        for name in AT_EDGE
    }
    # An experiment that ends as soon as replies are shown ends at a moment that favours their value.
    found["value at its threshold, replies as planned"] = {
        gate: "edge" if gate == "value" else "planned" if gate == "replies" else "clear" for gate in AT_EDGE
    }
    found["all at their thresholds"] = dict.fromkeys(AT_EDGE, "edge")
    good: dict[str, Level] = dict.fromkeys(AT_EDGE, "planned")
    found["as good as planned"] = good | {"saving": "clear"}
    return found


@dataclass
class Tally:
    """What was decided of the migrations of one scenario."""

    runs: int = 0
    decisions: Counter[str] = field(default_factory=Counter)
    alone: int = 0
    """Some gate failed by its own interval: NO_GO, were fails not held together."""
    states: Counter[tuple[str, str]] = field(default_factory=Counter)

    @property
    def go(self) -> int:
        return self.decisions[Decision.GO] + self.decisions[Decision.GO_WITH_CONDITIONS]

    @property
    def no_go(self) -> int:
        return self.decisions[Decision.NO_GO]

    def add(self, other: Tally) -> None:
        self.runs += other.runs
        self.alone += other.alone
        self.decisions.update(other.decisions)
        self.states.update(other.states)


@dataclass
class Operating:
    """Tallies by scenario, and how often the range of a saving covers the truth."""

    tallies: dict[str, Tally]
    covered: int = 0
    drawn: int = 0


@cache
def _book() -> GateBook:
    return read_gates(GATES)


@cache
def _inflation(fractions: tuple[float, ...], **options: Any) -> float:
    return sequential_inflation(list(fractions), **options)


@contextmanager
def _nothing_twice() -> Iterator[None]:
    """Without what takes most of the time and changes no decision: the other analyses, which are not in
    `data` (Fisher's exact test of 100,000 leads takes a second), and one plan's inflation made again.
    """

    def inflation(fractions: Sequence[float], **options: Any) -> float:
        return _inflation(tuple(fractions), **options)

    with (
        patch("llmbench.abtest.analysis.other_analyses", return_value=[]),
        patch("llmbench.stats.sequential_inflation", inflation),
    ):
        yield


def observe(first: int, last: int) -> Operating:
    """Migrations number `first` up to before `last`."""
    found = Operating({name: Tally() for name in scenarios()})
    with _nothing_twice():
        for migration in range(first, last):
            _one(migration, found)
    return found


def observe_all(migrations: int, processes: int = 1, at_once: int = 50) -> Operating:
    """The same of migrations 0 to `migrations`, on several processes."""
    starts = range(0, migrations, at_once)
    ends = [min(start + at_once, migrations) for start in starts]
    if processes == 1:
        parts: Sequence[Operating] = [observe(a, b) for a, b in zip(starts, ends, strict=True)]
    else:
        with ProcessPoolExecutor(processes, get_context("spawn")) as pool:
            parts = list(pool.map(observe, starts, ends))
    total = Operating({name: Tally() for name in scenarios()})
    for part in parts:
        for name, tally in part.tallies.items():
            total.tallies[name].add(tally)
        total.covered += part.covered
        total.drawn += part.drawn
    return total


def _one(migration: int, found: Operating) -> None:
    drawn: dict[tuple[Any, ...], tuple[Source, str]] = {}
    for name, levels in scenarios().items():
        sources: dict[str, tuple[Source, str]] = {}
        for number, (report, gates) in enumerate(_REPORTS.items()):
            at = tuple(levels[gate] for gate in gates)
            if (report, at) not in drawn:
                place = [("edge", "clear", "planned").index(level) for level in at]
                rng = np.random.default_rng([SEED, 2, migration, number, *place])
                drawn[report, at] = _report(report, migration, at, rng, found)
            sources[report] = drawn[report, at]
        _judge(found.tallies[name], sources)


def _report(
    report: str, migration: int, at: tuple[Level, ...], rng: np.random.Generator, found: Operating
) -> tuple[Source, str]:
    of, plan = product_of(migration)
    candidate = "candidate"
    if report == "model_matrix":
        data, candidate = matrix_data(of, plan.units["items"], at[0], at[1], rng)
    elif report == "ab_test":
        data = ab_data(of, plan.units["leads"], at[0], at[1], rng)
    else:
        data, covered = money_data(of, at[0], rng)
        if covered is not None:
            found.covered += covered
            found.drawn += 1
    return _source(report, data), candidate


def _source(report: str, data: Mapping[str, Any]) -> Source:
    envelope = ResultEnvelope(
        report=report, title=report, verdict=Verdict(Decision.HOLD, "simulated"), parameters={}, inputs=(),
        workload_sha256=None, baseline="baseline", candidate="candidate", price_book=None,
        generated_at=f"{TODAY}T00:00:00+00:00", data_until=f"{TODAY}T00:00:00+00:00", llmbench_version="0",
        git_commit=None, seed=SEED, spend=Spend(None, None), data=data,
    )  # fmt: skip
    return Source(report, SourceState.USED, "", data_until=envelope.data_until, envelope=envelope)


def _judge(tally: Tally, sources: Mapping[str, tuple[Source, str]]) -> None:
    results = []
    for gate in _book().of("any", STAGES[-1]):
        source, candidate = sources[gate.metric.source]
        results.append(judge_gate(gate, source, TODAY, candidate=candidate))
    verdict = decide(results, stage="full", candidate="candidate")
    tally.runs += 1
    tally.decisions[verdict.decision] += 1
    tally.alone += any(each.state == "fail" for each in results)
    tally.states.update((each.gate.name, each.state) for each in results)
