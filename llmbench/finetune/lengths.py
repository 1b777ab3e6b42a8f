"""How many tokens examples have, counted offline."""

from __future__ import annotations

import json
from array import array
from collections.abc import Sequence
from typing import NamedTuple

from llmbench.catalog import count_tokens
from llmbench.finetune.reading import Turn
from llmbench.providers.training_lines import CHAT

__all__ = ["ExampleTokens", "LengthSummary", "Lengths", "count_example"]

_SHARES = (0.5, 0.9, 0.99)


class ExampleTokens(NamedTuple):
    """The tokens of one example; `low` and `high` equal `tokens` where the count is exact."""

    tokens: int
    low: int
    high: int
    learned: int
    """Those that the model is trained to write; near, where `tokens` is."""
    exact: bool
    tokenizer: str
    note: str


class LengthSummary(NamedTuple):
    """How long the examples are, in tokens."""

    examples: int
    total: int
    mean: float
    shortest: int
    median: int
    p90: int
    p99: int
    longest: int
    longest_line: int


def count_example(
    turns: Sequence[Turn], form: str, model: str, place: str | None, tools: object = None
) -> ExampleTokens:
    """The tokens of an example as `model` reads it at `place`, chat template included where it has turns.

    Calls of tools, and `tools`, their definitions, are counted as their JSON, which is not how a model reads
    them, and images not at all: such a count is never exact.
    """
    exact = not tools and all(turn.whole and not turn.calls for turn in turns)
    if form == CHAT:
        messages = [{"role": turn.role, "content": turn.text} for turn in turns]
        found = count_tokens(messages, model, provider=place)
    else:
        found = count_tokens("\n".join(turn.text for turn in turns), model, provider=place)
    learned = sum(count_tokens(turn.text, model, provider=place).tokens for turn in turns if turn.learned)
    defined = count_tokens(json.dumps(tools), model, provider=place).tokens if tools else 0
    note = found.note if exact else f"{found.note}; tools are counted as JSON, images not at all"
    return ExampleTokens(
        tokens=found.tokens + defined,
        low=found.low,
        high=found.high + 2 * defined,
        learned=learned,
        exact=found.exact and exact,
        tokenizer=found.tokenizer,
        note=note,
    )


class Lengths:
    """Lines, tokens and learned tokens of all examples: 12 bytes of each."""

    def __init__(self) -> None:
        self.lines, self.tokens, self.learned = array("I"), array("I"), array("I")

    def add(self, line: int, tokens: int, learned: int) -> None:
        """Take in one example."""
        self.lines.append(line)
        self.tokens.append(tokens)
        self.learned.append(learned)

    def summary(self) -> LengthSummary | None:
        """None of no examples. A quantile is an example's length: the lowest that so many do not exceed."""
        count = len(self.tokens)
        if not count:
            return None
        in_order = array("I", sorted(self.tokens))
        median, p90, p99 = (in_order[max(0, -int(-share * count // 1) - 1)] for share in _SHARES)
        longest = max(range(count), key=self.tokens.__getitem__)
        total = sum(self.tokens)
        return LengthSummary(
            count, total, total / count, in_order[0], median, p90, p99, in_order[-1], self.lines[longest]
        )
