"""The places that charge for tokens, and those of one's own: the one list of them."""

from __future__ import annotations

__all__ = ["HOSTED", "OWN", "PRICED"]

HOSTED = ("openai", "together", "replicate", "anthropic", "gemini", "mistral")
"""Backends that sell tokens. Every table of prices in facts/prices-*.toml is one of these."""

PRICED = (*HOSTED, "azure")
"""Those, and where OpenAI's models are sold under contracts of one's own."""

OWN = ("local", "vllm", "ollama")
"""Backends on a machine of one's own, which costs hours and no tokens."""
