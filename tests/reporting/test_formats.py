"""A report in other formats: each says what the page says, and one that cannot be made costs no other."""

from __future__ import annotations

import html
import re
import shutil
import zipfile
import zlib
from io import BytesIO
from pathlib import Path

import pytest

from llmbench.errors import ConfigError, ReportError, UsageError
from llmbench.reporting import available_notebooks, convert_report
from llmbench.reporting.browser import find_browser
from llmbench.reporting.document import DocumentTable, Picture, plain, read_document
from llmbench.reporting.folder import ReportFolder
from llmbench.reporting.formats import read_formats, read_paper, write_formats
from llmbench.reporting.run import ReportRun
from llmbench.result_files import read_envelope

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "reports" / "examples"
NAMES = available_notebooks(ROOT)


@pytest.fixture(autouse=True)
def no_browser(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLMBENCH_BROWSER", "/nowhere/chromium")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([], ()),
        (["pdf"], ("pdf",)),
        (["md", "pdf,docx"], ("pdf", "docx", "md")),
        ([" PDF , Markdown", "html"], ("pdf", "md")),
        (["all"], ("pdf", "docx", "md")),
        (["word,docx"], ("docx",)),
    ],
)
def test_formats_are_read(given: list[str], expected: tuple[str, ...]) -> None:
    assert read_formats(given) == expected


@pytest.mark.parametrize("given", ["odt", "", "pdf,,md", "pdf docx"])
def test_a_format_there_is_not_is_refused(given: str) -> None:
    with pytest.raises(UsageError, match="choose of html, pdf, docx, md and all"):
        read_formats([given])
    with pytest.raises(UsageError, match="choose of A4 and letter"):
        read_paper(given)


@pytest.mark.parametrize("name", NAMES)
def test_the_markdown_of_an_example_has_its_verdict_cells_and_figures(name: str, tmp_path: Path) -> None:
    import mistune

    [made] = convert_report(EXAMPLES / name, "md", tmp_path)
    text = made.read_text(encoding="utf-8")
    again = mistune.create_markdown(escape=False, plugins=["table"])(text)  # <br> in a cell is a new line
    want = read_document((EXAMPLES / name / "report.html").read_text(encoding="utf-8"))
    have = read_document(f"<main>{again}</main>")
    summary = read_envelope(EXAMPLES / name / "result.json").verdict.summary
    assert summary in " ".join(" ".join(plain(b.spans) for b in have.blocks if hasattr(b, "spans")).split())
    assert [cells(table) for table in tables(have)] == [cells(table) for table in tables(want)]
    links = re.findall(r"!\[[^\n]*\]\(<(figures/[^>]+)>\)", text)
    assert len(links) == sum(isinstance(block, Picture) for block in want.blocks)
    for link in links:
        assert (tmp_path / link).read_bytes() == (EXAMPLES / name / link).read_bytes()


