"""Whether a merged .gguf in llama.cpp says what its adapter says in transformers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from llmbench.errors import BadResponseError, UsageError
from llmbench.providers.local_server import LocalServer, ServerSettings
from llmbench.types import Message

__all__ = ["Agreement", "agreement"]

_OK = 200
_TOP = 5


class _Owner:
    """Whoever holds the server for the time of a comparison."""


class Agreement(NamedTuple):
    """How near two runs of one model are, over some prompts and greedy answers to them."""

    prompts: int
    same_prompt_tokens: int
    """Prompts of which both count as many tokens."""
    same_first_token: int
    same_answers: int
    largest_difference: float
    """Of the log probability of the first token of an answer, among the five likeliest of llama.cpp's."""


def agreement(
    folder: Path,
    adapter: Path | None,
    model_file: Path,
    prompts: Sequence[Sequence[Message]],
    max_tokens: int = 8,
) -> Agreement:
    """Ask both the same, and compare. Needs the extras `train` and `local` in one Python.

    Args:
        folder: the base model as transformers reads it, such as `dequantised` gives.
        adapter: the adapter's folder; None compares the base alone.
        model_file: what `merge` has written.
        prompts: conversations that end with the user.
        max_tokens: of each answer.
    """
    if not prompts:
        raise UsageError("prompts is empty; give some conversations to compare by.")
    theirs = asyncio.run(_llama_cpp(model_file, prompts, max_tokens))
    ours = _transformers(folder, adapter, prompts, max_tokens)
    differences = [
        abs(logprob - mine[2][token])
        for mine, other in zip(ours, theirs, strict=True)
        for token, logprob in other[2]
    ]
    pairs = list(zip(ours, theirs, strict=True))
    return Agreement(
        prompts=len(prompts),
        same_prompt_tokens=sum(mine[0] == other[0] for mine, other in pairs),
        same_first_token=sum(int(mine[2].argmax()) == other[2][0][0] for mine, other in pairs),
        same_answers=sum(mine[1].strip() == other[1].strip() for mine, other in pairs),
        largest_difference=float(max(differences)),
    )


async def _llama_cpp(
    path: Path, prompts: Sequence[Sequence[Message]], max_tokens: int
) -> list[tuple[int, str, list[tuple[int, float]]]]:
    """For each prompt: its tokens, the answer, and the likeliest first tokens with their log probability."""
    owner = _Owner()
    server = await asyncio.to_thread(LocalServer.get, path, ServerSettings(), owner=owner)
    found = []
    try:
        for prompt in prompts:
            body: dict[str, Any] = {
                "messages": list(prompt), "temperature": 0, "max_tokens": max_tokens, "logprobs": True,
                "top_logprobs": _TOP, "cache_prompt": False,
            }  # fmt: skip
            reply = await server.transport.post_json("chat/completions", body)
            if reply.status != _OK:
                raise BadResponseError(f"llama.cpp answers with status {reply.status} about {path.name}.")
            said = json.loads(reply.body)
            choice = said["choices"][0]
            top = choice["logprobs"]["content"][0]["top_logprobs"]
            likeliest = [(int(entry["id"]), float(entry["logprob"])) for entry in top]
            found.append((said["usage"]["prompt_tokens"], choice["message"]["content"] or "", likeliest))
    finally:
        await server.release(owner)
    return found


def _transformers(
    folder: Path, adapter: Path | None, prompts: Sequence[Sequence[Message]], max_tokens: int
) -> list[tuple[int, str, Any]]:
    """For each prompt: its tokens, the greedy answer, and the log probabilities of its first token."""
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer: Any = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, local_files_only=True)
    if adapter is not None:
        model = PeftModel.from_pretrained(model, adapter)
    model.eval()
    found = []
    for prompt in prompts:
        text = tokenizer.apply_chat_template(list(prompt), tokenize=False, add_generation_prompt=True)
        ids = torch.tensor([tokenizer(text, add_special_tokens=False)["input_ids"]])
        first = None
        answer: list[int] = []
        with torch.no_grad():
            while len(answer) < max_tokens:
                logits = model(input_ids=ids).logits[0, -1]
                first = torch.log_softmax(logits, dim=-1) if first is None else first
                token = int(logits.argmax())
                if token == tokenizer.eos_token_id:
                    break
                answer.append(token)
                ids = torch.cat([ids, torch.tensor([[token]])], dim=1)
        assert first is not None  # noqa: S101 - max_tokens is at least 1
        found.append((len(ids[0]) - len(answer), tokenizer.decode(answer), first.numpy()))
    return found
