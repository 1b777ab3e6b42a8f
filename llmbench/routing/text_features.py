"""What a learned router sees of a prompt: its words and pairs of words, and some simple counts.

Pure Python, and the same code where the models are fitted and where a request is routed. No download, no
network, no other process.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

__all__ = ["FEATURES", "READ", "normal_text", "simple_features", "terms_of", "words_of"]

READ = 20_000
"""Characters of a prompt that are read, from its beginning; its length counts all."""

# Scripts that are written without spaces: each character is a word.
_SINGLE = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_WORD = re.compile(rf"[{_SINGLE}]|[^\W{_SINGLE}]+")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_SENTENCE_END = re.compile(r"[.?!。？！]+(?:\s|$)|\n+")
_OPERATOR = re.compile(r"[-+*/=^<>×÷]")
_CAPITAL = re.compile("[A-ZÀ-ÖØ-Þ]")
_CODE = re.compile(r"[`{}\[\];_\\|#]")

_COUNTED_WORDS = (
    "what", "why", "how", "which", "who", "when", "where", "many", "much",
    "if", "then", "not", "or", "and", "but", "except",
    "more", "less", "than", "each", "every", "per", "times", "half", "twice", "double", "third", "quarter",
    "percent", "average", "ratio", "total", "rest", "remaining", "left", "before", "after", "first",
)  # fmt: skip
"""Words that ask, join conditions or call for arithmetic. English; of no weight elsewhere."""

FEATURES = (
    "characters", "words", "sentences", "longest_sentence", "word_length", "distinct_words",
    "numbers", "distinct_numbers", "digits", "decimals", "question_marks", "commas", "money", "percent_signs",
    "operators", "code_signs", "capitals", "lines", "beyond_ascii",
    *(f"word {word}" for word in _COUNTED_WORDS),
)  # fmt: skip
"""Names of what `simple_features` gives, in its order."""

_MONEY = "$€£¥"
_ASCII = 128


def normal_text(text: str) -> str:
    """A prompt as it is told from others: without differences of spaces and case."""
    return " ".join(text.split()).lower()


def words_of(text: str) -> list[str]:
    """Its words and numbers in lower case; of scripts without spaces, its characters.

    >>> words_of("Is 7 prime? 素数")
    ['is', '7', 'prime', '素', '数']
    """
    return _WORD.findall(text[:READ].lower())


def terms_of(words: Sequence[str]) -> list[str]:
    """Words, and pairs of neighbours: what is counted for TF-IDF.

    >>> terms_of(["is", "7", "prime"])
    ['is', '7', 'prime', 'is 7', '7 prime']
    """
    return [*words, *(f"{one} {other}" for one, other in pairwise(words))]


def simple_features(text: str, words: Sequence[str]) -> list[float]:
    """One number per name of FEATURES; counts as ln(1 + count), so that no long prompt outweighs all.

    >>> found = dict(zip(FEATURES, simple_features("Is 7 prime?", words_of("Is 7 prime?"))))
    >>> round(found["characters"], 3), found["numbers"] == found["question_marks"] == math.log(2)
    (2.485, True)
    """
    read = text[:READ]
    log = math.log1p
    counts = Counter(words)
    numbers = _NUMBER.findall(read)
    sentences = _SENTENCE_END.split(read)
    n = len(words)
    return [
        log(len(text)),
        log(n),
        log(len(sentences) - 1),
        log(max(map(len, sentences))),
        sum(map(len, words)) / n if n else 0.0,
        len(counts) / n if n else 0.0,
        log(len(numbers)),
        log(len(set(numbers))),
        log(max(map(len, numbers), default=0)),
        log(sum("." in each for each in numbers)),
        log(read.count("?")),
        log(read.count(",")),
        log(sum(map(read.count, _MONEY))),
        log(read.count("%")),
        log(len(_OPERATOR.findall(read))),
        log(len(_CODE.findall(read))),
        log(len(_CAPITAL.findall(read))),
        log(read.count("\n")),
        0.0 if read.isascii() else sum(ord(each) >= _ASCII for each in read) / len(read),
        *(log(counts[word]) if word in counts else 0.0 for word in _COUNTED_WORDS),
    ]
