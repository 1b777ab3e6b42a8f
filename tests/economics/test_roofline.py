from __future__ import annotations

import math

import numpy as np
import pytest

from llmbench.catalog import architecture, gpu_facts
from llmbench.economics.calibration import PRIORS, default_calibration
from llmbench.economics.roofline import OperatingPoint, points_of, serve

CONSTANTS = default_calibration().constants
PLAIN = {name: prior.value for name, prior in PRIORS.items()}


def point(
    model: str = "llama-3.1-8b",
    gpu: str = "H100",
    n_gpu: int = 1,
    dtype: str | None = "bf16",
    engine: str = "vllm",
    read: float = 500.0,
    written: float = 200.0,
    flight: float | None = 16.0,
) -> OperatingPoint:
    return OperatingPoint(model, gpu, n_gpu, dtype, engine, read, written, flight)


def test_one_point_by_hand() -> None:
    """The formulas again, in numbers alone."""
    shape, gpu = architecture("llama-3.1-8b"), gpu_facts("H100")
    c = CONSTANTS
    batch, read, written = 16.0, 500.0, 200.0
    bandwidth = gpu.bandwidth_gb_s * 1e9 * c["bandwidth_efficiency"]
    peak = 989e12
    efficiency = c["compute_efficiency"] * (peak / 3350e9 / 300) ** -c["compute_balance"]
    arithmetic = peak * min(efficiency, 0.65)
    prefill = (2 * shape.parameters * read + 2 * 32 * 4096 * read**2) / arithmetic
    load = (2 * shape.parameters + batch * (read + written / 2) * 131_072) / bandwidth
    multiply = 2 * shape.parameters * batch / arithmetic
    overhead = c["step_overhead_vllm"] + 32 * c["layer_overhead"]
    each = c["sequence_overhead"] + c["stream_overhead"]
    step = math.hypot(load, multiply) + overhead + batch * each
    rate = batch / (written * step + batch * c["prefill_share"] * prefill)
    found = serve(points_of([point()]), c)
    assert found.output_tokens_per_s[0] == pytest.approx(rate * written, rel=1e-9)
    assert found.tpot_s[0] == pytest.approx(step + 15 * c["prefill_share"] * prefill / written, rel=1e-9)
    alone = math.hypot(prefill, 2 * shape.parameters / bandwidth, 32 * c["first_launch"])
    first = (
        c["first_overhead"] + c["first_steps_vllm"] * step
        + c["first_prefill_vllm"] * alone * (1 + 15 * c["first_crowding"])
    )  # fmt: skip
    assert found.ttft_s[0] == pytest.approx(first, rel=1e-9)


def test_the_critical_batch_is_the_ratio_of_arithmetic_to_bandwidth() -> None:
    """With as much lost of both, an H100 multiplies as long as it reads at 295 sequences of no length."""
    alike = PLAIN | {"bandwidth_efficiency": 0.5, "compute_efficiency": 0.5, "compute_balance": 0.0}
    found = serve(points_of([point(read=0.0, written=1e-9, flight=989e3 / 3350)]), alike)
    assert found.multiply_s[0] == pytest.approx(found.read_s[0], rel=1e-6)


def test_a_batch_reads_all_experts_and_one_request_two_of_eight() -> None:
    rows = [point("mixtral-8x7b", n_gpu=2, read=0.0, written=1.0, flight=batch) for batch in (1.0, 32.0)]
    one, many = serve(points_of(rows), CONSTANTS).read_s
    bandwidth = 2 * 3350e9 * CONSTANTS["bandwidth_efficiency"]
    assert one == pytest.approx(2 * 12_879_925_248 / bandwidth, rel=1e-3)
    assert many == pytest.approx(2 * 46_702_792_704 / bandwidth, rel=1e-2)


def test_more_in_flight_is_more_throughput_and_longer_times() -> None:
    rows = [point(flight=float(2**k)) for k in range(11)]
    found = serve(points_of(rows), CONSTANTS)
    for values in (found.output_tokens_per_s, found.ttft_s, found.tpot_s):
        assert (np.diff(values) > -1e-12).all()


def test_what_the_memory_does_not_hold_waits() -> None:
    """NIM's two H100 with 5,000 input tokens: from 100 to 250 in flight only the first token is later."""
    rows = [
        point("llama-3.3-70b", n_gpu=2, dtype="fp8", engine="trtllm", read=5000, written=500, flight=flight)
        for flight in (50.0, 100.0, 250.0)
    ]
    found = serve(points_of(rows), CONSTANTS)
    assert found.output_tokens_per_s[1] == pytest.approx(found.output_tokens_per_s[2])
    assert found.running[1] == found.running[2] == found.room[1]
    wait = found.ttft_s[2] - found.ttft_s[1]
    assert wait == pytest.approx(150 * 500 / found.output_tokens_per_s[1])


def test_one_gpu_has_no_link() -> None:
    one, two = serve(points_of([point(), point(n_gpu=2)]), CONSTANTS).link_s
    assert one == 0
    assert two > 0


def test_lengths_that_are_not_stated_are_a_chats() -> None:
    stated = point(read=256, written=300)
    unstated = stated._replace(input_tokens=None, output_tokens=None)
    found = points_of([stated, unstated])
    assert found.input_tokens.tolist() == [256, 256]
    assert found.output_tokens.tolist() == [300, 300]
