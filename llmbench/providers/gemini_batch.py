"""Batches at Google, through its SDK: generateContent requests in the one that starts the batch.

https://ai.google.dev/api/batch-api. The replies are read here: see `llmbench.providers.gemini_chat`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from llmbench.errors import ProviderError
from llmbench.providers.batches import Batcher, BatchJob, BatchLimits, Found, Line, moment, unfinished
from llmbench.providers.gemini_chat import GeminiChat
from llmbench.providers.gemini_wire import content_arguments, read_content
from llmbench.providers.vendor_json import read_object, read_reply
from llmbench.providers.wire_errors import error_from_status
from llmbench.types import BatchRow, ChatRequest

if TYPE_CHECKING:
    from llmbench.providers.base import BaseLLMProvider

__all__ = ["GeminiBatches"]

_PAGE = 100
_ENDED = frozenset({"SUCCEEDED", "PARTIALLY_SUCCEEDED", "FAILED", "CANCELLED", "EXPIRED"})
_COMPLETE = frozenset({"SUCCEEDED", "PARTIALLY_SUCCEEDED"})
_CLOCKS_APART = timedelta(minutes=10)
# google.rpc.Code, of a status that stands in the place of an answer
_STATUSES = {3: 400, 4: 504, 5: 404, 7: 403, 8: 429, 9: 400, 13: 500, 14: 503, 16: 401}
_NEVER_RUN = {1: "the batch was cancelled before it"}


class GeminiBatches(Batcher):
    """The batch's display name is our tag."""

    # Requests inside of the submission: at most 20 MB.
    limits: ClassVar[BatchLimits] = BatchLimits(50_000, 18_000_000)

    def __init__(self, provider: BaseLLMProvider, chat: GeminiChat) -> None:
        super().__init__(provider, chat)
        self._chat = chat

    def entry(self, name: str, request: ChatRequest) -> dict[str, Any]:
        """A request as the SDK takes it."""
        arguments = content_arguments(request, provider=self.provider.endpoint)
        # The SDK's own loops, which a batch does not have.
        own = {"automatic_function_calling", "automatic_continuation"}
        config = {key: value for key, value in arguments["config"].items() if key not in own}
        return {"contents": arguments["contents"], "config": config, "metadata": {"key": name}}

    async def create(self, tag: str, model: str, uploaded: Any) -> BatchJob:
        """Start it."""
        body = await self._chat.send(
            lambda sdk: sdk.batches.create(model=model, src=uploaded, config={"display_name": tag}), model
        )
        return self._job(self._read_reply(body, "a new batch"), model)

    async def find(self, row: BatchRow) -> Found:
        """Through the list."""
        config: dict[str, Any] = {"page_size": _PAGE}
        while True:
            body = await self._chat.send(lambda sdk: sdk.batches.list(config=dict(config)), row.model)
            for found in self.read_list(body, "its batches", "operations", "batches", key="name"):
                if _metadata(found).get("displayName") == row.tag:
                    return Found(self._job(found, row.model))
            token = read_object(body).get("nextPageToken")
            if not isinstance(token, str) or not token:
                return Found(None)
            config["page_token"] = token

    async def look(self, job_id: str, model: str) -> BatchJob:
        """Its state."""
        return self._job(self._read_reply(await self._get(job_id, model), "a batch"), model)

    async def collect(self, job: BatchJob, model: str) -> Iterable[Line]:
        """The answers, which stand in the batch itself."""
        found = self._read_reply(await self._get(job.id, model), "a batch")
        answers: Any = found.get("response") or _metadata(found).get("output") or {}
        for _ in range(2):  # a list in a table of the same name
            answers = answers.get("inlinedResponses", answers) if isinstance(answers, Mapping) else answers
        return [self._read(one, model) for one in answers] if isinstance(answers, list) else []

    async def _get(self, job_id: str, model: str) -> bytes:
        return await self._chat.send(lambda sdk: sdk.batches.get(name=job_id), model)

    def _read_reply(self, body: bytes, what: str) -> dict[str, Any]:
        return read_reply(body, self.provider, what, key="name")

    def _read(self, one: Any, model: str) -> Line:
        metadata = one.get("metadata") if isinstance(one, Mapping) else None
        name = metadata.get("key") if isinstance(metadata, Mapping) else None
        if not isinstance(name, str):
            return Line(None, None)
        error = one.get("error")
        if isinstance(error, Mapping):
            return Line(name, self._refusal(error, model))
        body = json.dumps(one.get("response"))
        try:
            secrets = self._chat.secrets()
            return Line(
                name, read_content(body, provider=self.provider.endpoint, model=model, secrets=secrets)
            )
        except ProviderError as failure:
            return Line(name, failure)

    def _refusal(self, error: Mapping[str, Any], model: str) -> ProviderError:
        code = error.get("code")
        code = code if isinstance(code, int) else 13
        if code in _NEVER_RUN:
            return unfinished(self.provider, model, _NEVER_RUN[code])
        status = _STATUSES.get(code, code if 400 <= code <= 599 else 500)
        who = self.provider.endpoint
        return error_from_status(status, {"error": error}, {}, who, model, secrets=self._chat.secrets())

    def _job(self, found: Mapping[str, Any], model: str) -> BatchJob:
        metadata = _metadata(found)
        status = str(metadata.get("state")).removeprefix("BATCH_STATE_").removeprefix("JOB_STATE_")
        error = found.get("error")
        return BatchJob(
            id=str(found["name"]),
            ended=status in _ENDED,
            vendor_status=status,
            complete=status in _COMPLETE,
            failure=self._refusal(error, model)
            if status == "FAILED" and isinstance(error, Mapping)
            else None,
            created_at=moment(metadata.get("createTime")),
            ended_at=moment(metadata.get("endTime")),
        )


def _metadata(found: Mapping[str, Any]) -> Mapping[str, Any]:
    """An operation tells of its batch in `metadata`; a batch tells of itself."""
    metadata = found.get("metadata")
    return metadata if isinstance(metadata, Mapping) else found
