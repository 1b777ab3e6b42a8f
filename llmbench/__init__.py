"""llmbench: decide which language model a product should run on, and defend it in a memo.

Everything here is imported at first use: `import llmbench` loads no vendor's SDK, no pandas, and
opens no connection.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmbench.lazy import attach

if TYPE_CHECKING:
    from llmbench.finetune import UniversalModelTrainer
    from llmbench.ledger import Ledger
    from llmbench.matrix import Dataset, Matrix, RecordedModel
    from llmbench.providers import (
        AnthropicProvider,
        BaseLLMProvider,
        CustomProvider,
        FakeProvider,
        GeminiProvider,
        LlamaProvider,
        LocalProvider,
        MixtralProvider,
        OpenAIProvider,
        TogetherProvider,
    )
    from llmbench.routing import Experiment, ModelRouter, RoutingStrategy
    from llmbench.types import LLMResponse, Message, ModelCapability, ModelInfo, Usage

__version__ = "0.1.0"

_MODULE_OF = {
    "AnthropicProvider": "llmbench.providers",
    "BaseLLMProvider": "llmbench.providers",
    "CustomProvider": "llmbench.providers",
    "Dataset": "llmbench.matrix",
    "Experiment": "llmbench.routing",
    "FakeProvider": "llmbench.providers",
    "GeminiProvider": "llmbench.providers",
    "LLMResponse": "llmbench.types",
    "Ledger": "llmbench.ledger",
    "LlamaProvider": "llmbench.providers",
    "LocalProvider": "llmbench.providers",
    "Matrix": "llmbench.matrix",
    "Message": "llmbench.types",
    "MixtralProvider": "llmbench.providers",
    "ModelCapability": "llmbench.types",
    "ModelInfo": "llmbench.types",
    "ModelRouter": "llmbench.routing",
    "OpenAIProvider": "llmbench.providers",
    "RecordedModel": "llmbench.matrix",
    "RoutingStrategy": "llmbench.routing",
    "TogetherProvider": "llmbench.providers",
    "UniversalModelTrainer": "llmbench.finetune",
    "Usage": "llmbench.types",
}

__all__ = [
    "AnthropicProvider",
    "BaseLLMProvider",
    "CustomProvider",
    "Dataset",
    "Experiment",
    "FakeProvider",
    "GeminiProvider",
    "LLMResponse",
    "Ledger",
    "LlamaProvider",
    "LocalProvider",
    "Matrix",
    "Message",
    "MixtralProvider",
    "ModelCapability",
    "ModelInfo",
    "ModelRouter",
    "OpenAIProvider",
    "RecordedModel",
    "RoutingStrategy",
    "TogetherProvider",
    "UniversalModelTrainer",
    "Usage",
    "__version__",
]

__getattr__, __dir__ = attach(__name__, _MODULE_OF)
