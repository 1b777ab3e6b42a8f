"""What each vendor takes, beyond the rules that all of them share.

Read in November 2026: OpenAI's guide to supervised fine-tuning and the checks of its cookbook; Together's
docs.together.ai/docs/fine-tuning/data-preparation and .../function-calling; the inputs of Replicate's
language-model trainers (replicate.com/meta/llama-2-70b-chat/train).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from llmbench.errors import UsageError
from llmbench.finetune.findings import Severity
from llmbench.providers.training_lines import CHAT, COMPLETION, KEYS, TEXT, LineProblem, form_of, row_problems

__all__ = ["MESSAGE_KEYS", "ROW_KEYS", "VENDORS", "Problem", "check_vendor", "problems_of"]

VENDORS: Mapping[str, frozenset[str]] = {
    "openai": frozenset({CHAT}),
    "together": frozenset({CHAT, COMPLETION, TEXT}),
    "replicate": frozenset({COMPLETION, TEXT}),
}
"""The forms that each takes."""

ROW_KEYS: Mapping[str, frozenset[str]] = {
    "openai": frozenset({"messages", "tools", "parallel_tool_calls", "functions"}),
    "together": frozenset({"messages", "tools"}),
    "replicate": frozenset({"messages"}),
}
"""The keys of a row of messages that each has a place for."""

MESSAGE_KEYS: Mapping[str, frozenset[str]] = {
    "openai": frozenset(
        {"role", "content", "name", "weight", "tool_calls", "tool_call_id", "function_call", "refusal"}
    ),
    "together": frozenset({"role", "content", "weight", "tool_calls", "tool_call_id"}),
    "replicate": frozenset({"role", "content"}),
}
"""The keys of a message that each has a place for."""

_ALL = frozenset(KEYS)
_TOGETHER_ROLES = frozenset({"system", "user", "assistant", "tool"})
_NEXT = {
    "": {"system", "user"},
    "system": {"user"},
    "user": {"assistant"},
    "assistant": {"user"},
    "calls": {"tool"},
    "tool": {"tool", "assistant"},
}
"""Which roles may follow which at Together; "calls" is an assistant's message that calls tools."""


class Problem(NamedTuple):
    """What is wrong with a row, for one vendor or for all of them."""

    severity: Severity
    code: str
    text: str


def check_vendor(vendor: str | None) -> None:
    """Raise UsageError for a vendor that is none of VENDORS; None is all of them."""
    if vendor is not None and vendor not in VENDORS:
        raise UsageError(f"vendor is {vendor!r} and must be one of {', '.join(VENDORS)}, or None for all.")


def problems_of(row: Mapping[str, Any], vendor: str | None) -> Iterator[Problem]:
    """Everything that is wrong with a row, for a vendor or, where that is None, for any of them.

    >>> [problem.code for problem in problems_of({"prompt": "2+2?", "completion": "4"}, "openai")]
    ['wrong_format']
    """
    if "preferred_output" in row and "non_preferred_output" in row:
        yield Problem("error", "preferences", "holds preferences (DPO), which are trained in another way")
        return
    several = (
        form_of(dict(row)) is None and sum(all(key in row for key in keys) for keys in KEYS.values()) > 1
    )
    if several:
        yield Problem("error", "several_forms", "has the keys of several forms; leave one of them out")
    wanted = _ALL if vendor is None else VENDORS[vendor]
    for code, text in row_problems(dict(row), wanted):
        yield Problem("error", code, text)
    messages = row.get("messages")
    if CHAT not in wanted or not isinstance(messages, list) or several:
        return
    found = [message for message in messages if isinstance(message, Mapping)]
    yield from _weights(found)
    if vendor == "openai":
        yield from _openai(row, found)
    elif vendor == "together":
        yield from (Problem("error", code, text) for code, text in _together(found))
        weighed = any("weight" in message for message in found)
        if weighed and any(
            "weight" not in message and message.get("role") != "assistant" for message in found
        ):
            yield Problem(
                "warning", "trained_input",
                "has weights in some messages only, and Together then trains on those without one too, the "
                "user's among them; give them weight 0",
            )  # fmt: skip


def _weights(messages: list[Mapping[str, Any]]) -> Iterator[Problem]:
    answers = [message for message in messages if message.get("role") == "assistant"]
    for number, message in enumerate(messages):
        weight = message.get("weight", 1)
        if (
            isinstance(weight, int | float)
            and not isinstance(weight, bool)
            and weight >= 0
            and weight not in {0, 1}
        ):
            yield Problem(
                "error", "weight", f"has a message {number} of weight {weight:g}; only 0 and 1 are taken"
            )
    if answers and all(message.get("weight", 1) == 0 for message in answers):
        yield Problem(
            "error", "nothing_learned", "has weight 0 in all assistant messages, so nothing is learned"
        )
    if not any(message.get("role") == "user" for message in messages):
        yield Problem("warning", "no_user", "has no user message")


def _openai(row: Mapping[str, Any], messages: list[Mapping[str, Any]]) -> Iterator[Problem]:
    unknown = sorted(set(row) - ROW_KEYS["openai"])
    if unknown:
        yield Problem(
            "warning", "unknown_key", f"has the key {unknown[0]!r:.40}, which OpenAI does not describe"
        )
    for number, message in enumerate(messages):
        strange = sorted(set(message) - MESSAGE_KEYS["openai"])
        if strange:
            yield Problem(
                "warning", "unknown_key",
                f"has a message {number} with the key {strange[0]!r:.40}, which OpenAI does not describe",
            )  # fmt: skip
        if "weight" in message and message.get("role") != "assistant":
            yield Problem("error", "weight", f"has a weight in message {number}, which is not an assistant's")


def _together(messages: list[Mapping[str, Any]]) -> Iterator[LineProblem]:
    before = ""
    for number, message in enumerate(messages):
        role = message.get("role")
        if not isinstance(role, str) or role not in _TOGETHER_ROLES:
            yield LineProblem(
                "role", f"has a message {number} of the role {role!r:.20}, which Together does not take"
            )
            return
        if role not in _NEXT[before]:
            yield LineProblem(
                "order",
                f"has a message {number} from {role} after {before or 'nothing'}; at Together a system "
                "message may come first, and then user and assistant take turns",
            )
            return
        before = "calls" if role == "assistant" and message.get("tool_calls") else str(role)
