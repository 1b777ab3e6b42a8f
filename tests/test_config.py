from __future__ import annotations

from pathlib import Path

import pytest

from llmbench.config import find_root, load_config
from llmbench.errors import ConfigError


def write(project: Path, text: str) -> None:
    (project / "llmbench.toml").write_text(text, encoding="utf-8")


def test_endpoints_are_read(project: Path) -> None:
    write(
        project,
        '[endpoints.gpu]\nprovider = "custom"\nbase_url = "http://gpu1:8000/v1"\nusd_per_hour = 0.526\n'
        "allow_http = true\nprices = { m = { input = 1, output = 2 } }\n",
    )
    endpoint = load_config().endpoints["gpu"]
    assert endpoint.provider == "custom"
    assert endpoint.usd_per_hour == 0.526
    assert endpoint.allow_http
    assert endpoint.prices == {"m": {"input": 1, "output": 2}}


def test_root_is_the_nearest_marked_folder(project: Path) -> None:
    below = project / "notebooks" / "deep"
    below.mkdir(parents=True)
    assert find_root(below) == project.resolve()


def test_ledger_of_the_project_and_of_the_environment(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLMBENCH_LEDGER", "/elsewhere/x.db")
    assert load_config().ledger_url == "/elsewhere/x.db"
    monkeypatch.delenv("LLMBENCH_LEDGER")
    assert Path(load_config().ledger_url) == project.resolve() / ".llmbench" / "ledger.db"


def test_a_ledger_in_a_database_is_not_a_path_below_the_root(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LLMBENCH_LEDGER", raising=False)
    write(project, '[ledger]\npath = "postgresql://ada:correct-horse@db/ledger"\n')
    config = load_config()
    assert config.ledger_url == "postgresql://ada:correct-horse@db/ledger"
    assert "correct-horse" not in repr(config)


def test_the_ledgers_durability_is_a_setting(project: Path) -> None:
    assert load_config().ledger_durability == "process"
    write(project, '[ledger]\ndurability = "power"\n')
    assert load_config().ledger_durability == "power"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[endpoints.a\n", "cannot be read"),
        ("[endpoint.a]\nprovider = 'x'\n", "unknown table or key 'endpoint'"),
        ("[endpoints.a]\nbase_url = 'x'\n", "names no provider"),
        ("[endpoints.a]\nprovider = 'x'\nbase_uri = 'x'\n", "'base_url'"),
        ("[endpoints.a]\nprovider = 'x'\napi_key = 'sk-secretsecret'\n", "holds a key"),
        ("[endpoints.a]\nprovider = 'x'\nusd_per_hour = true\n", "usd_per_hour"),
        ("[endpoints.'a/b']\nprovider = 'x'\n", "names an endpoint"),
        ("[ledger]\nfile = 'x'\n", "ledger"),
        ("[ledger]\ndurability = 'disk'\n", "durability"),
    ],
)
def test_what_is_not_understood_is_refused(project: Path, text: str, words: str) -> None:
    write(project, text)
    with pytest.raises(ConfigError, match=words) as caught:
        load_config()
    assert "sk-secretsecret" not in str(caught.value)


def test_paths_are_shown_relative(project: Path) -> None:
    config = load_config()
    assert config.relative(project / "data" / "x.csv") == "data/x.csv"
    assert config.relative("/somewhere/else/y.csv") == "y.csv"


@pytest.mark.parametrize("text", ["a = " + "[" * 5000, "a = " + "9" * 5000], ids=["depth", "digits"])
def test_toml_that_python_cannot_read_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "llmbench.toml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"llmbench\.toml cannot be read"):
        load_config(tmp_path)


@pytest.mark.parametrize("value", ["inf", "nan", "-1.0"])
def test_a_rent_that_is_no_amount_is_refused(tmp_path: Path, value: str) -> None:
    (tmp_path / "llmbench.toml").write_text(
        f'[endpoints.gpu]\nprovider = "custom"\nusd_per_hour = {value}\n', encoding="utf-8"
    )
    with pytest.raises(ConfigError, match="a number from 0 up"):
        load_config(tmp_path)
