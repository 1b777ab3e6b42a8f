"""Fine-tuning on one's own machine: a LoRA adapter, trained in a process of its own.

The process outlives the one that ordered it, holds the lock of the job's folder while it works, and says
there how far it is: see `llmbench.providers.local_jobs`. What it does is `llmbench.finetune.local_worker`, a
floor above, which is therefore started by its name and never imported.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import importlib.util
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmbench.errors import ConfigError, InvalidRequestError, UsageError
from llmbench.providers import model_files
from llmbench.providers.fine_tuning import Submission, TuningOrder
from llmbench.providers.gguf import read_gguf_head
from llmbench.providers.local_jobs import LocalJob, jobs_folder, now, write_json
from llmbench.providers.local_recipe import LocalRecipe
from llmbench.providers.training_file import TrainingFile
from llmbench.providers.tuning_result import job_result

if TYPE_CHECKING:
    from llmbench.providers.base import BaseLLMProvider

__all__ = [
    "cancel_local_job",
    "check_order",
    "find_job",
    "look",
    "resume_local_job",
    "submit",
]

PYTHON_VARIABLE = "LLMBENCH_TRAIN_PYTHON"
"""A Python that has the extra `train`, where this one has not."""
_WORKER = "llmbench.finetune.local_worker"
_NEEDED = ("torch", "transformers", "peft", "gguf")
_SUFFIX = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")
_WRITABLE = ("llama",)
"""Architectures of which `llmbench.finetune.merge` can write a .gguf."""
_TOLD = ("step", "steps", "seconds", "cpu_seconds", "loss", "validation_loss", "precision", "note")
_PATIENCE_S = 15.0
_PROBE_S = 60.0


def check_order(order: TuningOrder) -> None:
    """Refuse an order that cannot be carried out, before a folder is made for it."""
    _recipe(order)
    if order.suffix is not None and not _SUFFIX.fullmatch(order.suffix):
        raise UsageError(
            f"suffix must be up to 40 letters, digits, dots, dashes and underscores; it is {order.suffix!r}."
        )
    _base(order.base_model)
    _refuse_without_extra(_python())


def _recipe(order: TuningOrder) -> LocalRecipe:
    options = dict(order.options)
    if order.seed is not None:
        options["seed"] = order.seed
    return LocalRecipe.of(options)


async def submit(provider: BaseLLMProvider, submission: Submission) -> dict[str, Any]:
    """Write the job's folder and start its process."""
    job = await asyncio.to_thread(_write_order, submission.order, provider.clock.now().isoformat())
    # The folder is the file that is sent: by its name the job is found again after a crash.
    await submission.sent(job.job_id)
    await submission.starting()
    await asyncio.to_thread(_start, job)
    return _result(provider, job)


async def look(provider: BaseLLMProvider, job_id: str) -> dict[str, Any]:
    """The state of a job."""
    return await asyncio.to_thread(lambda: _result(provider, find_job(job_id)))


def find_job(job_id: str) -> LocalJob:
    """The job of that id. Raises InvalidRequestError where there is none."""
    job = LocalJob.named(job_id)
    if job is None:
        raise InvalidRequestError(
            f"There is no local fine-tuning job {job_id!r} in {jobs_folder()}; check the id, and "
            "LLMBENCH_CACHE if the job was started with another.",
            provider="local",
            status_code=404,
        )
    return job


def resume_local_job(job_id: str) -> None:
    """Go on with a job that was interrupted, failed or cancelled, from its last checkpoint.

    It ends as it would have ended without the interruption. Raises UsageError for a job that runs or
    has succeeded.
    """
    job = find_job(job_id)
    status = job.state()["status"]
    if status in {"queued", "running", "succeeded"}:
        raise UsageError(f"The job {job_id} is {status}; only one that has stopped can be resumed.")
    _refuse_without_extra(_python())
    _start(job)


def cancel_local_job(job_id: str) -> None:
    """End a job and keep its last checkpoint; `resume_local_job` takes it up again. Waits until its process
    is gone, some seconds at most. A job that has ended is left as it is.
    """
    job = find_job(job_id)
    if job.state()["status"] not in {"queued", "running"}:
        return
    (job.folder / "cancel").touch()
    for force in (signal.SIGTERM, signal.SIGKILL):
        if not job.is_held():
            break
        # The lock is held, so this id is still that process's.
        with contextlib.suppress(ProcessLookupError, PermissionError, KeyError, FileNotFoundError):
            os.killpg(int((job.folder / "pid").read_text("ascii")), force)
        _wait_until_free(job)
    if job.state()["status"] == "cancelled":
        job.write_state(status="cancelled", finished_at=now())


def _wait_until_free(job: LocalJob) -> None:
    end = time.monotonic() + _PATIENCE_S
    while job.is_held() and time.monotonic() < end:
        time.sleep(0.05)


