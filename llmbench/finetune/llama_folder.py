"""A Llama model in a folder of transformers, read for a .gguf: names, metadata, tokenizer, weights.

Facts of the format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from llmbench.errors import ConfigError
from llmbench.finetune.llama_facts import as_object, read_json, read_shape, read_text, read_vocabulary

__all__ = ["FolderModel", "Weights", "can_convert", "gguf_tensor_name", "heads_of", "permuted"]

Weights = npt.NDArray[np.float32]

_OUTER = {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"}
_INNER = {
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
_IN_A_LAYER = re.compile(r"model\.layers\.(\d+)\.(.+)")


def gguf_tensor_name(name: str) -> str | None:
    """The name in a .gguf of a Llama model's tensor; None for one that a Llama model has not.

    >>> gguf_tensor_name("model.layers.3.self_attn.q_proj.weight")
    'blk.3.attn_q.weight'
    """
    stem = name.removesuffix(".weight")
    if stem in _OUTER:
        return f"{_OUTER[stem]}.weight"
    match = _IN_A_LAYER.fullmatch(stem)
    return f"blk.{match[1]}.{_INNER[match[2]]}.weight" if match and match[2] in _INNER else None


def heads_of(tensor: str, heads: int, key_heads: int) -> int | None:
    """The heads by which rows of a tensor are reordered (see `permuted`); None where not at all."""
    if tensor.endswith("attn_q.weight"):
        return heads
    return key_heads if tensor.endswith("attn_k.weight") else None


def permuted(weights: Weights, heads: int) -> Weights:
    """The rows of a query or key projection in the order in which llama.cpp rotates them: pairs of
    neighbours, where transformers pairs the first half of each head with the second.

    >>> permuted(np.arange(4, dtype=np.float32)[:, None], heads=1).ravel().tolist()
    [0.0, 2.0, 1.0, 3.0]
    """
    rows, columns = weights.shape
    return weights.reshape(heads, 2, rows // heads // 2, columns).swapaxes(1, 2).reshape(rows, columns)


def can_convert(folder: Path) -> str:
    """Why the model in `folder` cannot be written as .gguf, as a sentence; empty where it can.

    A model that is nearly a Llama would be written into a file that loads and answers nonsense, so everything
    that the writer does not know is a reason.
    """
    config = read_json(folder / "config.json")
    if config.get("model_type") != "llama":
        kind = str(config.get("model_type"))[:40]
        return f"{folder.name} is a {kind} model, and only llama models can be written as .gguf."
    rope = config.get("rope_parameters") or config.get("rope_scaling") or {}
    stretched = rope.get("rope_type", "default") if isinstance(rope, dict) else "in a way not known here"
    if stretched != "default":
        return f"{folder.name} stretches its positions ({str(stretched)[:40]}), which cannot be written here."
    if config.get("attention_bias") or config.get("mlp_bias") or config.get("hidden_act") != "silu":
        return f"{folder.name} has biases or an activation that a Llama model in a .gguf has not."
    if not (folder / "tokenizer.json").is_file():
        return f"{folder.name} has no tokenizer.json."
    tokenizer = read_json(folder / "tokenizer.json")
    if as_object(tokenizer.get("model")).get("type") != "BPE" or _splitting(tokenizer) is None:
        return f"The tokenizer of {folder.name} is not one of the byte-level kinds that can be written."
    after = tokenizer.get("post_processor")
    if after is None:
        return ""
    if as_object(after).get("type") != "ByteLevel" and as_object(after).get("special_tokens") != {}:
        return f"The tokenizer of {folder.name} adds tokens of its own, which cannot be written here."
    return ""


def _splitting(tokenizer: dict[str, Any]) -> str | None:
    """llama.cpp's name for how the tokenizer cuts a text before it merges; None for one not known here."""
    before = as_object(tokenizer.get("pre_tokenizer"))
    steps = before.get("pretokenizers", [before])
    if not isinstance(steps, list) or tokenizer.get("normalizer") is not None:
        return None
    steps = [as_object(step) for step in steps]
    shape = [(step.get("type"), step.get("individual_digits"), step.get("use_regex")) for step in steps]
    plain = ("ByteLevel", None, True)
    if any(step.get("add_prefix_space") for step in steps):
        return None
    if shape == [plain]:
        return "gpt-2"
    return "smollm" if shape == [("Digits", True, None), plain] else None


