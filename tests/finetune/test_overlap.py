from __future__ import annotations

from llmbench.finetune.evaluation_items import EvaluationItem
from llmbench.finetune.overlap import Overlap
from llmbench.finetune.reading import Turn
from tests.finetune.conftest import sentence


def said(text: str) -> list[Turn]:
    return [Turn("user", text, learned=False)]


def test_find_share_is_that_of_all_runs_compared() -> None:
    words = sentence(1, 40).split()
    overlap = Overlap([EvaluationItem("q", " ".join(words))])
    held = overlap.find(said("before " + " ".join(words[:30]) + " after"))
    assert held is not None
    runs = [words[n : n + 13] for n in range(28)]
    inside = [run for run in runs if " ".join(run) in " ".join(words[:30])]
    assert (held.how, held.share) == ("n-gram", len(inside) / len(runs))


def test_find_less_than_half_is_none() -> None:
    words = sentence(1, 40).split()
    assert Overlap([EvaluationItem("q", " ".join(words))]).find(said(" ".join(words[:20]))) is None


def test_find_does_not_count_a_template() -> None:
    template = sentence(5, 30)
    items = [EvaluationItem(f"q{n}", f"{template} {sentence(n + 10, 20)}") for n in range(20)]
    overlap = Overlap(items)
    assert overlap.find(said(f"{template} and something else")) is None
    held = overlap.find(said(sentence(13, 20)))
    assert held is not None
    assert held.item.name == "q3"


def test_find_short_question_only_as_a_whole() -> None:
    overlap = Overlap([EvaluationItem("q", "Thank you")])
    assert overlap.find(said("thank you!")) is not None
    assert overlap.find(said("Thank you for the flowers")) is None
    five = Overlap([EvaluationItem("q", "What is the capital city?")])
    assert five.find(said("Tell me: what is the capital city of France")) is not None


def test_find_nothing_in_nothing() -> None:
    overlap = Overlap([EvaluationItem("q", "  ")])
    assert overlap.find(said("")) is None
