"""Refuse to keep a report that holds a key.

Every file of a report is searched for the value of each secret of the environment, in the forms in
which text gets into files, and for the shapes that vendors give their keys. A hit names the file
and the variable, never the value.
"""

from __future__ import annotations

import base64
import contextlib
import html
import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus, unquote, urlsplit

from llmbench.errors import ConfigError, ReportError
from llmbench.reporting.text import texts_of
from llmbench.secret import from_environment

if TYPE_CHECKING:
    from llmbench.config import ProjectConfig

__all__ = ["SecretFoundError", "environment_secrets", "find_secret", "known_secrets", "refuse_secrets"]

# Without an underscore before it, PWD is the current folder, and KEY the end of MONKEY.
_NAME = re.compile(
    r"(PASSWORD|PASSWD|PASSPHRASE|APIKEY)$|(^|_)(KEY|TOKEN|SECRET)$|_(PWD|PAT)$", re.IGNORECASE
)
_SHORTEST = 8
"""A shorter value is found everywhere by chance."""

# Not inside a longer run of base64 or identifier characters: embedded images hold everything.
_SHAPES = {
    "an OpenAI or Anthropic key": r"sk-[A-Za-z0-9_-]{20,}",
    "a Replicate token": r"r8_[A-Za-z0-9]{30,}",
    "a Hugging Face token": r"hf_[A-Za-z0-9]{30,}",
    "a Google key": r"AIza[A-Za-z0-9_-]{35}",
    "an AWS key id": r"(?:AKIA|ASIA)[A-Z0-9]{16}",
    "a Groq key": r"gsk_[A-Za-z0-9]{40,}",
    "a GitHub token": r"(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{40,})",
    "a private key": r"-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----",
}
_SHAPE_PATTERNS = {name: re.compile(rf"(?<![A-Za-z0-9+/=_-])(?:{shape})") for name, shape in _SHAPES.items()}


class SecretFoundError(ReportError):
    """A report holds a secret, and was not kept."""


def environment_secrets(
    environment: Mapping[str, str], extra_names: frozenset[str] = frozenset()
) -> dict[str, str]:
    """Variable -> secret value, of at least 8 characters.

    Secrets are the variables named KEY, TOKEN or SECRET or ending in _KEY, _TOKEN, _SECRET, _PWD,
    _PAT, PASSWORD, PASSWD, PASSPHRASE or APIKEY, those in `extra_names` (an endpoint's `api_key_env`
    may have any name), and the password inside a URL.

    >>> environment_secrets({"OPENAI_API_KEY": "sk-0123456789", "HOME": "/home/ada"})
    {'OPENAI_API_KEY': 'sk-0123456789'}
    >>> environment_secrets({"LLMBENCH_LEDGER": "postgresql://ada:correct-horse@db/ledger"})
    {'LLMBENCH_LEDGER': 'correct-horse'}
    """
    found: dict[str, str] = {}
    for name, value in environment.items():
        secret = value.strip() if _NAME.search(name) or name in extra_names else _url_password(value)
        if len(secret) >= _SHORTEST:
            found[name] = secret
    return found


def known_secrets(config: ProjectConfig) -> dict[str, str]:
    """What `environment_secrets` finds, and every key that an endpoint of the project or a vendor's
    would be called with, which may come from the keyring.
    """
    from llmbench.providers.registry import every_key_variable

    named = {endpoint.api_key_env for endpoint in config.endpoints.values() if endpoint.api_key_env}
    named |= every_key_variable()
    found = environment_secrets(os.environ, frozenset(named))
    for name in sorted(named - set(found)):
        with contextlib.suppress(ConfigError):  # not a key that any provider would take
            key = from_environment(name)
            if key is not None and len(key.reveal()) >= _SHORTEST:
                found[name] = key.reveal()
    return found


def find_secret(text: str, secrets: Mapping[str, str]) -> str | None:
    """The name of the first secret in `text`: its variable, or what its shape says; None if clean.

    >>> find_secret("key=c2stMDEyMzQ1Njc4OQ==", {"OPENAI_API_KEY": "sk-0123456789"})
    'OPENAI_API_KEY'
    """
    for name, value in secrets.items():
        if any(form in text for form in _forms(value)):
            return name
    for name, pattern in _SHAPE_PATTERNS.items():
        if pattern.search(text):
            return name
    return None


def refuse_secrets(folder: Path, secrets: Mapping[str, str]) -> None:
    """Raise SecretFoundError if a file of `folder` holds one of `secrets` or anything shaped like a key."""
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        text = path.read_bytes().decode("utf-8", errors="replace")
        found = find_secret(text, secrets)
        if found is None and path.suffix in {".json", ".ipynb"}:
            # Decoded, a key that follows an escaped line break is seen for what it is.
            found = find_secret("\n".join(_json_strings(text)), secrets)
        if found is not None:
            raise SecretFoundError(
                f"The report was not kept: {path.relative_to(folder).as_posix()} contains "
                f"{_named(found, secrets)}. Remove it from the notebook or the data; where it stands in a "
                "model's answer, ask again with --fresh or remove that item from the data."
            )


def _named(found: str, secrets: Mapping[str, str]) -> str:
    return f"the value of {found}" if found in secrets else f"what looks like {found}"


def _url_password(value: str) -> str:
    if "://" not in value:
        return ""
    try:
        return unquote(urlsplit(value).password or "")
    except ValueError:
        return ""


def _forms(value: str) -> set[str]:
    """`value` as it may stand in a file."""
    raw = value.encode(errors="surrogateescape")  # a variable need not be UTF-8
    once = {json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1], repr(value)[1:-1]}
    twice = {json.dumps(form)[1:-1] for form in once}
    slashes = {form.replace("/", "\\/") for form in once}
    urls = {quote(raw), quote(raw, safe=""), quote_plus(raw)}
    lower_urls = {re.sub("%[0-9A-F]{2}", lambda match: match[0].lower(), form) for form in urls}
    markup = {html.escape(value), html.escape(value, quote=False)}
    numeric_markup = {form.replace("&#x27;", "&#39;") for form in markup}
    return {
        value,
        *once,
        *twice,
        *slashes,
        *urls,
        *lower_urls,
        *markup,
        *numeric_markup,
        *_base64_forms(raw),
    }


def _base64_forms(raw: bytes) -> Iterator[str]:
    """The characters that base64 gives to `raw` wherever it starts in what was encoded: two
    neighbours share a character at each end, which is cut off.
    """
    for offset in range(3):
        encoded = base64.b64encode(b"\0" * offset + raw)
        first = -(-offset * 8 // 6)
        last = (offset + len(raw)) * 8 // 6
        form = encoded[first:last].decode()
        yield form
        yield form.replace("+", "-").replace("/", "_")


def _json_strings(text: str) -> Iterator[str]:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return
    yield from texts_of(document)
