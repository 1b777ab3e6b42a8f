"""A vendor's SDK is imported when a provider is built, and its extra named where it is missing."""

from __future__ import annotations

import subprocess
import sys

import pytest

from llmbench.errors import ConfigError
from tests.providers.cases import CASES

NEEDS = {
    "openai": "openai",
    "openai on azure": "openai",
    "anthropic": "anthropic",
    "gemini": "gemini",
    "together": "together",
    "llama on together": "together",
    "llama on replicate": "replicate",
    "mixtral on together": "together",
    "mixtral on replicate": "replicate",
}
MODULES = {"gemini": "google.genai"}
SDKS = ("openai", "anthropic", "google.genai", "together", "replicate", "httpx", "httpx2")


@pytest.mark.parametrize(("name", "extra"), sorted(NEEDS.items()))
def test_a_missing_sdk_is_named_with_its_extra(
    name: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, MODULES.get(extra, extra), None)
    with pytest.raises(ConfigError, match=rf"llmbench\[{extra}\]"):
        CASES[name].build("http://127.0.0.1:9/v1")


@pytest.mark.parametrize("name", sorted(set(CASES) - set(NEEDS)))
def test_ones_own_endpoints_need_no_sdk(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in SDKS:
        monkeypatch.setitem(sys.modules, module, None)
    CASES[name].build("http://127.0.0.1:9/v1")


def test_naming_the_providers_imports_no_sdk() -> None:
    code = (
        "import sys, llmbench\n"
        "from llmbench import AnthropicProvider, GeminiProvider, LlamaProvider, OpenAIProvider\n"
        f"print([name for name in {SDKS!r} if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
