"""What a grade is, and how answers are made comparable before they are graded."""

from __future__ import annotations

import re
import string
import unicodedata
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple, Protocol, runtime_checkable

from llmbench.matrix.dataset import Dataset, Item
from llmbench.matrix.text import as_text
from llmbench.shown import shown

__all__ = [
    "DOES_NOT_PARSE",
    "EXAMINED_CHARS",
    "Grade",
    "Grader",
    "accepted",
    "examined",
    "normalise",
    "numbers",
    "plain_number",
    "whole_words",
]

EXAMINED_CHARS = 20_000
"""Characters of an answer that graders read. What follows is not graded: a runaway answer must
not hold up ten thousand others."""

DOES_NOT_PARSE = "does not parse"


@shown
class Grade(NamedTuple):
    """How right one answer is."""

    score: float
    """From 0 (wrong) to 1 (right)."""
    note: str | None = None
    """Why, where the score alone does not tell."""


@runtime_checkable
class Grader(Protocol):
    """Grades one answer at a time; knows nothing of models or calls."""

    @property
    def name(self) -> str:
        """What it is called in messages."""

    def problem(self, item: Item) -> str | None:
        """What keeps `item` from being graded, as the end of "items.csv:7 ..."; None if nothing."""

    def grade(self, answer: str, item: Item) -> Grade:
        """The grade of `answer` to `item`."""

    def bind(self, dataset: Dataset) -> Grader:
        """The same grader, with whatever it takes from the whole data set."""


_INVISIBLE = frozenset({"Cc", "Cf"})
# Marks of a sentence or of Markdown. Signs that carry meaning stay: -5 is not 5, .5 is not 5, C++ is
# not C#.
_BOTH_ENDS = "\"'`*“”„‘’‚«»‹›()[]{}" + string.whitespace
_LEADING = _BOTH_ENDS + "¡¿—"
_TRAILING = _BOTH_ENDS + ".,;:!?…—。、！？"


def examined(answer: str) -> str:
    """The part of `answer` that graders read, with control, zero-width and direction characters
    out of it: they are invisible, and must not decide a grade.
    """
    return "".join(
        " " if character in "\t\r\v\f" else character
        for character in answer[:EXAMINED_CHARS]
        if character in "\n\t\r\v\f" or unicodedata.category(character) not in _INVISIBLE
    )


def normalise(text: str) -> str:
    """Unicode NFKC, case folded, white space single, quotes, brackets, asterisks and a sentence's
    punctuation off the ends. Text that consists of such marks only is left as it is.

    >>> normalise(' “Not   Interested.” '), normalise("**C++**"), normalise("-5!"), normalise("?")
    ('not interested', 'c++', '-5', '?')
    """
    folded = " ".join(unicodedata.normalize("NFKC", examined(text)).casefold().split())
    return folded.lstrip(_LEADING).rstrip(_TRAILING) or folded


def whole_words(text: str) -> str:
    """A pattern that finds `text` as whole words, in any spacing: not as a part of a longer word, of a
    hyphenated one ("non-refundable"), of a longer number (45 in 45.5 or -45), or before + and #.

    >>> [bool(re.search(whole_words("45"), answer)) for answer in ("$45.", "45.5", "1,45", "-45", "450")]
    [True, False, False, False, False]
    """
    words = r"\s+".join(re.escape(word) for word in text.split())
    start, end = r"(?<!\w)(?<!\w-)", r"(?!\w)(?!-\w)(?![+#])"
    if text[:1].isdigit():
        start += r"(?<!\d[.,])(?<!\W[-−])(?<!^[-−])"
    if text[-1:].isdigit():
        end += r"(?![.,]\d)"
    return start + words + end


def plain_number(text: str) -> Decimal | None:
    """The value of `text` where all of it is one number without thousands separators, so that a
    spreadsheet's 1.0 and an answer of 1 are the same label.

    >>> plain_number("1.0") == plain_number("1"), plain_number("1.0.0")
    (True, None)
    """
    return Decimal(text) if re.fullmatch(r"[+-]?([0-9]{1,30}(\.[0-9]{1,30})?|\.[0-9]{1,30})", text) else None


def accepted(expected: Any) -> list[str]:
    """The accepted answers of an item: `expected` itself, or each entry of a list."""
    entries = expected if isinstance(expected, list | tuple) else [expected]
    return [as_text(entry) for entry in entries if entry is not None]


_GROUPING = "\u00a0\u2009\u202f"
"""Spaces that keep a number together (no-break, thin, both); an ordinary one may stand between two."""
_FRACTIONS = "\u00bc-\u00be\u2150-\u215e\u2189"
_POWERS = "\u00b2\u00b3\u00b9\u2070\u2074-\u2079"
"""Of a number before them; alone they may be the mark of a note."""

# Everything that looks like a number, dates, times, versions and fractions included: those are
# then refused as a whole rather than read in part.
_NUMBER = re.compile(
    rf"(?<![\w.])[+\-−]?[$€£]?[+\-−]?(?:\d(?:[\d.,/:\-–{_GROUPING}]*\d)?[{_FRACTIONS}{_POWERS}]*|[{_FRACTIONS}])"
    r"(?:[eE][+-]?\d{1,3})?(?:[kK]|bn|M)?(?!\w)"
)
_STRICT = re.compile(
    rf"([+-]?)((?:\d{{1,3}}(?:,\d{{3}})+|\d{{1,3}}(?:[{_GROUPING}]\d{{3}})+|\d+)(?:\.\d+)?)"
    r"((?:[eE][+-]?\d{1,3})?)(k|K|M|bn)?"
)
_SEPARATORS = str.maketrans("", "", "," + _GROUPING)
_SUFFIX = {"": 1, "k": 10**3, "K": 10**3, "M": 10**6, "bn": 10**9}


def numbers(text: str) -> Iterator[tuple[str, Decimal | None]]:
    """What looks like a number in `text`, with its value; None where it is not plainly one.

    Read are `1234.5`, `1,234.50`, also with no-break spaces for the commas, `-3`, `−3`, `1e3`, and `k`,
    `M`, `bn` attached (1.5k is 1500).
    Currency signs and a per cent sign are left out (45% is 45, never 0.45). Not read: decimal
    commas (1.234,50), fractions (1/2, 2½), powers (10²), ranges (5-7), dates, times, and numbers with a
    unit attached (5kg).

    >>> [str(value) for _, value in numbers("from $1,234.50 to 1.5k on 3/4, about 1.234,50")]
    ['1234.50', '1500.0', 'None', 'None']
    """
    for match in _NUMBER.finditer(text):
        token = match.group()
        plain = token.replace("−", "-").translate(str.maketrans("", "", "$€£"))
        parts = _STRICT.fullmatch(plain)
        try:
            value = (
                Decimal(parts[1] + parts[2].translate(_SEPARATORS) + parts[3]) * _SUFFIX[parts[4] or ""]
                if parts
                else None
            )
        except InvalidOperation:
            value = None
        yield token, value
