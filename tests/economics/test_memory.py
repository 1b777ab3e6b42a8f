from __future__ import annotations

import json
from pathlib import Path

import pytest

from llmbench.catalog import architecture
from llmbench.economics import memory_fit
from llmbench.errors import UsageError


def test_the_published_fits(throughput_data: Path) -> None:
    golden = json.loads((throughput_data / "golden.json").read_text(encoding="utf-8"))
    for sentence, expected in golden["fits"].items():
        model, dtype, _, hardware = sentence.split()
        n_gpu, times, gpu = hardware.partition("x")
        found = memory_fit(model, gpu if times else hardware, int(n_gpu) if times else 1, dtype)
        assert found.fits is expected, (sentence, found)
    for model, weights in golden["weights_gb_fp16"].items():
        assert memory_fit(model, "H200", 8).weights_gb == pytest.approx(weights, abs=5e-4)
    for model, cache in golden["kv_bytes_per_token_fp16"].items():
        assert memory_fit(model, "H200", 8).kv_bytes_per_token == cache
    for model, count in golden["params"].items():
        assert architecture(model).parameters == count


def test_16_gb_on_the_label_are_not_16_gb() -> None:
    """16.06 GB of weights fit a T4 on paper; its driver shows 15.0 GiB, and vLLM takes nine tenths."""
    found = memory_fit("llama-3.1-8b", "T4")
    assert found.state == "does not fit"
    assert found.visible_gb == pytest.approx(15.0 * 1.073741824)
    assert found.kv_tokens == 0
    assert found.kv_gb < 0


def test_a_quantised_8b_on_a_t4_as_audited() -> None:
    found = memory_fit("llama-3.1-8b", "T4", dtype="int4")
    assert found.kv_tokens == pytest.approx(54_893, abs=1)
    assert int(found.kv_tokens / 700) == 78


def test_little_room_is_starved() -> None:
    """Two A100 hold the 70B at 16 bits, with a quarter of the throughput of four: TensorRT-LLM 0.14."""
    found = memory_fit("llama-3.1-70b", "A100-80GB", 2)
    assert found.state == "starved"
    assert not found.fits
    assert 1 < found.max_sequences < 16
    assert memory_fit("llama-3.1-70b", "H100", 1, "fp8").state == "starved"


def test_shorter_sequences_leave_room_for_more() -> None:
    short = memory_fit("llama-3.1-8b", "L4", dtype="bf16", input_tokens=500, output_tokens=200)
    long = memory_fit("llama-3.1-8b", "L4", dtype="bf16", input_tokens=8000, output_tokens=200)
    assert short.max_sequences == pytest.approx(short.kv_tokens / 650)
    assert (short.state, long.state) == ("fits", "starved")


def test_unused_experts_lie_in_memory_too() -> None:
    """The 12.9 billion active parameters would fit an H100 easily; all 46.7 do not."""
    assert architecture("mixtral-8x7b").active_parameters * 2 / 1e9 < 26
    assert memory_fit("mixtral-8x7b", "H100", 1).state == "does not fit"
    assert memory_fit("mixtral-8x7b", "H100", 2).state == "fits"


def test_a_format_that_the_gpu_does_not_have() -> None:
    found = memory_fit("llama-3.1-8b", "T4", dtype="fp8")
    assert found.state == "does not fit"
    assert "has no fp8" in found.reason


def test_the_published_format_is_fp16_where_there_is_no_bf16() -> None:
    assert memory_fit("llama-3.1-8b", "L4", dtype=None).dtype == "bf16"
    assert memory_fit("llama-3.1-8b", "T4", dtype=None).dtype == "fp16"


def test_bad_input_is_named() -> None:
    with pytest.raises(UsageError, match="n_gpu must be a whole number"):
        memory_fit("llama-3.1-8b", "L4", float("inf"))  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="n_gpu"):
        memory_fit("llama-3.1-8b", "T4", 0)
    with pytest.raises(UsageError, match="output_tokens"):
        memory_fit("llama-3.1-8b", "T4", output_tokens=-1)


def test_it_shows_itself() -> None:
    assert "39 sequences" in memory_fit("llama-3.1-8b", "T4", dtype="int4")._repr_html_()
