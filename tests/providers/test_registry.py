from __future__ import annotations

from pathlib import Path

import pytest

from llmbench.config import load_config
from llmbench.errors import ConfigError, UsageError
from llmbench.providers.registry import endpoints_at_hand, open_endpoint, split_model_id


def write(project: Path, text: str) -> None:
    (project / "llmbench.toml").write_text(text, encoding="utf-8")


@pytest.mark.parametrize("bad", ["gpt-4o", "/gpt-4o", "openai/", ""])
def test_a_model_needs_its_endpoint(bad: str) -> None:
    with pytest.raises(UsageError, match="endpoint/model"):
        split_model_id(bad)


def test_unknown_endpoint_names_those_there_are(project: Path) -> None:
    with pytest.raises(ConfigError, match="there are local"):
        open_endpoint("nowhere")


def test_missing_key_names_its_variable(project: Path) -> None:
    with pytest.raises(ConfigError, match="OPENAI_API_KEY"):
        open_endpoint("openai")


def test_a_vendor_with_a_key_needs_no_configuration(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-testtesttest")
    assert endpoints_at_hand() == ["local", "openai"]
    assert open_endpoint("openai").name == "openai"


def test_the_vendors_key_stays_away_from_another_address(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-testtesttest")
    write(project, '[endpoints.proxy]\nprovider = "openai"\nbase_url = "https://proxy.example/v1"\n')
    with pytest.raises(ConfigError, match="api_key_env"):
        open_endpoint("proxy")


def test_unknown_provider_names_those_there_are(project: Path) -> None:
    write(project, '[endpoints.a]\nprovider = "openia"\n')
    with pytest.raises(ConfigError, match="openai"):
        open_endpoint("a", config=load_config())


@pytest.mark.parametrize("key", ["api_key", "base_url", "endpoint"])
def test_options_cannot_hold_what_belongs_elsewhere(project: Path, key: str) -> None:
    table = '[endpoints.a]\nprovider = "custom"\nbase_url = "http://127.0.0.1:1/v1"\n'
    write(project, f'{table}options = {{ {key} = "sk-12345678" }}\n')
    with pytest.raises(ConfigError, match="does not belong there") as caught:
        open_endpoint("a", config=load_config())
    assert "sk-12345678" not in str(caught.value)


def test_unknown_option_of_an_endpoint_names_the_table(project: Path) -> None:
    write(
        project,
        '[endpoints.a]\nprovider = "custom"\nbase_url = "http://127.0.0.1:1/v1"\noptions = { x = 1 }\n',
    )
    with pytest.raises(ConfigError, match=r"\[endpoints.a\]"):
        open_endpoint("a", config=load_config())
