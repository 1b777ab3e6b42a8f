"""What `llmbench loadtest` measured of a machine at hand, beside what the model of throughput predicts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from llmbench.economics.machine import Machine, MachineRun, fit_machine
from llmbench.errors import UsageError
from llmbench.loadtest.results import SCHEMA
from llmbench.money import dollars
from llmbench.numbers import finite
from llmbench.reporting.report_table import ReportTable
from llmbench.reporting.wording import whole
from llmbench.result_data import part_of
from llmbench.unknown import UNKNOWN

__all__ = ["loadtest_sentence", "loadtest_table", "machine_of", "machine_sentence", "read_loadtest"]

_AMOUNTS = ("request_rate", "completed", "failed", "request_throughput")
_AMOUNTS_OR_NULL = (
    "total_input_tokens", "total_output_tokens", "output_throughput", "mean_ttft_ms", "mean_tpot_ms",
    "median_ttft_ms", "median_tpot_ms",
)  # fmt: skip
"""Of a run; null where the endpoint did not tell its tokens, or nothing was answered."""


def read_loadtest(path: str, root: Path) -> Mapping[str, Any] | None:
    """The result that `llmbench loadtest --out` wrote; None for no path. Raises UsageError."""
    if not path:
        return None
    file = root / Path(path).expanduser()
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"Parameter 'loadtest': {path} cannot be read ({error.strerror}).") from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"Parameter 'loadtest': {path} is no JSON ({error}).") from error
    if not isinstance(found, dict) or found.get("schema") != SCHEMA:
        raise UsageError(
            f"Parameter 'loadtest': {path} is not what `llmbench loadtest --out` writes (schema {SCHEMA})."
        )
    if wrong := _wrong_part(found):
        raise UsageError(
            f"Parameter 'loadtest': {path} is not what `llmbench loadtest --out` writes: {wrong}."
        )
    return found


def _wrong_part(found: Mapping[str, Any]) -> str:
    """What of a result is not there, or of another type than it is written in; empty: nothing."""
    told = [(name, isinstance(found.get(name), str)) for name in ("endpoint", "model", "started_at")]
    told += [
        (name, _is_amount(found.get(name, ""), True)) for name in ("usd_per_hour", "usd_per_million_output")
    ]
    runs = found.get("runs")
    if not isinstance(runs, list) or not all(isinstance(run, Mapping) for run in runs):
        return "it has no list of runs"
    for place, run in enumerate(runs, start=1):
        told += [(f"{name} of run {place}", _is_amount(run.get(name), False)) for name in _AMOUNTS]
        told += [(f"{name} of run {place}", _is_amount(run.get(name, ""), True)) for name in _AMOUNTS_OR_NULL]
        sent = part_of(run, "llmbench").get("sent")
        told.append((f"what run {place} sent", _is_amount(sent, False)))
    knee = found.get("knee")
    rates = [run.get("request_rate") for run in runs]
    known = isinstance(knee, Mapping) and "missed" in knee and knee.get("kept", "") in [None, *rates]
    told.append(("the rate that was kept", known))
    return next((f"{name} cannot be read" for name, sound in told if not sound), "")


def _is_amount(value: Any, or_null: bool) -> bool:
    number = finite(value)
    return (or_null and value is None) or (number is not None and number >= 0)


def loadtest_sentence(found: Mapping[str, Any] | None) -> str:
    """What was carried, and what a million tokens cost there."""
    if found is None:
        return (
            "No measurement of a machine of one's own is given: llmbench loadtest ENDPOINT/MODEL --out "
            "load.json makes one, and -p loadtest load.json shows it here."
        )
    name, day = f"{found['endpoint']}/{found['model']}", str(found["started_at"])[:10]
    kept = found["knee"]["kept"]
    if kept is None:
        return f"{name}, measured on {day}: no rate that was tried kept to the objective."
    of_rate = [run for run in found["runs"] if run["request_rate"] == kept]
    best = max(of_rate, key=lambda run: run["completed"])
    sentence = (
        f"{name}, measured on {day} on the machine at hand: {kept:g} requests a second were carried within "
        f"the objective, {_rate(best['output_throughput'])} output tokens a second"
    )
    if found["knee"]["missed"] is None:
        sentence += "; higher rates were not tried"
    if found["usd_per_million_output"] is None:
        return f"{sentence}. What the machine costs an hour is not known, so neither is a token's price."
    return (
        f"{sentence}. At {dollars(found['usd_per_hour'])} an hour, as it was given, and busy around the "
        f"clock at that rate, a million output tokens cost {dollars(found['usd_per_million_output'])}, their "
        "input included."
    )


def machine_of(found: Mapping[str, Any]) -> Machine | None:
    """The machine's own efficiencies, from the rates that were carried; None where they do not tell them, or
    the shape of the model is not known.
    """
    runs = []
    for run in found["runs"]:
        ttft, tpot, done = run["mean_ttft_ms"], run["mean_tpot_ms"], run["completed"]
        tokens = run["total_input_tokens"], run["total_output_tokens"]
        if not (run["llmbench"].get("kept") and ttft and tpot and done and all(tokens)):
            continue
        read, written = (count / done for count in tokens)
        flight = max(1.0, run["request_throughput"] * (ttft + tpot * (written - 1)) / 1e3)
        runs.append(MachineRun(read, written, flight, ttft, tpot))
    try:
        return fit_machine(str(found["model"]), runs) if runs else None
    except UsageError:
        return None  # a model whose shape the catalog does not have


def machine_sentence(machine: Machine | None) -> str:
    """What the machine reads and multiplies, and how well that predicts a rate that was left out."""
    if machine is None:
        return ""
    sentence = (
        f"Its own efficiencies, fitted to {machine.runs} rates: {machine.bandwidth_gb_s:,.1f} GB read a "
        f"second, as if the weights were in {machine.dtype}, and {machine.tflops:,.3g} TFLOPS for prompts."
    )
    if machine.ttft_error is None or machine.tpot_error is None:
        return f"{sentence} Under three rates, none can be left out to check it."
    return (
        f"{sentence} A rate left out is predicted within {machine.ttft_error:.0%} to the first token and "
        f"{machine.tpot_error:.0%} for each further one, at the median."
    )


def _rate(tokens: float | None) -> str:
    return UNKNOWN if tokens is None else f"{tokens:,.1f}"


def loadtest_table(found: Mapping[str, Any]) -> ReportTable:
    """One row a rate; times from the moment at which a request was due."""
    import pandas as pd

    rows = [
        {
            "rate": run["request_rate"], "sent": run["llmbench"]["sent"], "failed": run["failed"],
            "median_ttft_ms": run["median_ttft_ms"], "median_tpot_ms": run["median_tpot_ms"],
            "output_tokens_per_s": run["output_throughput"],
        }
        for run in found["runs"]
    ]  # fmt: skip
    shown = [
        {
            "requests/s": f"{row['rate']:g}",
            "sent": f"{row['sent']:,}",
            "failed": f"{row['failed']:,}",
            "first token, median ms": _milliseconds(row["median_ttft_ms"]),
            "each further one, ms": _milliseconds(row["median_tpot_ms"]),
            "output tokens/s": _rate(row["output_tokens_per_s"]),
        }
        for row in rows
    ]
    frame = pd.DataFrame(shown)
    return ReportTable(pd.DataFrame(rows), frame, tuple(frame.columns))


def _milliseconds(value: float | None) -> str:
    return UNKNOWN if value is None else whole(value)
