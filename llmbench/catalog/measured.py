"""Serving throughputs that others measured, as facts with their source."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from llmbench.catalog.fact_files import read_facts
from llmbench.catalog.gpus import gpu_facts
from llmbench.errors import UsageError
from llmbench.shown import shown

__all__ = ["MeasuredRow", "measured_gpus", "measured_sources", "measured_throughput"]

_COLUMNS = 12


@shown
class MeasuredRow(NamedTuple):
    """One measured operating point; None is not stated."""

    gpu: str
    n_gpu: int
    model: str
    dtype: str | None
    """None: the model's published one is taken."""
    engine: str
    engine_version: str | None
    input_tokens: float | None
    output_tokens: float | None
    concurrency: float | None
    """Requests in flight; None: as many as the engine takes, or said in words only."""
    output_tokens_per_s: float | None
    """Over all GPUs."""
    ttft_ms: float | None
    tpot_ms: float | None
    source: str
    """The short name of where it stands."""


@cache
def _sources() -> tuple[dict[str, str], ...]:
    found: list[dict[str, str]] = read_facts("throughput")["source"]
    return tuple(found)


@cache
def measured_sources() -> dict[str, str]:
    """Where each source stands, by its short name.

    >>> measured_sources()["mlperf-5.1"]
    'mlcommons/inference_results_v5.1@965182b, closed division'
    """
    return {source["name"]: source["where"] for source in _sources()}


@cache
def measured_throughput() -> tuple[MeasuredRow, ...]:
    """Every row of the catalog, in the order of its sources.

    >>> len(measured_throughput())
    922
    """
    return tuple(
        _row(line, source["name"]) for source in _sources() for line in source["rows"].strip().splitlines()
    )


def _row(line: str, source: str) -> MeasuredRow:
    cells = line.split()
    if len(cells) != _COLUMNS:
        raise UsageError(f"A measured row of {source} has {len(cells)} columns, not {_COLUMNS}: {line!r}.")
    gpu, n_gpu, model, dtype, engine, version, read, written, flight, rate, first, each = cells
    return MeasuredRow(
        gpu=gpu,
        n_gpu=int(n_gpu),
        model=model,
        dtype=None if dtype == "-" else dtype,
        engine=engine,
        engine_version=None if version == "-" else version,
        input_tokens=_number(read),
        output_tokens=_number(written),
        concurrency=None if flight == "words" else _number(flight),
        output_tokens_per_s=_number(rate),
        ttft_ms=_number(first),
        tpot_ms=_number(each),
        source=source,
    )


def _number(cell: str) -> float | None:
    return None if cell == "-" else float(cell)


@cache
def measured_gpus() -> frozenset[str]:
    """The catalog's names of the GPUs that at least one row was measured on."""
    return frozenset(gpu_facts(row.gpu).name for row in measured_throughput())
