"""A model in this process: no key, no network, no cost per call."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from llmbench.errors import ConfigError, ModelUnavailableError, UsageError
from llmbench.providers import model_files
from llmbench.providers.base import BaseLLMProvider
from llmbench.providers.chat_http import ChatAddress
from llmbench.providers.gguf import read_gguf_head
from llmbench.providers.local_server import LocalServer, ServerSettings
from llmbench.providers.model_files import KNOWN_FILES, ModelFile
from llmbench.providers.prompt_reuse import may_reuse, was_exact
from llmbench.types import ChatRequest, ModelCapability, ModelInfo, RawAnswer

if TYPE_CHECKING:
    from llmbench.providers.fine_tuning import Tuner

__all__ = ["LocalProvider"]

_SEED = 20250123


class LocalProvider(BaseLLMProvider):
    """Runs .gguf models with llama.cpp.

    A model is a known name (`smollm2-135m`; `llmbench models pull` fetches it), the path of any
    .gguf file, or the name of one in the models folder, without its ending: so is a model called that
    `fine_tune` has made. Beyond the common settings:

    - `model_path`: the one file this endpoint runs, under the name `model` or the file's own.
    - `threads`, `slots` (1), `context`: see `llmbench.providers.local_server.ServerSettings`.
    - `reproducible`: the same request gives the same answer on the same machine. True also pins
      the seed of sampled answers (to `seed` of the request, else 20250123 + repeat); None, the
      default, does so at temperature 0 only; False never. The beginning that a prompt has in
      common with the one before is reused where that changes nothing: by the known model on
      x86-64, where the answer is not streamed (see `prompt_reuse`). All else pays with reuse: on
      40 prompts with a common beginning, it was 2.7 times faster and changed 5 of 40 answers at
      temperature 0, because the same tokens, read in other portions, round differently.
    - `usd_per_hour`: what the machine costs, for the economics; calls cost 0.0.

    Where no seed is pinned, a fresh one is drawn and told in `metadata["seed"]`.
    """

    name: ClassVar[str] = "local"
    settings: ClassVar[frozenset[str]] = frozenset(
        {"model_path", "threads", "slots", "context", "reproducible", "usd_per_hour"}
    )
    self_hosted = True
    personal_data = True  # nothing leaves the machine

    def __init__(self, config: Mapping[str, Any] | None = None) -> None:
        super().__init__(config)
        config = config or {}
        if self.base_url:
            raise UsageError(
                f"Endpoint {self.endpoint!r} runs its model in this process and has no base_url; remove it, "
                'or use provider = "custom" for a server.'
            )
        self._server_settings = ServerSettings(
            threads=config.get("threads"), slots=config.get("slots") or 1, context=config.get("context")
        )
        self._reproducible = config.get("reproducible")
        if self._reproducible not in {None, True, False}:
            raise UsageError(f"reproducible must be true or false; it is {self._reproducible!r}.")
        if self._reproducible and self._server_settings.slots > 1:
            raise UsageError(
                f"reproducible answers need one slot, and slots = {self._server_settings.slots}; "
                "remove one of the two."
            )
        self._model_path: str | None = config.get("model_path")
        self._open: dict[str, tuple[ModelFile, LocalServer]] = {}

    @property
    def concurrency(self) -> int:
        """Requests worked on at the same time; any more wait, and their wait is their `queue_ms`."""
        return self._server_settings.slots

    def _fixed_fields(self) -> dict[str, Any]:
        chosen = {"context": self._server_settings.context, "reproducible": self._reproducible}
        return {key: value for key, value in chosen.items() if value is not None}

    async def _complete(self, request: ChatRequest) -> RawAnswer:
        begin = time.perf_counter()
        file, server, load_ms = await self._server(request.model)
        extra = self._extra(request)
        kept = not extra["cache_prompt"] and server.reuses_exactly and may_reuse(request.messages)
        async with server.gate:
            queue_ms = (time.perf_counter() - begin) * 1000 - (load_ms or 0.0)
            address = ChatAddress(server.transport, self.endpoint)
            raw = await address.complete(request, extra=extra | {"cache_prompt": True} if kept else extra)
            if kept and not was_exact(raw.usage):  # seldom: the same prompt twice
                raw = await address.complete(request, extra=extra)
        return _finished(raw, file, queue_ms, load_ms, extra)

    async def _stream(self, request: ChatRequest) -> AsyncIterator[str | RawAnswer]:
        begin = time.perf_counter()
        file, server, load_ms = await self._server(request.model)
        # The whole prompt is read where answers are reproducible: with a beginning kept from the call before,
        # the time to the first token, which is what streams are measured for, would be that call's too.
        extra = self._extra(request)
        async with server.gate:
            queue_ms = (time.perf_counter() - begin) * 1000 - (load_ms or 0.0)
            async for piece in ChatAddress(server.transport, self.endpoint).stream(request, extra=extra):
                yield piece if isinstance(piece, str) else _finished(piece, file, queue_ms, load_ms, extra)

    def _extra(self, request: ChatRequest) -> dict[str, Any]:
        """What goes into the body beside the request."""
        greedy = request.params.get("temperature") == 0
        pinned = self._reproducible
        if pinned is None:
            pinned = greedy and self._server_settings.slots == 1
        extra: dict[str, Any] = {"cache_prompt": not pinned}
        if "seed" not in request.params:
            extra["seed"] = _SEED + request.repeat if pinned else secrets.randbits(31)
        return extra

    async def _server(self, model: str) -> tuple[ModelFile, LocalServer, float | None]:
        """The file and the server of `model`, and the milliseconds spent on starting it, if any."""
        opened = self._open.get(model)
        if opened is not None:
            if opened[1].is_current():
                return *opened, None
            await opened[1].release(self)
        begin = time.perf_counter()
        file = await asyncio.to_thread(model_files.find, self._file_name(model))
        server = await asyncio.to_thread(LocalServer.get, file.path, self._server_settings, owner=self)
        self._open[model] = (file, server)
        return file, server, (time.perf_counter() - begin) * 1000

    def _file_name(self, model: str) -> str:
        """The known name or the path behind `model`."""
        if self._model_path is not None:
            stem = Path(self._model_path).stem
            names = {self.default_model or stem, stem, Path(self._model_path).name}
            if model in names:
                return self._model_path
            raise ModelUnavailableError(
                f"Endpoint {self.endpoint!r} runs {Path(self._model_path).name} only; ask for "
                f"{self.default_model or stem!r} instead of {model!r}.",
                provider=self.name,
                model=model,
            )
        if model in KNOWN_FILES or model.lower().endswith(".gguf"):
            return model
        if model_files.is_own(model):
            return f"{model}.gguf"
        raise ModelUnavailableError(
            f"{self.endpoint!r} has no model {model!r}; it has {', '.join(sorted(KNOWN_FILES))}, and any "
            "other by the path of its .gguf file.",
            provider=self.name,
            model=model,
        )

    def _target(self, model: str) -> str | None:
        return f"sha256:{model_files.identity(self._file_name(model))}"

    def _tuner(self) -> Tuner:
        from llmbench.providers.local_follow import LocalTuner

        return LocalTuner(self)

    def get_model_info(self, model: str) -> ModelInfo:
        """From the catalog for a known model, from the file's own head for any other."""
        name = self._file_name(model)
        if name in KNOWN_FILES:
            return super().get_model_info(name)
        return ModelInfo(
            name=model,
            provider=self.name,
            capabilities=[ModelCapability.CHAT],
            cost_per_1k_input_tokens=0.0,
            cost_per_1k_output_tokens=0.0,
            context_window=read_gguf_head(model_files.find(name).path).context_length,
            supports_fine_tuning=False,
            supports_local_deployment=True,
        )

    def list_models(self) -> list[ModelInfo]:
        """The known models, on this machine or not, and every other .gguf in the models folder; of
        an endpoint with `model_path`, that one.
        """
        if self._model_path is not None:
            return [self.get_model_info(self.default_model or Path(self._model_path).stem)]
        known = {file.file_name for file in KNOWN_FILES.values()}
        names = [*KNOWN_FILES, *(path.name for path in model_files.local_files() if path.name not in known)]
        found = []
        for name in names:
            try:
                found.append(self.get_model_info(name))
            except ConfigError:
                continue  # a download in progress, or no .gguf in spite of its name: not a model to ask for
        return found

    async def aclose(self) -> None:
        """Give the servers back; the last provider to do so frees the model's memory."""
        servers = [server for _, server in self._open.values()]
        self._open.clear()
        for server in servers:
            await server.release(self)


def _finished(
    raw: RawAnswer, file: ModelFile, queue_ms: float, load_ms: float | None, extra: Mapping[str, Any]
) -> RawAnswer:
    """`raw` with what the server does not know, and without the path it gives for a name."""
    metadata = dict(raw.metadata)
    if "seed" in extra:
        metadata["seed"] = extra["seed"]
    return replace(
        raw,
        queue_ms=queue_ms,
        load_ms=load_ms,
        served_model=file.path.name,
        # The file and the engine decide an answer; the build number in the wheel is not set.
        fingerprint=f"sha256:{file.sha256[:16]} xllamacpp {version('xllamacpp')}",
        metadata=metadata,
    )
