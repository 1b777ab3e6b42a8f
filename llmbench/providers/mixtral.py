"""Mistral AI's Mixtral models, wherever they are served."""

from __future__ import annotations

from typing import ClassVar

from llmbench.providers.open_weights import OpenWeightsProvider

__all__ = ["MixtralProvider"]


class MixtralProvider(OpenWeightsProvider):
    """Mixtral 8x7B and 8x22B at Together AI, Replicate, one's own vLLM or one's own Ollama.

    >>> MixtralProvider({"backend": "vllm"}).get_model_info("mixtral-8x7b").cost_per_1k_input_tokens
    0.0
    """

    name: ClassVar[str] = "mixtral"
