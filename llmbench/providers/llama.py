"""Meta's Llama models, wherever they are served."""

from __future__ import annotations

from typing import ClassVar

from llmbench.providers.open_weights import OpenWeightsProvider

__all__ = ["LlamaProvider"]


class LlamaProvider(OpenWeightsProvider):
    """Llama 3 and 3.1 at Replicate, Together AI, one's own vLLM or one's own Ollama.

    >>> LlamaProvider({"backend": "vllm"}).base_url
    'http://localhost:8000/v1'
    >>> LlamaProvider({"backend": "ollama"}).get_model_info("llama-3.1-8b").context_window
    131072
    """

    name: ClassVar[str] = "llama"
