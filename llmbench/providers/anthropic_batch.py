"""Message batches at Anthropic, through its SDK: the requests go in the one that starts the batch.

https://docs.anthropic.com/en/api/creating-message-batches
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from llmbench.errors import BadResponseError, ProviderError
from llmbench.providers.anthropic_wire import raise_reported_error
from llmbench.providers.batches import (
    Batcher,
    BatchJob,
    BatchLimits,
    Found,
    Line,
    lines_of,
    moment,
    unfinished,
)
from llmbench.providers.sdk_chat import SdkChat
from llmbench.providers.vendor_json import read_reply
from llmbench.types import BatchRow, ChatRequest

if TYPE_CHECKING:
    from llmbench.providers.base import BaseLLMProvider

__all__ = ["AnthropicBatches"]

_PAGE = 100
_ENDED = "ended"
_CLOCKS_APART = timedelta(minutes=10)


class AnthropicBatches(Batcher):
    """A batch has no place for our tag but the ids of its requests, which only its results show."""

    # 100,000 requests and 256 MB; one upload of that size would be lost whole to a cut connection.
    limits: ClassVar[BatchLimits] = BatchLimits(100_000, 64_000_000)

    def __init__(self, provider: BaseLLMProvider, chat: SdkChat) -> None:
        super().__init__(provider, chat)
        self._chat = chat

    def entry(self, name: str, request: ChatRequest) -> dict[str, Any]:
        """A request, with the headers that it needs beside it."""
        params = self._chat.arguments(request, stream=False)
        headers, extra = params.pop("extra_headers", {}), params.pop("extra_body", {})
        return {"custom_id": name, "params": {**params, **extra}, "headers": headers}

    async def create(self, tag: str, model: str, uploaded: Any) -> BatchJob:  # noqa: ARG002
        """Start it."""
        client = await self._chat.client()
        headers = {key: value for one in uploaded for key, value in one["headers"].items()}
        reply = await client.messages.batches.with_raw_response.create(
            requests=[{"custom_id": one["custom_id"], "params": one["params"]} for one in uploaded],
            extra_headers=headers or None,
        )
        return self._job(read_reply(reply.http_response.content, self.provider, "a new batch"))

    async def find(self, row: BatchRow) -> Found:
        """Among the batches of that time and size, by the ids in the results of those that have ended."""
        client = await self._chat.client()
        after: dict[str, Any] = {}
        perhaps = False
        while True:
            reply = await client.messages.batches.with_raw_response.list(limit=_PAGE, **after)
            page = self.read_list(reply.http_response.content, "its batches")
            for found in page:
                job = self._job(found)
                begun = job.created_at
                if begun is None or begun < row.prepared_at - _CLOCKS_APART or not _of_size(found, row):
                    continue
                if not job.ended:
                    perhaps = True
                elif any(
                    (line.custom_id or "").endswith(row.tag) for line in await self.collect(job, row.model)
                ):
                    return Found(job)
            oldest = moment(page[-1].get("created_at")) if page else None
            if len(page) < _PAGE or oldest is None or oldest < row.prepared_at - _CLOCKS_APART:
                return Found(None, perhaps)
            after = {"after_id": page[-1]["id"]}

    async def look(self, job_id: str, model: str) -> BatchJob:  # noqa: ARG002
        """Its state."""
        client = await self._chat.client()
        reply = await client.messages.batches.with_raw_response.retrieve(job_id)
        return self._job(read_reply(reply.http_response.content, self.provider, "a batch"))

    async def collect(self, job: BatchJob, model: str) -> Iterable[Line]:
        """The lines of the results, from our own base_url: the reply may name another's address."""
        import httpx2

        client = await self._chat.client()
        reply = await client.get(f"/v1/messages/batches/{job.id}/results", cast_to=httpx2.Response)
        return list(lines_of(reply.content, lambda line: self._read(line, model)))

    def _read(self, line: Mapping[str, Any], model: str) -> Line:
        name, result = line.get("custom_id"), line.get("result")
        if not isinstance(name, str) or not isinstance(result, Mapping):
            return Line(name if isinstance(name, str) else None, None)
        kind = result.get("type")
        if kind in {"expired", "canceled"}:
            return Line(name, unfinished(self.provider, model, f"the batch {kind} before it"))
        try:
            if kind == "errored":
                error = result.get("error")
                # The error of the interface stands in an envelope of its own.
                inner = error.get("error") if isinstance(error, Mapping) else None
                said = {"type": "error", "error": inner if isinstance(inner, Mapping) else error}
                raise_reported_error(said, self.provider.endpoint, model, self._chat.secrets())
            if kind == "succeeded":
                message = json.dumps(result.get("message")).encode()
                return Line(name, self._chat.read(message, {}, model))
        except ProviderError as error:
            return Line(name, error)
        return Line(
            name,
            BadResponseError(
                f"{self.provider.endpoint} gave a result of the type {kind!r:.40} to a request to {model!r} "
                "in a batch, which llmbench does not know; upgrade llmbench.",
                provider=self.provider.name,
                model=model,
            ),
        )

    def _job(self, found: Mapping[str, Any]) -> BatchJob:
        status = str(found.get("processing_status"))
        return BatchJob(
            id=str(found["id"]),
            ended=status == _ENDED,
            vendor_status=status,
            complete=status == _ENDED and not found.get("cancel_initiated_at"),
            created_at=moment(found.get("created_at")),
            ended_at=moment(found.get("ended_at")),
        )


def _of_size(found: Mapping[str, Any], row: BatchRow) -> bool:
    counts = found.get("request_counts")
    numbers = counts.values() if isinstance(counts, Mapping) else ()
    return sum(n for n in numbers if isinstance(n, int)) == len(row.request_hashes)
