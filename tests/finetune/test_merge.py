"""Names and orders of weights; whether the file works is in tests/real/test_local_training.py."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from llmbench.errors import ConfigError
from llmbench.finetune.llama_folder import can_convert, gguf_tensor_name, permuted
from llmbench.finetune.merge import merge

CONFIG = {"model_type": "llama", "hidden_act": "silu", "attention_bias": False, "mlp_bias": False}
BYTES = {"type": "ByteLevel", "add_prefix_space": False, "use_regex": True}
TOKENIZER = {"model": {"type": "BPE"}, "pre_tokenizer": BYTES, "post_processor": None, "normalizer": None}


def folder(path: Path, config: dict[str, Any], tokenizer: dict[str, Any]) -> Path:
    (path / "config.json").write_text(json.dumps({**CONFIG, **config}), encoding="utf-8")
    (path / "tokenizer.json").write_text(json.dumps({**TOKENIZER, **tokenizer}), encoding="utf-8")
    return path


def test_a_plain_llama_can_be_converted(tmp_path: Path) -> None:
    assert can_convert(folder(tmp_path, {}, {})) == ""
    assert can_convert(folder(tmp_path, {}, {"post_processor": {"type": "T", "special_tokens": {}}})) == ""
    digits = {"type": "Sequence", "pretokenizers": [{"type": "Digits", "individual_digits": True}, BYTES]}
    assert can_convert(folder(tmp_path, {}, {"pre_tokenizer": digits})) == ""


@pytest.mark.parametrize(
    ("config", "tokenizer", "said"),
    [
        ({"model_type": "mixtral"}, {}, "is a mixtral model"),
        ({"rope_scaling": {"rope_type": "llama3"}}, {}, "stretches its positions"),
        ({"attention_bias": True}, {}, "has biases"),
        ({"hidden_act": "gelu"}, {}, "has biases or an activation"),
        ({}, {"model": {"type": "Unigram"}}, "not one of the byte-level kinds"),
        ({}, {"pre_tokenizer": {"type": "Split"}}, "not one of the byte-level kinds"),
        ({}, {"normalizer": {"type": "NFC"}}, "not one of the byte-level kinds"),
        (
            {},
            {"post_processor": {"type": "TemplateProcessing", "special_tokens": {"<s>": {}}}},
            "adds tokens of its own",
        ),
    ],
)
def test_what_would_be_written_wrongly_is_refused(
    tmp_path: Path, config: dict[str, Any], tokenizer: dict[str, Any], said: str
) -> None:
    assert said in can_convert(folder(tmp_path, config, tokenizer))


def test_names_of_tensors() -> None:
    assert gguf_tensor_name("model.embed_tokens.weight") == "token_embd.weight"
    assert gguf_tensor_name("model.layers.11.mlp.down_proj.weight") == "blk.11.ffn_down.weight"
    assert gguf_tensor_name("model.layers.0.self_attn.q_norm.weight") is None


def test_permuted_rows_rotate_as_before() -> None:
    """Pairs (k, k + half) of a head become neighbours: so the same angles turn the same pairs."""
    heads, width, columns = 3, 8, 5
    weights = np.random.default_rng(1).normal(size=(heads * width, columns)).astype(np.float32)
    found = permuted(weights, heads)
    for head in range(heads):
        for k in range(width // 2):
            for part in (0, 1):
                here = found[head * width + 2 * k + part]
                assert (here == weights[head * width + part * width // 2 + k]).all()


def test_a_file_type_that_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="one of q8_0, f16, f32; it is 'q2_k'"):
        merge(tmp_path, None, name="x", file_type="q2_k")
