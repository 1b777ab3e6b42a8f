"""A report can be read by everybody: contrast, words for figures, tables with headings, a way by keyboard."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from llmbench.reporting import ForestRow, available_notebooks, forest
from llmbench.reporting.clean import UNDESCRIBED
from llmbench.reporting.display import _DECISION_COLOURS
from llmbench.reporting.figures import PALETTE, figure_svg, new_figure
from llmbench.reporting.html import render_report, style_sheet
from llmbench.reporting.notebook_file import read_notebook
from llmbench.reporting.run import ReportRun
from llmbench.result_files import read_envelope
from tests.reporting.accessibility import contrast, problems

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "reports" / "examples"
PAPER = ("#ffffff", "#f8fafc")
"""What stands behind words: the page, and the banner or a block of code."""
AA = 4.5


def test_contrast_is_that_of_the_standard() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#fff") == pytest.approx(
        4.48, abs=0.005
    )  # the well-known grey that just fails
    assert contrast("#767676", "#fff") == pytest.approx(4.54, abs=0.005)


@pytest.mark.parametrize("paper", PAPER)
def test_every_colour_of_words_can_be_read(paper: str) -> None:
    words = re.findall(r"(?<![\w-])color:\s*(#[0-9a-fA-F]{3,6})", style_sheet())
    assert len(words) > 5
    for colour in {*words, *_DECISION_COLOURS.values()}:
        assert contrast(colour, paper) >= AA, colour


def test_every_colour_of_the_page_of_answers_can_be_read() -> None:
    view = ROOT / "llmbench" / "reporting" / "templates" / "matrix_view" / "view.css"
    rules = re.findall(r"\{([^}]*)\}", view.read_text(encoding="utf-8"))
    assert sum("color:" in rule for rule in rules) > 5
    for rule in rules:
        word = re.search(r"(?<![\w-])color:\s*(#[0-9a-fA-F]{3,6})", rule)
        ground = re.search(r"background:\s*(#[0-9a-fA-F]{3,6})", rule)
        if word:
            assert contrast(word[1], ground[1] if ground else "#fff") >= AA, rule


def test_every_colour_of_a_figure_can_be_seen() -> None:
    for name in ("blue", "orange", "green", "grey", "ink"):
        assert contrast(PALETTE[name], "#ffffff") >= 3, name


def test_words_in_the_colour_of_a_line_can_be_read() -> None:
    figure, axes = new_figure()
    for name in ("blue", "orange", "green", "grey", "ink"):
        axes.text(0.5, 0.5, name, color=PALETTE[name])
    axes.plot([0, 1], color=PALETTE["orange"])
    svg = figure_svg(figure).decode().lower()
    assert "stroke: #d55e00" in svg
    for colour in re.findall(r"<g style=\"fill: (#[0-9a-f]{6})\"", svg):
        assert contrast(colour, "#ffffff") >= AA, colour


@pytest.mark.parametrize("name", available_notebooks(ROOT))
def test_an_example_can_be_read_by_everybody(name: str) -> None:
    notebook = read_notebook(EXAMPLES / name / "executed.ipynb")
    page = render_report(notebook, read_envelope(EXAMPLES / name / "result.json"), "run")
    assert problems(page) == []


def test_a_run_can_be_read_by_everybody(good_run: ReportRun) -> None:
    page = good_run.path.read_text(encoding="utf-8")
    assert problems(page) == []
    assert UNDESCRIBED not in page
    assert len(re.findall(r"""alt=["']Chart\. Across: share\. Rows: """, page)) == 2
    assert '<caption class="unseen">Answers</caption>' in page
    assert re.search(r'<body>\s*<a class="skip" href="#the-report">', page)
    assert (
        problems(
            good_run.index.read_text(encoding="utf-8").replace(
                "<table", '<div role="group" aria-label="x"><table'
            )
        )
        == []
    )


def test_the_checks_see_what_is_wrong() -> None:
    page = (
        "<main><h1>a</h1><h3 id='b'>b</h3><img><img alt='c' id='b'><a href='#no'>d</a>"
        "<table><tr><td>e</td></tr></table></main>"
    )
    found = problems(page)
    for words in (
        "language", "no title", "id b is there 2", "#no", "'b' skips", "no words", "no name", "no headings"
    ):  # fmt: skip
        assert any(words in sentence for sentence in found), words


def test_the_foot_of_a_printed_page_cannot_leave_its_rule(good_run: ReportRun) -> None:
    envelope = read_envelope(good_run.folder / "result.json")
    title = '"} </style><script>alert(1)</script> \\ ü'
    page = render_report(
        read_notebook(good_run.folder / "executed.ipynb"),
        envelope.__class__(**{**_fields(envelope), "title": title}),
        "1-a",
    )
    [rule] = re.findall(r"@bottom-left \{ content: \"(.*)\" \} \}", page)
    assert re.fullmatch(r"(?:[A-Za-z0-9]|\\[0-9a-f]+ )*", rule)
    told = re.sub(r"\\([0-9a-f]+) ", lambda code: chr(int(code[1], 16)), rule)
    assert told == f"{title} · run 1-a"


def _fields(envelope: object) -> dict[str, object]:
    return {name: getattr(envelope, name) for name in envelope.__dataclass_fields__}  # type: ignore[attr-defined]


def test_a_forest_says_its_rows() -> None:
    rows = [ForestRow(str(number), 0.5, 0.4, 0.6, 9) for number in range(15)]
    from llmbench.reporting.alternative import describe_figure

    told = describe_figure(forest(rows, xlabel="x", title="T").figure)
    assert told.startswith("Chart “T”. Across: x. Rows: 0, n = 9; 1, n = 9;")
    assert told.endswith(" and 3 more.")
