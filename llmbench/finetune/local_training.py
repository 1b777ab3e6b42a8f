"""The training itself: a LoRA adapter, step by step, with checkpoints to go on from to the same end."""

from __future__ import annotations

import inspect
import json
import math
import os
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from llmbench.errors import ConfigError, DatasetError
from llmbench.finetune.local_data import IGNORED, Encoded, batches, read_examples
from llmbench.providers.local_jobs import LocalJob
from llmbench.providers.local_recipe import LocalRecipe
from llmbench.providers.machine import available_memory, default_threads

__all__ = ["Trained", "train"]

_HEADROOM_BYTES = 400_000_000
"""What Python, torch and the activations of a small model take beside the weights."""


class Trained(NamedTuple):
    """What came of it. `tokens` are those read, in all epochs, without padding; `seconds` are those of the
    work, and `cpu_seconds` those that the processor gave to it, which a busy machine leaves as they are.
    """

    tokens: int
    seconds: float
    cpu_seconds: float
    loss: float
    """Of the last step: nats per token that is learned."""
    validation_loss: float | None
    precision: str


class _Run:
    """The model and all that changes while it learns."""

    def __init__(self, job: LocalJob, base: Path, recipe: LocalRecipe) -> None:
        import torch
        from peft import LoraConfig, get_peft_model
        from transformers import AutoModelForCausalLM

        torch.set_num_threads(recipe.threads or default_threads())
        torch.manual_seed(recipe.seed)
        torch.use_deterministic_algorithms(mode=True, warn_only=True)
        self.job, self.recipe = job, recipe
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self.precision = _precision(recipe.precision, self.device)
        _check_memory(base)
        model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32, local_files_only=True)
        lora = LoraConfig(
            r=recipe.lora_r,
            lora_alpha=recipe.alpha,
            lora_dropout=recipe.lora_dropout,
            target_modules="all-linear",
            task_type="CAUSAL_LM",
        )
        self.model: Any = get_peft_model(model, lora).to(self.device)
        self.model.config.use_cache = False
        self.keeps = "logits_to_keep" in inspect.signature(model.forward).parameters
        self.parameters = [p for p in self.model.parameters() if p.requires_grad]
        self.optimizer: Any = torch.optim.AdamW(
            self.parameters, lr=recipe.learning_rate, weight_decay=recipe.weight_decay
        )
        self.step = 0
        self.tokens = 0
        self.seconds = 0.0
        self.cpu_seconds = 0.0
        self.loss = math.nan
        self.validation_loss: float | None = None

    def loss_of(self, batch: Sequence[Encoded], pad: int) -> tuple[Any, int]:
        """The summed loss of the tokens that are learned, and how many they are."""
        import torch

        ids, mask, labels, positions = (torch.tensor(rows) for rows in _padded(batch, pad))
        # Rows are padded on the left, so what is learned stands at the end of each, and only there
        # the logits over the whole vocabulary are needed.
        learned = (labels != IGNORED).any(dim=0).nonzero()[0].item()
        keep = int(labels.shape[1] - learned + 1) if self.keeps else labels.shape[1]
        keep = min(keep, labels.shape[1])
        given = {"input_ids": ids, "attention_mask": mask, "position_ids": positions}
        given = {name: value.to(self.device) for name, value in given.items()}
        with torch.autocast(self.device, dtype=torch.bfloat16, enabled=self.precision == "bfloat16"):
            logits = self.model(**given, **({"logits_to_keep": keep} if self.keeps else {})).logits
        wanted = labels[:, -keep:][:, 1:].to(self.device)
        loss = torch.nn.functional.cross_entropy(
            logits[:, :-1].float().transpose(1, 2), wanted, ignore_index=IGNORED, reduction="sum"
        )
        return loss, int((wanted != IGNORED).sum())

    def learn(self, batch: Sequence[Encoded], pad: int, rate: float) -> None:
        """One step."""
        import torch

        begin = time.perf_counter(), time.process_time()
        self.model.train()
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        loss, count = self.loss_of(batch, pad)
        mean = loss / count
        if not torch.isfinite(mean):
            raise ConfigError(
                f"The loss is no number at step {self.step + 1}; lower learning_rate "
                f"({self.recipe.learning_rate:g})."
            )
        mean.backward()
        torch.nn.utils.clip_grad_norm_(self.parameters, self.recipe.max_grad_norm)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.step += 1
        self.loss = float(mean.detach())
        self.tokens += sum(len(example.ids) for example in batch)
        self._add_time(begin)

    def validate(self, examples: Sequence[Encoded], pad: int) -> None:
        """Take the mean loss a token over the validation examples."""
        import torch

        begin = time.perf_counter(), time.process_time()
        self.model.eval()
        total, count = 0.0, 0
        ordered = sorted(examples, key=lambda example: len(example.ids))
        with torch.no_grad():
            for start in range(0, len(ordered), self.recipe.batch_size):
                loss, number = self.loss_of(ordered[start : start + self.recipe.batch_size], pad)
                total, count = total + float(loss), count + number
        self.validation_loss = total / count
        self._add_time(begin)

    def _add_time(self, begin: tuple[float, float]) -> None:
        self.seconds += time.perf_counter() - begin[0]
        self.cpu_seconds += time.process_time() - begin[1]

    def save(self) -> None:
        """Write a checkpoint beside the last one, then put it in its place."""
        import torch

        new, old = self.job.folder / "checkpoint.new", self.job.folder / "checkpoint.old"
        shutil.rmtree(new, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)
        self.model.save_pretrained(new)
        state = {"optimizer": self.optimizer.state_dict(), "random": torch.get_rng_state()}
        torch.save(state, new / "training.pt")
        counts = {
            "step": self.step, "tokens": self.tokens, "seconds": self.seconds,
            "cpu_seconds": self.cpu_seconds, "loss": self.loss, "validation_loss": self.validation_loss,
        }  # fmt: skip
        (new / "counts.json").write_text(json.dumps(counts), encoding="utf-8")
        _to_disk(new)
        if self.job.checkpoint.exists():
            self.job.checkpoint.rename(old)
        new.rename(self.job.checkpoint)
        shutil.rmtree(old, ignore_errors=True)

    def load(self) -> None:
        """Go back to the last checkpoint, where there is one."""
        import torch
        from peft import set_peft_model_state_dict
        from safetensors.torch import load_file

        folder, old = self.job.checkpoint, self.job.folder / "checkpoint.old"
        if not folder.exists() and old.exists():
            old.rename(folder)  # it was killed between the two renames of save
        if not folder.exists():
            self.job.keep_progress_up_to(0)
            return
        set_peft_model_state_dict(self.model, load_file(folder / "adapter_model.safetensors"))
        state = torch.load(folder / "training.pt", weights_only=True)
        self.optimizer.load_state_dict(state["optimizer"])
        torch.set_rng_state(state["random"])
        for name, value in json.loads((folder / "counts.json").read_text("utf-8")).items():
            setattr(self, name, value)
        self.job.keep_progress_up_to(self.step)


