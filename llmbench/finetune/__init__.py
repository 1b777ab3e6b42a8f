"""Fine-tuning, the same for every vendor, and on one's own machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmbench.lazy import attach

if TYPE_CHECKING:
    from llmbench.finetune.local_job import (
        cancel_local_job,
        local_job_table,
        loss_curve,
        resume_local_job,
    )
    from llmbench.finetune.serving import VllmServing, vllm_serving
    from llmbench.finetune.stored_results import StoredFineTune, read_stored_results
    from llmbench.finetune.trainer import UniversalModelTrainer

__all__ = [
    "StoredFineTune",
    "UniversalModelTrainer",
    "VllmServing",
    "cancel_local_job",
    "local_job_table",
    "loss_curve",
    "read_stored_results",
    "resume_local_job",
    "vllm_serving",
]

_MODULE_OF = {
    "StoredFineTune": "stored_results",
    "UniversalModelTrainer": "trainer",
    "VllmServing": "serving",
    "cancel_local_job": "local_job",
    "local_job_table": "local_job",
    "loss_curve": "local_job",
    "read_stored_results": "stored_results",
    "resume_local_job": "local_job",
    "vllm_serving": "serving",
}

__getattr__, __dir__ = attach(__name__, {name: f"{__name__}.{home}" for name, home in _MODULE_OF.items()})
