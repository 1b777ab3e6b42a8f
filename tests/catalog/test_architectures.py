from __future__ import annotations

import pytest

from llmbench.catalog import all_architectures, architecture, dtype_facts
from llmbench.catalog.architectures import _shape_words
from llmbench.errors import UsageError

FP16 = dtype_facts("fp16")


@pytest.mark.parametrize(
    ("model", "parameters", "active", "cache"),
    [
        # Published totals, and the cache of a token as 2 x layers x key-value heads x head size x 2 bytes.
        ("llama-3.1-8b", 8_030_261_248, 8_030_261_248, 131_072),
        ("llama-3.1-70b", 70_553_706_496, 70_553_706_496, 327_680),
        ("llama-3.1-405b", 405_853_388_800, 405_853_388_800, 516_096),
        ("mixtral-8x7b", 46_702_792_704, 12_879_925_248, 131_072),
        ("mixtral-8x22b", 140_620_634_112, 39_152_031_744, 229_376),
        ("llama-2-70b", 68_976_648_192, 68_976_648_192, 327_680),
        ("mistral-7b", 7_241_732_096, 7_241_732_096, 131_072),
        ("smollm2-135m", 134_515_008, 134_515_008, 23_040),
        ("llama-2-7b", 6_738_415_616, 6_738_415_616, 524_288),
        ("llama-2-13b", 13_015_864_320, 13_015_864_320, 819_200),
        ("llama-3.2-1b", 1_235_814_400, 1_235_814_400, 32_768),
        ("llama-3.2-3b", 3_212_749_824, 3_212_749_824, 114_688),
        ("mistral-nemo-12b", 12_247_782_400, 12_247_782_400, 163_840),
        ("mistral-small-24b", 23_572_403_200, 23_572_403_200, 163_840),
        ("qwen2.5-0.5b", 494_032_768, 494_032_768, 12_288),
        ("qwen2.5-7b", 7_615_616_512, 7_615_616_512, 57_344),
        ("qwen2.5-32b", 32_763_876_352, 32_763_876_352, 262_144),
        ("qwen2.5-72b", 72_706_203_648, 72_706_203_648, 327_680),
        ("qwen3-8b", 8_190_735_360, 8_190_735_360, 147_456),
        ("qwen3-32b", 32_762_123_264, 32_762_123_264, 262_144),
        ("qwen3-30b-a3b", 30_532_122_624, 3_353_032_704, 98_304),
        ("qwen3-235b-a22b", 235_093_634_560, 22_190_763_520, 192_512),
        ("gemma-2-9b", 9_241_705_984, 9_241_705_984, 344_064),
        ("gemma-2-27b", 27_227_128_320, 27_227_128_320, 376_832),
        ("gemma-3-1b", 999_885_952, 999_885_952, 26_624),
        ("phi-4", 14_659_507_200, 14_659_507_200, 204_800),
        ("gpt-oss-20b", 20_914_757_184, 4_193_246_784, 49_152),
        # 671B with the corrections of the router's bias; 576 numbers a layer of latent attention.
        ("deepseek-v3", 671_026_404_352, 37_552_282_624, 70_272),
    ],
)
def test_the_shape_gives_the_published_counts(model: str, parameters: int, active: int, cache: int) -> None:
    shape = architecture(model)
    assert (shape.parameters, shape.active_parameters) == (parameters, active)
    assert shape.kv_bytes_per_token(FP16) == cache


@pytest.mark.parametrize(
    ("spelling", "name"),
    [
        ("RedHatAI/Meta-Llama-3.1-8B-Instruct-FP8", "llama-3.1-8b"),
        ("neuralmagic/Meta-Llama-3.1-70B-Instruct-quantized.w8a8", "llama-3.1-70b"),
        ("hugging-quants/Meta-Llama-3.1-8B-Instruct-AWQ-INT4", "llama-3.1-8b"),
        ("Meta-Llama-3.1-8B-Instruct-Q4_K_M.gguf", "llama-3.1-8b"),
        ("nvidia/Llama-3.3-70B-Instruct-FP4", "llama-3.3-70b"),
        ("llama3.1:8b", "llama-3.1-8b"),
        ("Llama 3.2 3B", "llama-3.2-3b"),
        ("TheBloke/Llama-2-7B-Chat-AWQ", "llama-2-7b"),
        ("mistralai/Mistral-7B-Instruct-v0.3", "mistral-7b"),
        ("mistralai/Mixtral-8x22B-Instruct-v0.1", "mixtral-8x22b"),
        ("Qwen/Qwen2.5-Coder-32B-Instruct-AWQ", "qwen2.5-32b"),
        ("Qwen3-30B-A3B-Instruct-2507", "qwen3-30b-a3b"),
        ("google/gemma-3-27b-it", "gemma-3-27b"),
        ("deepseek-ai/DeepSeek-R1-Distill-Llama-8B", "llama-3.1-8b"),
        ("deepseek-ai/DeepSeek-R1-0528", "deepseek-v3"),
        ("openai/gpt-oss-20b", "gpt-oss-20b"),
    ],
)
def test_a_model_is_known_as_it_is_published(spelling: str, name: str) -> None:
    assert architecture(spelling).name == name


@pytest.mark.parametrize("vague", ["llama-8b", "gpt-4o", "qwen", "", "8b", "instruct"])
def test_a_vague_or_closed_model_is_refused(vague: str) -> None:
    with pytest.raises(UsageError, match="open-weight model"):
        architecture(vague)


def test_no_two_models_share_a_spelling() -> None:
    seen: dict[str, str] = {}
    for name, shape in all_architectures().items():
        for spelling in (name, *shape.aliases):
            assert seen.setdefault(_shape_words(spelling), name) == name, spelling


def test_the_cache_goes_by_key_value_heads() -> None:
    """By all heads it would be four and eight times as large."""
    for model, factor in (("llama-3.1-8b", 4), ("llama-3.1-70b", 8)):
        shape = architecture(model)
        assert shape.heads == factor * shape.kv_heads
        by_heads = 2 * shape.layers * shape.heads * shape.head_dim * 2
        assert by_heads == factor * shape.kv_bytes_per_token(FP16)


def test_all_experts_have_weight() -> None:
    assert architecture("mixtral-8x7b").weight_bytes(FP16) == pytest.approx(93.406e9, rel=1e-4)


def test_embeddings_stay_at_16_bits_in_4_bit_formats() -> None:
    assert architecture("llama-3.1-8b").weight_bytes(dtype_facts("awq-int4")) == pytest.approx(
        5.80e9, rel=1e-3
    )
    assert architecture("llama-3.1-70b").weight_bytes(dtype_facts("int4")) == pytest.approx(40.48e9, rel=1e-3)


def test_a_shape_like_another_has_its_own_context() -> None:
    assert architecture("llama-3-8b").context == 8192
    assert architecture("llama-3.3-70b").parameters == architecture("llama-3.1-70b").parameters


def test_a_closed_model_has_no_shape() -> None:
    with pytest.raises(UsageError, match="open-weight model 'gpt-4o'"):
        architecture("gpt-4o")


def test_every_shape_has_a_source() -> None:
    assert all(shape.source for shape in all_architectures().values())
