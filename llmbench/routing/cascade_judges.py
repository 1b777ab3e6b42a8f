"""Judges of a cheap model's answer: what says whether it may stand, live and afterwards alike."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple

from llmbench.errors import UsageError
from llmbench.shown import shown

__all__ = ["CascadeJudge", "Judgement", "format_check", "self_consistency", "verifier"]


@shown
class Judgement(NamedTuple):
    """What a judge makes of the cheap model's answers to one prompt."""

    trust: float
    """From 0, no trust at all, to 1."""
    answer: int = 0
    """Number of the answer that would be handed out."""
    cost_usd: float | None = 0.0
    """What judging cost; None: not known."""


CascadeJudge = Callable[[Any, Sequence[str]], Judgement | Awaitable[Judgement]]
"""Called with the prompt (a text or messages) and the answers."""

_MARKS = re.compile(r"[^\w.,-]+")


def self_consistency(key: Callable[[str], str] | None = None) -> CascadeJudge:
    """Trust is the share of the samples that agree with the most frequent answer, which is handed out.

    `key` says what counts as the same answer; default: letters, digits and signs of numbers, in any
    case. Of equally frequent ones the first wins. One sample always agrees with itself: give
    several; without any it raises UsageError. Wang et al. (2023), arXiv:2203.11171.

    >>> self_consistency()("Is 7 prime?", ["Yes.", "no", "yes"])
    Judgement(trust=0.6666666666666666, answer=0, cost_usd=0.0)
    """
    same = key or _plain

    def judge(_: Any, answers: Sequence[str]) -> Judgement:
        keys = [same(answer) for answer in answers]
        if not keys:
            raise UsageError("Self-consistency needs at least one answer.")
        most, count = Counter(keys).most_common(1)[0]
        return Judgement(count / len(keys), keys.index(most))

    return judge


def verifier(score: Callable[[Any, str], Any]) -> CascadeJudge:
    """Trust is `score(prompt, answer)` in [0, 1], plain or awaitable; of several answers the best.

    A score may be a pair (trust, USD) where the verifier costs money itself.

    >>> verifier(lambda prompt, answer: float("because" in answer))("Why?", ["Because."]).trust
    0.0
    """

    async def later(given: list[Any]) -> Judgement:
        return _best([await each if hasattr(each, "__await__") else each for each in given])

    def judge(prompt: Any, answers: Sequence[str]) -> Judgement | Awaitable[Judgement]:
        given = [score(prompt, answer) for answer in answers]
        if any(hasattr(each, "__await__") for each in given):
            return later(given)
        return _best(given)

    return judge


def format_check(check: Callable[[str], Any]) -> CascadeJudge:
    """Trust is 1 for the first answer that `check` accepts, else 0. A check that raises ValueError,
    as parsers do, rejects.

    >>> import json
    >>> judge = format_check(lambda answer: json.loads(answer) is not None)
    >>> judge("As JSON, please.", ["{'a'", '{"a": 1}'])
    Judgement(trust=1.0, answer=1, cost_usd=0.0)
    """

    def accepted(answer: str) -> bool:
        try:
            return bool(check(answer))
        except ValueError:
            return False

    def judge(_: Any, answers: Sequence[str]) -> Judgement:
        good = next((place for place, answer in enumerate(answers) if accepted(answer)), None)
        return Judgement(0.0) if good is None else Judgement(1.0, good)

    return judge


def checked(judgement: Any, answers: int) -> Judgement:
    """The judgement, if it is one. Raises UsageError."""
    if not isinstance(judgement, Judgement):
        raise UsageError(f"A judge must return a Judgement(trust, answer), not {judgement!r:.80}.")
    if not 0 <= judgement.trust <= 1:  # NaN too
        raise UsageError(f"A judge's trust must lie in [0, 1]; it is {judgement.trust!r}.")
    if not 0 <= judgement.answer < answers:
        raise UsageError(f"A judge chose answer {judgement.answer!r} of {answers}.")
    return judgement


def _best(given: Sequence[Any]) -> Judgement:
    pairs = [each if isinstance(each, tuple) else (each, 0.0) for each in given]
    trusts = [float(trust) for trust, _ in pairs]
    costs = [cost for _, cost in pairs]
    best = max(range(len(trusts)), key=trusts.__getitem__)
    return Judgement(trusts[best], best, None if None in costs else sum(costs))


def _plain(answer: str) -> str:
    return _MARKS.sub(" ", answer).strip(" .,-").casefold()
