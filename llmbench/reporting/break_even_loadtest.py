"""What `llmbench loadtest` measured of a machine at hand, beside what the model of throughput predicts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from llmbench.economics.machine import Machine, MachineRun, fit_machine
from llmbench.errors import UsageError
from llmbench.money import dollars
from llmbench.reporting.matrix_tables import Table
from llmbench.reporting.wording import NONE, whole

__all__ = ["loadtest_sentence", "loadtest_table", "machine_of", "machine_sentence", "read_loadtest"]

_SCHEMA = "llmbench-loadtest/1"


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
    if not isinstance(found, dict) or found.get("schema") != _SCHEMA:
        raise UsageError(
            f"Parameter 'loadtest': {path} is not what `llmbench loadtest --out` writes (schema {_SCHEMA})."
        )
    return found


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
        f"the objective, {best['output_throughput']:,.1f} output tokens a second"
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
        if not (run["llmbench"].get("kept") and ttft and tpot and done):
            continue
        read, written = run["total_input_tokens"] / done, run["total_output_tokens"] / done
        flight = max(1.0, run["request_throughput"] * (ttft + tpot * (written - 1)) / 1e3)
        if read and written:
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


def loadtest_table(found: Mapping[str, Any]) -> Table:
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
            "first token, median ms": NONE if row["median_ttft_ms"] is None else whole(row["median_ttft_ms"]),
            "each further one, ms": NONE if row["median_tpot_ms"] is None else whole(row["median_tpot_ms"]),
            "output tokens/s": f"{row['output_tokens_per_s']:,.1f}",
        }
        for row in rows
    ]
    frame = pd.DataFrame(shown)
    return Table(pd.DataFrame(rows), frame, tuple(frame.columns))
