from __future__ import annotations

import random
from itertools import combinations
from pathlib import Path

import pytest

from llmbench.finetune.key_file import KeyFile
from llmbench.finetune.near_duplicates import NearDuplicates, sketch
from llmbench.finetune.shingles import likeness, shingles, without_shared
from tests.finetune.conftest import sentence


def _texts() -> list[str]:
    """Originals, and copies with some words changed."""
    draw = random.Random(7)
    texts = []
    for number in range(150):
        words = sentence(number, 60).split()
        texts.append(" ".join(words))
        for changes in (0, 1, 2, 3, 5):
            copy = list(words)
            for place in draw.sample(range(60), changes):
                copy[place] = "changed"
            texts.append(" ".join(copy))
    return texts


def test_alike_finds_what_comparing_all_pairs_finds() -> None:
    found = [shingles(text) for text in _texts()]
    near = NearDuplicates(0.8)
    for number, each in enumerate(found):
        near.add(each, offset=number, digest=hash((number, 3)) % 2**60)
    pairs = list(near.alike(found.__getitem__))
    for number, other, like in pairs:
        assert other < number
        assert like == likeness(found[number], found[other]) >= 0.8
    true = {
        (two, one)
        for one, two in combinations(range(len(found)), 2)
        if likeness(found[one], found[two]) >= 0.8
    }
    assert {(number, other) for number, other, _ in pairs} <= true
    # A third of a pair is joined through the first, so what counts is which examples are in some pair.
    missed = {n for pair in true for n in pair} - {n for pair in pairs for n in pair[:2]}
    assert len(missed) <= 0.01 * len(found)


@pytest.mark.parametrize("share", [0.8, 0.9])
def test_sketch_meets_in_a_band_as_often_as_stated(share: float) -> None:
    draw, met, trials = random.Random(11), 0, 400
    for _ in range(trials):
        both = draw.sample(range(2**62), 200)
        apart = round(200 * (1 - share) / (1 + share))  # of each, so that the likeness is the share
        one = frozenset(both[: 200 - apart] + draw.sample(range(2**62), apart))
        other = frozenset(both[: 200 - apart] + draw.sample(range(2**62), apart))
        first, second = sketch(one), sketch(other)
        met += any(first[band : band + 4] == second[band : band + 4] for band in range(0, 32, 4))
    expected = 1 - (1 - share**4) ** 8
    assert met / trials == pytest.approx(expected, abs=0.035)


def test_sketch_of_one_shingle_is_full() -> None:
    assert len(sketch(frozenset({3}))) == 32


def test_alike_of_many_equal_phrases_is_cheap() -> None:
    near, same = NearDuplicates(0.8), shingles("thank you very much for your message")
    for number in range(6_000):
        near.add(same, offset=number, digest=number)
    assert sum(1 for _ in near.alike(lambda _: same)) >= 5_999


def test_alike_of_nothing_is_nothing() -> None:
    near = NearDuplicates(0.8)
    near.add(frozenset(), offset=0, digest=0)
    near.add(frozenset(), offset=1, digest=1)
    assert list(near.alike(lambda _: frozenset())) == []


def test_key_file_on_disk_gives_what_memory_gives(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    draw = random.Random(3)
    pairs = [(draw.randrange(2**64 - 1) if n % 3 else n // 30, n) for n in range(20_000)]
    found = []
    for waiting in (8, 10**9):
        monkeypatch.setattr("llmbench.finetune.key_file._WAITING", waiting)
        keys = KeyFile()
        for key, number in pairs:
            keys.add(key, number)
        found.append(sorted(keys.groups()))
    assert found[0] == found[1]
    assert len(found[0]) == 667


def test_shingles_of_scripts_without_blanks() -> None:
    one, other = shingles("これはとても長い日本語の文章です"), shingles("これはとても長い日本語の文章でした")
    assert 0.6 < likeness(one, other) < 1


def test_without_shared_keeps_what_would_vanish() -> None:
    template = shingles(sentence(1, 50))
    own = shingles(sentence(1, 50) + " " + sentence(2, 30))
    assert without_shared(template, template) == template
    assert without_shared(own, template) == own - template
