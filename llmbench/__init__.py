"""llmbench: decide which language model a product should run on, and defend it in a memo.

Everything here is imported at first use: `import llmbench` loads no vendor's SDK, no pandas, and
opens no connection.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmbench.lazy import attach

if TYPE_CHECKING:
    from llmbench.ledger import Ledger
    from llmbench.matrix import Dataset, Matrix, RecordedModel
    from llmbench.providers import (
        BaseLLMProvider,
        CustomProvider,
        FakeProvider,
        LocalProvider,
        OpenAIProvider,
    )
    from llmbench.types import LLMResponse, Message, ModelCapability, ModelInfo, Usage

__version__ = "0.1.0"

_HOMES = {
    "BaseLLMProvider": "llmbench.providers",
    "CustomProvider": "llmbench.providers",
    "Dataset": "llmbench.matrix",
    "FakeProvider": "llmbench.providers",
    "LLMResponse": "llmbench.types",
    "Ledger": "llmbench.ledger",
    "LocalProvider": "llmbench.providers",
    "Matrix": "llmbench.matrix",
    "Message": "llmbench.types",
    "ModelCapability": "llmbench.types",
    "ModelInfo": "llmbench.types",
    "OpenAIProvider": "llmbench.providers",
    "RecordedModel": "llmbench.matrix",
    "Usage": "llmbench.types",
}

__all__ = [
    "BaseLLMProvider",
    "CustomProvider",
    "Dataset",
    "FakeProvider",
    "LLMResponse",
    "Ledger",
    "LocalProvider",
    "Matrix",
    "Message",
    "ModelCapability",
    "ModelInfo",
    "OpenAIProvider",
    "RecordedModel",
    "Usage",
    "__version__",
]

__getattr__, __dir__ = attach(__name__, _HOMES)
