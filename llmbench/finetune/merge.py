"""An adapter and its base model as one .gguf file, so that llama.cpp runs the tuned model under its name.

A base that is a .gguf gives its metadata, its tokenizer and its chat template unchanged; only the numbers
are new. A base that is a folder is written anew: Llama models with a byte-level BPE tokenizer, others are
refused. Weights are added in float32 and rounded once. Needs the extra `train`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from llmbench.errors import ConfigError
from llmbench.finetune.llama_folder import (
    FolderModel,
    Weights,
    gguf_tensor_name,
    heads_of,
    permuted,
)
from llmbench.providers.model_files import models_folder
from llmbench.whole_file import replacing

__all__ = ["merge"]

_TYPES = {"q8_0": "Q8_0", "f16": "F16", "f32": "F32"}
_BLOCK = 32
"""Numbers that share a scale in Q8_0."""
_LAYER = re.compile(r"^base_model\.model\.(.+)\.lora_A(?:\.default)?\.weight$")


class _Change(NamedTuple):
    """What an adapter adds to one tensor: `scale * up @ down`."""

    down: Weights
    up: Weights
    scale: float


def merge(
    base: Path, adapter: Path | None, *, name: str, file_type: str = "q8_0", folder: Path | None = None
) -> Path:
    """Write `NAME.gguf` into the models folder (or `folder`), and give its path: `local/NAME` runs it.

    Args:
        base: a .gguf of the Llama architecture, or a folder as transformers writes it.
        adapter: a folder with a LoRA adapter of peft for that base; None writes the base alone.
        name: of the model, and of the file.
        file_type: q8_0 (one byte a weight), f16 or f32. Norms stay float32.
        folder: where the file goes; None is the models folder.

    Raises ConfigError for a base or an adapter that cannot be written so.
    """
    if file_type not in _TYPES:
        raise ConfigError(f"The file type must be one of {', '.join(_TYPES)}; it is {file_type!r}.")
    target = (folder or models_folder()) / f"{name}.gguf"
    changes = _changes(adapter) if adapter is not None else {}
    model: Any = _GgufModel(base) if base.is_file() else FolderModel(base)
    with replacing(target) as file:
        _write(model, changes, Path(file.name), name, _TYPES[file_type])
    return target


def _write(model: Any, changes: dict[str, _Change], path: Path, name: str, file_type: str) -> None:
    from gguf import GGMLQuantizationType, GGUFWriter, LlamaFileType
    from gguf.quants import quantize

    kind = GGMLQuantizationType[file_type]
    whole = {"Q8_0": LlamaFileType.MOSTLY_Q8_0, "F16": LlamaFileType.MOSTLY_F16, "F32": LlamaFileType.ALL_F32}
    writer: Any = GGUFWriter(path, "llama", use_temp_file=True)
    model.add_metadata(writer)
    writer.add_name(name)
    writer.add_file_type(int(whole[file_type]))
    writer.add_quantization_version(2)
    left = dict(changes)
    for tensor, weights in model.tensors():
        change = left.pop(tensor, None)
        merged = weights if change is None else _changed(weights, change, model.heads(tensor), tensor)
        small = merged.ndim < 2 or (file_type == "Q8_0" and merged.shape[-1] % _BLOCK)
        stored = GGMLQuantizationType.F32 if small else kind
        writer.add_tensor(tensor, quantize(np.ascontiguousarray(merged), stored), raw_dtype=stored)
    if left:
        raise ConfigError(
            f"The adapter changes {len(left)} tensors that the base model does not have, such as "
            f"{min(left)}; it was trained on another model."
        )
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _changed(weights: Weights, change: _Change, heads: int | None, tensor: str) -> Weights:
    delta = np.float32(change.scale) * (change.up @ change.down)
    if delta.shape != weights.shape:
        raise ConfigError(
            f"The adapter's change of {tensor} has the shape {delta.shape} and the base model's weights have "
            f"{weights.shape}; it was trained on another model."
        )
    return weights + (delta if heads is None else permuted(delta, heads))


def _changes(adapter: Path) -> dict[str, _Change]:
    """What the adapter adds, by the name of the tensor in a .gguf."""
    from safetensors.torch import load_file

    try:
        config: Mapping[str, Any] = json.loads((adapter / "adapter_config.json").read_text("utf-8"))
        tensors = load_file(adapter / "adapter_model.safetensors")
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(f"{adapter.name} is no folder with an adapter of peft ({error}).") from error
    plain = not config.get("use_dora") and config.get("bias", "none") == "none"
    if config.get("peft_type") != "LORA" or not plain or config.get("rank_pattern"):
        raise ConfigError(
            f"Only a plain LoRA adapter can be merged here, and {adapter.name} is another kind."
        )
    rank = config["r"]
    scale = config["lora_alpha"] / (rank**0.5 if config.get("use_rslora") else rank)
    found = {}
    for key, down in tensors.items():
        match = _LAYER.match(key)
        if match is None:
            if ".lora_B" in key:
                continue
            raise ConfigError(f"The adapter {adapter.name} holds {key}, which cannot be merged.")
        up = tensors[key.replace(".lora_A", ".lora_B")]
        name = gguf_tensor_name(f"{match[1]}.weight")
        if name is None:
            raise ConfigError(f"The adapter {adapter.name} changes {match[1]}, which a Llama model has not.")
        found[name] = _Change(down.float().numpy(), up.float().numpy(), float(scale))
    return found


class _GgufModel:
    """A base that is a .gguf file already."""

    _OURS = (
        "GGUF.",
        "general.architecture",
        "general.name",
        "general.file_type",
        "general.quantization_version",
    )

    def __init__(self, path: Path) -> None:
        from gguf import GGUFReader

        self._reader: Any = GGUFReader(path)
        architecture = self._reader.fields["general.architecture"].contents()
        if architecture != "llama":
            raise ConfigError(
                f"{path.name} is of the architecture {architecture!r}, and only llama can be merged."
            )
        self._heads = int(self._reader.fields["llama.attention.head_count"].contents())
        shared = self._reader.fields.get("llama.attention.head_count_kv")
        self._key_heads = int(shared.contents()) if shared else self._heads

    def add_metadata(self, writer: Any) -> None:
        """Everything that the base says of itself, but what `_write` says."""
        from gguf import GGUFValueType

        for key, field in self._reader.fields.items():
            if key.startswith(self._OURS):
                continue
            kind = field.types[0]
            inner = field.types[-1] if kind == GGUFValueType.ARRAY else None
            writer.add_key_value(key, field.contents(), kind, inner)

    def tensors(self) -> Iterator[tuple[str, Weights]]:
        """Name and float32 weights of each."""
        from gguf.quants import dequantize

        for tensor in self._reader.tensors:
            yield tensor.name, np.asarray(dequantize(tensor.data, tensor.tensor_type), dtype=np.float32)

    def heads(self, tensor: str) -> int | None:
        """The heads by which a change of this tensor has to be reordered; None where not at all."""
        return heads_of(tensor, self._heads, self._key_heads)