@pytest.mark.parametrize("name", NAMES)
def test_the_docx_of_an_example_has_its_verdict_cells_and_figures(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("llmbench.reporting.raster._PIXELS", 60)  # a large one takes a second
    docx = pytest.importorskip("docx", reason="the extra docx is not installed")
    pytest.importorskip("resvg_py", reason="the extra docx is not installed")
    [made] = convert_report(EXAMPLES / name, ["docx"], tmp_path, paper="Letter")
    want = read_document((EXAMPLES / name / "report.html").read_text(encoding="utf-8"))
    document = docx.Document(str(made))
    summary = read_envelope(EXAMPLES / name / "result.json").verdict.summary
    assert any(summary in " ".join(line.text.split()) for line in document.paragraphs)
    for table, found in zip(tables(want), document.tables, strict=True):
        assert [[cell.text for cell in row.cells] for row in found.rows] == cells(table)
        marks = [bool(row._tr.xpath("./w:trPr/w:tblHeader")) for row in found.rows]
        assert marks == [number == 0 for number in range(len(marks))]
    pictures = [block for block in want.blocks if isinstance(block, Picture)]
    assert len(document.inline_shapes) == len(pictures)
    for shape, picture in zip(document.inline_shapes, pictures, strict=True):
        assert shape._inline.docPr.get("descr") == picture.alternative
    headings = [line.style.name for line in document.paragraphs if line.style.name.startswith("Heading")]
    assert headings[0] == "Heading 1"
    assert headings.count("Heading 1") == 1
    assert round(document.sections[0].page_width.mm) == 216
    assert document.core_properties.title == want.title


def tables(document: object) -> list[DocumentTable]:
    return [block for block in document.blocks if isinstance(block, DocumentTable)]  # type: ignore[attr-defined]


def cells(table: DocumentTable) -> list[list[str]]:
    """As Word and Markdown keep them: blanks at the ends of a line, and around a line, say nothing."""
    rows = [table.head, *table.rows] if table.head else list(table.rows)
    return [
        ["\n".join(line.strip() for line in plain(cell.spans).split("\n")) for cell in row] for row in rows
    ]


def test_what_cannot_be_made_is_told_and_costs_no_other(tmp_path: Path) -> None:
    envelope = read_envelope(EXAMPLES / "routing" / "result.json")
    page = "<title>T</title><main><h1>Is it so?</h1></main>"
    made, warnings = write_formats(tmp_path, page, envelope, "run", ["pdf", "md"])
    assert made == ["report.md"]
    [warning] = warnings
    assert warning.startswith("report.pdf was not made: The environment variable LLMBENCH_BROWSER names a ")
    assert [path.name for path in tmp_path.iterdir()] == ["report.md"]


def test_without_the_extra_a_docx_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "docx", None)
    with pytest.raises(ConfigError, match=r"pip install 'llmbench\[docx\]'"):
        convert_report(EXAMPLES / "routing", "docx", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_convert_refuses_what_it_must_not_touch(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="A published report is not changed"):
        convert_report(EXAMPLES / "routing", "md", EXAMPLES / "routing")
    with pytest.raises(ReportError, match=r"report\.html cannot be read"):
        convert_report(tmp_path, "md", tmp_path / "out")
    with pytest.raises(UsageError, match="no report format 'x'"):
        convert_report(EXAMPLES / "routing", "x", tmp_path)
    (tmp_path / "file").write_text("mine")
    for out in (tmp_path / "file", tmp_path / "file" / "out"):
        with pytest.raises(ReportError, match=f"The folder {out.name} cannot be written"):
            convert_report(EXAMPLES / "routing", "md", out)
    assert (tmp_path / "file").read_text() == "mine"


def test_a_figure_of_others_is_kept_beside_the_markdown(tmp_path: Path) -> None:
    report = tmp_path / "report"
    report.mkdir()
    shutil.copy(EXAMPLES / "routing" / "result.json", report)
    source = "data:image/png;base64,AAAA"
    (report / "report.html").write_text(f"<main><h1>T</h1><img alt='a]b' src='{source}'></main>")
    [made] = convert_report(report, "md", tmp_path / "out")
    [link] = re.findall(r"!\[a\\\]b\]\(<(.*)>\)", made.read_text())
    assert re.fullmatch(r"figures/report-[0-9a-f]{12}\.png", link)
    assert (tmp_path / "out" / link).read_bytes() == b"\0\0\0"


def test_the_newest_copy_keeps_no_format_of_an_older_run(tmp_path: Path) -> None:
    folder = ReportFolder(tmp_path, "small")
    for run_id, names in (("1", ("report.html", "report.pdf")), ("2", ("report.html", "report.md"))):
        with folder.staging(run_id) as staging:
            for name in names:
                (staging / name).write_text(run_id)
            folder.publish(staging, run_id)
    kept = {path.name for path in folder.path.iterdir() if path.is_file()}
    assert kept == {"report.html", "report.md"}


def test_a_pdf_of_an_example_has_text_and_no_path_of_this_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LLMBENCH_BROWSER")
    try:
        find_browser()
    except ConfigError as error:
        pytest.skip(str(error))
    [made] = convert_report(EXAMPLES / "break_even", "pdf", tmp_path / "made", paper="letter")
    content = made.read_bytes()
    assert b"/MediaBox" in (text := content + unpacked(content))
    assert re.search(rb"/MediaBox\s*\[\s*0 0 612 792\s*\]", text)
    assert b"StructTreeRoot" in text  # headings and tables for a screen reader
    assert str(tmp_path).encode() not in text
    assert b"file:" not in text
    assert [path.name for path in made.parent.iterdir()] == ["report.pdf"]


def unpacked(pdf: bytes) -> bytes:
    found = []
    for stream in re.findall(rb"stream\r?\n(.*?)\r?\nendstream", pdf, flags=re.DOTALL):
        try:
            found.append(zlib.decompress(stream))
        except zlib.error:
            continue
    return b"\n".join(found)


def test_a_docx_shows_no_file_of_this_machine(tmp_path: Path) -> None:
    """An SVG that asks for a file is not drawn; control characters and broken pictures do no harm."""
    pytest.importorskip("resvg_py", reason="the extra docx is not installed")
    import base64
    from datetime import datetime

    from llmbench.reporting.word import docx_bytes

    secret = tmp_path / "secret.png"
    secret.write_bytes(b"\x89PNG not for you")

    def image(body: str, kind: str = "svg+xml") -> str:
        svg = f'<svg xmlns="http://www.w3.org/2000/svg" width="10pt" height="10pt">{body}</svg>'
        return f'<img alt="it" src="data:image/{kind};base64,{base64.b64encode(svg.encode()).decode()}">'

    page = "<main><h1>A\x08</h1>" + "".join(
        [
            image(f'<image width="9" height="9" href="{secret.as_uri()}"/>'),
            image(f"<image width='9' height='9' href='{secret}'/>"),
            image('<!-- --><image href="data:image/svg+xml;base64,AA=="/>'),
            image("<rect width='9'"),
            image("<rect/>", "png"),
            image("<circle r='4' fill='red'/>"),
        ]
    )
    made = docx_bytes(read_document(page + "</main>"), foot="\x00", created=datetime(2025, 1, 23))  # noqa: DTZ001
    with zipfile.ZipFile(BytesIO(made)) as archive:
        assert len([name for name in archive.namelist() if name.startswith("word/media/")]) == 1
        text = archive.read("word/document.xml").decode()
    assert text.count("[Figure: it]") == 5
    assert "A\ufffd" in text


def test_a_run_is_made_in_the_formats_asked_for(good_run: ReportRun, hostile: str) -> None:
    """conftest.py asks for Markdown, and for a PDF of a browser that is not there."""
    assert [warning.partition(":")[0] for warning in good_run.warnings] == ["report.pdf was not made"]
    assert '<a href="report.md">report.md</a>' in good_run.path.read_text(encoding="utf-8")
    assert f'href="small/runs/{good_run.run_id}/report.md"' in good_run.index.read_text(encoding="utf-8")
    text = (good_run.folder / "report.md").read_text(encoding="utf-8")
    assert "![Chart. Across: share." in text
    assert "](<figures/one.svg>)" in text
    import mistune

    again = mistune.create_markdown(plugins=["table"], escape=False)(text)
    assert "<script" not in again
    assert "javascript:" not in re.findall(r'href="([^"]*)"', again)
    assert hostile in html.unescape(again)
