"""What a learned router sees of a prompt: its words and pairs of words, and some simple counts.

Pure Python, and the same code where the models are fitted and where a request is routed. No download, no
network, no other process.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise

__all__ = ["FEATURES", "READ", "normal_text", "pairs_of", "simple_features", "terms_of", "words_of"]

READ = 20_000
"""Characters of a prompt that are read, from its beginning; its length counts all."""

# Scripts that are written without spaces: each character is a word.
_SINGLE = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_WORD = re.compile(rf"[{_SINGLE}]|[^\W{_SINGLE}]+")
_SPACED = {place: " " for place in range(128) if not _WORD.match(chr(place))}
"""For ASCII, where a word is what lies between these."""
# A pattern that begins with one set of characters is searched for several times faster: so \d\d* for \d+,
# and one set for the ends of sentences and of lines, which are told apart after it.
_NUMBER = re.compile(r"\d\d*(?:[.,]\d+)*")
_SENTENCE_END = re.compile(r"[.?!。？！\n](?:(?<=\n)\n*|(?<!\n)[.?!。？！]*(?:\s|$))")

# Single characters, all of them in Latin-1: what is left of its bytes without them is counted, in one pass.
_OPERATORS = "-+*/=^<>×÷".encode("latin-1")
_CAPITALS = re.sub(r"[^A-ZÀ-ÖØ-Þ]", "", bytes(range(256)).decode("latin-1")).encode("latin-1")
_CODE_SIGNS = rb"`{}[];_\|#"

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


def normal_text(text: str) -> str:
    """A prompt as it is told from others: without differences of spaces and case."""
    return " ".join(text.split()).lower()


def words_of(text: str) -> list[str]:
    """Its words and numbers in lower case; of scripts without spaces, its characters.

    >>> words_of("Is 7 prime? 素数")
    ['is', '7', 'prime', '素', '数']
    """
    read = text[:READ].lower()
    return read.translate(_SPACED).split() if read.isascii() else _WORD.findall(read)


def terms_of(words: Sequence[str]) -> list[str]:
    """Words, and pairs of neighbours: what is counted for TF-IDF.

    >>> terms_of(["is", "7", "prime"])
    ['is', '7', 'prime', 'is 7', '7 prime']
    """
    return [*words, *pairs_of(words)]


def pairs_of(words: Sequence[str]) -> Iterator[str]:
    """Each word and the next, with a space between: no word holds one."""
    return map(" ".join, pairwise(words))


def simple_features(text: str, words: Sequence[str], counts: Counter[str] | None = None) -> list[float]:
    """One number per name of FEATURES; counts as ln(1 + count), so that no long prompt outweighs all.

    `counts` is of `words`, where they are counted already.

    >>> found = dict(zip(FEATURES, simple_features("Is 7 prime?", words_of("Is 7 prime?"))))
    >>> round(found["characters"], 3), found["numbers"] == found["question_marks"] == math.log(2)
    (2.485, True)
    """
    read = text[:READ]
    log = math.log1p
    counts = Counter(words) if counts is None else counts
    latin = read.encode("latin-1", "replace")
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
        log(len(latin) - len(latin.translate(None, _OPERATORS))),
        log(len(latin) - len(latin.translate(None, _CODE_SIGNS))),
        log(len(latin) - len(latin.translate(None, _CAPITALS))),
        log(read.count("\n")),
        0.0 if read.isascii() else (len(read) - len(read.encode("ascii", "ignore"))) / len(read),
        *(log(counts[word]) if word in counts else 0.0 for word in _COUNTED_WORDS),
    ]
