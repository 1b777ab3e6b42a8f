"""Logs of Inspect AI: `.eval` (a zip, since 2025 compressed by Zstandard) and `.json`."""

from __future__ import annotations

import io
import json
import struct
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from llmbench.errors import DatasetError
from llmbench.matrix.foreign.rows import ResultRows
from llmbench.matrix.foreign.shapes import as_record, number_of, part_of, records_of

__all__ = ["is_inspect_log", "read_inspect_eval", "read_inspect_json"]

_LETTERS = {"C": 1.0, "I": 0.0, "P": 0.5, "N": 0.0}
"""Inspect's own values of correct, incorrect, partial and no answer."""
_FINISHED = {
    "stop": "stop",
    "max_tokens": "length",
    "model_length": "length",
    "content_filter": "content_filter",
}
_ZSTANDARD = 93
_LOCAL_HEADER = struct.Struct("<26xHH")
_LARGEST_MEMBER = 1 << 30


def is_inspect_log(document: Any) -> bool:
    """Whether a JSON document is one."""
    return isinstance(document, dict) and isinstance(document.get("eval"), dict) and "plan" in document


def read_inspect_eval(path: Path, content: bytes, *, score: str | None, category: str) -> ResultRows:
    """Rows of an `.eval` file; see `read_inspect_json`. Raises DatasetError."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = {info.filename: info for info in archive.infolist()}
            head = members.get("header.json") or members.get("_journal/start.json")
            if head is None:
                raise DatasetError(f"{path.name} has no header.json; it is no log of Inspect, or is cut off.")
            header = as_record(path, head.filename, _document(path, content, archive, head))
            samples = (
                _document(path, content, archive, info)
                for name, info in members.items()
                if name.startswith("samples/") and name.endswith(".json")
            )
            return _rows(path, header, samples, score=score, category=category)
    except (zipfile.BadZipFile, zlib.error, ValueError, RuntimeError, struct.error, EOFError) as error:
        # zipfile raises RuntimeError for a password, and NotImplementedError for what it cannot unpack.
        raise DatasetError(f"{path.name} cannot be read as a log of Inspect ({error}).") from error


def read_inspect_json(
    path: Path, document: Mapping[str, Any], *, score: str | None, category: str
) -> ResultRows:
    """Rows of a `.json` log. `score` names the scorer, or `scorer.key`; None is the first.

    A sample that failed or was not scored is a missing answer. Costs are known only where the log says
    them. `category` names a field of the samples' metadata. Raises DatasetError.
    """
    samples = records_of(path, "the log", document, "samples")
    return _rows(path, document, samples, score=score, category=category)


def _rows(
    path: Path,
    header: Mapping[str, Any],
    samples: Iterable[Any],
    *,
    score: str | None,
    category: str,
) -> ResultRows:
    import pandas as pd

    about = part_of(path, "the log", header, "eval")
    model = about.get("model")
    if not isinstance(model, str) or not model:
        raise DatasetError(f"{path.name} names no model in its eval; it is no log of Inspect, or is cut off.")
    rows: list[tuple[int, dict[str, Any]]] = []
    notes: list[str] = []
    names: dict[str, None] = {}
    for line, given in enumerate(samples, 1):
        sample = as_record(path, f"sample {line}", given)
        names.update(dict.fromkeys(part_of(path, f"sample {line}", sample, "scores")))
        rows.append((line, sample))
    scorer, _, key = (score or next(iter(names), "")).partition(".")
    if score and scorer not in names:
        raise DatasetError(f"{path.name} has no scores by {scorer!r}; it has {', '.join(names) or 'none'}.")
    if not score and len(names) > 1:
        notes.append(f"{path.name}: scores are those of {scorer!r} (others: {', '.join(list(names)[1:])})")
    if not rows:
        raise DatasetError(f"{path.name} has no samples; Inspect writes them unless log_samples is off.")
    if header.get("status") not in ("success", None):
        notes.append(f"{path.name}: the run ended with status {header['status']!r}")
    found = [_row(path, line, sample, scorer, key, category) for line, sample in rows]
    frame = pd.DataFrame(found).assign(model=model)
    return ResultRows(path, frame, notes, task=str(about.get("task") or ""))


def _row(
    path: Path, line: int, sample: Mapping[str, Any], scorer: str, key: str, category: str
) -> dict[str, Any]:
    where = f"sample {line}"
    if sample.get("id") is None:
        raise DatasetError(f"{path.name}: {where} has no id.")
    output = part_of(path, where, sample, "output")
    by_model = part_of(path, where, sample, "model_usage")
    usage = part_of(path, where, output, "usage") or part_of(path, where, by_model, next(iter(by_model), ""))
    choices = records_of(path, where, output, "choices") or [{}]
    choice = as_record(path, f"choice 1 of {where}", choices[0])
    given = part_of(path, where, part_of(path, where, sample, "scores"), scorer)
    value = _value(path, line, given.get("value"), key)
    failed = None if value is not None else f"not scored by {scorer}"
    if sample.get("error"):
        said = sample["error"]
        failed = str((said.get("message") if isinstance(said, dict) else said) or "failed")
    seconds = number_of(path, where, sample, "working_time") or number_of(path, where, sample, "total_time")
    epoch = number_of(path, where, sample, "epoch")
    target = sample.get("target")
    return {
        "line": line,
        "item": str(sample.get("id")),
        "repeat": 0 if epoch is None else epoch - 1,
        "score": None if failed else value,
        "answer": None if failed else str(output.get("completion") or _text(choice)),
        "question": _question(sample.get("input")),
        "expected": " | ".join(map(str, target)) if isinstance(target, list) else target,
        "category": part_of(path, where, sample, "metadata").get(category),
        "cost_usd": usage.get("total_cost"),
        "latency_ms": None if seconds is None else 1000 * seconds,
        "input_tokens": usage.get("input_tokens"),
        "output_tokens": usage.get("output_tokens"),
        "cached_tokens": usage.get("input_tokens_cache_read"),
        "reasoning_tokens": usage.get("reasoning_tokens"),
        "finish_reason": _FINISHED.get(str(choice.get("stop_reason"))),
        "error": failed,
        "note": given.get("explanation"),
    }


def _value(path: Path, line: int, value: Any, key: str) -> float | None:
    """A score as a number; None where there is none."""
    if isinstance(value, dict):
        if key not in value:
            raise DatasetError(
                f"{path.name}: sample {line} has a score of several values ({', '.join(value)}); name one by "
                'score="scorer.value".'
            )
        value = value[key]
    if value is None:
        return None
    if isinstance(value, str) and value in _LETTERS:
        return _LETTERS[str(value)]
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        raise DatasetError(
            f"{path.name}: sample {line} has the score {value!r:.60}, which is neither a number nor one of "
            f"{', '.join(_LETTERS)}."
        ) from None


def _question(given: Any) -> str | None:
    """The last message of a conversation, or the text."""
    if isinstance(given, list):
        return _text({"message": given[-1]}) if given else None
    return None if given is None else str(given)


def _text(choice: Mapping[str, Any]) -> str:
    message = choice.get("message")
    content = (message.get("content") if isinstance(message, dict) else message) or ""
    if isinstance(content, list):
        return "".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return str(content)


def _document(path: Path, content: bytes, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Any:
    try:
        return json.loads(_read(path, content, archive, info))
    except (ValueError, RecursionError) as error:
        raise DatasetError(f"{path.name}: {info.filename} is no JSON ({error}).") from error


def _read(path: Path, content: bytes, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    """One member. Python before 3.14 cannot unpack Zstandard, which pyarrow can."""
    if info.file_size > _LARGEST_MEMBER:
        raise DatasetError(
            f"{path.name}: {info.filename} is said to be {info.file_size:,} bytes; that is too much."
        )
    if info.compress_type != _ZSTANDARD:
        return archive.read(info)
    import pyarrow as pa

    name, extra = _LOCAL_HEADER.unpack_from(content, info.header_offset)
    start = info.header_offset + _LOCAL_HEADER.size + name + extra
    packed = content[start : start + info.compress_size]
    try:
        return bytes(pa.decompress(packed, decompressed_size=info.file_size, codec="zstd", asbytes=True))
    except OSError as error:
        raise DatasetError(f"{path.name}: {info.filename} cannot be unpacked ({error}).") from error
