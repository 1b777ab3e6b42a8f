"""How many tokens a second a model gives on GPUs, how soon they come, and how sure that is."""

from __future__ import annotations

import html
import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from llmbench.catalog.architectures import architecture
from llmbench.catalog.dtypes import DTYPES, why_not_on
from llmbench.catalog.engines import engine_facts
from llmbench.catalog.gpus import MACHINE_SIZES, all_gpus, gpu_facts
from llmbench.catalog.measured import measured_gpus
from llmbench.catalog.tails import latency_tails
from llmbench.economics.checks import check_amount
from llmbench.economics.memory import MOST_FILLED, cache_bytes, check_gpu_count, format_of
from llmbench.errors import UsageError
from llmbench.numbers import is_finite
from llmbench.plain_table import PlainTable
from llmbench.shown import shown
from llmbench.stats.intervals import Interval

if TYPE_CHECKING:
    from llmbench.economics.calibration import Calibration

__all__ = ["Throughput", "throughput"]

_NUMERAL = re.compile(r"\s*[\d.,_]+\s*")


@shown
@dataclass(frozen=True, slots=True)
class Throughput:
    """One operating point, as predicted. Made by `throughput`."""

    model: str
    gpu: str
    n_gpu: int
    dtype: str
    engine: str
    input_tokens: float
    output_tokens: float
    concurrency: float | None
    """Requests in flight, as asked for; None: saturated."""
    output_tokens_per_s: float
    """Over all GPUs."""
    ttft_ms: float
    """Time to the first token of a typical request, with the wait of those that the memory does not hold
    yet; the measurements are means and medians."""
    tpot_ms: float
    """Time per further token of a typical request."""
    interval: Interval
    """Of the throughput: a share `confidence` of left-out measurements lay in it."""
    ttft_interval: Interval
    tpot_interval: Interval
    confidence: float
    extrapolated: bool
    """No measurement of this GPU lies behind it; its intervals are wider."""
    running: float
    """Requests that are answered at the same time; the others in flight wait for memory."""
    room: float
    """Requests of these lengths that the memory holds."""
    bound: str
    """What takes most of a step: "memory bandwidth", "arithmetic" or "link between GPUs"."""
    tight: bool = False
    """It starts only when the engine is told to take more of the memory than by default."""

    @property
    def requests_per_s(self) -> float:
        """Answers a second."""
        return self.output_tokens_per_s / self.output_tokens

    @property
    def ttft_p95_ms(self) -> float:
        """What 95 of 100 requests wait less than for the first token, where they come by chance.

        The typical time by the measured tail of servers that are not overrun; see `latency_tails`.
        """
        return self.ttft_ms * latency_tails().ttft_ms.at(self.running)

    @property
    def tpot_p95_ms(self) -> float:
        """The time per further token that 95 of 100 requests stay below."""
        return self.tpot_ms * latency_tails().tpot_ms.at(self.running)

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader should know of it."""
        found = []
        if self.extrapolated:
            found.append(f"Extrapolated, no measurement: nobody measured a {self.gpu}.")
        if self.tight:
            found.append(f"It starts only with more memory than {self.engine} takes by default.")
        if self.concurrency is not None and self.concurrency > self.running:
            found.append(
                f"The memory holds {math.floor(self.room)} of {self.concurrency:g} requests; the others wait."
            )
        return tuple(found)

    def table(self) -> PlainTable:
        """As it is shown."""

        def around(value: float, interval: Interval, digits: int = 0) -> str:
            return f"{value:,.{digits}f} ({interval.low:,.{digits}f} to {interval.high:,.{digits}f})"

        return PlainTable(
            ("model", "GPU", "dtype", "engine", "in flight", "tokens/s", "TTFT ms", "TPOT ms"),
            [
                (
                    self.model,
                    self.gpu if self.n_gpu == 1 else f"{self.n_gpu} x {self.gpu}",
                    self.dtype,
                    self.engine,
                    f"{self.running:,.0f}" if self.concurrency is None else f"{self.concurrency:,.0f}",
                    around(self.output_tokens_per_s, self.interval),
                    around(self.ttft_ms, self.ttft_interval),
                    around(self.tpot_ms, self.tpot_interval, 1),
                )
            ],
            texts=4,
        )

    def _repr_html_(self) -> str:
        notes = (f"Intervals hold {self.confidence:.0%} of left-out measurements.", *self.notes)
        return self.table().html() + "".join(f"<p>{html.escape(note)}</p>" for note in notes)


def throughput(
    model: str,
    gpu: str,
    n_gpu: int,
    dtype: str | None,
    engine: str,
    input_tokens: float | None,
    output_tokens: float | None,
    concurrency: float | str | None = None,
    *,
    confidence: float = 0.80,
    calibration: Calibration | None = None,
) -> Throughput:
    """Tokens a second over all `n_gpu` GPUs, joined in tensor parallelism, and the times a request sees.

    A roofline with few constants, fitted to published measurements (see `llmbench.economics.roofline`
    and `calibration`). `dtype` None is the published one; `concurrency` is requests in flight, and None, or
    one in words such as "max", is saturated: as many as the engine takes. Published runs of vLLM without a
    limit submit a hundred requests or so, and None is what those gave; a number in flight may give more.
    Lengths of None are not known, and taken as a chat's 256 and 300. `calibration`: constants of one's
    own, from `adapted`.

    Raises UsageError for unknown names, a model that does not fit, input and output beyond the model's
    context, a format that the GPU does not have, and numbers that cannot be meant; the sentence names the
    nearest thing that works.

    >>> found = throughput("llama-3.1-8b", "H100", 1, "fp8", "trtllm", 1000, 1000)
    >>> found.interval.low < found.output_tokens_per_s < found.interval.high, found.extrapolated
    (True, False)
    """
    from llmbench.economics.calibration import default_calibration
    from llmbench.economics.roofline import (
        TYPICAL_INPUT,
        TYPICAL_OUTPUT,
        OperatingPoint,
        points_of,
        serve,
    )

    count = check_gpu_count(n_gpu)
    read, written = _lengths(
        model,
        TYPICAL_INPUT if input_tokens is None else input_tokens,
        TYPICAL_OUTPUT if output_tokens is None else output_tokens,
    )
    flight = _in_flight(concurrency)
    shape, card, server = architecture(model), gpu_facts(gpu), engine_facts(engine)
    number = format_of(dtype, shape, card)
    tight = _check_memory(model, gpu, count, number.name, engine, read + written)
    known = calibration or default_calibration()
    point = OperatingPoint(shape.name, card.name, count, number.name, server.name, read, written, flight)
    served = serve(points_of([point]), known.constants)
    extrapolated = card.name not in measured_gpus() | known.gpus
    parts = {
        "memory bandwidth": float(served.read_s[0]),
        "arithmetic": float(served.multiply_s[0]),
        "link between GPUs": float(served.link_s[0]),
    }

    def around(metric: str, value: float) -> Interval:
        factor = math.exp(known.log_error(metric, confidence, extrapolated=extrapolated))
        return Interval(value / factor, value * factor)

    rate, first, each = (
        float(served.output_tokens_per_s[0]),
        float(served.ttft_s[0]) * 1e3,
        float(served.tpot_s[0]) * 1e3,
    )
    return Throughput(
        model=shape.name,
        gpu=card.name,
        n_gpu=count,
        dtype=number.name,
        engine=server.name,
        input_tokens=read,
        output_tokens=written,
        concurrency=flight,
        output_tokens_per_s=rate,
        ttft_ms=first,
        tpot_ms=each,
        interval=around("output_tokens_per_s", rate),
        ttft_interval=around("ttft_ms", first),
        tpot_interval=around("tpot_ms", each),
        confidence=confidence,
        extrapolated=extrapolated,
        running=float(served.running[0]),
        room=float(served.room[0]),
        bound=max(parts, key=lambda name: parts[name]),
        tight=tight,
    )


def _in_flight(concurrency: float | str | None) -> float | None:
    # "64" is a number that somebody put into quotes, and no word for as many as there can be.
    if concurrency is None or (isinstance(concurrency, str) and not _NUMERAL.fullmatch(concurrency)):
        return None
    if not (is_finite(concurrency) and concurrency >= 1):
        raise UsageError(f"concurrency must be at least 1 request, or None; it is {concurrency!r}.")
    return check_amount("concurrency", concurrency)


def _lengths(model: str, read: float, written: float) -> tuple[float, float]:
    for name, value, least in (("input_tokens", read, 0), ("output_tokens", written, 1)):
        check_amount(name, value, least)
    lengths = float(read), float(written)
    shape = architecture(model)
    if sum(lengths) > shape.context:
        raise UsageError(
            f"{shape.name} reads at most {shape.context:,} tokens, input and output together; input_tokens "
            f"and output_tokens are {sum(lengths):,.0f}. Shorten them by {sum(lengths) - shape.context:,.0f}."
        )
    return lengths


def _check_memory(model: str, gpu: str, n_gpu: int, dtype: str, engine: str, length: float) -> bool:
    """Whether it starts only when the engine is told to take more memory than by default.

    Raises UsageError where the weights, or one sequence beside them, find no room at all.
    """
    shape, card, server = architecture(model), gpu_facts(gpu), engine_facts(engine)
    number = DTYPES[dtype]
    unserved = why_not_on(number, card)
    if unserved:
        raise UsageError(unserved)

    def fits(count: int, name: str, on: str = card.name) -> bool:
        other = all_gpus()[on]
        if why_not_on(DTYPES[name], other):
            return False
        left = cache_bytes(shape, other, count, DTYPES[name], server)[1]
        return left >= length * shape.kv_bytes_per_token(DTYPES[name])

    if fits(n_gpu, dtype):
        return False
    needed = shape.weight_bytes(number) + length * shape.kv_bytes_per_token(number)
    if needed <= MOST_FILLED * n_gpu * card.visible_bytes:
        return True
    smaller = [name for name in ("fp8", "w8a8", "w4a16") if fits(n_gpu, name)]
    more = [count for count in MACHINE_SIZES if count > n_gpu and fits(count, dtype)]
    larger = sorted(
        (facts.visible_gib, name) for name, facts in all_gpus().items() if fits(n_gpu, dtype, on=name)
    )
    ways = [
        *([f"in {smaller[0]} it does"] if smaller else []),
        *([f"{more[0]} of these GPUs hold it"] if more else []),
        *([f"one {larger[0][1]} does" if n_gpu == 1 else f"{n_gpu} x {larger[0][1]} do"] if larger else []),
    ]
    where = card.name if n_gpu == 1 else f"{n_gpu} x {card.name}"
    raise UsageError(
        f"{where} cannot hold {shape.name} in {dtype}: the weights are "
        f"{shape.weight_bytes(number) / 1e9:.1f} GB, and {n_gpu * card.visible_bytes / 1e9:.1f} GB are "
        "visible; "
        f"{'; '.join(ways) or 'no GPU of the catalog does'}."
    )
