"""The head of a .gguf file: enough to say what it is before llama.cpp is asked to load it.

llmbench checks first because llama.cpp reports every failed load by the same sentence, and takes half a
minute to refuse a context that does not fit into memory.
Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from llmbench.errors import ConfigError

__all__ = ["LARGEST_COUNT", "GgufHead", "read_gguf_head"]

_MAGIC = b"GGUF"
_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9
# The vocabulary has 10,000s of strings; no other array is that long, and none of them is needed.
_LONGEST_KEPT_ARRAY = 1024
_LONGEST_STRING = 1 << 24
LARGEST_COUNT = 1 << 24
"""Of layers, heads, numbers or tokens of context, in whatever file of a model; more is a mistake."""
_CACHE_BYTES = 2  # f16, llama.cpp's default for keys and values


@dataclass(frozen=True, slots=True)
class GgufHead:
    """What the metadata says; None where it does not."""

    architecture: str | None
    context_length: int | None
    """Tokens that the model was trained to read."""
    cache_bytes_per_token: int | None
    """Memory of keys and values for each token of context, at f16."""


def read_gguf_head(path: Path) -> GgufHead:
    """Read the metadata of `path`. Raises ConfigError for a file that is missing or is no .gguf."""
    try:
        with path.open("rb") as file:
            if file.read(4) != _MAGIC:
                raise ConfigError(
                    f"{path.name} is not a .gguf file (it does not begin with GGUF); give the path of a "
                    "model in that format."
                )
            return _head(_metadata(file))
    except FileNotFoundError as error:
        raise ConfigError(f"There is no model file {str(path)!r}; correct the path.") from error
    except OSError as error:
        raise ConfigError(f"The model file {path.name} cannot be read: {error.strerror}.") from error
    except (struct.error, ValueError, OverflowError, MemoryError, RecursionError) as error:
        raise ConfigError(f"{path.name} is a damaged .gguf file ({error}); download it again.") from error


def _metadata(file: BinaryIO) -> dict[str, Any]:
    (version,) = _unpack(file, "I")
    if version not in {2, 3}:
        raise ValueError(f"format version {version}; 2 and 3 are known")
    _, entries = _unpack(file, "QQ")
    found: dict[str, Any] = {}
    for _ in range(entries):
        key = _string(file)
        (kind,) = _unpack(file, "I")
        found[key] = _value(file, kind)
    return found


def _unpack(file: BinaryIO, layout: str) -> tuple[Any, ...]:
    data = file.read(struct.calcsize("<" + layout))
    return struct.unpack("<" + layout, data)


def _string(file: BinaryIO) -> str:
    (length,) = _unpack(file, "Q")
    if length > _LONGEST_STRING:
        raise ValueError(f"a string of {length} bytes")
    data = file.read(length)
    if len(data) < length:
        raise ValueError("it ends in its head")
    return data.decode("utf-8", "replace")


def _value(file: BinaryIO, kind: int) -> Any:
    if kind == _STRING:
        return _string(file)
    if kind == _ARRAY:
        item_kind, count = _unpack(file, "IQ")
        if count <= _LONGEST_KEPT_ARRAY:
            return [_value(file, item_kind) for _ in range(count)]
        if item_kind in _SCALARS:
            file.seek(struct.calcsize(_SCALARS[item_kind]) * count, 1)
            return None
        for _ in range(count):
            _value(file, item_kind)
        return None
    if kind not in _SCALARS:
        raise ValueError(f"a value of unknown type {kind}")
    return _unpack(file, _SCALARS[kind])[0]


def _head(metadata: dict[str, Any]) -> GgufHead:
    architecture = metadata.get("general.architecture")
    if not isinstance(architecture, str):
        return GgufHead(None, None, None)

    def own(key: str) -> Any:
        return metadata.get(f"{architecture}.{key}")

    context = own("context_length")
    return GgufHead(architecture, context if isinstance(context, int) else None, _cache_bytes(own))


def _cache_bytes(own: Callable[[str], Any]) -> int | None:
    """Of each token; None where a number that it needs is missing, or none that a model has."""
    layers, heads, width = own("block_count"), own("attention.head_count"), own("embedding_length")
    # Models with another number of heads in each layer give a list.
    cached_heads = own("attention.head_count_kv") or heads
    listed = isinstance(cached_heads, list)
    per_layer = cached_heads if listed else [cached_heads]
    if not (layers and heads and width and all(map(_is_count, (layers, heads, width, *per_layer)))):
        return None
    widths = [own(f"attention.{name}_length") or width // heads for name in ("key", "value")]
    if not all(map(_is_count, widths)):
        return None
    heads_of_all: int = sum(per_layer) if listed else cached_heads * layers
    bytes_of_one: int = sum(widths) * _CACHE_BYTES
    return heads_of_all * bytes_of_one


def _is_count(value: Any) -> bool:
    """Whether a file of unknown origin holds a number here that a model may have."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= LARGEST_COUNT
