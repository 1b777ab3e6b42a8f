"""An answer that arrives in pieces."""

from __future__ import annotations

from collections.abc import AsyncIterator, Generator
from typing import Any, Self

from llmbench.errors import UsageError
from llmbench.types import LLMResponse

__all__ = ["Stream"]


class Stream:
    """`async for text in stream` gives text as it comes; then `response` is the whole answer.

    Awaiting a Stream gives the Stream itself, so that `await provider.stream_chat_completion(...)`
    reads like the other calls. Leave early with `async with stream:` or `await stream.aclose()`,
    which ends the generation at the server.
    """

    def __init__(self, pieces: AsyncIterator[str | LLMResponse]) -> None:
        self._pieces = pieces
        self._response: LLMResponse | None = None

    @property
    def response(self) -> LLMResponse:
        """The whole answer, once the last piece has been read."""
        if self._response is None:
            raise UsageError("The stream is not finished; read it to its end before taking the response.")
        return self._response

    def __aiter__(self) -> Stream:
        return self

    async def __anext__(self) -> str:
        async for piece in self._pieces:
            if isinstance(piece, str):
                return piece
            self._response = piece
        raise StopAsyncIteration

    def __await__(self) -> Generator[Any, None, Stream]:
        yield from ()  # `await` asks for a generator
        return self

    async def aclose(self) -> None:
        """Stop reading; the server stops generating."""
        close = getattr(self._pieces, "aclose", None)
        if close is not None:
            await close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()
