from __future__ import annotations

import math

import pytest

from llmbench.catalog.gpu_offers import GpuOffer, gpu_offers
from llmbench.economics import HostingCosts, Workload, throughput, waiting, week_profile
from llmbench.economics.objective import Objective
from llmbench.economics.options import hosting_options
from llmbench.errors import UsageError

LOAD = Workload(100_000, 500, 200, profile=week_profile(3))


def test_the_smallest_number_of_gpus_that_holds_the_model() -> None:
    found = {o.name: o for o in hosting_options(["llama-3.1-8b", "llama-3.1-70b"], LOAD, gpu_offers())}
    assert found["llama-3.1-8b awq-int4 on T4"].works
    assert "llama-3.1-8b fp16 on T4" not in found  # two of them hold it
    assert found["llama-3.1-8b fp16 on 2x T4"].usd_per_hour == pytest.approx(1.052)
    assert found["llama-3.1-8b fp16 on L4"].works
    assert not any(
        o.works and o.gpu == "T4" and o.n_gpu == 1 and o.model == "llama-3.1-70b" for o in found.values()
    )
    assert all(o.extrapolated for o in found.values() if o.gpu in {"T4", "A10G"} and o.works)
    assert not any(o.extrapolated for o in found.values() if o.gpu == "L4")


def test_the_rate_is_that_within_the_objective_and_not_the_peak() -> None:
    """Trap 16."""
    offers = [GpuOffer("H100-80GB-SXM", 1, "x", "x", "2026", "", "", 3.0)]
    within = hosting_options(["llama-3.1-8b"], LOAD, offers, dtypes=["fp16"], objective=Objective(200, 15))[0]
    peak = throughput("llama-3.1-8b", "H100", 1, "fp16", "vllm", 500, 200, concurrency=256)
    assert 0 < within.output_tokens_per_s < peak.output_tokens_per_s
    assert within.tpot_ms is not None
    assert within.tpot_ms <= 15 < peak.tpot_ms
    free = hosting_options(["llama-3.1-8b"], LOAD, offers, dtypes=["fp16"], objective=Objective(None, None))[
        0
    ]
    assert free.output_tokens_per_s == pytest.approx(
        throughput("llama-3.1-8b", "H100", 1, "fp16", "vllm", 500, 200).output_tokens_per_s
    )


def test_a_replica_is_no_fuller_than_its_queue_allows() -> None:
    offers = [GpuOffer("L4", 1, "x", "x", "2026", "", "", 0.8)]
    tight = hosting_options(["llama-3.1-8b"], LOAD, offers, dtypes=["fp16"], objective=Objective(700, 70))[0]
    assert tight.works
    assert tight.queue_limit < 0.7
    assert tight.in_flight is not None
    assert tight.ttft_ms is not None
    places = int(tight.in_flight)
    service = places * 200 / tight.output_tokens_per_s
    patience = (700 - tight.ttft_ms) / 1000
    assert waiting(places, tight.queue_limit * places, service).beyond(patience) == pytest.approx(
        0.05, abs=1e-4
    )
    assert tight.limit(HostingCosts()) == tight.queue_limit


def test_longer_input_takes_a_share_of_the_time() -> None:
    option = next(o for o in hosting_options(["llama-3.1-8b"], LOAD, gpu_offers(), gpus=["l4"]) if o.works)
    assert 0 < option.input_share < 1
    assert math.isfinite(option.input_share)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"gpus": ["H300"]}, "does not know the GPU 'H300'"),
        ({"gpus": ["MI300X"]}, "Nobody offers the GPU MI300X on-demand"),
        ({"dtypes": ["fp3"]}, "dtype 'fp3'"),
        ({"engine": "vlm"}, "engine 'vlm'"),
        ({"load": Workload(1, 131_000, 200)}, r"llama-3\.1-8b reads at most 131,072 tokens"),
        (
            {"models": ["mistral-7b"], "load": Workload(1, 40_000, 200)},
            r"qwen2\.5-7b, of about its size, reads 131,072",
        ),
        ({"objective": Objective(0.1, 0.1)}, None),
    ],
)
def test_what_cannot_be_had(arguments: dict[str, object], told: str | None) -> None:
    given = {"models": ["llama-3.1-8b"], "load": LOAD, "offers": gpu_offers()} | arguments
    if told is None:
        options = hosting_options(**given)  # type: ignore[arg-type]
        assert not any(option.works for option in options)
        assert any("ms to the first token" in option.why_not() for option in options)
        return
    with pytest.raises(UsageError, match=told):
        hosting_options(**given)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="ttft_ms"):
        Objective(-1)
