"""Batches at Together AI, through its SDK: files as OpenAI's, with less around them.

https://docs.together.ai/docs/inference/batch/overview. Only some models are cheaper there; the others
run at their standard price, so that a batch has a price only where a price book lists one.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from llmbench.providers.batch_files import FileBatches, jsonl
from llmbench.providers.batches import BatchJob, BatchLimits, Found, moment
from llmbench.providers.sdk_chat import SdkChat
from llmbench.providers.together_client import open_client, upload
from llmbench.providers.vendor_json import read_reply
from llmbench.types import BatchRow

if TYPE_CHECKING:
    from llmbench.providers.base import BaseLLMProvider

__all__ = ["TogetherBatches", "batcher"]

_PATH = "/v1/chat/completions"
_ENDED = frozenset({"COMPLETED", "FAILED", "EXPIRED", "CANCELLED"})


def batcher(provider: BaseLLMProvider, chat: SdkChat, sent_id: Callable[[str], str]) -> TogetherBatches:
    """How Together takes batches; `sent_id` gives its id of a model."""
    return TogetherBatches(provider, chat, sent_id)


class TogetherBatches(FileBatches):
    """A batch has no place for our tag; the name of its input file is the tag."""

    limits: ClassVar[BatchLimits] = BatchLimits(50_000, 100_000_000)

    async def upload(self, tag: str, entries: Sequence[Mapping[str, Any]]) -> str:
        """The id of the file."""
        with tempfile.TemporaryDirectory(prefix="llmbench-") as folder:
            path = Path(folder, f"{tag}.jsonl")  # the SDK takes nothing but a path
            await asyncio.to_thread(path.write_bytes, jsonl(entries))
            client = await open_client(self._chat)
            return await upload(self.provider, self._chat, client, path, "batch-api")

    async def create(self, tag: str, model: str, uploaded: Any) -> BatchJob:  # noqa: ARG002
        """Start it."""
        client = await open_client(self._chat)
        reply = await client.batches.with_raw_response.create(
            input_file_id=uploaded, endpoint=_PATH, completion_window="24h"
        )
        return self._job(self._read_job(reply.http_response.content), model)

    async def find(self, row: BatchRow) -> Found:
        """Through the list of files, then that of batches."""
        client = await open_client(self._chat)
        reply = await client.files.with_raw_response.list()
        files = {
            file.get("id")
            for file in self.read_list(reply.http_response.content, "its files")
            if file.get("filename") == f"{row.tag}.jsonl"
        }
        if not files:
            return Found(None)
        reply = await client.batches.with_raw_response.list()
        for found in self.read_list(reply.http_response.content, "its batches"):
            if found.get("input_file_id") in files and isinstance(found.get("id"), str):
                return Found(self._job(found, row.model))
        return Found(None)

    async def look(self, job_id: str, model: str) -> BatchJob:
        """Its state."""
        client = await open_client(self._chat)
        reply = await client.batches.with_raw_response.retrieve(job_id)
        return self._job(self._read_job(reply.http_response.content), model)

    async def _content(self, file: str) -> bytes:
        client = await open_client(self._chat)
        reply = await client.files.with_raw_response.content(file)
        return bytes(reply.http_response.content)

    def _read_job(self, body: bytes) -> dict[str, Any]:
        """The batch itself, or the `job` in the reply to a submission."""
        return read_reply(body, self.provider, "a batch", within="job")

    def _job(self, found: Mapping[str, Any], model: str) -> BatchJob:
        status = str(found.get("status"))
        files = (found.get("output_file_id"), found.get("error_file_id"))
        said = {"error": {"message": str(found.get("error") or "it does not say why")}}
        return BatchJob(
            id=str(found["id"]),
            ended=status in _ENDED,
            vendor_status=status,
            complete=status == "COMPLETED",
            failure=self.refusal(400, said, model) if status == "FAILED" else None,
            created_at=moment(found.get("created_at")),
            ended_at=moment(found.get("completed_at")),
            files=tuple(file for file in files if isinstance(file, str) and file),
        )
