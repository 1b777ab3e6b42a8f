"""Fine-tuning, the same for every vendor: training data, jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmbench.lazy import attach

if TYPE_CHECKING:
    from llmbench.finetune.checking import check
    from llmbench.finetune.converting import Conversion, convert
    from llmbench.finetune.costs import TrainingCost, training_cost
    from llmbench.finetune.exporting import Export, export
    from llmbench.finetune.findings import Finding
    from llmbench.finetune.report import TrainingReport
    from llmbench.finetune.splitting import Split, split
    from llmbench.finetune.trainer import UniversalModelTrainer

_MODULE_OF = {
    "Conversion": "converting",
    "Export": "exporting",
    "Finding": "findings",
    "Split": "splitting",
    "TrainingCost": "costs",
    "TrainingReport": "report",
    "UniversalModelTrainer": "trainer",
    "check": "checking",
    "convert": "converting",
    "export": "exporting",
    "split": "splitting",
    "training_cost": "costs",
}

__all__ = [
    "Conversion",
    "Export",
    "Finding",
    "Split",
    "TrainingCost",
    "TrainingReport",
    "UniversalModelTrainer",
    "check",
    "convert",
    "export",
    "split",
    "training_cost",
]

__getattr__, __dir__ = attach(__name__, {name: f"{__name__}.{home}" for name, home in _MODULE_OF.items()})