def _write_order(order: TuningOrder, created_at: str) -> LocalJob:
    base = _base(order.base_model)
    stamp = created_at[:19].replace("-", "").replace(":", "")
    job = LocalJob(jobs_folder() / f"ftlocal-{stamp}-{secrets.token_hex(3)}")
    name = "-".join(
        part for part in (base["name"], order.suffix, job.job_id.removeprefix("ftlocal-")) if part
    )
    try:
        job.folder.mkdir(parents=True)
        files = {"training": order.training, "validation": order.validation}
        for kind, file in files.items():
            if file is not None:
                shutil.copyfile(file.path, job.folder / f"{kind}.jsonl")
        write_json(
            job.folder / "state.json",
            {"status": "queued", "stage": "queued", "step": 0, "steps": None, "error": None},
        )
        write_json(
            job.folder / "job.json",
            {
                "schema": 1,
                "job_id": job.job_id,
                "created_at": created_at,
                "base": base,
                "asked_for": order.asked_for,
                "suffix": order.suffix,
                "name": name,
                "recipe": _recipe(order).as_dict(),
                "files": {kind: _described(file) for kind, file in files.items() if file is not None},
            },
        )
    except OSError as error:
        shutil.rmtree(job.folder, ignore_errors=True)
        full = error.errno in {errno.ENOSPC, errno.EDQUOT}
        raise ConfigError(
            f"The folder of the job cannot be written in {jobs_folder()}: "
            f"{'the disk is full' if full else error.strerror}; make room, or set LLMBENCH_CACHE to a folder "
            "on another disk."
        ) from error
    return job


def _described(file: TrainingFile) -> dict[str, Any]:
    return {"name": file.path.name, "sha256": file.sha256, "examples": file.examples}


def _base(model: str) -> dict[str, str]:
    """What is to be trained: a known name, a .gguf, or a folder as Hugging Face's libraries write it."""
    folder = Path(model).expanduser()
    if (folder / "config.json").is_file():
        return {"kind": "folder", "name": folder.resolve().name, "path": str(folder.resolve())}
    if model not in model_files.KNOWN_FILES and not model.lower().endswith(".gguf"):
        known = ", ".join(sorted(model_files.KNOWN_FILES))
        raise UsageError(
            f"{model!r} cannot be trained here: it is not one of the known models ({known}), no .gguf file, "
            "and no folder with a config.json."
        )
    file = model_files.find(model)
    architecture = read_gguf_head(file.path).architecture
    if architecture not in _WRITABLE:
        raise UsageError(
            f"{file.path.name} is of the architecture {architecture!r}, and only {', '.join(_WRITABLE)} can "
            "be trained from a .gguf file; give the folder of the original model instead."
        )
    name = model if model in model_files.KNOWN_FILES else file.path.stem
    return {"kind": "gguf", "name": name, "path": str(file.path), "sha256": file.sha256}


def _python() -> str:
    return os.environ.get(PYTHON_VARIABLE) or sys.executable


def _refuse_without_extra(python: str) -> None:
    """Raise ConfigError where the Python that would train cannot."""
    if python == sys.executable:
        missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    else:
        code = f"import importlib.util as u; print(*(n for n in {_NEEDED!r} if u.find_spec(n) is None))"
        try:
            done = subprocess.run(
                [python, "-c", code], capture_output=True, text=True, timeout=_PROBE_S, check=True
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise ConfigError(
                f"{PYTHON_VARIABLE} names {python}, which cannot be run ({error}); correct it."
            ) from error
        missing = done.stdout.split()
    if missing:
        raise ConfigError(
            f"Local fine-tuning needs {', '.join(missing)}, which {'is' if len(missing) == 1 else 'are'} not "
            "installed; run: pip install 'llmbench[train]' (or set "
            f"{PYTHON_VARIABLE} to a Python that has the extra)."
        )


def _start(job: LocalJob) -> None:
    """Start the process. The lock goes to it with the open file, so that there is no moment without."""
    descriptor = job.hold()
    if descriptor is None:
        raise UsageError(f"The job {job.job_id} is being worked on by another process.")
    try:
        (job.folder / "cancel").unlink(missing_ok=True)
        job.write_state(status="queued", stage="queued", error=None, finished_at=None)
        python = _python()
        environment = dict(os.environ) | {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
        if python != sys.executable:
            home = str(Path(__file__).resolve().parents[2])
            environment["PYTHONPATH"] = os.pathsep.join(filter(None, [home, os.environ.get("PYTHONPATH")]))
        with (job.folder / "log.txt").open("ab") as log:
            process = subprocess.Popen(
                [python, "-m", _WORKER, str(job.folder)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environment,
                start_new_session=True,
                pass_fds=(descriptor,),
            )
        (job.folder / "pid").write_text(str(process.pid), encoding="ascii")
        # It may outlive us; until then its end has to be taken note of, or it stays as a zombie.
        threading.Thread(target=process.wait, name="llmbench-training", daemon=True).start()
    finally:
        os.close(descriptor)


def _result(provider: BaseLLMProvider, job: LocalJob) -> dict[str, Any]:
    order, state = job.order(), job.state()
    status = state["status"]
    return job_result(
        provider,
        job_id=job.job_id,
        status=status,
        vendor_status=state.get("stage"),
        base_model=order["asked_for"],
        fine_tuned_model=state.get("model") if status == "succeeded" else None,
        training_file_sha256=order["files"]["training"]["sha256"],
        trained_tokens=state.get("tokens"),
        created_at=order["created_at"],
        finished_at=state.get("finished_at"),
        error=state.get("error") if status == "failed" else None,
        details={
            **{key: state.get(key) for key in _TOLD},
            "folder": str(job.folder),
            "adapter": str(job.adapter) if job.adapter.is_dir() else None,
            "model_file": state.get("model_file"),
            "recipe": order["recipe"],
            "versions": state.get("versions"),
        },
    )
