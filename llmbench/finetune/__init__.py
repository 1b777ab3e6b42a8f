"""Fine-tuning, the same for every vendor and for one's own machine: training data, jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmbench.lazy import attach

if TYPE_CHECKING:
    from llmbench.finetune.checking import check
    from llmbench.finetune.converting import Conversion, convert
    from llmbench.finetune.costs import TrainingCost, training_cost
    from llmbench.finetune.exporting import Export, export
    from llmbench.finetune.findings import Finding
    from llmbench.finetune.local_job import cancel_local_job, local_job_table, loss_curve, resume_local_job
    from llmbench.finetune.report import TrainingReport
    from llmbench.finetune.serving import VllmServing, vllm_serving
    from llmbench.finetune.splitting import Split, split
    from llmbench.finetune.stored_results import StoredFineTune, read_stored_results
    from llmbench.finetune.trainer import UniversalModelTrainer

_MODULE_OF = {
    "Conversion": "converting",
    "Export": "exporting",
    "Finding": "findings",
    "Split": "splitting",
    "StoredFineTune": "stored_results",
    "TrainingCost": "costs",
    "TrainingReport": "report",
    "UniversalModelTrainer": "trainer",
    "VllmServing": "serving",
    "cancel_local_job": "local_job",
    "check": "checking",
    "convert": "converting",
    "export": "exporting",
    "local_job_table": "local_job",
    "loss_curve": "local_job",
    "read_stored_results": "stored_results",
    "resume_local_job": "local_job",
    "split": "splitting",
    "training_cost": "costs",
    "vllm_serving": "serving",
}

__all__ = [
    "Conversion",
    "Export",
    "Finding",
    "Split",
    "StoredFineTune",
    "TrainingCost",
    "TrainingReport",
    "UniversalModelTrainer",
    "VllmServing",
    "cancel_local_job",
    "check",
    "convert",
    "export",
    "local_job_table",
    "loss_curve",
    "read_stored_results",
    "resume_local_job",
    "split",
    "training_cost",
    "vllm_serving",
]

__getattr__, __dir__ = attach(__name__, {name: f"{__name__}.{home}" for name, home in _MODULE_OF.items()})
