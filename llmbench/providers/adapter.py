"""What a backend's adapter does, whoever's model it serves: translate in, call, translate out."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from llmbench.secret import Secret
from llmbench.types import ChatRequest, RawAnswer

__all__ = ["Adapter", "Place"]


@dataclass(frozen=True, slots=True)
class Place:
    """Where an adapter calls, with which key, and how messages name it."""

    endpoint: str
    base_url: str
    key: Secret | None = None
    allow_http: bool = False
    family: str = ""
    """Whose models are asked for: the provider's name."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Settings of the backend's own."""


class Adapter(Protocol):
    """One backend at one place. `model` is the id to send where it differs from the name asked for."""

    @property
    def base_url(self) -> str:
        """The address called, checked."""

    async def complete(self, request: ChatRequest, *, model: str | None = None) -> RawAnswer:
        """Make one try. Raises a ProviderError for any failure."""

    def stream(self, request: ChatRequest, *, model: str | None = None) -> AsyncIterator[str | RawAnswer]:
        """Make one try: pieces of text as they come, the RawAnswer last."""

    def secrets(self) -> Iterable[str]:
        """Values to mask in whatever the server says."""

    async def aclose(self) -> None:
        """Close the connections."""
