"""The process of one local fine-tuning job: `python -m llmbench.finetune.local_worker FOLDER`.

Started by `llmbench.providers.local_tuning`, with the lock of the folder. Whatever happens, the job's state
says it.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
import traceback
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import FrameType
from typing import Any

from llmbench.errors import LLMBenchError
from llmbench.providers.local_jobs import LocalJob, now
from llmbench.providers.local_recipe import LocalRecipe

__all__ = ["main", "work"]

_PACKAGES = ("torch", "transformers", "peft", "gguf", "llmbench")
_NO_SPACE = ("No space left", "os error 28")
"""As torch and safetensors say it, whose errors are none of the system's."""
_NO_MEMORY = ("can't allocate memory", "out of memory", "not enough memory")


class _Cancelled(BaseException):
    """Somebody asked for the end. No Exception, so that no library takes it for one of its own."""


def main(arguments: list[str]) -> int:
    """Work on the job whose folder is named."""
    job = LocalJob(Path(arguments[0]))

    signal.signal(signal.SIGTERM, _end)
    try:
        work(job, lambda: _stop_if_asked(job))
    except (_Cancelled, KeyboardInterrupt):
        job.write_state(status="cancelled", finished_at=now())
        return 0
    except BaseException as error:  # noqa: BLE001 - the state must say why, whatever it is
        traceback.print_exc()
        _write_failure(job, error)
        return 1
    return 0


def _end(_: int, __: FrameType | None) -> None:
    raise _Cancelled


def work(job: LocalJob, stop: Callable[[], None]) -> None:
    """Dequantise where needed, train, and write the tuned model's file."""
    order = job.order()
    recipe = LocalRecipe.of(order["recipe"])
    job.write_state(status="running", stage="loading", pid=os.getpid(), versions=_versions())
    from transformers import AutoTokenizer

    from llmbench.finetune.dequantise import dequantised
    from llmbench.finetune.llama_folder import can_convert
    from llmbench.finetune.local_training import train
    from llmbench.finetune.merge import merge

    base, gguf = Path(order["base"]["path"]), order["base"]["kind"] == "gguf"
    kind = recipe.convert
    if not gguf and kind != "none":
        reason = can_convert(base)
        if reason and kind is not None:
            raise LLMBenchError(f"{reason} Train with convert='none' and serve the adapter with vLLM.")
        kind = "none" if reason else kind
        note = f"No .gguf was made: {reason} Serve the adapter with vLLM." if reason else None
        job.write_state(note=note)
    folder = dequantised(base) if gguf else base
    stop()
    tokenizer: Any = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    trained = train(job, folder, recipe, tokenizer, stop)
    name, model_file = order["name"], None
    if kind != "none":
        stop()
        job.write_state(stage="converting")
        model_file = merge(base, job.adapter, name=name, file_type=kind or "q8_0")
    job.write_state(
        status="succeeded",
        stage="succeeded",
        tokens=trained.tokens,
        seconds=round(trained.seconds, 2),
        cpu_seconds=round(trained.cpu_seconds, 2),
        loss=round(trained.loss, 6),
        validation_loss=trained.validation_loss,
        precision=trained.precision,
        model=name if model_file else None,
        model_file=str(model_file) if model_file else None,
        finished_at=now(),
    )


def _stop_if_asked(job: LocalJob) -> None:
    if job.cancel_asked():
        raise _Cancelled


def _versions() -> dict[str, str]:
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _write_failure(job: LocalJob, error: BaseException) -> None:
    try:
        job.write_state(status="failed", stage="failed", error=_in_words(error), finished_at=now())
    except OSError:
        traceback.print_exc()  # a full disk: the state stays as it was, and is read as interrupted


def _in_words(error: BaseException) -> str:
    """One sentence that says what to do."""
    text = str(error)
    if isinstance(error, LLMBenchError):
        return text
    full = isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}
    if full or any(word in text for word in _NO_SPACE):
        return "The disk is full; make room and resume the job: it goes on from its last checkpoint."
    if isinstance(error, MemoryError) or any(word in text for word in _NO_MEMORY):
        return (
            "The memory is not enough; close other programs, or take a smaller batch_size, shorter "
            "conversations or a smaller model."
        )
    if isinstance(error, ImportError):
        return f"A package is missing ({text}); run: pip install 'llmbench[train]'."
    return f"{type(error).__name__}: {text or 'no message'}; log.txt in the job's folder has the whole story."


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
