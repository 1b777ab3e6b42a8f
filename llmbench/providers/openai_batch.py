"""Batches at OpenAI, through its SDK: a file, then a batch of it, then files of answers and of errors.

https://developers.openai.com/api/docs/guides/batch
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from llmbench.providers.batch_files import FileBatches, jsonl
from llmbench.providers.batches import BatchJob, BatchLimits, Found, moment
from llmbench.providers.sdk_chat import SdkChat
from llmbench.providers.vendor_json import first_text, read_reply
from llmbench.types import BatchRow, ChatRequest

if TYPE_CHECKING:
    from llmbench.providers.base import BaseLLMProvider

__all__ = ["OpenAIBatches"]

_PATH = "/v1/chat/completions"
_TAG = "llmbench"
_PAGE = 100
_ENDED = frozenset({"failed", "completed", "expired", "cancelled"})
_CLOCKS_APART = timedelta(minutes=10)


class OpenAIBatches(FileBatches):
    """The batch's metadata hold our tag."""

    # 50,000 requests and 200 MB; some room for the form that the file is sent in.
    limits: ClassVar[BatchLimits] = BatchLimits(50_000, 190_000_000)

    def __init__(self, provider: BaseLLMProvider, chat: SdkChat) -> None:
        super().__init__(provider, chat, lambda model: model)

    def entry(self, name: str, request: ChatRequest) -> dict[str, Any]:
        """The line of a request."""
        return {"method": "POST", "url": _PATH, **super().entry(name, request)}

    async def upload(self, tag: str, entries: Sequence[Mapping[str, Any]]) -> str:
        """The id of the file."""
        client = await self._chat.client()
        reply = await client.files.with_raw_response.create(
            file=(f"{tag}.jsonl", jsonl(entries)), purpose="batch"
        )
        return str(read_reply(reply.http_response.content, self.provider, "a new file of requests")["id"])

    async def create(self, tag: str, model: str, uploaded: Any) -> BatchJob:
        """Start it."""
        client = await self._chat.client()
        reply = await client.batches.with_raw_response.create(
            input_file_id=uploaded, endpoint=_PATH, completion_window="24h", metadata={_TAG: tag}
        )
        return self._job(read_reply(reply.http_response.content, self.provider, "a new batch"), model)

    async def find(self, row: BatchRow) -> Found:
        """Through the list, which begins with the newest."""
        client = await self._chat.client()
        after: dict[str, Any] = {}
        while True:
            reply = await client.batches.with_raw_response.list(limit=_PAGE, **after)
            page = self.read_list(reply.http_response.content, "its batches")
            for found in page:
                metadata = found.get("metadata")
                if isinstance(metadata, Mapping) and metadata.get(_TAG) == row.tag:
                    return Found(self._job(found, row.model))
            oldest = moment(page[-1].get("created_at")) if page else None
            if len(page) < _PAGE or oldest is None or oldest < row.prepared_at - _CLOCKS_APART:
                return Found(None)
            after = {"after": page[-1]["id"]}

    async def look(self, job_id: str, model: str) -> BatchJob:
        """Its state."""
        client = await self._chat.client()
        reply = await client.batches.with_raw_response.retrieve(job_id)
        return self._job(read_reply(reply.http_response.content, self.provider, "a batch"), model)

    async def _content(self, file: str) -> bytes:
        client = await self._chat.client()
        reply = await client.files.with_raw_response.content(file)
        return bytes(reply.http_response.content)

    def _job(self, found: Mapping[str, Any], model: str) -> BatchJob:
        status = str(found.get("status"))
        ends = (found.get(f"{word}_at") for word in ("completed", "failed", "expired", "cancelled"))
        files = (found.get("output_file_id"), found.get("error_file_id"))
        failure = None
        if status == "failed":
            errors = found.get("errors")
            data = errors.get("data") if isinstance(errors, Mapping) else None
            first = next((one for one in data or () if isinstance(one, Mapping)), {})
            failure = self.refusal(400, {"error": dict(first) or {"message": first_text([status])}}, model)
        return BatchJob(
            id=str(found["id"]),
            ended=status in _ENDED,
            vendor_status=status,
            complete=status == "completed",
            failure=failure,
            created_at=moment(found.get("created_at")),
            ended_at=next((at for at in map(moment, ends) if at is not None), None),
            files=tuple(file for file in files if isinstance(file, str) and file),
        )
