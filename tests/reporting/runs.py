"""Runs of a report, written by hand as a run leaves them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from llmbench.reporting.envelope import write_envelope
from llmbench.results import Decision, InputFile, ResultEnvelope, Spend, Verdict

__all__ = ["ENVELOPE", "keep_run", "model"]

ENVELOPE = ResultEnvelope(
    report="small",
    title="Is it so?",
    verdict=Verdict(Decision.HOLD, "Not yet.", ("One.",)),
    parameters={"margin": 0.03},
    inputs=(InputFile("data/a.csv", "00", 3),),
    workload_sha256=None,
    baseline="a",
    candidate=None,
    price_book="2025-01-23",
    generated_at="2025-01-23T00:00:00+00:00",
    data_until=None,
    llmbench_version="0.1.0",
    git_commit=None,
    seed=1,
    spend=Spend(None, 0.25),
    data={"scores": [0.5, None]},
)


def model(name: str, score: float | None, half: float = 0.05, **more: Any) -> dict[str, Any]:
    """One row of result.json's data.models."""
    row = {
        "model": name,
        "prompt": "",
        "params": "",
        "n": 100,
        "score": score,
        "score_ci": [None, None] if score is None else [score - half, score + half],
        "cost_usd": 2.0,
        "cost_per_1k_calls": 20.0,
        "latency_ms": {"p50": 100.0, "p95": None},
        "tokens": {"input": 300_000, "output": 100_000},
    }
    return row | more


def keep_run(
    out: Path,
    run_id: str,
    models: Sequence[Mapping[str, Any]] = (),
    decision: Decision = Decision.GO,
    *,
    notebook: str = "model_matrix",
    parameters: Mapping[str, Any] | None = None,
    sha256: str = "0" * 64,
    made: int = 100,
    replayed: int = 0,
    data: Mapping[str, Any] | None = None,
    data_until: str | None = None,
    baseline: str = "a",
    candidate: str = "b",
) -> Path:
    """Write DIR/NOTEBOOK/runs/RUN-ID/result.json; the id begins with a day such as 20250101."""
    folder = out / notebook / "runs" / run_id
    folder.mkdir(parents=True)
    envelope = ResultEnvelope(
        report=notebook,
        title="Which?",
        verdict=Verdict(decision, "So."),
        parameters=parameters or {"margin": 0.03},
        inputs=(InputFile("data/a.csv", sha256, 3),),
        workload_sha256=None,
        baseline=baseline,
        candidate=candidate,
        price_book="current",
        generated_at=f"{run_id[:4]}-{run_id[4:6]}-{run_id[6:8]}T00:00:00+00:00",
        data_until=data_until,
        llmbench_version="0",
        git_commit=None,
        seed=1,
        spend=Spend(None, 2.0),
        data={"models": list(models), "calls": {"made": made, "replayed": replayed}}
        if models
        else data or {},
    )
    write_envelope(folder / "result.json", envelope)
    return folder
