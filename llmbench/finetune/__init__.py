"""Fine-tuning, the same for every vendor."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmbench.lazy import attach

if TYPE_CHECKING:
    from llmbench.finetune.backend import JobOrder, TuningBackend
    from llmbench.finetune.fake import FakeTuning
    from llmbench.finetune.job import Job
    from llmbench.finetune.quoting import TrainingQuote
    from llmbench.finetune.starting import jobs, quote, resume, start
    from llmbench.finetune.states import ENDED, STATES, JobEvent, JobState, JobStatus, TrainingMetric
    from llmbench.finetune.trainer import UniversalModelTrainer

_MODULE_OF = {
    "ENDED": "states",
    "FakeTuning": "fake",
    "STATES": "states",
    "Job": "job",
    "JobEvent": "states",
    "JobOrder": "backend",
    "JobState": "states",
    "JobStatus": "states",
    "TrainingMetric": "states",
    "TrainingQuote": "quoting",
    "TuningBackend": "backend",
    "UniversalModelTrainer": "trainer",
    "jobs": "starting",
    "quote": "starting",
    "resume": "starting",
    "start": "starting",
}

__all__ = [
    "ENDED",
    "STATES",
    "FakeTuning",
    "Job",
    "JobEvent",
    "JobOrder",
    "JobState",
    "JobStatus",
    "TrainingMetric",
    "TrainingQuote",
    "TuningBackend",
    "UniversalModelTrainer",
    "jobs",
    "quote",
    "resume",
    "start",
]

__getattr__, __dir__ = attach(__name__, {name: f"{__name__}.{home}" for name, home in _MODULE_OF.items()})
