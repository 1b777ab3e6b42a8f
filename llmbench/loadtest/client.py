"""The requests of one rate: each is sent at its moment, however many are still under way."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from llmbench.errors import LLMBenchError, ProviderError
from llmbench.shown import shown

if TYPE_CHECKING:
    from llmbench.providers.base import BaseLLMProvider

__all__ = ["Patience", "Sample", "Traffic"]

_LOOK_S = 0.25
"""How often the traffic is looked at while it runs."""
_HOPELESS_SHARE, _HOPELESS_LEAST = 0.05, 3
"""So many requests without a first token after all patience, and the 95th percentile is lost."""


@shown
@dataclass(slots=True)
class Sample:
    """One request, in seconds from the start of its rate; None is not (yet) known."""

    scheduled: float
    sent: float | None = None
    first: float | None = None
    """The first piece of text; of an empty answer its end."""
    done: float | None = None
    """The last piece of text, of an answer that came whole."""
    cut: float | None = None
    """When we stopped waiting for it."""
    error: str | None = None
    """The kind of failure."""
    input_tokens: int | None = None
    cached_tokens: int | None = None
    output_tokens: int | None = None
    cost: float | None = None


class Patience(NamedTuple):
    """How long is waited before a rate is given up, in seconds."""

    first_s: float
    """For a first token."""
    whole_s: float
    """For the last answers, once nothing more is sent."""


class Traffic:
    """The traffic of one rate against a provider; `samples` can be read while it runs."""

    def __init__(
        self,
        provider: BaseLLMProvider,
        model: str,
        *,
        max_tokens: int,
        temperature: float | None,
        patience: Patience,
        run_id: str | None = None,
    ) -> None:
        self._provider = provider
        self._model = model
        self._options = {"max_tokens": max_tokens, "temperature": temperature, "run_id": run_id}
        self._patience = patience
        self.samples: list[Sample] = []
        """Those that were due so far."""
        self.stopped_at: float | None = None
        """When it was seen that the server does not keep up, and sending ended."""
        self._start = 0.0

    @property
    def now(self) -> float:
        """Seconds since the start."""
        return time.perf_counter() - self._start

    async def run(
        self,
        moments: Sequence[float],
        prompts: Sequence[str],
        seconds: float,
        on_look: Callable[[Traffic], None] = lambda _: None,
    ) -> None:
        """Send a prompt at each moment, wait for the answers, and stop early where it is hopeless."""
        tasks: list[asyncio.Task[None]] = []
        self._start = time.perf_counter()
        try:
            for moment, prompt in zip(moments, prompts, strict=True):
                if not await self._wait_until(moment, on_look):
                    break
                sample = Sample(moment)
                self.samples.append(sample)
                tasks.append(asyncio.create_task(self.ask(sample, prompt)))
            else:
                await self._wait_until(seconds, on_look)
            end = self.now + self._patience.whole_s
            while self.stopped_at is None and not all(task.done() for task in tasks) and self.now < end:
                await asyncio.wait(tasks, timeout=_LOOK_S)
                on_look(self)
                self._check()
        finally:
            now = self.now
            for sample in self.samples:
                if sample.done is None and sample.error is None:
                    sample.cut = now
            for task in tasks:
                task.cancel()
            outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, LLMBenchError):  # no failure of a call: a full disk under the ledger, say
                raise outcome

    async def _wait_until(self, moment: float, on_look: Callable[[Traffic], None]) -> bool:
        """Whether sending goes on."""
        while (left := moment - self.now) > 0:
            await asyncio.sleep(min(left, _LOOK_S))
            if left > _LOOK_S:
                on_look(self)
        self._check()
        return self.stopped_at is None

    def _check(self) -> None:
        now = self.now
        late = sum(
            sample.first is None and sample.error is None and now - sample.scheduled > self._patience.first_s
            for sample in self.samples
        )
        if late >= max(_HOPELESS_LEAST, _HOPELESS_SHARE * len(self.samples)):
            self.stopped_at = now

    async def ask(self, sample: Sample, prompt: str) -> None:
        """One request. A ProviderError is what the sample ends in, not raised."""
        sample.sent = self.now
        stream = self._provider.stream_chat_completion(
            [{"role": "user", "content": prompt}],
            self._model,
            deadline_s=3600.0,  # patience ends a call, not the deadline
            **self._options,  # type: ignore[arg-type]
        )
        last = None
        try:
            async for _ in stream:
                last = self.now
                if sample.first is None:
                    sample.first = last
        except ProviderError as error:
            sample.error = type(error).__name__
            return
        finally:
            await stream.aclose()
        answer = stream.response
        done = self.now if last is None else last
        if sample.first is None:
            sample.first = done
        if answer.usage is not None:
            sample.input_tokens = answer.usage.input_tokens
            sample.cached_tokens = answer.usage.cache_read_tokens
            sample.output_tokens = answer.usage.output_tokens
        sample.cost = answer.cost
        sample.done = done
