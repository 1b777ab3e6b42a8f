"""How many tokens a request will have, counted offline before it is sent.

The vocabularies come with quicktok (extra `tokens`). A model whose vocabulary is not among them is
counted by another and multiplied; such a count is near, and carries the range it was measured to
lie in. facts/tokenizers.toml holds what is known of each family, with sources.
"""

from __future__ import annotations

import math
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

from llmbench.catalog.fact_files import read_facts
from llmbench.catalog.models import canonical_name
from llmbench.catalog.tuned_models import tuned_base
from llmbench.errors import UsageError
from llmbench.shown import shown

__all__ = ["TokenCount", "TokenCounter", "TokenizerChoice", "count_tokens", "tokenizer_for"]

_CHARACTERS = "characters"
_CHARS_PER_TOKEN = (6.0, 4.0, 2.0)
"""Low, expected and high: 4 is the usual figure for English, 2 for code, figures and other scripts."""
_OTHER_TEXT = 0.005
"""From this share of characters beyond ASCII a text is not taken for plain English, code or figures."""
_NO_QUICKTOK = "4 (6 to 2) characters a token; to count, pip install 'llmbench[tokens]'"


@shown
class TokenizerChoice(NamedTuple):
    """What counts the input of a model at a provider.

    >>> tokenizer_for("gpt-4", "openai").name
    'cl100k'
    """

    name: str
    """cl100k, o200k, llama3 or qwen3; "characters" where quicktok is not installed."""
    exact: bool
    """A request has as many tokens as counted; else the count is only near."""
    reason: str
    """Why it is exact, or why only near and by how much."""


@shown
class TokenCount(NamedTuple):
    """The input tokens of one request; `low` and `high` equal `tokens` where the count is exact."""

    tokens: int
    low: int
    high: int
    tokenizer: str
    exact: bool
    note: str


class _Band(NamedTuple):
    """The model's tokens for each token of tokenizer `by`."""

    by: str
    low: float
    expected: float
    high: float


@dataclass(frozen=True, slots=True)
class _Family:
    """A row of facts/tokenizers.toml, which explains the fields."""

    pattern: str
    tokenizer: str
    plain: _Band
    other: _Band
    own: bool = False
    exact_at: tuple[str, ...] = ()
    vendor: str | None = None
    per_message: int = 0
    per_name: int = 0
    per_reply: int = 0
    trims: bool = False
    preamble: str = ""
    default_system: str = ""

    def exact(self, provider: str | None) -> bool:
        return (provider or self.vendor) in self.exact_at

    def band(self, texts: Sequence[str]) -> _Band:
        beyond = sum(len(text) - len(text.encode("ascii", "ignore")) for text in texts if not text.isascii())
        return self.other if beyond > _OTHER_TEXT * sum(map(len, texts)) else self.plain


def tokenizer_for(model: str, provider: str | None = None) -> TokenizerChoice:
    """What counts the input of `model` at `provider` (a backend such as "vllm", else a provider).

    Without a provider, a vendor's own model is taken to be at its vendor.

    >>> tokenizer_for("mixtral-8x7b", "together").exact
    False
    """
    family = _family(model)
    if _encoding(family.plain.by) is None:
        return TokenizerChoice(_CHARACTERS, exact=False, reason=_NO_QUICKTOK)
    exact = family.exact(provider)
    return TokenizerChoice(family.plain.by, exact, _reason(family, family.plain, exact=exact))


def count_tokens(
    messages_or_text: str | Sequence[Mapping[str, object]], model: str, *, provider: str | None = None
) -> TokenCount:
    """The tokens of a request's messages, chat template included, or of a text alone.

    Tools, images and an answer's schema are not part of messages, so not of the count. Raises
    UsageError for messages that are not `{"role": ..., "content": ...}` (and perhaps `"name"`).

    >>> count_tokens([{"role": "user", "content": "hello"}], "gpt-4").tokens
    8
    """
    return TokenCounter(model, provider).count(messages_or_text)


