"""How a quote is made: every request is written, looked up in the ledger, and priced if absent."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from llmbench.catalog.tokenizers import TokenCounter
from llmbench.errors import UsageError
from llmbench.matrix.plan import Cell, Plan
from llmbench.matrix.quote import CellQuote, PerCall, Quote, Range
from llmbench.matrix.replay import Job, Replay
from llmbench.providers.worst_case import output_limit
from llmbench.types import Message, Usage

if TYPE_CHECKING:
    from llmbench.providers.base import BaseLLMProvider

__all__ = ["make_quote"]

_ENOUGH_ANSWERS = 5
"""Fewer earlier answers than this say too little of how long answers are."""


_NOTHING = Range(0.0, 0.0, 0.0)


_COUNTED_TOGETHER = 4096
"""Texts that wait before they are counted: while they are written, the vocabulary is loaded."""


class _Counter:
    """Counts the input of one cell's calls before they are made, and adds it up."""

    def __init__(self, cell: Cell, provider: BaseLLMProvider) -> None:
        self._counter = TokenCounter(
            _catalog_name(provider, str(cell.asked_model)), provider.backend or provider.name
        )
        self._schema = _schema(cell.options)
        self._waiting: list[Sequence[Message]] = []
        self._totals = (0, 0, 0)
        self._each: list[int] = []
        self._tokenizers: dict[str, None] = {}  # in order of appearance
        self._doubts: dict[str, None] = {}

    def add(self, messages: Sequence[Message]) -> None:
        if not self._waiting and not self._each:
            self._counter.load_ahead()
        self._waiting.append(messages)
        if len(self._waiting) >= _COUNTED_TOGETHER:
            self._count()

    def _count(self) -> None:
        for messages in self._waiting:
            one = self._counter.count(messages)
            low, expected, high = self._totals
            self._totals = (low + one.low, expected + one.tokens, high + one.high)
            self._each.append(one.tokens)
            self._tokenizers[one.tokenizer] = None
            if not one.exact:
                self._doubts[one.note] = None
            if self._schema:
                # Whether and how a vendor shows the schema to the model is not published.
                schema = self._counter.count(self._schema)
                self._totals = (
                    low + one.low,
                    expected + one.tokens + schema.tokens,
                    high + one.high + 2 * schema.high,
                )
                self._each[-1] += schema.tokens
                self._doubts["the answer's schema may be billed as input"] = None
        self._waiting.clear()

    @property
    def each(self) -> Sequence[int]:
        """Expected tokens of each call."""
        self._count()
        return self._each

    def range(self) -> Range:
        self._count()
        low, expected, high = self._totals
        return Range(float(low), float(expected), float(high))

    def basis(self) -> str:
        self._count()
        by, doubts = " and ".join(self._tokenizers), "; ".join(self._doubts)
        if not doubts:
            return f"input counted by {by}, exact"
        how = "estimated" if "characters" in self._tokenizers else f"counted by {by}, only near"
        return f"input {how} ({doubts})"


def _catalog_name(provider: BaseLLMProvider, model: str) -> str:
    try:
        return provider.get_model_info(model).name
    except UsageError:
        return model


def _schema(options: Mapping[str, Any]) -> str:
    wanted = options.get("response_format")
    schema = wanted.get("json_schema") if isinstance(wanted, Mapping) else None
    return json.dumps(schema, separators=(",", ":"), ensure_ascii=False) if schema else ""


@dataclass(slots=True)
class _Measured:
    """What one cell's walk through the ledger has shown."""

    counter: _Counter | None = None
    calls: int = 0
    to_make: int = 0
    chars_to_make: int = 0
    known_chars: int = 0
    known_input: int = 0
    known_inputs: list[int] = field(default_factory=list)
    known_outputs: list[int] = field(default_factory=list)
    known_ms: list[float] = field(default_factory=list)
    to_come: Range = _NOTHING
    """Input tokens of texts that are still to be written."""

    def add(self, job: Job, seen: set[str]) -> None:
        chars = sum(len(message["content"]) for message in job.request.messages)
        self.calls += 1
        if job.record is not None:
            usage = job.record.usage
            if usage is not None and job.record.status == "ok":
                self.known_chars += chars
                self.known_input += usage.input_tokens
                self.known_inputs.append(usage.input_tokens)
                self.known_outputs.append(usage.output_tokens)
            if job.record.status == "ok" and math.isfinite(job.record.latency_ms):
                self.known_ms.append(job.record.latency_ms)
        elif job.request_hash not in seen:
            seen.add(job.request_hash)
            self.to_make += 1
            self.chars_to_make += chars
            if self.counter is not None:
                self.counter.add(job.request.messages)


def make_quote(
    plan: Plan,
    providers: Mapping[str, BaseLLMProvider],
    replay: Replay,
    to_come: Mapping[str, Range] | None = None,
) -> Quote:
    """Write every request of `plan`, look each up in the ledger, and price the rest.

    Token counts come from earlier answers of the cell, else of its model, where there are at
    least 5; else input is counted by `llmbench.catalog.tokenizers`, whose name and exactness the
    quote states, and output lies between 1 and max_tokens with half of it expected. `to_come`
    has, by cell label, input tokens of texts that the requests do not hold yet. Raises what
    `Replay.batches` raises.
    """
    measured: dict[str, _Measured] = {}
    seen: set[str] = set()
    for cell in plan.cells:
        if cell.recorded is None:
            found = measured[cell.label] = _Measured(_Counter(cell, providers[str(cell.endpoint)]))
            if to_come is not None:
                found.to_come = to_come[cell.label]
            for batch in replay.batches(cell):
                for job in batch:
                    found.add(job, seen)
    return Quote(
        tuple(
            _recorded_quote(cell, plan)
            if cell.recorded is not None
            else _cell_quote(
                cell, measured[cell.label], _same_model(cell, plan, measured), providers[str(cell.endpoint)]
            )
            for cell in plan.cells
        )
    )


