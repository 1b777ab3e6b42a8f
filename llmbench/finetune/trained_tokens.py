"""How many tokens a job trains, counted offline from its file, in flat memory."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from llmbench.catalog.tokenizers import count_tokens, tokenizer_for
from llmbench.errors import DatasetError, UsageError
from llmbench.finetune.reading import open_training, rows

__all__ = ["FileTokens", "count_file_tokens"]

_TEXTS = ("prompt", "completion", "text")


class FileTokens(NamedTuple):
    """Tokens of one file, read once."""

    tokens: int
    low: int
    high: int
    """`low` and `high` are equal where the count is exact."""
    examples: int
    tokenizer: str
    """What counted: see `llmbench.catalog.tokenizers`."""
    note: str
    """Why the count is exact, or why only near."""


def count_file_tokens(path: str | Path, model: str, *, place: str | None = None) -> FileTokens:
    """Count the tokens of a JSONL file of examples (chat, prompt with completion, or text) for `model`.

    A part of a message that is no text (tool calls, images) counts as its JSON. Raises DatasetError for a
    file that cannot be read and for a line that is none.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder, "t.jsonl")
    ...     _ = file.write_text('{"messages": [{"role": "user", "content": "hello"}]}' + chr(10))
    ...     count_file_tokens(file, "gpt-4", place="openai").tokens
    8
    """
    tokens = low = high = examples = 0
    for number, row in _rows(Path(path)):
        try:
            found = count_tokens(_counted(row), model, provider=place)
        except UsageError as error:
            raise DatasetError(f"{Path(path).name}:{number} cannot be counted: {error}") from error
        tokens, low, high = tokens + found.tokens, low + found.low, high + found.high
        examples += 1
    choice = tokenizer_for(model, place)
    return FileTokens(tokens, low, high, examples, choice.name, choice.reason)


def _rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    with open_training(path) as content:
        for row in rows(content):
            if row.row is None or row.problem is not None:
                what = row.problem.text if row.problem else "cannot be read"
                raise DatasetError(f"{path.name}:{row.line.number} {what}.")
            yield row.line.number, row.row


def _counted(row: Mapping[str, Any]) -> str | list[dict[str, str]]:
    messages = row.get("messages")
    if isinstance(messages, list) and messages and all(isinstance(each, dict) for each in messages):
        return [{"role": str(each.get("role", "")), "content": _text(each)} for each in messages]
    texts = [row[key] for key in _TEXTS if isinstance(row.get(key), str)]
    return "\n".join(texts) if texts else json.dumps(row, ensure_ascii=False)


def _text(message: Mapping[str, Any]) -> str:
    content = message.get("content")
    beyond = {
        key: value for key, value in message.items() if key not in {"role", "content", "weight", "name"}
    }
    words = content if isinstance(content, str) else "" if content is None else json.dumps(content)
    return words + (json.dumps(beyond, ensure_ascii=False) if beyond else "")
