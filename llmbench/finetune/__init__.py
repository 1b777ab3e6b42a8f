"""Fine-tuning, the same for every vendor and on one's own machine: training data, jobs, what came of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmbench.lazy import attach

if TYPE_CHECKING:
    from llmbench.finetune.backend import JobOrder, TuningBackend
    from llmbench.finetune.checking import check
    from llmbench.finetune.converting import Conversion, convert
    from llmbench.finetune.costs import TrainingCost, training_cost
    from llmbench.finetune.exporting import Export, export
    from llmbench.finetune.fake import FakeTuning
    from llmbench.finetune.findings import Finding
    from llmbench.finetune.job import Job
    from llmbench.finetune.local_job import cancel_local_job, local_job_table, loss_curve, resume_local_job
    from llmbench.finetune.quoting import TrainingQuote
    from llmbench.finetune.report import TrainingReport
    from llmbench.finetune.serving import VllmServing, vllm_serving
    from llmbench.finetune.spending import TrainingSpend, training_spend
    from llmbench.finetune.splitting import Split, split
    from llmbench.finetune.starting import jobs, quote, resume, start
    from llmbench.finetune.states import ENDED, STATES, JobEvent, JobState, JobStatus, TrainingMetric
    from llmbench.finetune.trainer import UniversalModelTrainer

_MODULE_OF = {
    "Conversion": "converting",
    "ENDED": "states",
    "Export": "exporting",
    "FakeTuning": "fake",
    "Finding": "findings",
    "Job": "job",
    "JobEvent": "states",
    "JobOrder": "backend",
    "JobState": "states",
    "JobStatus": "states",
    "STATES": "states",
    "Split": "splitting",
    "TrainingCost": "costs",
    "TrainingMetric": "states",
    "TrainingQuote": "quoting",
    "TrainingReport": "report",
    "TrainingSpend": "spending",
    "TuningBackend": "backend",
    "UniversalModelTrainer": "trainer",
    "VllmServing": "serving",
    "cancel_local_job": "local_job",
    "check": "checking",
    "convert": "converting",
    "export": "exporting",
    "jobs": "starting",
    "local_job_table": "local_job",
    "loss_curve": "local_job",
    "quote": "starting",
    "resume": "starting",
    "resume_local_job": "local_job",
    "split": "splitting",
    "start": "starting",
    "training_cost": "costs",
    "training_spend": "spending",
    "vllm_serving": "serving",
}

__all__ = [
    "ENDED",
    "STATES",
    "Conversion",
    "Export",
    "FakeTuning",
    "Finding",
    "Job",
    "JobEvent",
    "JobOrder",
    "JobState",
    "JobStatus",
    "Split",
    "TrainingCost",
    "TrainingMetric",
    "TrainingQuote",
    "TrainingReport",
    "TrainingSpend",
    "TuningBackend",
    "UniversalModelTrainer",
    "VllmServing",
    "cancel_local_job",
    "check",
    "convert",
    "export",
    "jobs",
    "local_job_table",
    "loss_curve",
    "quote",
    "resume",
    "resume_local_job",
    "split",
    "start",
    "training_cost",
    "training_spend",
    "vllm_serving",
]

__getattr__, __dir__ = attach(__name__, {name: f"{__name__}.{home}" for name, home in _MODULE_OF.items()})
