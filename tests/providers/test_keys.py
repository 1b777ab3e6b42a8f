"""A key from the environment goes to its own vendor's address and nowhere else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from llmbench.errors import ConfigError
from llmbench.providers import (
    AnthropicProvider,
    BaseLLMProvider,
    GeminiProvider,
    LlamaProvider,
    MixtralProvider,
    OpenAIProvider,
    TogetherProvider,
)

KEY = "sk-from-the-environment"
VENDORS: dict[
    str, tuple[Callable[[dict[str, Any]], BaseLLMProvider], dict[str, Any], tuple[str, ...], str]
] = {
    "openai": (OpenAIProvider, {}, ("OPENAI_API_KEY",), "https://api.openai.com/v1"),
    "azure": (
        OpenAIProvider,
        {"backend": "azure"},
        ("AZURE_OPENAI_API_KEY",),
        "https://ours.openai.azure.com",
    ),
    "anthropic": (AnthropicProvider, {}, ("ANTHROPIC_API_KEY",), "https://api.anthropic.com"),
    "gemini": (
        GeminiProvider,
        {},
        ("GEMINI_API_KEY", "GOOGLE_API_KEY"),
        "https://generativelanguage.googleapis.com",
    ),
    "together": (TogetherProvider, {}, ("TOGETHER_API_KEY",), "https://api.together.ai"),
    "llama on replicate": (
        LlamaProvider,
        {"backend": "replicate"},
        ("REPLICATE_API_TOKEN", "REPLICATE_API_KEY"),
        "https://api.replicate.com",
    ),
    "mixtral on together": (
        MixtralProvider,
        {"backend": "together"},
        ("TOGETHER_API_KEY",),
        "https://api.together.ai",
    ),
}
ROWS = [
    pytest.param(*VENDORS[name][:2], variable, VENDORS[name][3], id=f"{name}-{variable}")
    for name in VENDORS
    for variable in VENDORS[name][2]
]
Build = Callable[[dict[str, Any]], BaseLLMProvider]


@pytest.mark.parametrize(("build", "settings", "variable", "home"), ROWS)
def test_the_environments_key_serves_the_vendors_own_address(
    build: Build, settings: dict[str, Any], variable: str, home: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, KEY)
    provider = build({**settings, "base_url": home})
    assert KEY in set(provider.secrets())
    assert KEY not in repr(vars(provider))


@pytest.mark.parametrize(("build", "settings", "variable", "home"), ROWS)
@pytest.mark.parametrize(
    "elsewhere",
    ["https://proxy.example/v1", "https://api.openai.com.evil.example/v1", "http://127.0.0.1:9/v1"],
)
def test_the_environments_key_goes_nowhere_else(
    build: Build,
    settings: dict[str, Any],
    variable: str,
    home: str,
    elsewhere: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(variable, KEY)
    with pytest.raises(ConfigError, match="key") as caught:
        build({**settings, "base_url": elsewhere})
    assert KEY not in str(caught.value)
    assert set(build({**settings, "base_url": elsewhere, "api_key": "explicit-key"}).secrets()) == {
        "explicit-key"
    }


@pytest.mark.parametrize(("build", "settings", "variable", "home"), ROWS)
def test_without_a_key_its_variable_is_named(
    build: Build, settings: dict[str, Any], variable: str, home: str
) -> None:
    with pytest.raises(ConfigError, match=variable):
        build({**settings, "base_url": home})


@pytest.mark.parametrize(
    ("variable", "build", "settings"),
    [
        ("OPENAI_BASE_URL", OpenAIProvider, {}),
        ("ANTHROPIC_BASE_URL", AnthropicProvider, {}),
        ("GOOGLE_GEMINI_BASE_URL", GeminiProvider, {}),
        ("TOGETHER_BASE_URL", TogetherProvider, {}),
        ("REPLICATE_API_BASE_URL", LlamaProvider, {"backend": "replicate"}),
    ],
)
def test_an_address_in_the_environment_is_not_followed(
    variable: str, build: Build, settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, "https://evil.example")
    provider = build({**settings, "api_key": KEY})
    assert "evil" not in (provider.base_url or "")
