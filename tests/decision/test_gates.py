"""Gates as teams write them."""

from __future__ import annotations

from pathlib import Path

import pytest

from llmbench.decision import read_gates
from llmbench.errors import ConfigError, UsageError

ONE = '[[gates]]\nname = "q"\nstage = "offline"\nmetric = "score_difference"\nat_least = -0.03\n'


def _book(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "gates.toml"
    path.write_text(text)
    return path


def test_gates_of_a_stage_are_all_up_to_it(tmp_path: Path) -> None:
    text = ONE + ONE.replace('"q"', '"r"').replace("offline", "full") + 'phases = ["mixtral"]\n'
    book = read_gates(_book(tmp_path, text), ["mixtral", "llama"])
    assert [gate.name for gate in book.of("mixtral", "offline")] == ["q"]
    assert [gate.name for gate in book.of("mixtral", "full")] == ["q", "r"]
    assert [gate.name for gate in book.of("llama", "full")] == ["q"]
    assert book.reports == ("model_matrix",)
    gate = book.gates[0]
    assert (gate.threshold, gate.at_least, gate.minimum_n, gate.stale_after_days) == (-0.03, True, 0, 90)
    with pytest.raises(UsageError, match="no stage 'soon'"):
        book.of("mixtral", "soon")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", r"has no \[\[gates\]\]"),
        ("gates = [1]", "Gate 1 of gates.toml is no table"),
        ("x =", "is not TOML"),
        (ONE + ONE.replace("[[gates]]", "[[gate]]"), "has gate at its top, which nothing reads"),
        (ONE.replace("-0.03", "-3"), "is -3, and score_difference is a number from -1 to 1"),
        (ONE.replace("score_difference", "reply_ratio").replace("-0.03", "90"), "from 0 to 10; write 0.9"),
        (ONE + ONE, "has q more than once"),
        (
            ONE.replace("score_difference", "score_diference"),
            "No metric is called 'score_diference'; there is score_difference",
        ),
        (ONE.replace("offline", "sometime"), "there is no stage 'sometime'"),
        (ONE.replace("at_least = -0.03", ""), "one of at_least and at_most"),
        (ONE + "at_most = 1\n", "one of at_least and at_most"),
        (ONE.replace("-0.03", '"much"'), "at_least must be a number"),
        (ONE.replace("-0.03", "nan"), "at_least must be a number"),
        (ONE + "minimum_n = -1\n", "minimum_n must be a whole number"),
        (ONE + "minimun_n = 1\n", "minimun_n is not known"),
        (ONE + 'phases = ["gemini"]\n', "there is no phase gemini"),
        (ONE + 'required = "yes"\n', "required is true or false"),
        (ONE.replace('name = "q"', "name = 3"), "Gate 1 of gates.toml: name is missing or is no text"),
    ],
)
def test_a_bad_gate_is_named(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        read_gates(_book(tmp_path, text), ["mixtral"])


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"gates\.toml cannot be read: No such file"):
        read_gates(tmp_path / "gates.toml")
