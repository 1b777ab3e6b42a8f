"""Local fine-tuning up to its process: orders, folders, states, cancelling, resuming. The training itself is
in tests/real/test_local_training.py.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from llmbench import LocalProvider, UniversalModelTrainer, finetune
from llmbench.errors import ConfigError, DatasetError, InvalidRequestError, UsageError
from llmbench.finetune.local_job import cancel_local_job, local_job_table, loss_curve, resume_local_job
from llmbench.providers import local_tuning, model_files
from llmbench.providers.local_jobs import LocalJob, jobs_folder, local_jobs
from llmbench.providers.tuning_follow import find_tuning

ROW = {"messages": [{"role": "user", "content": "Kind?"}, {"role": "assistant", "content": "away"}]}


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LLMBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv(local_tuning.PYTHON_VARIABLE, raising=False)
    return tmp_path / "cache"


@pytest.fixture
def training(tmp_path: Path) -> Path:
    path = tmp_path / "training.jsonl"
    path.write_text(json.dumps(ROW) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def base(tmp_path: Path) -> str:
    folder = tmp_path / "tiny"
    folder.mkdir()
    (folder / "config.json").write_text("{}", encoding="utf-8")
    return str(folder)


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_tuning, "_NEEDED", ())
    monkeypatch.setattr(local_tuning, "_WORKER", "tests.providers.training_stub")
    root = str(Path(__file__).parents[2])
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")])))


def start(training: Path, base: str, **options: Any) -> dict[str, Any]:
    trainer = UniversalModelTrainer(LocalProvider({}))
    return asyncio.run(trainer.fine_tune(training, base, **options))


def status(job_id: str) -> dict[str, Any]:
    return asyncio.run(LocalProvider({}).get_fine_tuning_status(job_id))


def wait(job_id: str, *wanted: str) -> dict[str, Any]:
    end = time.monotonic() + 20
    while (found := status(job_id))["status"] not in wanted:
        assert time.monotonic() < end, found
        time.sleep(0.02)
    return found


def wait_for_step(job_id: str, step: int) -> None:
    end = time.monotonic() + 20
    while (status(job_id)["details"]["step"] or 0) < step:
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.mark.usefixtures("stub")
def test_a_job_runs_to_its_end_and_tells(training: Path, base: str) -> None:
    begun = start(training, base, suffix="replies", n_epochs=3, seed=5)
    assert begun["status"] in {"queued", "running", "succeeded"}
    done = wait(begun["job_id"], "succeeded")
    assert done["fine_tuned_model"].startswith("tiny-replies-")
    assert done["trained_tokens"] == 7
    assert (done["provider"], done["base_model"]) == ("local", base)
    assert done["training_file_sha256"] == begun["training_file_sha256"]
    assert done["details"]["recipe"]["seed"] == 5
    assert [event["step"] for event in loss_curve(begun["job_id"])] == [1, 2, 3]
    table = local_job_table()
    assert list(table["status"]) == ["succeeded"]
    assert [job.job_id for job in local_jobs()] == [begun["job_id"]]


@pytest.mark.usefixtures("stub")
def test_a_killed_job_is_failed_and_goes_on_where_it_was(training: Path, base: str) -> None:
    job_id = start(training, base, n_epochs=60)["job_id"]
    wait_for_step(job_id, 3)
    folder = LocalJob(jobs_folder() / job_id).folder
    os.killpg(int((folder / "pid").read_text("ascii")), signal.SIGKILL)
    killed = wait(job_id, "failed")
    assert "Resume the job" in killed["error"]
    assert killed["vendor_status"] == "interrupted"
    assert killed["fine_tuned_model"] is None
    resume_local_job(job_id)
    assert wait(job_id, "succeeded")["error"] is None
    assert [event["step"] for event in loss_curve(job_id)] == list(range(1, 61))
    with pytest.raises(UsageError, match="is succeeded; only one that has stopped"):
        resume_local_job(job_id)


@pytest.mark.usefixtures("stub")
def test_a_process_that_dies_at_once_is_no_queued_job(training: Path, base: str) -> None:
    job_id = start(training, base, suffix="dies")["job_id"]
    assert "ended without saying why" in wait(job_id, "failed")["error"]


@pytest.mark.usefixtures("stub")
@pytest.mark.parametrize("suffix", [None, "deaf"])
def test_cancel_ends_the_process(
    training: Path, base: str, suffix: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local_tuning, "_PATIENCE_S", 0.3)
    job_id = start(training, base, suffix=suffix, n_epochs=10_000)["job_id"]
    wait_for_step(job_id, 1)
    cancel_local_job(job_id)
    assert status(job_id)["status"] == "cancelled"
    assert not LocalJob(jobs_folder() / job_id).is_held()
    cancel_local_job(job_id)  # nothing more to do
    assert status(job_id)["finished_at"] is not None


@pytest.mark.usefixtures("stub")
def test_a_trainer_follows_and_cancels_it_as_a_vendors(training: Path, base: str) -> None:
    trainer = UniversalModelTrainer(LocalProvider({}))
    job_id = start(training, base, n_epochs=10_000)["job_id"]
    wait_for_step(job_id, 2)
    metrics = asyncio.run(trainer.get_fine_tuning_metrics(job_id))
    assert [(metric.step, metric.training_loss) for metric in metrics[:2]] == [(1, 1.0), (2, 0.5)]
    assert asyncio.run(trainer.cancel_fine_tuning(job_id))["status"] == "cancelled"
    events = asyncio.run(trainer.get_fine_tuning_events(job_id))
    assert {event.message for event in events} == {"ordered", "cancelled"}


@pytest.mark.usefixtures("stub")
def test_an_order_is_found_by_what_was_kept_of_it(training: Path, base: str) -> None:
    job_id = start(training, base, n_epochs=1)["job_id"]
    wait(job_id, "succeeded")
    provider = LocalProvider({})
    (found,) = asyncio.run(find_tuning(provider, [job_id, "ftlocal-none", "../x"]))
    assert found["job_id"] == job_id
    (LocalJob(jobs_folder() / job_id).folder / "pid").unlink()  # as if killed before the start
    assert asyncio.run(find_tuning(provider, [job_id])) == []


@pytest.mark.usefixtures("stub")
def test_it_is_a_job_as_at_any_vendor(training: Path, base: str, tmp_path: Path) -> None:
    ledger = tmp_path / "jobs.db"
    job = finetune.start(LocalProvider({}), training, base, epochs=2, budget_usd=0, ledger=ledger)
    done = job.wait(poll_s=0.05, timeout_s=20, progress=None)
    assert (done.state, done.trained_tokens) == ("succeeded", 7)
    again = finetune.start(LocalProvider({}), training, base, epochs=2, budget_usd=0, ledger=ledger)
    assert again.id == job.id
    with pytest.raises(UsageError, match="does not train all weights"):
        finetune.start(LocalProvider({}), training, base, method="full", budget_usd=0, ledger=ledger)


@pytest.mark.usefixtures("stub")
def test_a_running_job_is_not_started_twice(training: Path, base: str) -> None:
    job_id = start(training, base, n_epochs=10_000)["job_id"]
    wait_for_step(job_id, 1)
    with pytest.raises(UsageError, match="is running"):
        resume_local_job(job_id)
    cancel_local_job(job_id)


def test_the_missing_extra_is_named_and_no_folder_is_left(
    training: Path, base: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local_tuning, "_NEEDED", ("json", "no_such_package"))
    with pytest.raises(ConfigError, match=r"no_such_package, which is not installed.*llmbench\[train\]"):
        start(training, base)
    assert not jobs_folder().exists()
    monkeypatch.setenv(local_tuning.PYTHON_VARIABLE, "/nowhere/python")
    with pytest.raises(ConfigError, match="/nowhere/python, which cannot be run"):
        start(training, base)
    script = training.parent / "python"
    script.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n', encoding="ascii")
    script.chmod(0o755)
    monkeypatch.setenv(local_tuning.PYTHON_VARIABLE, str(script))
    with pytest.raises(ConfigError, match="no_such_package"):
        start(training, base)


@pytest.mark.usefixtures("stub")
def test_orders_that_cannot_be_meant_are_refused(training: Path, base: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be trained here"):
        start(training, "gpt-4o")
    with pytest.raises(UsageError, match="no fine-tuning option 'lora_rank'"):
        start(training, base, lora_rank=8)
    with pytest.raises(UsageError, match="n_epochs must be"):
        start(training, base, n_epochs=0)
    with pytest.raises(UsageError, match="suffix must be"):
        start(training, base, suffix="../up")
    with pytest.raises(ConfigError, match="llmbench models pull"):
        start(training, "smollm2-135m")
    bad = tmp_path / "bad.jsonl"
    bad.write_text("{}\n", encoding="utf-8")
    with pytest.raises(DatasetError, match=r"bad\.jsonl:1"):
        start(bad, base)
    assert not jobs_folder().exists()


def test_a_gguf_of_another_architecture_is_refused(training: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = training.with_name("other.gguf")
    key, value = b"general.architecture", b"mamba"
    head = b"GGUF" + (3).to_bytes(4, "little") + bytes(8) + (1).to_bytes(8, "little")
    entry = len(key).to_bytes(8, "little") + key + (8).to_bytes(4, "little")
    path.write_bytes(head + entry + len(value).to_bytes(8, "little") + value)
    monkeypatch.setattr(local_tuning, "_NEEDED", ())
    with pytest.raises(UsageError, match="architecture 'mamba'"):
        start(training, str(path))


def test_a_full_disk_is_said_and_leaves_nothing(
    training: Path, base: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(local_tuning, "_NEEDED", ())
    monkeypatch.setattr("shutil.copyfile", full)
    with pytest.raises(ConfigError, match="the disk is full; make room"):
        start(training, base)
    assert list(jobs_folder().glob("*")) == []


@pytest.mark.parametrize("job_id", ["ftjob-1", "ftlocal-20260101T000000-abcdef", "../../etc"])
def test_an_unknown_job_is_said_to_be_unknown(job_id: str) -> None:
    with pytest.raises(InvalidRequestError, match="no fine-tuning job"):
        status(job_id)
    with pytest.raises(InvalidRequestError, match="no local fine-tuning job"):
        resume_local_job(job_id)


def test_a_tuned_model_is_called_by_its_name(cache: Path) -> None:
    provider = LocalProvider({})
    (cache / "models").mkdir(parents=True)
    assert not model_files.is_own("mine")
    (cache / "models" / "mine.gguf").write_bytes(b"GGUF")
    assert model_files.is_own("mine")
    assert not model_files.is_own("../models/mine")
    assert provider._file_name("mine") == "mine.gguf"
    assert provider._target("mine") == provider._target("mine.gguf")
