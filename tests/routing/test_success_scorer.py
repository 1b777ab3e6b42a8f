"""Scores are, to the last bit, those of the definitions as they are written down here."""

from __future__ import annotations

import math
import random
import re
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmbench.routing.success_scorer import FEATURE_LIMIT, SuccessScorer
from llmbench.routing.text_features import _COUNTED_WORDS, FEATURES, READ, simple_features, terms_of, words_of

_SINGLE = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"

TEXTS = st.one_of(
    st.text(),
    st.text("ab .?!\n。？！,19٣$€%+×÷{}\\#ÀÖ×ØÞßİ\x1c\x85\xa0漢字ก\ud800", max_size=60),
    st.lists(st.sampled_from(["how", "many", "12.5", "each", "is", "7?", "Why", "\n", "漢"])).map(" ".join),
)


def words_by_definition(text: str) -> list[str]:
    return re.findall(rf"[{_SINGLE}]|[^\W{_SINGLE}]+", text[:READ].lower())


def features_by_definition(text: str) -> list[float]:
    read, words = text[:READ], words_by_definition(text)
    counts = Counter(words)
    numbers = re.findall(r"\d+(?:[.,]\d+)*", read)
    sentences = re.split(r"[.?!。？！]+(?:\s|$)|\n+", read)
    return [
        math.log1p(len(text)),
        math.log1p(len(words)),
        math.log1p(len(sentences) - 1),
        math.log1p(max(len(sentence) for sentence in sentences)),
        sum(len(word) for word in words) / len(words) if words else 0.0,
        len(counts) / len(words) if words else 0.0,
        math.log1p(len(numbers)),
        math.log1p(len(set(numbers))),
        math.log1p(max((len(number) for number in numbers), default=0)),
        math.log1p(sum("." in number for number in numbers)),
        math.log1p(read.count("?")),
        math.log1p(read.count(",")),
        math.log1p(len(re.findall("[$€£¥]", read))),
        math.log1p(read.count("%")),
        math.log1p(len(re.findall(r"[-+*/=^<>×÷]", read))),
        math.log1p(len(re.findall(r"[`{}\[\];_\\|#]", read))),
        math.log1p(len(re.findall("[A-ZÀ-ÖØ-Þ]", read))),
        math.log1p(read.count("\n")),
        sum(ord(character) >= 128 for character in read) / len(read) if read else 0.0,
        *(math.log1p(counts[word]) for word in _COUNTED_WORDS),
    ]


def log_odds_by_definition(scorer: SuccessScorer, text: str) -> tuple[float, ...]:
    words = words_by_definition(text)
    counts = Counter([*words, *(f"{words[i]} {words[i + 1]}" for i in range(len(words) - 1))])
    known = {term: count for term, count in counts.items() if term in scorer.terms}
    places = [scorer.terms.index(term) for term in known]
    values = [
        scorer.idf[place] * (1 + math.log(count)) for place, count in zip(places, known.values(), strict=True)
    ]
    norm = math.sqrt(sum(value * value for value in values)) or 1.0
    simple = [
        min(max((value - mean) / scale, -FEATURE_LIMIT), FEATURE_LIMIT) * scorer.feature_weight
        for value, mean, scale in zip(features_by_definition(text), scorer.means, scorer.scales, strict=True)
    ]
    found = []
    for model in range(len(scorer.models)):
        of_terms = sum(
            value * scorer.term_weights[model][place] for value, place in zip(values, places, strict=True)
        )
        of_features = sum(
            value * weight for value, weight in zip(simple, scorer.feature_weights[model], strict=True)
        )
        found.append(scorer.intercepts[model] + of_terms / norm + of_features)
    return tuple(found)


def a_scorer(models: int) -> SuccessScorer:
    draw = random.Random(5)
    terms = sorted(
        {"a", "b", "how", "how many", "each is", "is 7", "7 why", "why", "漢", "漢 字", "12", "ß a"}
    )

    def numbers(count: int) -> tuple[float, ...]:
        return tuple(draw.gauss(0, 1) for _ in range(count))

    return SuccessScorer(
        models=tuple(f"m{i}" for i in range(models)),
        terms=tuple(terms),
        idf=tuple(1 + abs(each) for each in numbers(len(terms))),
        term_weights=tuple(numbers(len(terms)) for _ in range(models)),
        means=numbers(len(FEATURES)),
        scales=tuple(0.1 + abs(each) for each in numbers(len(FEATURES))),
        feature_weight=0.13,
        feature_weights=tuple(numbers(len(FEATURES)) for _ in range(models)),
        intercepts=numbers(models),
    )


@given(TEXTS)
@settings(max_examples=150, deadline=None)
def test_words_terms_and_features_are_their_definitions(text: str) -> None:
    words = words_by_definition(text)
    assert words_of(text) == words
    assert terms_of(words) == [*words, *(f"{words[i]} {words[i + 1]}" for i in range(len(words) - 1))]
    assert simple_features(text, words) == features_by_definition(text)
    assert simple_features(text, words, Counter(words)) == features_by_definition(text)


@given(TEXTS)
@settings(max_examples=150, deadline=None)
@pytest.mark.parametrize("models", [1, 3])
def test_scores_are_the_definition_to_the_last_bit(models: int, text: str) -> None:
    scorer = a_scorer(models)
    assert scorer.log_odds(text) == log_odds_by_definition(scorer, text)


@pytest.mark.parametrize("text", ["", "?", "zz", "how many " * 500, "1" * 30_000, "\n" * 100, "é" * 25_000])
def test_odd_prompts_are_scored_as_defined(text: str) -> None:
    scorer = a_scorer(2)
    assert scorer.log_odds(text) == log_odds_by_definition(scorer, text)
    assert all(0 < chance < 1 for chance in scorer.success(text))


def test_a_scorer_without_terms_scores_by_the_simple_features() -> None:
    whole = a_scorer(2)
    scorer = SuccessScorer(
        models=whole.models,
        terms=(),
        idf=(),
        term_weights=((), ()),
        means=whole.means,
        scales=whole.scales,
        feature_weight=whole.feature_weight,
        feature_weights=whole.feature_weights,
        intercepts=whole.intercepts,
    )
    assert scorer.log_odds("how many") == log_odds_by_definition(scorer, "how many")


def test_every_character_is_counted_as_defined() -> None:
    text = "".join(map(chr, [*range(0x300), *range(0x2000, 0x2100), *range(0x3000, 0x3100), 0xD800, 0x1F600]))
    assert words_of(text) == words_by_definition(text)
    for character in text:
        assert simple_features(character, words_of(character)) == features_by_definition(character)
