"""Graders by rule: text, pattern, number, choice.

Every text comparison is made after `llmbench.matrix.grading.normalise` (Unicode NFKC, case
folded, single spaces, marks of a sentence off both ends), and "1.0" and "1" are the same label. An
answer that a grader cannot make sense of is an answer, and scores 0 with the note "does not parse".
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import ClassVar, Self

from llmbench.errors import UsageError
from llmbench.matrix.checks import smallest
from llmbench.matrix.choices import find_label, split_choices
from llmbench.matrix.dataset import Dataset, Item
from llmbench.matrix.grading import (
    DOES_NOT_PARSE,
    Grade,
    accepted,
    examined,
    normalise,
    numbers,
    plain_number,
    whole_words,
)
from llmbench.matrix.text import as_text

__all__ = ["Choice", "Contains", "Exact", "Numeric", "Regex"]


class _ByExpected:
    """What graders that compare with `expected` have in common."""

    name: ClassVar[str]

    def problem(self, item: Item) -> str | None:
        """See `Grader`."""
        if not accepted(item.expected):
            return f"has no expected answer, which grader {self.name!r} needs"
        return None

    def bind(self, dataset: Dataset) -> Self:  # noqa: ARG002 - most graders need nothing of it
        """See `Grader`."""
        return self


@dataclass(frozen=True, slots=True)
class Exact(_ByExpected):
    """The whole answer equals the expected text, or one of a list of accepted ones.

    >>> Exact().grade(" Positive. ", Item("1", {}, "positive", None, None, 1)).score
    1.0
    """

    name: ClassVar[str] = "exact"

    def grade(self, answer: str, item: Item) -> Grade:
        """See `Grader`."""
        given = normalise(answer)
        return Grade(float(any(_same(given, normalise(right)) for right in accepted(item.expected))))


@dataclass(frozen=True, slots=True)
class Contains(_ByExpected):
    """The answer contains the expected text, or one of a list, as whole words.

    >>> Contains().grade("That is $45, I think", Item("1", {}, "45", None, None, 1)).score
    1.0
    """

    name: ClassVar[str] = "contains"

    def grade(self, answer: str, item: Item) -> Grade:
        """See `Grader`."""
        given = normalise(answer)
        found = any(
            re.search(whole_words(right), given) for right in map(normalise, accepted(item.expected)) if right
        )
        return Grade(float(found))


@dataclass(frozen=True, slots=True)
class Regex(_ByExpected):
    """A regular expression is found in the answer (`re.search`, case ignored).

    `pattern` serves every item; without it, each item's expected value is its pattern. Python's
    `re` has no time limit: a pattern with nested repetition can take for ever on a hostile
    answer. Only the first 20,000 characters are searched, and Ctrl-C interrupts; no answer is lost.
    """

    name: ClassVar[str] = "regex"
    pattern: str | None = None

    def problem(self, item: Item) -> str | None:
        """See `Grader`."""
        if self.pattern is None and not accepted(item.expected):
            return "has no expected answer, which grader 'regex' takes as the pattern"
        for pattern in self._patterns(item):
            try:
                re.compile(pattern)
            except re.error as error:
                return f"has a pattern {pattern!r} that is not a regular expression ({error})"
        return None

    def grade(self, answer: str, item: Item) -> Grade:
        """See `Grader`."""
        text = examined(answer)
        return Grade(float(any(re.search(p, text, re.IGNORECASE) for p in self._patterns(item))))

    def _patterns(self, item: Item) -> list[str]:
        return accepted(item.expected) if self.pattern is None else [self.pattern]


@dataclass(frozen=True, slots=True)
class Numeric(_ByExpected):
    """The last number in the answer is within `tolerance` (absolute) or `relative` (a share of
    the expected value) of the expected one.

    What is read as a number: see `llmbench.matrix.grading.numbers`. The last one counts because
    reasoning comes before its result; when that one is not plainly a number (1.234,50, 1/2,
    12:30), the answer does not parse, rather than an earlier or a partial number being graded.

    >>> Numeric(tolerance=0.01).grade("17 + 25 = $42.00", Item("1", {}, "42", None, None, 1)).score
    1.0
    """

    name: ClassVar[str] = "numeric"
    tolerance: float = 0.0
    relative: float = 0.0

    def __post_init__(self) -> None:
        smallest("tolerance", self.tolerance)
        smallest("relative", self.relative)

    def problem(self, item: Item) -> str | None:
        """See `Grader`."""
        texts = accepted(item.expected)
        for text in texts:
            if _number(text) is None:
                return f"has the expected answer {text!r}, which grader 'numeric' cannot read as one number"
        return None if texts else "has no expected answer, which grader 'numeric' needs"

    def grade(self, answer: str, item: Item) -> Grade:
        """See `Grader`."""
        found = list(numbers(examined(answer)))
        if not found:
            return Grade(0.0, f"{DOES_NOT_PARSE}: no number")
        token, value = found[-1]
        if value is None:
            return Grade(0.0, f"{DOES_NOT_PARSE}: {token[:40]!r} is not plainly a number")
        wanted = [number for text in accepted(item.expected) if (number := _number(text)) is not None]
        close = any(abs(value - right) <= self._allowed(right) for right in wanted)
        return Grade(float(close), None if close else f"read as {value}")

    def _allowed(self, right: Decimal) -> Decimal:
        # Through repr, so that a tolerance of 0.1 is 0.1 and 42.1 is within it of 42.
        return max(Decimal(repr(self.tolerance)), Decimal(repr(self.relative)) * abs(right))


@dataclass(frozen=True, slots=True)
class Choice(_ByExpected):
    """The answer gives the expected one of the item's choices.

    The choices are those given here, else the item's `column` (a list, or text separated by |,
    ; or ,), else all expected answers of the data set. The label that is mentioned first, as
    whole words, is the answer; when another label follows before the sentence or line ends
    ("positive, negative or neutral"), the answer is ambiguous and does not parse. A negation is
    not understood: "not positive" gives "positive".

    >>> item = Item("1", {"choices": ["positive", "negative"]}, "negative", None, None, 1)
    >>> Choice().grade("Negative. They are not positive about it.", item).score
    1.0
    >>> Choice().grade("positive or negative", item)
    Grade(score=0.0, note="does not parse: 'positive' and 'negative' are both given")
    """

    name: ClassVar[str] = "choice"
    choices: tuple[str, ...] = ()
    column: str = "choices"

    _MOST_LABELS: ClassVar[int] = 50

    def bind(self, dataset: Dataset) -> Self:
        """See `Grader`."""
        if self.choices:
            return replace(self, choices=tuple(as_text(choice) for choice in self.choices))
        if self.column in dataset.columns:
            return self
        if self.column != "choices":
            dataset.require_column(self.column, "Name the right one in Choice(column=...).")
        labels = dict.fromkeys(label for item in dataset.rows for label in accepted(item.expected))
        if len(labels) > self._MOST_LABELS:
            raise UsageError(
                f"Grader 'choice' finds {len(labels)} different expected answers in {dataset.path.name} and "
                "no column 'choices'; add one, or give Choice(choices=[...])."
            )
        return replace(self, choices=tuple(labels))

    def problem(self, item: Item) -> str | None:
        """See `Grader`."""
        choices = self._choices(item)
        if not choices:
            return f"has no {self.column!r}, which grader 'choice' needs"
        if not accepted(item.expected):
            return "has no expected answer, which grader 'choice' needs"
        known = [normalise(choice) for choice in choices]
        if len(set(known)) < len(known):
            return f"has choices that differ only in case or punctuation: {', '.join(choices)}"
        for right in accepted(item.expected):
            if not any(_same(normalise(right), choice) for choice in known):
                return f"expects {right!r}, which is not one of its choices {', '.join(choices)}"
        return None

    def grade(self, answer: str, item: Item) -> Grade:
        """See `Grader`."""
        label, trouble = find_label(examined(answer), self._choices(item))
        if label is None:
            return Grade(0.0, f"{DOES_NOT_PARSE}: {trouble}")
        right = any(_same(normalise(label), normalise(wanted)) for wanted in accepted(item.expected))
        return Grade(float(right), None if right else f"read as {label!r}")

    def _choices(self, item: Item) -> list[str]:
        return list(self.choices) or split_choices(item.fields.get(self.column))


def _same(one: str, other: str) -> bool:
    """Equality of normalised texts, numbers by value."""
    if one == other:
        return bool(one)
    first, second = plain_number(one), plain_number(other)
    return first is not None and first == second


def _number(text: str) -> Decimal | None:
    """The one number that `text` is; None if it holds none, several, or an unclear one."""
    found = list(numbers(text))
    return found[0][1] if len(found) == 1 else None