class TokenCounter:
    """Counts for one model at one provider: what is known of it is looked up once.

    >>> TokenCounter("gpt-4", "openai").count("hello").tokens
    1
    """

    def __init__(self, model: str, provider: str | None = None) -> None:
        self._family = _family(model)
        self._provider = provider

    def load_ahead(self) -> None:
        """Load the vocabulary in another thread, half a second at a process's first; a count waits for it."""
        threading.Thread(target=_encoding, args=(self._family.plain.by,)).start()

    def count(self, messages_or_text: str | Sequence[Mapping[str, object]]) -> TokenCount:
        """See `count_tokens`."""
        alone = isinstance(messages_or_text, str)
        messages = _checked([{"role": "", "content": messages_or_text}] if alone else messages_or_text)
        family = self._family
        texts = [m["content"].strip() if family.trims and not alone else m["content"] for m in messages]
        band = family.band(texts)
        encoding = _encoding(band.by)
        if encoding is None:
            low, expected, high = (sum(map(len, texts)) / chars for chars in _CHARS_PER_TOKEN)
            return TokenCount(
                round(expected), math.floor(low), math.ceil(high), _CHARACTERS, exact=False, note=_NO_QUICKTOK
            )
        count = _counter(encoding)
        read = sum(map(count, texts))
        template = 0 if alone else _template_tokens(family, messages, count)
        exact = family.own if alone else family.exact(self._provider)
        note = _reason(family, band, exact=exact)
        if exact:
            return TokenCount(read + template, read + template, read + template, band.by, exact, note)
        # How a server wraps messages is its own affair: not at all, as is customary, or twice as long.
        low, high = math.floor(read * band.low), math.ceil(read * band.high) + 2 * template
        return TokenCount(round(read * band.expected) + template, low, high, band.by, exact, note)


def _reason(family: _Family, band: _Band, *, exact: bool) -> str:
    if exact:
        return "the model's own vocabulary and published format"
    if family.own:
        return "the model's own vocabulary, in a chat format that is not published"
    return f"another model's vocabulary, times {band.expected:g} ({band.low:g} to {band.high:g})"


def _template_tokens(
    family: _Family, messages: Sequence[Mapping[str, Any]], count: Callable[[str], int]
) -> int:
    total = family.per_reply + sum(family.per_message + count(message["role"]) for message in messages)
    total += sum(family.per_name + count(message["name"]) for message in messages if "name" in message)
    has_system = bool(messages) and messages[0]["role"] == "system"
    added = family.preamble + ("" if has_system else family.default_system)
    if added:
        total += count(added) + (0 if has_system else family.per_message + count("system"))
    return total


def _checked(messages: Any) -> Sequence[Mapping[str, Any]]:
    if not isinstance(messages, Sequence) or not messages:
        raise UsageError("Tokens are counted of a text or of a list with at least one message; give one.")
    for number, message in enumerate(messages, start=1):
        if not isinstance(message, Mapping) or not {"role", "content"} <= message.keys() <= {
            "role", "content", "name",
        } or not all(isinstance(value, str) for value in message.values()):  # fmt: skip
            raise UsageError(
                f"Message {number} cannot be counted: give role and content (and perhaps name), each a text."
            )
    return messages


@cache
def _families() -> tuple[_Family, ...]:
    return tuple(_read(row) for row in read_facts("tokenizers")["family"])


def _read(row: Mapping[str, Any]) -> _Family:
    same = {"by": row["tokenizer"], "low": 1.0, "expected": 1.0, "high": 1.0}
    bands = {kind: _Band(**row.get(kind, same)) for kind in ("plain", "other")}
    return _Family(**{**row, **bands, "exact_at": tuple(row.get("exact_at", ()))})


def _family(model: str) -> _Family:
    return _family_of((canonical_name(model) or tuned_base(model) or model.rsplit("/", 1)[-1]).casefold())


@cache
def _family_of(name: str) -> _Family:
    return next(family for family in _families() if re.fullmatch(family.pattern, name, re.DOTALL))


def _counter(encoding: Any) -> Callable[[str], int]:
    def count(text: str) -> int:
        try:
            tokens: int = encoding.count(text)
        except TypeError:  # a lone surrogate, which UTF-8 cannot carry
            tokens = encoding.count(text.encode("utf-8", "replace").decode("utf-8"))
        return tokens

    return count


def _encoding(tokenizer: str) -> Any | None:
    with _LOADING:
        return _loaded(tokenizer)


_LOADING = threading.Lock()


@cache
def _loaded(tokenizer: str) -> Any | None:
    try:
        import quicktok
    except ImportError:
        return None
    return quicktok.get_encoding({"cl100k": "cl100k_base", "o200k": "o200k_base"}.get(tokenizer, tokenizer))
