"""What makes two requests the same request."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from llmbench.types import ChatRequest

__all__ = ["request_hash"]

_VERSION = 1


def request_hash(
    request: ChatRequest,
    *,
    endpoint: str,
    provider: str,
    backend: str | None,
    target: str | None,
    fixed: Mapping[str, Any] | None = None,
) -> str:
    """SHA-256 (hex) of endpoint, provider, backend, target, model, messages, parameters and repeat.

    `target` is the base URL, or the sha256 of the model's file: the same name served from
    somewhere else is another model. `fixed` is what the configuration adds to every request.
    `temperature=0` and `temperature=0.0` are the same request.

    >>> one = ChatRequest("m", [{"role": "user", "content": "hi"}], {"temperature": 0})
    >>> two = ChatRequest("m", [{"role": "user", "content": "hi"}], {"temperature": 0.0})
    >>> def of(r): return request_hash(r, endpoint="e", provider="p", backend=None, target="u")
    >>> of(one) == of(two)
    True
    """
    parts = {
        "version": _VERSION,
        "endpoint": endpoint,
        "provider": provider,
        "backend": backend,
        "target": target,
        "model": request.model,
        "messages": [dict(message) for message in request.messages],
        "params": _plain(dict(request.params)),
        "repeat": request.repeat,
    }
    if fixed:
        parts["fixed"] = _plain(dict(fixed))
    return hashlib.sha256(_ENCODER.encode(parts).encode("ascii")).hexdigest()


# ASCII escapes keep a lone surrogate, which UTF-8 cannot carry, from breaking the hash.
_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def _plain(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
