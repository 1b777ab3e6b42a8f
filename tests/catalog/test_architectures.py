from __future__ import annotations

import pytest

from llmbench.catalog import all_architectures, architecture, dtype_facts
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
    ],
)
def test_the_shape_gives_the_published_counts(model: str, parameters: int, active: int, cache: int) -> None:
    shape = architecture(model)
    assert (shape.parameters, shape.active_parameters) == (parameters, active)
    assert shape.kv_bytes_per_token(FP16) == cache


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
