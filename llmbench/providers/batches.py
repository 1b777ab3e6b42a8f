"""What the vendors' batches have in common: many requests at half the price, answered within a day.

A vendor's module extends `Batcher`. It translates; `llmbench.providers.batching` owns when something is
submitted, asked for and recorded.
"""

from __future__ import annotations

import json
import math
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, TypeVar

from llmbench.errors import BadResponseError, BatchUnfinishedError, ProviderError, ProviderTimeoutError
from llmbench.providers.vendor_json import instant
from llmbench.types import BatchRow, ChatRequest, RawAnswer

if TYPE_CHECKING:
    from llmbench.providers.base import BaseLLMProvider
    from llmbench.providers.fine_tuning import Caller

__all__ = [
    "Asked",
    "BatchJob",
    "BatchLimits",
    "Batcher",
    "Found",
    "Line",
    "Result",
    "at_batch_tier",
    "custom_id",
    "lines_of",
    "moment",
    "split",
    "unfinished",
]

T = TypeVar("T")

_TAG_CHARACTERS = 20
_LONGEST_ID = 64


class BatchLimits(NamedTuple):
    """The most that a vendor takes in one batch."""

    requests: int
    bytes: int


@dataclass(frozen=True, slots=True)
class BatchJob:
    """One batch as the vendor shows it."""

    id: str
    ended: bool
    """Whether no more answers come."""
    vendor_status: str
    """The vendor's own word."""
    complete: bool = False
    """Whether it ended as it should: then every request was worked on."""
    failure: ProviderError | None = None
    """Why the vendor refused the batch as a whole."""
    created_at: datetime | None = None
    ended_at: datetime | None = None
    files: tuple[str, ...] = ()
    """The vendor's ids of the files with the results."""


class Found(NamedTuple):
    """What a search for a batch by its tag has shown."""

    job: BatchJob | None
    perhaps: bool = False
    """A batch that is still at work may be it: ask again later."""


Result = RawAnswer | ProviderError


class Line(NamedTuple):
    """One line of the results; `custom_id` None for what cannot be read."""

    custom_id: str | None
    result: Result | None


class Asked(NamedTuple):
    """One request on its way into a batch."""

    request_hash: str
    request: ChatRequest


class Batcher(ABC):
    """One vendor's batches, for one provider. Methods raise ProviderError and what `caller.foreign` names."""

    limits: ClassVar[BatchLimits]

    def __init__(self, provider: BaseLLMProvider, caller: Caller) -> None:
        self.provider = provider
        self.caller = caller

    @abstractmethod
    def entry(self, name: str, request: ChatRequest) -> dict[str, Any]:
        """One request as JSON, under the id `name`. Raises InvalidRequestError for what cannot be sent."""

    async def upload(self, tag: str, entries: Sequence[Mapping[str, Any]]) -> Any:  # noqa: ARG002
        """Send what can be sent without starting anything; gives what `create` needs."""
        return entries

    @abstractmethod
    async def create(self, tag: str, model: str, uploaded: Any) -> BatchJob:
        """Start the batch: the one request after which something may be charged."""

    @abstractmethod
    async def find(self, row: BatchRow) -> Found:
        """The batch that was, perhaps, started for `row`."""

    @abstractmethod
    async def look(self, job_id: str, model: str) -> BatchJob:
        """The state of a batch."""

    @abstractmethod
    async def collect(self, job: BatchJob, model: str) -> Iterable[Line]:
        """The results of a batch that has ended, in any order."""

    def read_list(self, body: bytes, what: str, *keys: str, key: str = "id") -> list[dict[str, Any]]:
        """The tables in a reply that lists `what`: a list, or one under `data`, or under one of `keys`. What
        has no `key` cannot be asked for, and is left out.
        """
        try:
            found = json.loads(body) if body.strip() else {}
        except (ValueError, RecursionError):
            found = None
        if isinstance(found, dict):
            found = next((found[key] for key in keys or ("data",) if key in found), [] if keys else None)
        if not isinstance(found, list):
            raise BadResponseError(
                f"{self.provider.endpoint} at {self.provider.base_url} did not list {what}; check base_url.",
                provider=self.provider.name,
            )
        return [one for one in found if isinstance(one, dict) and isinstance(one.get(key), str)]

    async def asked(self, ask: Callable[[], Awaitable[T]], about: str, deadline_s: float) -> T:
        """What `ask` gives within `deadline_s`; every failure as a ProviderError, which is raised outside of
        the handler, so that no exception of an SDK is kept as its context.
        """
        try:
            async with self.provider.clock.timeout(deadline_s):
                return await ask()
        except TimeoutError:
            failure: ProviderError = ProviderTimeoutError(
                f"{self.provider.endpoint} gave no answer about a batch of {about!r} within "
                f"{deadline_s:g} s; try again.",
                provider=self.provider.name,
                model=about,
            )
        except ProviderError as error:
            failure = error
        except self.caller.foreign as error:
            failure = self.caller.failure(error, about)
        raise failure


def custom_id(tag: str, request_hash: str) -> str:
    """The id of a request in the batch `tag`: no vendor takes more than 64 characters. It names the batch,
    because one vendor has no other place for that.

    >>> custom_id("0123456789abcdef0123", "f" * 64)
    'fffffffffffffffffffffffffffffffffffffffffff-0123456789abcdef0123'
    """
    return f"{request_hash[: _LONGEST_ID - 1 - _TAG_CHARACTERS]}-{tag}"


def split(entries: Sequence[Mapping[str, Any]], limits: BatchLimits) -> Iterator[int]:
    """How many of the entries go into each batch, in their order.

    >>> list(split([{"a": 1}] * 5, BatchLimits(2, 1000)))
    [2, 2, 1]
    """
    count = size = 0
    for entry in entries:
        bytes_ = len(json.dumps(entry).encode()) + 1
        if count and (count == limits.requests or size + bytes_ > limits.bytes):
            yield count
            count = size = 0
        count, size = count + 1, size + bytes_
    if count:
        yield count


def lines_of(content: bytes, read: Callable[[Mapping[str, Any]], Line]) -> Iterator[Line]:
    """The lines of a JSONL file; what is no JSON object is a line that cannot be read."""
    for text in content.split(b"\n"):
        if not text.strip():
            continue
        try:
            found = json.loads(text)
        except (ValueError, RecursionError):
            found = None
        yield read(found) if isinstance(found, dict) else Line(None, None)


def at_batch_tier(answer: RawAnswer) -> RawAnswer:
    """The answer, marked as served by a batch, which is how it is priced, now and by any later book."""
    return replace(answer, metadata={**answer.metadata, "service_tier": "batch"})


def unfinished(
    provider: BaseLLMProvider, model: str, how: str, *, billed: bool = False
) -> BatchUnfinishedError:
    """The error of a request that its batch left without an answer; `how` says what became of it."""
    return BatchUnfinishedError(
        f"{provider.endpoint}/{model} did not answer a request of a batch ({how}); run the same again, "
        "which asks for what is missing.",
        provider=provider.name,
        model=model,
        billed=billed,
    )


def moment(value: Any) -> datetime | None:
    """A vendor's epoch or ISO text as an aware instant."""
    text = instant(value)
    return datetime.fromisoformat(text).astimezone(UTC) if text else None


def milliseconds_between(start: datetime, end: datetime | None) -> float:
    """NaN where the end is not known."""
    return math.nan if end is None else max(0.0, (end - start).total_seconds() * 1000)
