"""A load test's result, as it is shown and kept."""

from __future__ import annotations

import html
import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmbench.loadtest.knee import Knee, find_knee
from llmbench.loadtest.summary import Latency, Objective, RateResult
from llmbench.plain_table import PlainTable, count_text
from llmbench.shown import shown
from llmbench.unknown import UNKNOWN
from llmbench.whole_file import write_whole

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["SCHEMA", "LoadTest"]

SCHEMA = "llmbench-loadtest/1"
_LAG_MS = 20.0
_CACHED = 0.25
_HEAD = (
    "requests/s", "sent", "failed", "answered/s", "TTFT p50 ms", "TTFT p95 ms", "TPOT p50 ms", "TPOT p95 ms",
    "latency p50 ms", "output tokens/s", "USD per 1M output", "objective",
)  # fmt: skip


@shown
@dataclass(frozen=True, slots=True)
class LoadTest:
    """Rates in ascending order, with what they were measured at."""

    endpoint: str
    model: str
    objective: Objective
    results: tuple[RateResult, ...]
    seed: int
    max_tokens: int
    prompts: str
    """Which prompts, in words."""
    usd_per_hour: float | None
    """Of the endpoint; None: not known."""
    started_at: str
    """ISO instant, UTC."""
    spent_usd: float | None
    """What all calls cost; None where that is not known of each."""
    stopped: str | None = None
    """Why it ended before its plan did."""
    shared_prefix_tokens: int = 0

    @property
    def knee(self) -> Knee:
        """The highest rate that is carried within the objective, and the lowest that is not."""
        return find_knee(self.results)

    @property
    def usd_per_million_output(self) -> float | None:
        """At the knee, around the clock; None without a knee or a price."""
        kept = self.knee.kept
        return None if kept is None else kept.usd_per_million_output(self.usd_per_hour)

    def __str__(self) -> str:
        return f"{self.endpoint}/{self.model}: {self.knee}"

    def table(self) -> PlainTable:
        """One row a rate."""
        return PlainTable(_HEAD, [self._row(each) for each in self.results], texts=0)

    def _row(self, each: RateResult) -> tuple[str, ...]:
        verdict = "kept" if each.kept else "missed" if each.judged else "no request"
        usd = each.usd_per_million_output(self.usd_per_hour)
        return (
            f"{each.rate:g}",
            count_text(each.sent),
            count_text(each.failed),
            f"{each.achieved_per_s:.3g}",
            _shown(each.ttft, each.ttft.p50),
            _shown(each.ttft, each.ttft.p95),
            _shown(each.tpot, each.tpot.p50),
            _shown(each.tpot, each.tpot.p95),
            _shown(each.latency, each.latency.p50),
            UNKNOWN if each.output_tokens_per_s is None else f"{each.output_tokens_per_s:,.1f}",
            UNKNOWN if usd is None else f"{usd:,.2f}",
            "interrupted" if each.interrupted else verdict,
        )

    def notes(self) -> list[str]:
        """What must be known to read the numbers."""
        about = (
            f"TTFT p95 within {self.objective.ttft_ms:g} ms, TPOT p95 within {self.objective.tpot_ms:g} ms; "
            f"times run from the moment at which a request was due. {self.prompts}; at most "
            f"{self.max_tokens} output tokens; seed {self.seed}."
        )
        missed = [f"{each.rate:g}/s ({', '.join(each.misses)})" for each in self.results if each.misses]
        notes = [about]
        if missed:
            notes.append(f"Missed: {', '.join(missed)}.")
        if any(each.rough for each in self.results):
            notes.append(
                "No p95 is shown below 200 requests; there the objective is judged by the share of requests "
                "within it, which is rough: run longer (--seconds)."
            )
        if any(each.cut_off for each in self.results):
            notes.append(
                "≥: requests given up count with the time they had waited, so the value is a lower bound."
            )
        if any(each.failed for each in self.results):
            kinds = sorted({f"{kind} ({count})" for each in self.results for kind, count in each.failures})
            notes.append(f"Failed requests are in no time and no throughput: {', '.join(kinds)}.")
        late = max((each.client_lag_ms or 0.0 for each in self.results), default=0.0)
        if late > _LAG_MS:
            notes.append(f"This client was late with a request by up to {late:.0f} ms, which TTFT contains.")
        if self.cached_share > _CACHED and not self.shared_prefix_tokens:
            notes.append(
                f"{self.cached_share:.0%} of the input was in the server's prefix cache, which flatters: "
                "it has seen these prompts before; take another --seed."
            )
        short = [each for each in self.results if each.completed and each.output_tokens is None]
        if short:
            notes.append("The endpoint does not tell the tokens of each answer: no TPOT, no tokens a second.")
        if self.usd_per_million_output is not None:
            notes.append(
                f"${self.usd_per_million_output:,.2f} per million output tokens, input included, at the "
                f"highest rate kept around the clock and ${self.usd_per_hour:g} an hour."
            )
        if self.stopped:
            notes.append(self.stopped)
        return notes

    @property
    def cached_share(self) -> float:
        """Share of the input that the server had in a cache, as far as it tells."""
        read = sum(each.input_tokens or 0 for each in self.results)
        return sum(each.cached_tokens or 0 for each in self.results) / read if read else 0.0

    def _repr_html_(self) -> str:
        notes = "".join(f"<p>{html.escape(note)}</p>" for note in self.notes())
        return f"<p><b>{html.escape(str(self))}</b></p>{self.table().html()}{notes}"

    def to_pandas(self) -> pd.DataFrame:
        """One row a rate; times in milliseconds, NaN where not known."""
        import pandas as pd

        return pd.DataFrame([self._flat(each) for each in self.results])

    def _flat(self, each: RateResult) -> dict[str, Any]:
        flat: dict[str, Any] = {
            "rate": each.rate,
            "seconds": each.seconds,
            "sent": each.sent,
            "completed": each.completed,
            "failed": each.failed,
            "cut_off": each.cut_off,
            "offered_per_s": each.offered_per_s,
            "achieved_per_s": each.achieved_per_s,
            "output_tokens_per_s": each.output_tokens_per_s,
            "input_tokens": each.input_tokens,
            "cached_tokens": each.cached_tokens,
            "output_tokens": each.output_tokens,
            "ttft_within": each.ttft_within,
            "tpot_within": each.tpot_within,
            "client_lag_ms": each.client_lag_ms,
            "usd_per_million_output": each.usd_per_million_output(self.usd_per_hour),
            "kept": each.kept,
            "misses": "; ".join(each.misses),
        }
        for name in ("ttft", "ttft_from_send", "tpot", "latency"):
            found: Latency = getattr(each, name)
            flat |= {f"{name}_{key}_ms": getattr(found, key) for key in ("mean", "p50", "p95", "p99")}
            flat[f"{name}_lower_bound"] = found.at_least
            for key in ("p50", "p95"):
                low, high = getattr(found, f"{key}_interval") or (math.nan, math.nan)
                flat |= {f"{name}_{key}_low_ms": low, f"{name}_{key}_high_ms": high}
        return flat

    def to_json(self) -> dict[str, Any]:
        """What `write` writes: each run in the fields of `vllm bench serve`, and all of ours beside."""
        knee = self.knee
        return {
            "schema": SCHEMA,
            "endpoint": self.endpoint,
            "model": self.model,
            "started_at": self.started_at,
            "seed": self.seed,
            "objective": self.objective._asdict(),
            "prompts": self.prompts,
            "max_tokens": self.max_tokens,
            "usd_per_hour": self.usd_per_hour,
            "usd_per_million_output": self.usd_per_million_output,
            "spent_usd": self.spent_usd,
            "stopped": self.stopped,
            "knee": {
                "kept": None if knee.kept is None else knee.kept.rate,
                "missed": None if knee.missed is None else knee.missed.rate,
            },
            "runs": [self._run(each) for each in self.results],
        }

    def _run(self, each: RateResult) -> dict[str, Any]:
        run: dict[str, Any] = {
            "backend": "openai-chat",
            "model_id": self.model,
            "request_rate": each.rate,
            "max_concurrency": None,
            "duration": each.span_s,
            "completed": each.completed,
            "failed": each.failed,
            "total_input_tokens": each.input_tokens,
            "total_output_tokens": each.output_tokens,
            "request_throughput": each.achieved_per_s,
            "output_throughput": each.output_tokens_per_s,
        }
        for name, found in (("ttft", each.ttft), ("tpot", each.tpot), ("e2el", each.latency)):
            run |= {f"mean_{name}_ms": found.mean, f"median_{name}_ms": found.p50}
            run |= {f"p95_{name}_ms": found.p95, f"p99_{name}_ms": found.p99}
        return run | {"llmbench": asdict(each) | {"kept": each.kept, "judged": each.judged}}

    def write(self, path: str | Path) -> Path:
        """Write the JSON that `llmbench.catalog.read_bench_file` reads. Gives the path."""
        where = Path(path)
        write_whole(where, json.dumps(_finite(self.to_json()), indent=1, allow_nan=False) + "\n")
        return where


def _shown(latency: Latency, value: float | None) -> str:
    return UNKNOWN if value is None else f"{'≥' if latency.at_least else ''}{value:,.0f}"


def _finite(value: Any) -> Any:
    """NaN is not JSON."""
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
