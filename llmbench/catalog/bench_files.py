"""Measured rows from the files that load generators leave: `vllm bench serve`, GuideLLM and our own."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from llmbench.catalog.architectures import architecture
from llmbench.catalog.dtypes import dtype_facts
from llmbench.catalog.engines import engine_facts
from llmbench.catalog.gpus import gpu_facts
from llmbench.catalog.measured import MeasuredRow
from llmbench.errors import DatasetError, UsageError

__all__ = ["read_bench_file"]

_MOST_FAILED = 0.05
"""Share of failed requests above which a run says nothing of a healthy server."""
_LOAD_TEST = "llmbench-loadtest/"


class _Run(NamedTuple):
    """What the files tell; None is not told."""

    model: str | None
    read: float | None
    written: float | None
    in_flight: float | None
    tokens_per_s: float | None
    ttft_ms: float | None
    tpot_ms: float | None


def read_bench_file(
    path: str | Path,
    *,
    gpu: str,
    n_gpu: int = 1,
    dtype: str | None = None,
    engine: str = "vllm",
    model: str | None = None,
) -> list[MeasuredRow]:
    """Measured rows of a JSON file of `vllm bench serve --save-result` (or --append-result), of GuideLLM
    or of `llmbench loadtest`, of which only the rates that were carried within the objective count.

    No such file says on what it was measured: `gpu`, `n_gpu`, `dtype` (None: the published one) and `engine`
    do. `model` None is the model that the file names, where the catalog knows its shape.

    A run at a given rate has as many requests in flight as Little's law says. A run without any limit is
    saturated: its concurrency is None, and so is its time to the first token, which is the length of the
    queue and not the server's. Only successful requests count.

    Raises DatasetError for a file that is none of these, or in which more than 5% of the requests failed;
    UsageError for names that the catalog does not know.
    """
    where = Path(path)
    try:
        text = where.read_text(encoding="utf-8")
        found = _documents(text)
    except (OSError, ValueError, RecursionError) as error:
        said = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise DatasetError(
            f"{where.name} cannot be read as JSON ({said}); give the file that the run saved."
        ) from error
    count: object = n_gpu  # a notebook's parameter may hold anything
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise UsageError(f"n_gpu of {where.name} must be a whole number of at least 1, not {n_gpu!r}.")
    card, server = gpu_facts(gpu).name, engine_facts(engine).name
    number = None if dtype is None else dtype_facts(dtype).name
    rows = []
    for document in found:
        for run in _runs(document, where.name):
            if run.tokens_per_s is not None and run.tokens_per_s <= 0:
                raise DatasetError(f"{where.name} holds a run of {run.tokens_per_s:g} tokens a second.")
            named = model or run.model
            if named is None:
                raise DatasetError(f"{where.name} does not name its model; give model=.")
            rows.append(
                MeasuredRow(
                    gpu=card,
                    n_gpu=n_gpu,
                    model=architecture(named).name,
                    dtype=number,
                    engine=server,
                    engine_version=None,
                    input_tokens=run.read,
                    output_tokens=run.written,
                    concurrency=run.in_flight,
                    output_tokens_per_s=run.tokens_per_s,
                    ttft_ms=_time(run.ttft_ms),
                    tpot_ms=_time(run.tpot_ms),
                    source=where.name,
                )
            )
    if not rows:
        raise DatasetError(f"{where.name} holds no run; give the file that the run saved.")
    return rows


def _documents(text: str) -> list[Any]:
    """One JSON value, or one a line as --append-result writes them."""
    try:
        return [json.loads(text)]
    except json.JSONDecodeError:
        return [json.loads(line) for line in text.splitlines() if line.strip()]


def _runs(document: Any, name: str) -> list[_Run]:
    if isinstance(document, Mapping) and isinstance(document.get("benchmarks"), list):
        return [_guidellm(document, each, name) for each in document["benchmarks"]]
    if isinstance(document, Mapping) and str(document.get("schema", "")).startswith(_LOAD_TEST):
        # A rate that was not carried tells of the length of its queue.
        kept = [run for run in document.get("runs") or () if (run.get("llmbench") or {}).get("kept")]
        if not kept:
            raise DatasetError(f"{name} holds no rate that was carried within its objective; try lower ones.")
        return [_vllm(run, name) for run in kept]
    if isinstance(document, Mapping) and "output_throughput" in document:
        return [_vllm(document, name)]
    raise DatasetError(
        f"{name} is neither of `vllm bench serve` (no output_throughput) nor of GuideLLM (no benchmarks)."
    )


def _vllm(run: Mapping[str, Any], name: str) -> _Run:
    completed, failed = _number(run.get("completed")), _number(run.get("failed")) or 0.0
    _refuse_failures(completed, failed, name)
    if not completed:
        raise DatasetError(f"{name} has no completed request.")
    read, written = _number(run.get("total_input_tokens")), _number(run.get("total_output_tokens"))
    read, written = _over(read, completed), _over(written, completed)
    ttft, tpot = _number(run.get("mean_ttft_ms")), _number(run.get("mean_tpot_ms"))
    limit = _number(run.get("max_concurrency"))
    rate = run.get("request_rate")
    unlimited = limit is None and (rate is None or _number(rate) is None)
    in_flight = limit
    if not unlimited and _number(rate) is not None:
        known = _in_flight(_number(run.get("request_throughput")), ttft, tpot, written)
        # A cap far above what the rate puts in flight is no number in flight.
        in_flight = min((each for each in (limit, known) if each is not None), default=None)
    return _Run(
        model=run.get("model_id"),
        read=read,
        written=written,
        in_flight=in_flight,
        tokens_per_s=_number(run.get("output_throughput")),
        ttft_ms=None if unlimited else ttft,
        tpot_ms=tpot,
    )


def _guidellm(document: Mapping[str, Any], run: Any, name: str) -> _Run:
    if not isinstance(run, Mapping):
        raise DatasetError(f"{name} has a benchmark that is no object; give the file that the run saved.")
    metrics = run.get("metrics") or {}
    totals = metrics.get("request_totals") or {}
    _refuse_failures(_number(totals.get("successful")), _number(totals.get("errored")) or 0.0, name)

    def mean(metric: str) -> float | None:
        value = metrics.get(metric) or {}
        value = value.get("successful") or value
        return _number(value.get("mean")) if isinstance(value, Mapping) else None

    settings = run.get("config") or run.get("args") or {}
    strategy = settings.get("strategy") or {}
    kind = strategy.get("type_")
    saturated = kind == "throughput"
    streams = _number(strategy.get("streams")) or (1.0 if kind == "synchronous" else None)
    tpot = mean("inter_token_latency_ms") or mean("time_per_output_token_ms")
    return _Run(
        model=_model_of(document, run),
        read=mean("prompt_token_count"),
        written=mean("output_token_count"),
        in_flight=None if saturated else streams or mean("request_concurrency"),
        tokens_per_s=mean("output_tokens_per_second"),
        ttft_ms=None if saturated else mean("time_to_first_token_ms"),
        tpot_ms=tpot,
    )


def _model_of(document: Mapping[str, Any], run: Mapping[str, Any]) -> str | None:
    for place in (run.get("config"), run.get("worker"), run.get("args"), document.get("args"), document):
        if isinstance(place, Mapping):
            for key in ("model", "backend_model"):
                if isinstance(place.get(key), str):
                    return str(place[key])
            backend = place.get("backend")
            if isinstance(backend, Mapping) and isinstance(backend.get("model"), str):
                return str(backend["model"])
    return None


def _in_flight(
    rate: float | None, ttft: float | None, tpot: float | None, written: float | None
) -> float | None:
    """Little's law: arrivals a second times seconds in the system."""
    if rate is None or ttft is None or tpot is None or written is None:
        return None
    return max(1.0, rate * (ttft + tpot * max(0.0, written - 1)) / 1e3)


def _refuse_failures(completed: float | None, failed: float, name: str) -> None:
    if completed is not None and failed > _MOST_FAILED * (completed + failed):
        raise DatasetError(
            f"In {name} {failed:.0f} of {completed + failed:.0f} requests failed; measure again with less "
            "load."
        )


def _number(value: Any) -> float | None:
    """A finite number; None for anything else, "inf" among it."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _time(milliseconds: float | None) -> float | None:
    """None where it was not measured: an answer of one token has no further ones, and is written as 0."""
    return milliseconds if milliseconds and milliseconds > 0 else None


def _over(total: float | None, count: float) -> float | None:
    return None if total is None else total / count
