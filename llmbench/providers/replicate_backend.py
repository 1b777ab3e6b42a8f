"""Replicate: predictions through its own SDK, polled to their end."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from llmbench.errors import (
    BadResponseError,
    ConfigError,
    ConnectionFailedError,
    ModelUnavailableError,
    ProviderError,
    ProviderTimeoutError,
    UsageError,
)
from llmbench.providers.adapter import Place
from llmbench.providers.clients import PerLoop
from llmbench.providers.replicate_input import prediction_input
from llmbench.providers.replicate_prediction import RunningPrediction, create_prediction
from llmbench.providers.replicate_transport import Refused, refusing_transport
from llmbench.providers.replicate_wire import EventReader, prediction_answer, prediction_error
from llmbench.providers.reply_errors import no_answer, stream_cut
from llmbench.providers.reply_limit import RefusedReplyError
from llmbench.providers.transport import checked_url
from llmbench.providers.wire_errors import error_from_status
from llmbench.secret import Secret
from llmbench.types import ChatRequest, RawAnswer

if TYPE_CHECKING:
    from replicate.client import Client

__all__ = ["ReplicatePredictions", "open_adapter"]

_POLL_SECONDS = 0.5
_VERSION = re.compile(r"[0-9a-f]{64}")
# Its API and streams, and the hosts of its output (replicate.com/docs/reference/http).
_REPLICATES_OWN = (".replicate.com", ".replicate.delivery")


class ReplicatePredictions:
    """An `Adapter`: one prediction a call."""

    def __init__(self, place: Place, key: Secret, *, poll_s: float) -> None:
        self.base_url = checked_url(place.base_url, allow_http=place.allow_http).removesuffix("/v1")
        self._endpoint = place.endpoint
        self._family = place.family
        self._key = key
        self._poll_s = poll_s
        self._clients: PerLoop[Client] = PerLoop(self._open, _close)

    def _open(self) -> Client:
        import httpx
        from replicate.client import Client

        return Client(
            api_token=self._key.reveal(),
            base_url=self.base_url,
            timeout=httpx.Timeout(None, connect=10.0),  # the base class has the deadline
            transport=refusing_transport(),
            follow_redirects=False,
        )

    async def client(self) -> Client:
        """The SDK's client of this event loop, for what is no prediction."""
        return await self._clients.get()

    async def complete(self, request: ChatRequest, *, model: str | None = None) -> RawAnswer:
        """One try: create the prediction and poll it until it has ended."""
        try:
            prediction = await self._create(request, model)
            async with prediction:
                return self._answer(await prediction.end(every_s=self._poll_s), request)
        except _foreign() as error:
            failure = self.failure(error, request.model)
        # Raised outside of the handler, so that no exception of the SDK is kept as its context.
        raise failure

    async def stream(
        self, request: ChatRequest, *, model: str | None = None
    ) -> AsyncIterator[str | RawAnswer]:
        """One try: pieces of text as they come; then the prediction is read once for its counts."""
        failure: ProviderError | None = None
        pieces: list[str] = []
        answer: RawAnswer | None = None
        try:
            prediction = await self._create(request, model)
            async with prediction:
                async for text in self._events(prediction, request):
                    pieces.append(text)
                    yield text
                await prediction.look()  # at once: a wait would be measured as the answer's
                ended = await prediction.end(every_s=self._poll_s)
                answer = self._answer(ended, request, "".join(pieces))
        except _foreign() as error:
            failure = self.failure(error, request.model)
        if failure or answer is None:
            raise failure or stream_cut(self._endpoint, request.model)
        yield answer

    async def _create(self, request: ChatRequest, model: str | None) -> RunningPrediction:
        sent = model or request.model
        owner, slash, name = sent.partition("/")
        version = sent if _VERSION.fullmatch(sent) else name.partition(":")[2]
        if not version and not (owner and slash and name):
            raise ModelUnavailableError(
                f"{self._endpoint} has no model {request.model!r}: the catalog names none at Replicate, "
                "and a model of Replicate's is written owner/name, owner/name:version or as a version's id.",
                provider=self._endpoint,
                model=request.model,
            )
        fields = prediction_input(request, model=sent, family=self._family, provider=self._endpoint)
        client = await self._clients.get()
        which = {"version": version} if version else {"model": sent}
        return await create_prediction(client, input=fields, **which)

    def _answer(
        self, ended: Mapping[str, Any], request: ChatRequest, content: str | None = None
    ) -> RawAnswer:
        if ended["status"] != "succeeded":
            raise prediction_error(
                ended, provider=self._endpoint, model=request.model, secrets=self.secrets()
            )
        return prediction_answer(ended, request, content, provider=self._endpoint)

    async def _events(self, prediction: RunningPrediction, request: ChatRequest) -> AsyncIterator[str]:
        address = prediction.stream_url
        if address is None:
            raise BadResponseError(
                f"{self._endpoint} offers no stream for {request.model!r}; ask without streaming.",
                provider=self._endpoint,
                model=request.model,
            )
        self._check_host(address, request)
        client = await self._clients.get()
        headers = {"Accept": "text/event-stream", "Cache-Control": "no-store"}
        reader = EventReader()
        async with client._async_client.stream("GET", address, headers=headers) as reply:  # noqa: SLF001 - the SDK's own stream drops its status
            async for chunk in reply.aiter_bytes():
                for event, data in reader.feed(chunk):
                    if event == "done":
                        return  # with an error or without: the prediction itself tells
                    if event == "error":
                        raise prediction_error(
                            {"status": "failed", "error": data},
                            provider=self._endpoint,
                            model=request.model,
                            secrets=self.secrets(),
                        )
                    if event == "output" and data:
                        yield data
        raise stream_cut(self._endpoint, request.model)

    def _check_host(self, address: str, request: ChatRequest) -> None:
        """The key goes to the address configured and, where that is Replicate's own, to its others."""
        home, there = urlsplit(self.base_url), urlsplit(address)
        own = (home.hostname or "").endswith(".replicate.com") and there.scheme == "https"
        at_replicate = own and f".{there.hostname or ''}".endswith(_REPLICATES_OWN)
        if not at_replicate and (there.scheme, there.netloc) != (home.scheme, home.netloc):
            raise BadResponseError(
                f"{self._endpoint} streams {request.model!r} from another host, {there.hostname!r}, which "
                "must not be sent the key; ask without streaming.",
                provider=self._endpoint,
                model=request.model,
            )

    @property
    def foreign(self) -> tuple[type[Exception], ...]:
        """What the SDK and the transport under it raise, for `failure`."""
        return _foreign()

    def failure(self, error: Exception, model: str) -> ProviderError:
        """The error of ours for one of the SDK's or of the transport under it; it is returned."""
        import httpx

        who = self._endpoint
        if isinstance(error, Refused):
            return error_from_status(
                error.status, error.body, error.headers, who, model, secrets=self.secrets()
            )
        if isinstance(error, RefusedReplyError):
            return no_answer(who, self.base_url, model, error)
        where = f"{who} at {self.base_url}"
        if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.TransportError):
            refused = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout)
            kind = ConnectionFailedError
            if isinstance(error, httpx.TimeoutException) and not refused:
                kind = ProviderTimeoutError  # type: ignore[assignment]
            return kind(
                f"{where} could not be reached or cut the connection; check the network and base_url, then "
                "ask again.",
                provider=who,
                model=model,
                billed=not refused,
            )
        return BadResponseError(
            f"{where} answered a request to {model!r} with something else than a prediction "
            f"({type(error).__name__}); check base_url.",
            provider=who,
            model=model,
        )

    def secrets(self) -> tuple[str, ...]:
        """The key."""
        return (self._key.reveal(),)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._clients.aclose()


def open_adapter(place: Place) -> ReplicatePredictions:
    """The adapter of Replicate; the setting `poll_s` is the time between two looks at a prediction."""
    if place.key is None:
        raise ConfigError(f"Endpoint {place.endpoint!r} has no key; set REPLICATE_API_TOKEN.")
    poll_s = place.options.get("poll_s", _POLL_SECONDS)
    if isinstance(poll_s, bool) or not isinstance(poll_s, int | float) or not poll_s > 0:
        raise UsageError(f"poll_s must be a number of seconds above 0; it is {poll_s!r}.")
    return ReplicatePredictions(place, place.key, poll_s=poll_s)


def _foreign() -> tuple[type[Exception], ...]:
    """The SDK's own errors, the transport's, and what its parsing of an odd body raises."""
    import httpx
    import replicate.exceptions

    return (
        Refused,
        httpx.HTTPError,
        httpx.InvalidURL,
        replicate.exceptions.ReplicateException,
        ValueError,
        TypeError,
        KeyError,
        AttributeError,
    )


async def _close(client: Client) -> None:
    await client._async_client.aclose()  # noqa: SLF001 - it has no close of its own