class FolderModel:
    """A base that is a folder. Raises ConfigError with the reason where it cannot be written."""

    def __init__(self, folder: Path) -> None:
        reason = can_convert(folder)
        if reason:
            raise ConfigError(reason)
        self._folder = folder
        path = folder / "tokenizer.json"
        tokenizer = read_json(path)
        self._shape = read_shape(folder)
        self._splitting = _splitting(tokenizer)
        self._vocabulary = read_vocabulary(path, tokenizer, self._shape.vocabulary)

    def add_metadata(self, writer: Any) -> None:
        """The model's shape, and its tokenizer."""
        shape = self._shape
        writer.add_block_count(shape.layers)
        writer.add_context_length(shape.context)
        writer.add_embedding_length(shape.hidden)
        writer.add_feed_forward_length(shape.feed_forward)
        writer.add_head_count(shape.heads)
        writer.add_head_count_kv(shape.key_heads)
        writer.add_key_length(shape.width)
        writer.add_value_length(shape.width)
        writer.add_rope_dimension_count(shape.width)
        writer.add_rope_freq_base(shape.rope_base)
        writer.add_layer_norm_rms_eps(shape.norm_epsilon)
        writer.add_vocab_size(shape.vocabulary)
        self._add_tokenizer(writer)

    def _add_tokenizer(self, writer: Any) -> None:
        tokens = self._vocabulary.tokens
        writer.add_tokenizer_model("gpt2")
        writer.add_tokenizer_pre(self._splitting)
        writer.add_token_list(tokens)
        writer.add_token_types(self._vocabulary.kinds)
        writer.add_token_merges(self._vocabulary.merges)
        writer.add_add_bos_token(value=False)
        writer.add_add_space_prefix(value=False)
        settings = read_json(self._folder / "tokenizer_config.json")
        numbers = {token: k for k, token in enumerate(tokens)}
        for name, add in (
            ("bos_token", writer.add_bos_token_id),
            ("eos_token", writer.add_eos_token_id),
            ("unk_token", writer.add_unk_token_id),
            ("pad_token", writer.add_pad_token_id),
        ):
            token = settings.get(name)
            token = token.get("content") if isinstance(token, dict) else token
            if isinstance(token, str) and token in numbers:
                add(numbers[token])
        template = self._folder / "chat_template.jinja"
        text = read_text(template) if template.is_file() else settings.get("chat_template")
        if isinstance(text, str):
            writer.add_chat_template(text)

    def tensors(self) -> Iterator[tuple[str, Weights]]:
        """Name and float32 weights of each, queries and keys in llama.cpp's order."""
        from safetensors import safe_open

        for path in sorted(self._folder.glob("*.safetensors")):
            with safe_open(path, framework="pt") as file:
                for name in file.keys():  # noqa: SIM118 - no mapping
                    renamed = gguf_tensor_name(name)
                    if renamed is None:
                        raise ConfigError(f"{self._folder.name} holds {name}, which a Llama model has not.")
                    if renamed == "output.weight" and self._shape.tied:
                        continue
                    weights = file.get_tensor(name).float().numpy()
                    heads = self.heads(renamed)
                    if heads is not None and (weights.ndim != 2 or len(weights) % (2 * heads)):
                        raise ConfigError(
                            f"{name} of {self._folder.name} has the shape {weights.shape}, and {heads} heads."
                        )
                    yield renamed, weights if heads is None else permuted(weights, heads)

    def heads(self, tensor: str) -> int | None:
        """The heads by which rows of this tensor are reordered; None where not at all."""
        return heads_of(tensor, self._shape.heads, self._shape.key_heads)
