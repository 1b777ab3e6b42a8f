"""The places that charge for tokens: the one list of them."""

from __future__ import annotations

__all__ = ["HOSTED", "PRICED"]

HOSTED = ("openai", "together", "replicate", "anthropic", "gemini", "mistral")
"""Backends that sell tokens. Every table of prices in facts/prices-*.toml is one of these."""

PRICED = (*HOSTED, "azure")
"""Those, and where OpenAI's models are sold under contracts of one's own."""