def train(
    job: LocalJob, base: Path, recipe: LocalRecipe, tokenizer: Any, stop: Callable[[], None]
) -> Trained:
    """Train the adapter of `job`, from its last checkpoint where it has one, into `job.adapter`.

    `stop` is called before each step and raises to end the training. Raises DatasetError and ConfigError.
    """
    examples = read_examples(job.folder / "training.jsonl", tokenizer, recipe.max_seq_length)
    if not examples:
        raise DatasetError("The training file has no example.")
    path = job.folder / "validation.jsonl"
    validation = read_examples(path, tokenizer, recipe.max_seq_length) if path.exists() else []
    run = _Run(job, base, recipe)
    run.load()
    pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id or 0
    each = math.ceil(len(examples) / recipe.batch_size)
    total = each * recipe.n_epochs
    _tell(run, total)
    if run.step == 0 and validation:
        run.validate(validation, pad)
        _log_validation(run)
    for epoch in range(run.step // each, recipe.n_epochs):
        for batch in batches(examples, recipe.batch_size, recipe.seed, epoch)[run.step % each :]:
            stop()
            rate = _rate(run.step, total, recipe)
            run.learn(batch, pad, rate)
            job.add_progress(
                {
                    "event": "step", "step": run.step, "epoch": epoch + 1, "loss": round(run.loss, 6),
                    "learning_rate": rate, "tokens": run.tokens, **_times(run),
                }
            )  # fmt: skip
            if run.step % recipe.checkpoint_every == 0 or run.step == total:
                if validation:
                    run.validate(validation, pad)
                    _log_validation(run)
                run.save()
            _tell(run, total)
    run.model.save_pretrained(job.adapter)
    return Trained(run.tokens, run.seconds, run.cpu_seconds, run.loss, run.validation_loss, run.precision)


def _tell(run: _Run, total: int) -> None:
    loss = None if math.isnan(run.loss) else round(run.loss, 6)
    run.job.write_state(
        status="running", stage="training", step=run.step, steps=total, tokens=run.tokens, loss=loss,
        validation_loss=run.validation_loss, **_times(run),
    )  # fmt: skip


def _times(run: _Run) -> dict[str, float]:
    return {"seconds": round(run.seconds, 2), "cpu_seconds": round(run.cpu_seconds, 2)}


def _log_validation(run: _Run) -> None:
    assert run.validation_loss is not None  # noqa: S101 - for the type checker
    run.validation_loss = round(run.validation_loss, 6)
    run.job.add_progress(
        {
            "event": "validation", "step": run.step, "validation_loss": run.validation_loss, **_times(run),
        }
    )  # fmt: skip


def _rate(step: int, total: int, recipe: LocalRecipe) -> float:
    """The learning rate of the step after `step`: a linear rise, then a linear fall that ends above 0."""
    rise = max(1, round(total * recipe.warmup_ratio))
    if step < rise:
        return recipe.learning_rate * (step + 1) / (rise + 1)
    return recipe.learning_rate * (total - step) / (total - rise + 1)


def _padded(batch: Sequence[Encoded], pad: int) -> tuple[list[list[int]], ...]:
    """Token numbers, mask, labels and positions of a batch, padded on the left."""
    longest = max(len(example.ids) for example in batch)
    rows: Mapping[str, list[list[int]]] = {"ids": [], "mask": [], "labels": [], "positions": []}
    for example in batch:
        gap = longest - len(example.ids)
        rows["ids"].append([pad] * gap + example.ids)
        rows["mask"].append([0] * gap + [1] * len(example.ids))
        rows["labels"].append([IGNORED] * gap + example.labels)
        rows["positions"].append([0] * gap + list(range(len(example.ids))))
    return tuple(rows.values())


def _precision(asked: str, device: str) -> str:
    if asked != "auto":
        return asked
    import torch

    able = torch.cuda.is_bf16_supported() if device == "cuda" else _cpu_multiplies_bfloat16()
    return "bfloat16" if able else "float32"


def _cpu_multiplies_bfloat16() -> bool:
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace")
    except OSError:
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags


def _check_memory(base: Path) -> None:
    """Refuse what the system would otherwise end by killing the process."""
    available = available_memory()
    stored = sum(file.stat().st_size for file in base.glob("*.safetensors"))
    config = json.loads((base / "config.json").read_text("utf-8"))
    # Half-width files are widened to float32, once beside the file's own pages.
    half = str(config.get("dtype") or config.get("torch_dtype")) in {"bfloat16", "float16"}
    needed = stored * (2 if half else 1) + _HEADROOM_BYTES
    if available is not None and needed > available:
        raise ConfigError(
            f"Training needs about {needed / 1e9:.1f} GB of memory and {available / 1e9:.1f} GB are free; "
            "close other programs, or train a smaller model."
        )


def _to_disk(folder: Path) -> None:
    for file in folder.iterdir():
        if file.is_file():
            descriptor = os.open(file, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
