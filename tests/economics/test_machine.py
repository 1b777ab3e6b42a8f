from __future__ import annotations

import pytest

from llmbench.catalog import architecture, dtype_facts
from llmbench.economics import MachineRun, fit_machine
from llmbench.errors import UsageError


def runs_of(bytes_s: float, operations: float, flights: tuple[float, ...]) -> list[MachineRun]:
    """What a machine of known speed would have shown."""
    shape = architecture("smollm2-135m")
    found = []
    for flight in flights:
        prefill = 2 * shape.parameters * 300 / operations
        read = 2 * shape.parameters + flight * 350 * shape.kv_bytes_per_token(dtype_facts("bf16"))
        tokens = flight + (flight - 1) * 300 / 100
        step = read / bytes_s + 2 * shape.parameters * tokens / operations
        found.append(MachineRun(300, 100, flight, prefill * 1e3, step * 1e3))
    return found


def test_a_machine_of_known_speed_is_found_again() -> None:
    found = fit_machine("smollm2-135m", runs_of(30e9, 0.2e12, (1, 1.5, 2, 3)), "bf16")
    assert found.bandwidth_gb_s == pytest.approx(30)
    assert found.tflops == pytest.approx(0.2)
    assert found.ttft_error == pytest.approx(0, abs=1e-9)
    assert found.tpot_error == pytest.approx(0, abs=1e-9)
    assert found.ttft_ms(600) == pytest.approx(2 * found.ttft_ms(300))
    assert found.tpot_ms(300, 100, 2) == pytest.approx(runs_of(30e9, 0.2e12, (2,))[0].tpot_ms)


def test_one_run_tells_and_cannot_be_checked() -> None:
    found = fit_machine("smollm2-135m", runs_of(30e9, 0.2e12, (1,)))
    assert (found.runs, found.ttft_error, found.tpot_error) == (1, None, None)
    assert found.dtype == "bf16"


def test_bad_runs_are_named() -> None:
    with pytest.raises(UsageError, match="at least one run"):
        fit_machine("smollm2-135m", [])
    with pytest.raises(UsageError, match="ttft_ms of a run must be a number above 0"):
        fit_machine("smollm2-135m", [MachineRun(300, 100, 1, 0.0, 10.0)])
    with pytest.raises(UsageError, match="open-weight model"):
        fit_machine("gpt-4o", runs_of(30e9, 0.2e12, (1,)))
