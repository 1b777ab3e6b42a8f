"""What a machine that no catalog knows gets done: effective bandwidth and arithmetic, from a load test."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import NamedTuple

from llmbench.catalog.architectures import architecture
from llmbench.catalog.dtypes import dtype_facts
from llmbench.economics.checks import check_amount, check_positive
from llmbench.errors import UsageError
from llmbench.shown import shown

__all__ = ["Machine", "MachineRun", "fit_machine"]

_ENOUGH = 3
"""Runs from which on each can be left out and predicted from the others."""


@shown
class MachineRun(NamedTuple):
    """One rate of a load test, on average."""

    input_tokens: float
    output_tokens: float
    in_flight: float
    ttft_ms: float
    tpot_ms: float


@shown
class Machine(NamedTuple):
    """A processor as a roofline sees it: what it reads and multiplies in a second, losses included."""

    model: str
    dtype: str
    """In which the weights are taken to be; with fewer bytes than these the bandwidth is less."""
    bandwidth_gb_s: float
    """Reading weights and cache."""
    tflops: float
    """Reading prompts."""
    runs: int
    ttft_error: float | None
    """Median error of the time to the first token of each run, predicted from the others; None: under
    three."""
    tpot_error: float | None

    def ttft_ms(self, input_tokens: float) -> float:
        """Of a request that does not wait."""
        return _prefill_s(self.model, input_tokens, self.tflops) * 1e3

    def tpot_ms(self, input_tokens: float, output_tokens: float, in_flight: float = 1.0) -> float:
        """Per further token, with so many requests in flight and their prompts read in between."""
        run = MachineRun(input_tokens, output_tokens, in_flight, 0.0, 0.0)
        return _step_s(self.model, self.dtype, run, self.bandwidth_gb_s, self.tflops) * 1e3


def fit_machine(model: str, runs: Sequence[MachineRun], dtype: str | None = None) -> Machine:
    """The medians over `runs` of what each alone tells.

    The first token tells the arithmetic (2 operations a parameter and token of the prompt), the further ones
    the bandwidth: all weights and the cache of everything in flight are read at every step, after what the
    arithmetic takes. Williams, Waterman and Patterson (2009), doi:10.1145/1498765.1498785. `dtype` None: the
    published one. Rates at which requests wait for one another do not belong among the runs.

    Raises UsageError without runs, for an unknown model or format, for lengths and times that are not above
    0, and for less than one request in flight.

    >>> found = fit_machine("llama-3.1-8b", [MachineRun(500, 200, 1, 161.0, 61.0)], "bf16")
    >>> print(f"{found.bandwidth_gb_s:.0f} GB/s, {found.tflops:.0f} TFLOPS")
    266 GB/s, 50 TFLOPS
    """
    if not runs:
        raise UsageError("A machine is fitted to at least one run; there is none.")
    for run in runs:
        for name, value in zip(MachineRun._fields, run, strict=True):
            check_positive(f"{name} of a run", value)
        check_amount("in_flight of a run", run.in_flight, 1)
    shape = architecture(model)
    number = dtype_facts(dtype or shape.dtype)
    bandwidth, tflops = _medians(shape.name, number.name, runs)
    first: list[float] = []
    each: list[float] = []
    for i, run in enumerate(runs if len(runs) >= _ENOUGH else ()):
        bytes_s, operations = _medians(shape.name, number.name, [*runs[:i], *runs[i + 1 :]])
        first.append(abs(_prefill_s(model, run.input_tokens, operations) * 1e3 / run.ttft_ms - 1))
        each.append(abs(_step_s(model, number.name, run, bytes_s, operations) * 1e3 / run.tpot_ms - 1))
    return Machine(
        shape.name,
        number.name,
        bandwidth,
        tflops,
        len(runs),
        median(first) if first else None,
        median(each) if each else None,
    )


def _medians(model: str, dtype: str, runs: Sequence[MachineRun]) -> tuple[float, float]:
    shape = architecture(model)
    tflops = median(2 * shape.active_parameters * run.input_tokens / run.ttft_ms / 1e9 for run in runs)
    rates = []
    for run in runs:
        read = run.tpot_ms / 1e3 - _arithmetic_s(model, run, tflops)
        # Where arithmetic explains all of it, the weights were read meanwhile: at least in that time.
        rates.append(_bytes(model, dtype, run) / max(read, 0.1 * run.tpot_ms / 1e3) / 1e9)
    return median(rates), tflops


def _prefill_s(model: str, input_tokens: float, tflops: float) -> float:
    return 2 * architecture(model).active_parameters * input_tokens / (tflops * 1e12)


def _arithmetic_s(model: str, run: MachineRun, tflops: float) -> float:
    """Of one step: a token of each request in flight, and the others' prompts spread over the answer."""
    tokens = run.in_flight + (run.in_flight - 1) * run.input_tokens / run.output_tokens
    return 2 * architecture(model).active_parameters * tokens / (tflops * 1e12)


def _bytes(model: str, dtype: str, run: MachineRun) -> float:
    shape, number = architecture(model), dtype_facts(dtype)
    context = run.input_tokens + run.output_tokens / 2
    return shape.weight_bytes(number) + run.in_flight * context * shape.kv_bytes_per_token(number)


def _step_s(model: str, dtype: str, run: MachineRun, bandwidth_gb_s: float, tflops: float) -> float:
    return _bytes(model, dtype, run) / (bandwidth_gb_s * 1e9) + _arithmetic_s(model, run, tflops)
