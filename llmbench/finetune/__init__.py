"""Fine-tuning, the same for every vendor."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmbench.lazy import attach

if TYPE_CHECKING:
    from llmbench.finetune.trainer import UniversalModelTrainer

__all__ = ["UniversalModelTrainer"]

__getattr__, __dir__ = attach(__name__, {"UniversalModelTrainer": "llmbench.finetune.trainer"})