def _same_model(cell: Cell, plan: Plan, measured: Mapping[str, _Measured]) -> _Measured:
    total = _Measured()
    for other in plan.cells:
        if (other.endpoint, other.asked_model) == (
            cell.endpoint,
            cell.asked_model,
        ) and other.label in measured:
            found = measured[other.label]
            total.known_chars += found.known_chars
            total.known_input += found.known_input
            total.known_inputs.extend(found.known_inputs)
            total.known_outputs.extend(found.known_outputs)
            total.known_ms.extend(found.known_ms)
    return total


def _recorded_quote(cell: Cell, plan: Plan) -> CellQuote:
    nothing = Range(0.0, 0.0, 0.0)
    size = plan.size(cell)
    return CellQuote(cell.label, size, size, 0, nothing, nothing, nothing, "recorded answers, no calls")


def _cell_quote(cell: Cell, own: _Measured, model: _Measured, provider: BaseLLMProvider) -> CellQuote:
    calls = own.to_make
    target = (str(cell.endpoint), str(cell.asked_model))
    enough = own if len(own.known_outputs) >= _ENOUGH_ANSWERS else model
    latency = _spread(own.known_ms if len(own.known_ms) >= _ENOUGH_ANSWERS else model.known_ms)
    if not calls:
        nothing = Range(0.0, 0.0, 0.0)
        price = provider.price(str(cell.asked_model), Usage(1, 1))
        return CellQuote(
            cell.label, own.calls, own.calls, 0, nothing, nothing, nothing, "all in the ledger",
            price.book, price.as_of, target=target, input_per_call=_spread(own.known_inputs),
            output_per_call=_spread(own.known_outputs), latency_ms=latency,
        )  # fmt: skip
    source, whose = (own, "this cell") if len(own.known_outputs) >= _ENOUGH_ANSWERS else (model, "this model")
    known = sorted(source.known_outputs)
    limit = output_limit(provider, str(cell.asked_model), cell.options)
    if len(known) >= _ENOUGH_ANSWERS and source.known_chars:
        read = own.chars_to_make * source.known_input / source.known_chars
        inputs = Range(read, read, read)
        outputs = Range(
            calls * float(known[int(0.05 * (len(known) - 1))]),
            calls * sum(known) / len(known),
            calls * float(known[math.ceil(0.95 * (len(known) - 1))]),
        )
        basis = f"tokens as in {len(known)} earlier answers of {whose}"
    else:
        assert own.counter is not None  # noqa: S101 - every cell that is called has one
        inputs = own.counter.range()
        outputs = Range(
            float(calls), *((calls * (1 + limit) / 2, float(calls * limit)) if limit else (None, None))
        )
        most = f"{limit:,}" if limit else "an unknown limit (give max_tokens)"
        basis = f"{own.counter.basis()}; output up to {most} a call"
    inputs = Range(
        *(
            None if n is None or more is None else n + more
            for n, more in zip(inputs, own.to_come, strict=True)
        )
    )
    usd, book, as_of, priced = _priced(cell, calls, inputs, outputs, provider)
    return CellQuote(
        cell.label,
        own.calls,
        own.calls - calls,
        calls,
        inputs,
        outputs,
        usd,
        f"{basis}; {priced}",
        book,
        as_of,
        batch_usd=_batch_priced(cell, calls, inputs, outputs, provider),
        target=target,
        input_per_call=_spread(enough.known_inputs) or _spread(own.counter.each if own.counter else []),
        output_per_call=_spread(enough.known_outputs),
        latency_ms=latency,
    )


def _spread(values: Sequence[float]) -> PerCall | None:
    """Of at least five values."""
    if len(values) < _ENOUGH_ANSWERS:
        return None
    ordered = sorted(values)
    last = len(ordered) - 1
    return PerCall(
        sum(ordered) / len(ordered),
        float(ordered[math.ceil(0.5 * last)]),
        float(ordered[math.ceil(0.95 * last)]),
    )


def _batch_priced(
    cell: Cell, calls: int, inputs: Range, outputs: Range, provider: BaseLLMProvider
) -> Range | None:
    model = str(cell.asked_model)
    if not provider.has_batches or provider.price_at(model, Usage(1, 1), "batch").usd is None:
        return None
    return _dollars(calls, inputs, outputs, lambda usage: provider.price_at(model, usage, "batch").usd)


def _priced(
    cell: Cell, calls: int, inputs: Range, outputs: Range, provider: BaseLLMProvider
) -> tuple[Range, str | None, str | None, str]:
    model = str(cell.asked_model)
    sample = provider.price(model, Usage(1, 1))
    if sample.basis == "self-hosted":
        return Range(0.0, 0.0, 0.0), None, None, "own endpoint, no charge a call"
    if sample.usd is None:
        return Range(None, None, None), None, None, "price unknown"
    usd = _dollars(calls, inputs, outputs, lambda usage: provider.price(model, usage).usd)
    return usd, sample.book, sample.as_of, f"price of {sample.as_of}"


def _dollars(calls: int, inputs: Range, outputs: Range, price: Callable[[Usage], float | None]) -> Range:
    dollars: list[float | None] = []
    for read, written in zip(inputs, outputs, strict=True):
        if read is None or written is None:
            dollars.append(None)
            continue
        # Priced per call, because some prices change with the length of a call.
        one = price(Usage(math.ceil(read / calls), math.ceil(written / calls)))
        dollars.append(None if one is None else calls * one)
    return Range(*dollars)
