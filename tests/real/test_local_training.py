"""A real LoRA of a few steps on a tiny model of noise: trained, killed, resumed, merged, called."""

from __future__ import annotations

import asyncio
import json
import math
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from llmbench import LlamaProvider, LocalProvider, UniversalModelTrainer
from llmbench.finetune.local_job import cancel_local_job, loss_curve, resume_local_job
from llmbench.finetune.serving import serving_of
from llmbench.providers.local_jobs import LocalJob, jobs_folder
from llmbench.providers.local_server import LocalServer
from llmbench.providers.local_tuning import PYTHON_VARIABLE
from tests.real.install import ROOT, TRAIN_PYTHON
from tests.real.parts import MODELS, VLLM_PYTHON, Part

TINY = MODELS / "tiny-llama"
STEPS = 40
OPTIONS = {
    "n_epochs": 10, "batch_size": 2, "learning_rate": 0.02, "lora_r": 4, "checkpoint_every": 10, "threads": 1,
    "precision": "float32", "convert": "f32", "seed": 7,
}  # fmt: skip
ANSWER = "work"


@pytest.fixture(scope="module")
def training(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight questions with one answer, which is as much as such a model can learn."""
    path = tmp_path_factory.mktemp("training") / "training.jsonl"
    rows = [
        {
            "messages": [
                {"role": "user", "content": f"Which word goes with number {k}?"},
                {"role": "assistant", "content": ANSWER},
            ]
        }
        for k in range(8)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture(scope="module", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Jobs and models of these tests only, and the Python that has torch."""
    with pytest.MonkeyPatch.context() as patch:
        cache = tmp_path_factory.mktemp("cache")
        patch.setenv("LLMBENCH_CACHE", str(cache))
        patch.setenv(PYTHON_VARIABLE, str(TRAIN_PYTHON))
        yield cache
        LocalServer.close_all()


def start(training: Path, base: Path = TINY, **options: Any) -> str:
    trainer = UniversalModelTrainer(LocalProvider({}))
    given = {**OPTIONS, "validation_file_path": training, **options}
    job: dict[str, Any] = asyncio.run(trainer.fine_tune(training, str(base), **given))
    return str(job["job_id"])


def look(job_id: str) -> dict[str, Any]:
    return asyncio.run(UniversalModelTrainer(LocalProvider({})).get_fine_tuning_status(job_id))


def wait(job_id: str, within_s: float = 300) -> dict[str, Any]:
    end = time.monotonic() + within_s
    while (job := look(job_id))["status"] in {"queued", "running"}:
        assert time.monotonic() < end, job
        time.sleep(0.2)
    return job


def wait_for_step(job_id: str, step: int, within_s: float = 300) -> None:
    end = time.monotonic() + within_s
    while (job := look(job_id))["details"]["step"] < step:
        assert time.monotonic() < end, job
        assert job["status"] in {"queued", "running"}, job
        time.sleep(0.01)


@pytest.fixture(scope="module")
def whole(training: Path) -> dict[str, Any]:
    """A job that nothing has disturbed."""
    job = wait(start(training, suffix="whole"))
    assert job["status"] == "succeeded", job
    return job


def test_the_loss_falls(whole: dict[str, Any]) -> None:
    curve = loss_curve(whole["job_id"])
    losses = [event["loss"] for event in curve if event["event"] == "step"]
    validation = [event["validation_loss"] for event in curve if event["event"] == "validation"]
    assert len(losses) == STEPS
    assert [event["step"] for event in curve if event["event"] == "validation"] == [0, 10, 20, 30, 40]
    assert validation[0] == pytest.approx(math.log(1024), rel=0.1)  # a model of noise, 1024 tokens
    # Its output layer stays noise, and noise of this size can be sure of nothing: about 5.7 is the least.
    assert validation[-1] < validation[0] - 0.9
    assert whole["trained_tokens"] == curve[-2]["tokens"] > 0


def test_a_killed_job_resumes_to_the_same_end(whole: dict[str, Any], training: Path) -> None:
    job_id = start(training, suffix="killed")
    wait_for_step(job_id, 14)
    folder = LocalJob(jobs_folder() / job_id).folder
    os.killpg(int((folder / "pid").read_text("ascii")), signal.SIGKILL)
    killed = wait(job_id)
    assert killed["status"] == "failed"
    assert "ended after step" in killed["error"]
    resume_local_job(job_id)
    job = wait(job_id)
    assert job["status"] == "succeeded", job
    theirs = {(e["event"], e["step"]): e for e in loss_curve(whole["job_id"])}
    ours = {(e["event"], e["step"]): e for e in loss_curve(job_id)}
    assert list(ours) == list(theirs)
    for key, event in ours.items():
        for name in {"loss", "validation_loss", "tokens"} & set(event):
            assert event[name] == pytest.approx(theirs[key][name], rel=1e-4)


def test_a_cancelled_job_is_cancelled(training: Path) -> None:
    job_id = start(training, n_epochs=5000)
    wait_for_step(job_id, 1)
    cancel_local_job(job_id)
    assert look(job_id)["status"] == "cancelled"
    assert not LocalJob(jobs_folder() / job_id).is_held()


def test_a_model_that_cannot_be_written_leaves_its_adapter(training: Path) -> None:
    job = wait(start(training, base=MODELS / "tiny-mixtral", n_epochs=1, convert=None))
    assert job["status"] == "succeeded", job
    assert job["fine_tuned_model"] is None
    assert "is a mixtral model" in job["details"]["note"]
    assert (Path(job["details"]["adapter"]) / "adapter_model.safetensors").is_file()
    refused = wait(start(training, base=MODELS / "tiny-mixtral", convert="f32"))
    assert (refused["status"], refused["details"]["step"]) == ("failed", 0)


def test_an_example_that_is_too_long_fails_the_job_by_its_line(training: Path) -> None:
    job = wait(start(training, max_seq_length=8))
    assert job["status"] == "failed"
    assert "training.jsonl:1 has" in job["error"]


@pytest.mark.parametrize("file_type", ["f32", "q8_0"])
def test_the_merged_file_says_in_llama_cpp_what_was_learned(
    whole: dict[str, Any], training: Path, file_type: str, own_cache: Path
) -> None:
    name = whole["fine_tuned_model"]
    if file_type != "f32":
        code = (
            "import sys; from pathlib import Path; from llmbench.finetune.merge import merge; "
            "merge(Path(sys.argv[1]), Path(sys.argv[2]), name=sys.argv[3], file_type=sys.argv[4])"
        )
        name = f"{name}-{file_type}"
        words = [str(TINY), whole["details"]["adapter"], name, file_type]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        subprocess.run([str(TRAIN_PYTHON), "-c", code, *words], env=environment, check=True, timeout=300)
    assert (own_cache / "models" / f"{name}.gguf").is_file()

    questions = [json.loads(line)["messages"][:1] for line in training.read_text("utf-8").splitlines()]

    async def answers() -> list[str | None]:
        provider = LocalProvider({"max_attempts": 1})
        said = []
        for asked in questions:
            answer = await provider.chat_completion(asked, name, temperature=0, max_tokens=8)
            said.append(answer.content)
        await provider.aclose()
        return said

    assert [(said or "").strip() for said in asyncio.run(answers())] == [ANSWER] * 8


def test_both_engines_agree(whole: dict[str, Any], training: Path) -> None:
    """Token for token, and in the probabilities: the conversion has lost nothing."""
    code = (
        "import json, sys; from pathlib import Path; from llmbench.finetune.agreement import agreement; "
        "rows = [json.loads(line)['messages'][:1] for line in Path(sys.argv[1]).open()]; "
        "print(json.dumps(agreement(*map(Path, sys.argv[2:5]), rows)._asdict()))"
    )
    words = [str(training), str(TINY), whole["details"]["adapter"], whole["details"]["model_file"]]
    done = subprocess.run(
        [str(TRAIN_PYTHON), "-c", code, *words],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["same_prompt_tokens"] == found["same_first_token"] == found["same_answers"] == 8
    assert found["largest_difference"] < 0.05


def test_vllm_serves_the_adapter_by_the_command_that_is_given(whole: dict[str, Any]) -> None:
    job = LocalJob(jobs_folder() / whole["job_id"])

    def command(port: int) -> list[str]:
        found = serving_of(job, TINY, endpoint="tuned", port=port, python=str(VLLM_PYTHON), context=512)
        assert found.model == f"tuned/{whole['fine_tuned_model']}"
        return [*found.command, "--dtype", "float32", "--enforce-eager"]

    async def ask(url: str, model: str) -> str | None:
        provider = LlamaProvider({"backend": "vllm", "base_url": f"{url}/v1", "max_attempts": 1})
        asked = [{"role": "user", "content": "Which word goes with number 3?"}]
        answer = await provider.chat_completion(asked, model, temperature=0, max_tokens=8)
        await provider.aclose()
        return answer.content

    environment = {"VLLM_CPU_KVCACHE_SPACE": "1", "HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1"}
    part = Part("vllm-lora", command, ready="/health", within_s=300, environment=environment)
    with part:
        tuned = asyncio.run(ask(part.url, whole["fine_tuned_model"]))
        base = asyncio.run(ask(part.url, "tiny-llama"))
    assert (tuned or "").strip() == ANSWER
    assert base != tuned
