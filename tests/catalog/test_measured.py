from __future__ import annotations

import json
from pathlib import Path

import pytest

from llmbench.catalog import architecture, engine_facts, gpu_facts, measured_sources, measured_throughput
from llmbench.catalog.dtypes import dtype_facts, why_not_on
from llmbench.catalog.measured import measured_gpus

MEASURED = Path(__file__).resolve().parents[3] / "shared" / "validation" / "throughput" / "measured.json"


def test_the_rows_are_the_collected_ones() -> None:
    if not MEASURED.is_file():
        pytest.skip("the folder of published numbers (../shared/validation) is absent")

    def flight(value: object) -> object:
        return None if isinstance(value, str) else value

    collected = [
        ((gpu_facts(r["gpu"]).name, r["n_gpu"], r["model"], r["dtype"], engine_facts(r["engine"]).name,
          r["isl"], r["osl"], flight(r["concurrency"])), (r["output_tok_s"], r["ttft_ms"], r["tpot_ms"]))
        for r in json.loads(MEASURED.read_text(encoding="utf-8"))["rows"]
    ]  # fmt: skip
    restated = [
        ((gpu_facts(r.gpu).name, r.n_gpu, r.model, r.dtype, engine_facts(r.engine).name, r.input_tokens,
          r.output_tokens, r.concurrency), (r.output_tokens_per_s, r.ttft_ms, r.tpot_ms))
        for r in measured_throughput()
    ]  # fmt: skip
    # The collected ones come first; further published ones follow.
    assert len(collected) == 221
    for (point, seen), (same_point, same_seen) in zip(restated, collected, strict=False):
        assert point == same_point
        assert seen == tuple(None if v is None else pytest.approx(v, rel=1e-5) for v in same_seen)


def test_every_row_can_be_predicted() -> None:
    """Names, formats and counts that the catalog knows, and no row twice."""
    rows = measured_throughput()
    assert len(rows) == len({row[:-1] for row in rows})
    for row in rows:
        assert architecture(row.model).parameters
        assert row.dtype is None or not why_not_on(dtype_facts(row.dtype), gpu_facts(row.gpu))
        assert any((row.output_tokens_per_s, row.ttft_ms, row.tpot_ms))


def test_every_row_names_a_source() -> None:
    assert {row.source for row in measured_throughput()} == set(measured_sources())


def test_nobody_measured_a_t4_or_an_a10g() -> None:
    assert {"T4", "A10G"}.isdisjoint(measured_gpus())
    assert {"L4", "H100-80GB-SXM"} <= measured_gpus()
