"""Phases from TOML, and what is said of those that cannot be meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from llmbench.decision import phase_named, read_gates, read_phases
from llmbench.errors import ConfigError, UsageError

ROOT = Path(__file__).resolve().parents[2]
ONE = '[[phases]]\nname = "a"\ntitle = "A"\nbaseline = "gpt-4o"\ncandidate = "mixtral-8x7b"\n'


def written(folder: Path, text: str) -> Path:
    path = folder / "gates.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_documents_five_phases_and_their_gates_are_there() -> None:
    path = ROOT / "data" / "migration" / "gates.toml"
    phases = read_phases(path)
    assert [phase.name for phase in phases] == ["abstraction", "mixtral", "llama", "vllm", "fine-tune"]
    book = read_gates(path, [phase.name for phase in phases])
    for phase in phases:
        assert book.of(phase.name, "decommission"), phase.name
    mixtral = [gate.stage for gate in book.of("mixtral", "decommission")]
    assert {"offline", "shadow", "canary-5", "canary-25", "full", "decommission"} <= set(mixtral)


def test_a_phase_is_read_with_its_defaults(tmp_path: Path) -> None:
    (phase,) = read_phases(written(tmp_path, ONE))
    assert (phase.name, phase.baseline, phase.candidate, phase.share, phase.expects) == (
        *("a", "gpt-4o", "mixtral-8x7b"),
        *(1.0, ""),
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "has no [[phases]]"),
        ("phases = 3", "has no [[phases]]"),
        ("phases = [3]", "Phase 1 of gates.toml is no table"),
        ("[[phases]", "gates.toml is not TOML"),
        pytest.param("a = " + "[" * 5000, "gates.toml is not TOML", id="nested too deep"),
        pytest.param("a = " + "9" * 5000, "gates.toml is not TOML", id="a number too long"),
        (ONE.replace('title = "A"\n', ""), "Phase 1 of gates.toml: title is missing"),
        (ONE.replace('"A"', "3"), "title is missing or is no text"),
        (ONE + "share = 0\n", "share must be a number above 0"),
        (ONE + "share = true\n", "share must be a number above 0"),
        (ONE + "speed = 1\n", "speed is not known"),
        (ONE + ONE, "the phase a more than once"),
    ],
)
def test_a_file_that_cannot_be_meant_is_refused(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_phases(written(tmp_path, text))
    assert words in str(caught.value)


def test_a_missing_file_and_a_missing_phase_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"gates.toml cannot be read"):
        read_phases(tmp_path / "gates.toml")
    with pytest.raises(UsageError, match="no phase 'b'; there is a"):
        phase_named(read_phases(written(tmp_path, ONE)), "b")
