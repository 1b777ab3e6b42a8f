"""The load test against real servers."""

from __future__ import annotations

from pathlib import Path

from llmbench import CustomProvider
from llmbench.loadtest import LoadPlan, LoadTest, Objective, load_test
from tests.real.parts import Part

PLAN = LoadPlan(
    rates=(0.5, 1.0), seconds=6, input_tokens=40, output_tokens=8, objective=Objective(20_000, 2_000)
)


def check(found: LoadTest, folder: Path) -> None:
    """What holds on any machine: every request is answered, counted and timed."""
    assert found.knee.kept is not None
    for each in found.results:
        assert each.completed == each.sent - each.failed
        assert each.failed == 0
        assert each.output_tokens is not None
        assert each.completed < each.output_tokens <= 8 * each.completed
        assert each.ttft.p50 is not None
        assert each.latency.p50 is not None
        assert each.tpot.p50 is not None
        assert 0 < each.tpot.p50 < each.latency.p50
        assert 0 < each.ttft.p50 < each.latency.p50
    assert found.cached_share < 0.5
    assert found.usd_per_million_output is not None
    assert found.write(folder / "load.json").exists()


def test_llama_cpp(llama_cpp: Part, tmp_path: Path) -> None:
    provider = CustomProvider({"base_url": f"{llama_cpp.url}/v1", "usd_per_hour": 0.1})
    check(load_test(provider, "smollm2-135m", PLAN), tmp_path)
