"""Heads of .gguf files, whole, foreign and broken."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llmbench.errors import ConfigError
from llmbench.providers.gguf import GgufHead, read_gguf_head


def text(value: str) -> bytes:
    data = value.encode()
    return struct.pack("<Q", len(data)) + data


def entry(key: str, value: Any) -> bytes:
    if isinstance(value, str):
        return text(key) + struct.pack("<I", 8) + text(value)
    if isinstance(value, list) and isinstance(value[0], str):
        items = b"".join(text(item) for item in value)
        return text(key) + struct.pack("<IIQ", 9, 8, len(value)) + items
    if isinstance(value, list):
        return text(key) + struct.pack("<IIQ", 9, 4, len(value)) + struct.pack(f"<{len(value)}I", *value)
    if isinstance(value, float):
        return text(key) + struct.pack("<If", 6, value)
    return text(key) + struct.pack("<II", 4, value)


def gguf(version: int = 3, **metadata: Any) -> bytes:
    entries = [entry(key.replace("__", "."), value) for key, value in metadata.items()]
    return b"GGUF" + struct.pack("<IQQ", version, 0, len(entries)) + b"".join(entries)


LLAMA: dict[str, Any] = {
    "general__architecture": "llama",
    "tokenizer__tokens": ["<s>", "</s>"] * 1000,
    "tokenizer__types": [1] * 3000,
    "llama__rope": 1e4,
    "llama__context_length": 8192,
    "llama__block_count": 30,
    "llama__embedding_length": 576,
    "llama__attention.head_count": 9,
    "llama__attention.head_count_kv": 3,
}


def head_of(tmp_path: Path, data: bytes) -> GgufHead:
    path = tmp_path / "model.gguf"
    path.write_bytes(data)
    return read_gguf_head(path)


def test_head_of_smollm2s_shape(tmp_path: Path) -> None:
    # 30 layers x 3 heads x (64 + 64) values x 2 bytes
    assert head_of(tmp_path, gguf(**LLAMA)) == GgufHead("llama", 8192, 23_040)


def test_head_another_number_of_heads_in_each_layer(tmp_path: Path) -> None:
    metadata = LLAMA | {
        "llama__attention.head_count_kv": [1] * 10 + [2] * 20,
        "llama__attention.key_length": 32,
    }
    assert head_of(tmp_path, gguf(**metadata)).cache_bytes_per_token == 50 * (32 + 64) * 2


def test_head_what_is_not_said_is_unknown(tmp_path: Path) -> None:
    assert head_of(tmp_path, gguf(general__architecture="mamba")) == GgufHead("mamba", None, None)
    assert head_of(tmp_path, gguf(version=2)) == GgufHead(None, None, None)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "not a .gguf file"),
        (b"PK\x03\x04 a zip", "not a .gguf file"),
        (b"version https://git-lfs.github.com/spec/v1", "not a .gguf file"),
        (b"GGUF", "damaged"),
        (gguf(version=1), "format version 1"),
        (gguf(**LLAMA)[:5000], "damaged"),
        (b"GGUF" + struct.pack("<IQQQ", 3, 0, 1, 1 << 60), "damaged"),
    ],
)
def test_head_refused(tmp_path: Path, data: bytes, reason: str) -> None:
    with pytest.raises(ConfigError, match=rf"model.gguf is .*{reason}"):
        head_of(tmp_path, data)


@pytest.mark.parametrize(
    "odd",
    [
        {"llama__block_count": "30"}, {"llama__block_count": 2.5}, {"llama__block_count": [1]},
        {"llama__embedding_length": "576"}, {"llama__attention.key_length": "x"},
        {"llama__attention.value_length": [1]}, {"llama__attention.head_count_kv": "3"},
        {"llama__block_count": 2**32 - 1}, {"llama__attention.head_count": 0},
        {"llama__block_count": 0}, {"llama__attention.head_count_kv": ["3"] * 30},
    ],
)  # fmt: skip
def test_head_of_odd_kinds_leaves_the_memory_unknown(tmp_path: Path, odd: dict[str, Any]) -> None:
    assert head_of(tmp_path, gguf(**LLAMA | odd)).cache_bytes_per_token is None


def test_head_nested_without_end_is_refused(tmp_path: Path) -> None:
    deep = text("x") + struct.pack("<I", 9) + struct.pack("<IQ", 9, 1) * 5000
    data = b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + deep
    with pytest.raises(ConfigError, match="damaged"):
        head_of(tmp_path, data)


def test_head_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="There is no model file"):
        read_gguf_head(tmp_path / "none.gguf")
    with pytest.raises(ConfigError, match="cannot be read"):
        read_gguf_head(tmp_path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(4, len(gguf(**LLAMA)) - 1), st.binary(min_size=1, max_size=12))
def test_head_of_damaged_bytes_never_crashes(tmp_path: Path, at: int, damage: bytes) -> None:
    data = bytearray(gguf(**LLAMA))
    data[at : at + len(damage)] = damage
    try:
        head_of(tmp_path, bytes(data))
    except ConfigError as error:
        assert "damaged" in str(error)  # noqa: PT017 - only where it is refused at all
