"""Providers for the tests of routing."""

from __future__ import annotations

from typing import Any

from llmbench import FakeProvider

__all__ = ["PRICES", "make_provider"]

PRICES = {"input": 1.0, "output": 2.0}


def make_provider(name: str, model: str, script: Any = None, **settings: Any) -> FakeProvider:
    """Serves `model` and says who it is, or what `script` says."""
    answers = script if script is not None else (lambda messages, params: f"{name} here")
    if not settings.get("self_hosted"):
        settings.setdefault("prices", {model: PRICES})
    return FakeProvider(answers, model=model, **settings)
