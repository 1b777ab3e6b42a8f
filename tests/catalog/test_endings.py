"""The ends of models, and where they stand."""

from __future__ import annotations

import tomllib
from datetime import date
from importlib.resources import files

import pytest

from llmbench.catalog import all_models
from llmbench.catalog.endings import ending_of


def test_every_shutdown_has_a_source_and_was_announced_before() -> None:
    for name, facts in all_models().items():
        for backend, day in facts.shutdown.items():
            found = ending_of(name, backend)
            assert found is not None
            assert found.ends == date.fromisoformat(day)
            assert found.source
            assert found.url.startswith("https://")
            assert found.announced is None or found.announced < found.ends


def test_announcements_name_models_that_end_there() -> None:
    """A name that is misspelt would be taken for an unknown day."""
    text = files("llmbench.catalog").joinpath("facts/endings.toml").read_text(encoding="utf-8")
    for backend, about in tomllib.loads(text).items():
        for day, names in about.get("announced", {}).items():
            date.fromisoformat(day)
            for name in names:
                assert backend in all_models()[name].shutdown


@pytest.mark.parametrize(
    ("model", "backend"), [("mixtral-8x7b", "replicate"), ("mixtral-8x7b", "vllm"), ("nobody", "openai")]
)
def test_end_that_is_not_known_is_none(model: str, backend: str) -> None:
    assert ending_of(model, backend) is None


def test_spellings_do_not_matter() -> None:
    assert ending_of("mistralai/Mixtral-8x7B-Instruct-v0.1", "together") == ending_of(
        "mixtral-8x7b", "together"
    )
