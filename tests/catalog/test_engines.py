from __future__ import annotations

import pytest

from llmbench.catalog import dtype_facts, engine_facts, gpu_facts
from llmbench.catalog.dtypes import why_not_on
from llmbench.errors import UsageError


@pytest.mark.parametrize(
    ("spelling", "name"),
    [
        ("vllm", "vllm"),
        ("vLLM", "vllm"),
        ("vLLM (AMD)", "vllm"),
        ("vllm 0.7.3", "vllm"),
        ("trtllm", "tensorrt-llm"),
        ("TensorRT-LLM", "tensorrt-llm"),
        ("TensorRT", "tensorrt-llm"),
        ("NIM (TensorRT-LLM)", "tensorrt-llm"),
        ("SGLang", "sglang"),
        ("llama.cpp", "llama.cpp"),
        ("ollama", "llama.cpp"),
        ("vllm (v0.9.1)", "vllm"),
        ("vllm:0.8", "vllm"),
        ("SGLang v0.4", "sglang"),
        ("TGI 2.0", "tgi"),
        ("LMDeploy", "lmdeploy"),
    ],
)
def test_any_spelling_is_the_same_engine(spelling: str, name: str) -> None:
    assert engine_facts(spelling).name == name


def test_an_unknown_engine_names_the_nearest() -> None:
    with pytest.raises(UsageError, match="did you mean vllm"):
        engine_facts("vllmm")


def test_formats_have_usual_spellings() -> None:
    assert dtype_facts("int4").name == "w4a16"
    assert dtype_facts("AWQ").name == "awq-int4"
    assert dtype_facts("bfloat16").name == "bf16"
    assert dtype_facts("INT4 AWQ").name == "awq-int4"
    assert dtype_facts("FP8 (E4M3)").name == dtype_facts("fp8-dynamic").name == "fp8"
    assert dtype_facts("NVFP4").name == dtype_facts("MXFP4").name == "fp4"
    with pytest.raises(UsageError, match="dtype 'fp17'"):
        dtype_facts("fp17")


def test_a_t4_has_neither_bf16_nor_fp8() -> None:
    for dtype in ("bf16", "fp8"):
        assert "has no" in why_not_on(dtype_facts(dtype), gpu_facts("T4"))
    assert why_not_on(dtype_facts("int4"), gpu_facts("T4")) == ""
    assert why_not_on(dtype_facts("fp8"), gpu_facts("A100")) == ""
