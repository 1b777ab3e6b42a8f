from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from llmbench import FakeProvider, ModelRouter, UniversalModelTrainer
from llmbench.errors import FineTuningUnavailableError, UsageError


def test_provider_without_fine_tuning_says_so(tmp_path: Path) -> None:
    trainer = UniversalModelTrainer(FakeProvider(["x"]))
    with pytest.raises(FineTuningUnavailableError, match="has no fine-tuning"):
        asyncio.run(trainer.fine_tune(tmp_path / "train.jsonl", "m"))
    with pytest.raises(FineTuningUnavailableError):
        asyncio.run(trainer.get_fine_tuning_status("job"))


def test_trainer_of_no_provider() -> None:
    with pytest.raises(UsageError, match="given a ModelRouter"):
        UniversalModelTrainer(ModelRouter({"a": FakeProvider(["x"], model="m")}))  # type: ignore[arg-type]
