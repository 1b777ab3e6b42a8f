from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from llmbench.reporting.display import banner_html, figure_html, format_cell, parameters_html, table_html
from llmbench.results import Decision, Verdict


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.5, "0.5"),
        (0.0, "0"),
        (12345.678, "12,346"),
        (-0.00012345, "-0.000123"),
        (0.00001234, "1.23e-05"),
        (np.float64(0.25), "0.25"),
        (np.int64(1200), "1,200"),
        (np.bool_(True), "yes"),
        (False, "no"),
        (pd.NA, "–"),
        (pd.NaT, "–"),
        (float("inf"), "–"),
        ((0.1, 0.2), "0.1 to 0.2"),
        ((0.1, None), "0.1 to –"),
    ],
)
def test_format_cell(value: object, expected: str) -> None:
    assert format_cell(value) == expected


@pytest.mark.parametrize("decision", Decision)
def test_banner_tells_the_decision_by_a_word_and_a_mark(decision: Decision) -> None:
    markup = banner_html(Verdict(decision, "Because.", ["one"]))
    word = {"GO": "✓ GO", "GO_WITH_CONDITIONS": "✓ GO, WITH CONDITIONS", "HOLD": "… HOLD", "NO_GO": "✕ NO-GO"}
    assert f">{word[decision.value]}</strong>" in markup
    assert "<li>one</li>" in markup


def test_everything_shown_is_escaped(hostile: str) -> None:
    shown = [
        banner_html(Verdict(Decision.GO, hostile, [hostile])),
        table_html(pd.DataFrame({hostile: [hostile, ("a", hostile)]}), hostile),
        figure_html(b"<svg/>", hostile, hostile),
        parameters_html(
            [{"name": hostile, "value": {hostile: [hostile]}, "default": False, "help": hostile}]
        ),
    ]
    for markup in shown:
        assert "&lt;script&gt;" in markup
        assert "<script" not in markup
        assert "</style" not in markup
        assert 'onerror="' not in markup
        assert "<a " not in markup


def test_table_aligns_numbers_to_the_right() -> None:
    frame = pd.DataFrame({"n": [1, 2], "score": ["61.7% (52 to 70)", None], "model": ["a", "b"]})
    markup = table_html(frame, numbers=("score",))
    assert markup.count("text-align: right") == 6
    assert markup.count("text-align: left") == 3


def test_text_that_begins_like_a_number_stays_text() -> None:
    markup = table_html(pd.DataFrame({"answer": ["42", "3 apples"], "yes": [True, False]}))
    assert "text-align: right" not in markup


def test_parameters_that_have_no_part_in_a_run_are_marked() -> None:
    row = {"name": "models", "value": ["m"], "default": False, "help": "to call"}
    assert "<td>given, not used</td>" in parameters_html([{**row, "unused": True}])
    assert "<td>not used</td>" in parameters_html([{**row, "default": True, "unused": True}])
    assert "<td>given</td>" in parameters_html([row])


def test_an_interval_goes_below_its_estimate_where_a_table_is_too_wide() -> None:
    frame = pd.DataFrame({"score": ["22.2% (15.6% to 28.8%)"], "what": ["a (b)"]})
    page = table_html(frame, numbers=["score"])
    kept = '<span style="white-space: nowrap">'
    assert f">{kept}22.2%</span> {kept}(15.6% to 28.8%)</span></td>" in page
    assert ">a (b)</td>" in page  # words break where they like
