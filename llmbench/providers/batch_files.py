"""Batches as files of chat completions, which OpenAI and Together share: one line asks, one line answers."""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from llmbench.errors import ProviderError
from llmbench.providers.batches import Batcher, BatchJob, Line, lines_of, unfinished
from llmbench.providers.sdk_chat import SdkChat
from llmbench.providers.wire_errors import error_from_status
from llmbench.types import ChatRequest

if TYPE_CHECKING:
    from llmbench.providers.base import BaseLLMProvider

__all__ = ["FileBatches", "jsonl"]

_OK = 200
_NEVER_RUN = {
    "batch_expired": "the batch expired before it",
    "batch_cancelled": "the batch was cancelled before it",
}


def jsonl(entries: Iterable[Mapping[str, Any]]) -> bytes:
    r"""The entries as lines.

    >>> jsonl([{"a": 1}, {"a": 2}])
    b'{"a": 1}\n{"a": 2}\n'
    """
    return b"".join(json.dumps(entry).encode() + b"\n" for entry in entries)


class FileBatches(Batcher):
    """What is the same for the vendors of such files."""

    def __init__(self, provider: BaseLLMProvider, chat: SdkChat, sent_id: Callable[[str], str]) -> None:
        super().__init__(provider, chat)
        self._chat = chat
        self._sent_id = sent_id

    def entry(self, name: str, request: ChatRequest) -> dict[str, Any]:
        """The line of a request: the body that a call would post."""
        body = self._chat.arguments(request, self._sent_id(request.model), stream=False)
        return {"custom_id": name, "body": {**body, **body.pop("extra_body", {})}}

    async def collect(self, job: BatchJob, model: str) -> Iterable[Line]:
        """The lines of the files with answers and with errors."""
        contents = [await self._content(file) for file in job.files]
        return [
            line for content in contents for line in lines_of(content, lambda one: self._read(one, model))
        ]

    @abstractmethod
    async def _content(self, file: str) -> bytes:
        """A file of the vendor's."""

    def _read(self, line: Mapping[str, Any], model: str) -> Line:
        name, reply, problem = line.get("custom_id"), line.get("response"), line.get("error")
        if not isinstance(name, str):
            return Line(None, None)
        code = problem.get("code") if isinstance(problem, Mapping) else None
        if isinstance(code, str) and code in _NEVER_RUN:
            return Line(name, unfinished(self.provider, model, _NEVER_RUN[code]))
        status = reply.get("status_code") if isinstance(reply, Mapping) else None
        if isinstance(reply, Mapping) and status == _OK:
            try:
                return Line(name, self._chat.read(json.dumps(reply.get("body")).encode(), {}, model))
            except ProviderError as error:
                return Line(name, error)
        said = reply.get("body") if isinstance(reply, Mapping) and not problem else {"error": problem}
        if not isinstance(status, int) or status == _OK:
            status = 500 if problem is None else 400
        return Line(name, self.refusal(status, said if isinstance(said, Mapping) else None, model))

    def refusal(self, status: int, said: Mapping[str, Any] | None, model: str) -> ProviderError:
        """The error that a vendor's words mean."""
        secrets: Sequence[str] = self._chat.secrets()
        return error_from_status(status, said, {}, self.provider.endpoint, model, secrets=secrets)
