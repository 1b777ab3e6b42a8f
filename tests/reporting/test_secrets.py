from __future__ import annotations

import base64
import html
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import quote, quote_plus

import pytest

from llmbench.config import load_config
from llmbench.errors import ReportError
from llmbench.reporting.secrets import environment_secrets, find_secret, known_secrets, refuse_secrets

VALUE = "p\"w/ü+<&'\\ 99"
BODY = "a1b2c3d4e5f6g7h8i9j0k1l2m3n4o5p6q7r8s9t0"
SECRETS = {"VENDOR_API_KEY": VALUE}

ENCODINGS: dict[str, Callable[[str], str]] = {
    "raw": str,
    "json": lambda v: json.dumps({"k": v}),
    "json, not ascii": lambda v: json.dumps({"k": v}, ensure_ascii=False),
    "json in json": lambda v: json.dumps(json.dumps({"k": v})),
    "json with escaped slashes": lambda v: json.dumps({"k": v}).replace("/", "\\/"),
    "repr": repr,
    "url": lambda v: "https://x.test/?k=" + quote(v, safe=""),
    "url path": quote,
    "url form": quote_plus,
    "url in lower case": lambda v: re.sub("%..", lambda m: m[0].lower(), quote(v, safe="")),
    "html": html.escape,
    "html without quotes": lambda v: html.escape(v, quote=False),
    "html, decimal": lambda v: html.escape(v).replace("&#x27;", "&#39;"),
    "base64": lambda v: base64.b64encode(v.encode()).decode(),
    "base64, one before": lambda v: base64.b64encode(b":" + v.encode() + b":").decode(),
    "base64, of a header": lambda v: base64.b64encode(f"Bearer {v} and more".encode()).decode(),
    "base64, two before": lambda v: base64.b64encode(b"ab" + v.encode()).decode(),
    "base64, url safe": lambda v: base64.urlsafe_b64encode(b"x" + v.encode()).decode(),
}


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_find_sees_a_value_in_every_encoding(encoding: str) -> None:
    assert find_secret(f"before {ENCODINGS[encoding](VALUE)} after", SECRETS) == "VENDOR_API_KEY"
    assert find_secret(f"before {ENCODINGS[encoding]('another thing')} after", SECRETS) is None


@pytest.mark.parametrize(
    "text",
    # Put together here, so that a scanner of this repository finds none.
    [
        "sk-proj-" + BODY[:24],
        "key: sk-ant-" + BODY[:30] + ",",
        "r8_" + BODY[:37],
        "hf_" + BODY[:34],
        "AIza" + BODY[:35],
        "gsk_" + BODY + BODY,
        "AKIA" + BODY[:16].upper(),
        "ghp_" + BODY[:36],
        "-----BEGIN RSA " + "PRIVATE KEY-----",
    ],
)
def test_find_sees_the_shape_of_a_key(text: str) -> None:
    assert find_secret(f"x\n{text}\n", {}) is not None


@pytest.mark.parametrize(
    "text", ["task-management-of-the-twenty-first", "risk-averse", "sk-short", "AKIA", ""]
)
def test_find_leaves_words_alone(text: str) -> None:
    assert find_secret(text, {}) is None


def test_environment_takes_named_and_long_enough() -> None:
    environment = {
        "A_KEY": "12345678",
        "b_token": "abcdefghij",
        "DB_PASSWORD": "correct horse",
        "SECRET": "on its own",
        "SHORT_KEY": "1234567",
        "KEYBOARD": "querty-uiop",
        "MAX_TOKENS": "1234567890",
        "GPU_CREDENTIAL": "named by llmbench.toml",
        "EMPTY_KEY": "",
        "PGPASSWORD": "correct horse",
        "MYSQL_PWD": "correct horse",
        "PWD": "/home/ada/project",
        "GITHUB_PAT": "correct horse",
        "VENDOR_APIKEY": "correct horse",
        "DB_PASSWD": "correct horse",
        "COMPAT": "correct horse",
    }
    assert set(environment_secrets(environment)) == {
        *("A_KEY", "b_token", "DB_PASSWORD", "SECRET", "PGPASSWORD", "MYSQL_PWD", "GITHUB_PAT"),
        *("VENDOR_APIKEY", "DB_PASSWD"),
    }
    assert "GPU_CREDENTIAL" in environment_secrets(environment, frozenset({"GPU_CREDENTIAL"}))


def test_environment_takes_the_password_of_an_address() -> None:
    url = "postgresql://ada:s%2Fcret-horse@db.test/x"
    assert environment_secrets({"LLMBENCH_LEDGER": url}) == {"LLMBENCH_LEDGER": "s/cret-horse"}
    assert environment_secrets({"PROXY": "http://[broken"}) == {}


def test_known_secrets_come_from_the_keyring_too(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / "llmbench.toml").write_text(
        '[endpoints.gpu]\nprovider = "custom"\nbase_url = "https://gpu.test/v1"\napi_key_env = "GPU_LOGIN"\n'
    )
    stored = {"GPU_LOGIN": "stored-for-gpu", "OPENAI_API_KEY": "stored-for-openai"}
    monkeypatch.setenv("LLMBENCH_KEYRING", "on")
    monkeypatch.setitem(
        sys.modules, "keyring", SimpleNamespace(get_password=lambda service, name: stored.get(name))
    )
    monkeypatch.setitem(sys.modules, "keyring.errors", SimpleNamespace(KeyringError=RuntimeError))
    assert known_secrets(load_config(project)) == stored
    monkeypatch.setenv("OPENAI_API_KEY", "given-by-environment")
    assert known_secrets(load_config(project))["OPENAI_API_KEY"] == "given-by-environment"


def test_a_secret_that_is_not_utf_8_is_searched_for() -> None:
    value = b"correct-\xff-horse".decode(errors="surrogateescape")
    assert find_secret("x correct-%FF-horse", {"A_KEY": value}) == "A_KEY"


def test_refuse_names_file_and_variable_never_the_value(tmp_path: Path) -> None:
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables" / "answers.csv").write_text(f"answer\nmine is {VALUE}\n", encoding="utf-8")
    with pytest.raises(ReportError) as caught:
        refuse_secrets(tmp_path, SECRETS)
    assert "tables/answers.csv contains the value of VENDOR_API_KEY" in str(caught.value)
    assert "in a model's answer, ask again with --fresh or remove that item" in str(caught.value)
    assert VALUE not in str(caught.value)


def test_refuse_sees_a_shape_behind_an_escaped_line_break(tmp_path: Path) -> None:
    text = json.dumps({"text": f"my key:\nsk-{BODY}"})
    assert find_secret(text, {}) is None  # as text, it is the end of the word "nsk"
    (tmp_path / "executed.ipynb").write_text(text)
    with pytest.raises(ReportError, match=r"executed\.ipynb contains what looks like an OpenAI"):
        refuse_secrets(tmp_path, {})


def test_refuse_passes_a_clean_folder(tmp_path: Path) -> None:
    (tmp_path / "image.png").write_bytes(bytes(range(256)))
    (tmp_path / "broken.json").write_text("{")
    refuse_secrets(tmp_path, SECRETS)
