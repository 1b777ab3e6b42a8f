"""A report as DOCX: real headings, tables whose head is on every page, figures with their words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from io import BytesIO
from typing import Any

from llmbench.errors import ConfigError
from llmbench.reporting.document import (
    Block,
    Cell,
    Code,
    Document,
    DocumentTable,
    Heading,
    Item,
    NewPage,
    Paragraph,
    Picture,
    Span,
    VerdictBox,
    plain,
)
from llmbench.reporting.raster import rasterise
from llmbench.spreadsheet import holdable

__all__ = ["docx_bytes"]

_PAPER = {"A4": (210.0, 297.0), "letter": (215.9, 279.4)}
_MARGIN_MM = 19.0
_FIGURE_POINTS = (400.0, 330.0)
"""The most a figure takes, wide and high."""
_TABLE_POINTS = ((6, 8.0), (9, 7.0), (99, 6.0))
"""Columns at most, and the size of the letters that fits as many."""
_LETTER, _EDGE = 0.6, 12.0
"""Width of a bold character, in parts of its size, on the safe side; and of a cell's two edges, points."""
_WHOLE_ROWS = 20
"""A table of no more rows is not divided between pages."""
_FONT = "Arial"  # or one as wide, on every machine
_LONGEST_LINE = 60
_INK, _GREY, _PALE = "111827", "4B5563", "F8FAFC"
_EXTERNAL = re.compile(r"(?:https?://|mailto:)", re.IGNORECASE)


def docx_bytes(document: Document, *, foot: str, created: datetime, paper: str = "A4") -> bytes:
    """The file. `foot` stands at the foot of each page, beside its number.

    Raises ConfigError where the extra `docx` is not installed.
    """
    try:
        import docx
        import resvg_py  # noqa: F401 - all that is needed is looked for before anything is made
    except ImportError as error:
        raise ConfigError("A DOCX needs the extra `docx`: pip install 'llmbench[docx]'.") from error
    return _Writer(docx.Document(), document, foot, created, paper).bytes()


class _Writer:
    def __init__(self, target: Any, document: Document, foot: str, created: datetime, paper: str) -> None:
        self._target = target
        self._document = document
        self._width = 0.0
        self._starts_page = False
        self._set_up(foot, created, _PAPER[paper])

    def bytes(self) -> bytes:
        before: Block | None = None
        for block in self._document.blocks:
            self._add(block)
            if isinstance(before, Heading) and isinstance(block, Paragraph):  # a sentence on what follows
                self._target.paragraphs[-1].paragraph_format.keep_with_next = True
            before = block
        buffer = BytesIO()
        self._target.save(buffer)
        return buffer.getvalue()

    def _set_up(self, foot: str, created: datetime, size: tuple[float, float]) -> None:
        from docx.enum.text import WD_TAB_ALIGNMENT
        from docx.shared import Mm, Pt, RGBColor

        about = self._target.core_properties
        about.title, about.author, about.comments = holdable(self._document.title)[:250], "llmbench", ""
        about.language, about.created, about.modified = "en", created, created
        section = self._target.sections[0]
        section.page_width, section.page_height = Mm(size[0]), Mm(size[1])
        section.left_margin = section.right_margin = section.top_margin = section.bottom_margin = Mm(
            _MARGIN_MM
        )
        self._width = section.page_width.pt - 2 * Mm(_MARGIN_MM).pt
        styles = self._target.styles
        styles["Normal"].font.name, styles["Normal"].font.size = _FONT, Pt(9.5)
        styles["Normal"].paragraph_format.space_after = Pt(4)
        for level, points in enumerate((20, 14, 12, 11, 10, 10), start=1):
            style = styles[f"Heading {level}"]
            _plain_font(style)
            style.font.size, style.font.color.rgb = Pt(points), RGBColor.from_string(_INK)
            style.paragraph_format.keep_with_next = True
        caption = styles["Caption"].font
        caption.size, caption.bold, caption.color.rgb = Pt(8.5), False, RGBColor.from_string(_GREY)
        line = section.footer.paragraphs[0]
        styles["Footer"].paragraph_format.tab_stops.clear_all()
        line.paragraph_format.tab_stops.add_tab_stop(Pt(self._width), WD_TAB_ALIGNMENT.RIGHT)
        line.add_run(f"{holdable(foot)}\tPage ")
        _field(line, "PAGE")
        line.add_run(" of ")
        _field(line, "NUMPAGES")
        for run in line.runs:
            run.font.size, run.font.color.rgb = Pt(8), RGBColor.from_string(_GREY)

    def _add(self, block: Block) -> None:
        match block:
            case NewPage():
                self._starts_page = True
            case Heading(level, spans):
                made = self._paragraph(spans, f"Heading {level}")
                made.paragraph_format.page_break_before = self._starts_page
                self._starts_page = False
            case Paragraph(spans):
                self._paragraph(spans)
            case Item(spans, depth, number):
                self._item(spans, depth, number)
            case DocumentTable():
                self._table(block)
            case Picture():
                self._picture(block)
            case VerdictBox(spans, reasons, colour):
                for part in (self._paragraph(spans), *(self._item(each, 0, None) for each in reasons)):
                    _edge(part, colour)
            case Code(text):
                self._paragraph((Span(text, code=True),))

    def _paragraph(self, spans: Iterable[Span], style: str | None = None) -> Any:
        made = self._target.add_paragraph(style=style)
        _write(made, spans)
        return made

    def _item(self, spans: Sequence[Span], depth: int, number: int | None) -> Any:
        if number is None:
            return self._paragraph(spans, ["List Bullet", "List Bullet 2", "List Bullet 3"][min(depth, 2)])
        # By hand: Word would go on counting where the last list ended.
        return self._paragraph((Span(f"{number}. "), *spans), ["List", "List 2", "List 3"][min(depth, 2)])

    def _picture(self, picture: Picture) -> None:
        from docx.image.exceptions import (
            InvalidImageStreamError,
            UnexpectedEndOfFileError,
            UnrecognizedImageError,
        )
        from docx.shared import Pt

        raster = rasterise(picture)
        line = self._target.add_paragraph()
        try:
            shape = line.add_run().add_picture(BytesIO(raster.content)) if raster else None
        except (InvalidImageStreamError, UnexpectedEndOfFileError, UnrecognizedImageError):
            shape = None
        if shape is None or raster is None:
            _write(line, [Span(f"[Figure: {picture.alternative}]", italic=True)])
        else:
            natural = raster.width_points or shape.width.pt
            ratio = shape.height / shape.width
            width = min(natural, self._width, _FIGURE_POINTS[0], _FIGURE_POINTS[1] / ratio)
            shape.width, shape.height = Pt(width), Pt(width * ratio)
            about = shape._inline.docPr  # noqa: SLF001 - python-docx has no other way to the text in its place
            about.set("descr", holdable(picture.alternative))
        if picture.caption:
            line.paragraph_format.keep_with_next = True
            self._paragraph([Span(picture.caption)], "Caption")

    def _table(self, table: DocumentTable) -> None:
        from docx.shared import Pt

        rows = [table.head, *table.rows] if table.head else list(table.rows)
        if not rows or not rows[0]:
            return
        if table.shown and table.name:
            caption = self._paragraph([Span(table.name)], "Caption")
            caption.paragraph_format.keep_with_next = True
        points = next(size for columns, size in _TABLE_POINTS if len(rows[0]) <= columns)
        made = self._target.add_table(rows=len(rows), cols=len(rows[0]))
        made.autofit = False
        _lines(made, table.name)
        widths = [Pt(width) for width in _widths(rows, self._width, points)]
        for column, width in zip(made.columns, widths, strict=True):
            column.width = width
        for number, (row, cells) in enumerate(zip(made.rows, rows, strict=True)):
            is_head = bool(table.head) and number == 0
            kept = number + 1 < len(rows) <= _WHOLE_ROWS
            _row_properties(row, is_head=is_head)
            for place, (cell, content) in enumerate(zip(row.cells, cells, strict=True)):
                cell.width = widths[place]
                _fill(cell, content, points, bold=is_head, kept=kept)
        after = self._target.add_paragraph()
        after.paragraph_format.space_after = Pt(2)


def _write(paragraph: Any, spans: Iterable[Span]) -> None:
    from docx.shared import RGBColor

    for span in spans:
        run = paragraph.add_run(holdable(span.text))
        run.bold, run.italic = span.bold or None, span.italic or None
        if span.code:
            run.font.name = "Consolas"
        if span.link and _EXTERNAL.match(
            span.link
        ):  # a file beside the report is not beside a copy that was sent
            run.font.color.rgb, run.font.underline = RGBColor.from_string("00578A"), True
            _link(paragraph, run, span.link)


def _fill(cell: Any, content: Cell, points: float, *, bold: bool, kept: bool) -> None:
    from docx.enum.text import WD_ALIGN_PARAGRAPH
    from docx.shared import Pt

    line = cell.paragraphs[0]
    _write(line, content.spans)
    line.paragraph_format.space_after = Pt(0)
    line.paragraph_format.keep_with_next = kept
    if content.right:
        line.alignment = WD_ALIGN_PARAGRAPH.RIGHT
    for run in line.runs:
        run.font.size = Pt(points)
        run.bold = bold or run.bold


def _widths(rows: Sequence[Sequence[Cell]], width: float, points: float) -> list[float]:
    """As a browser does it: each column what its longest word needs, and of the rest what its lines want."""
    texts = [[plain(row[column].spans) for row in rows] for column in range(len(rows[0]))]
    letter, edge = points * _LETTER, _EDGE
    least = [max(len(word) for text in column for word in [*text.split(), ""]) for column in texts]
    wanted = [
        max(min(len(line), _LONGEST_LINE) for text in column for line in text.split("\n")) for column in texts
    ]
    low = [min(count, 24) * letter + edge for count in least]
    high = [max(count * letter + edge, floor) for count, floor in zip(wanted, low, strict=True)]
    if sum(high) <= width:
        return high
    if sum(low) >= width:
        return [part * width / sum(low) for part in low]
    share = (width - sum(low)) / (sum(high) - sum(low))
    return [floor + (top - floor) * share for floor, top in zip(low, high, strict=True)]


def _plain_font(style: Any) -> None:
    """Name the font, which the theme would choose."""
    style.font.name = _FONT
    fonts = style.element.rPr.rFonts
    for name in [name for name in fonts.attrib if name.endswith("Theme")]:
        del fonts.attrib[name]


def _element(tag: str, **attributes: str) -> Any:
    from docx.oxml import OxmlElement
    from docx.oxml.ns import qn

    made = OxmlElement(tag)
    for name, value in attributes.items():
        made.set(qn(f"w:{name}"), value)
    return made


def _field(paragraph: Any, name: str) -> None:
    for kind in ("begin", None, "end"):
        run = paragraph.add_run()._r  # noqa: SLF001 - fields are not of python-docx
        if kind is None:
            instruction = _element("w:instrText")
            instruction.text = name
            run.append(instruction)
        else:
            run.append(_element("w:fldChar", fldCharType=kind))


def _link(paragraph: Any, run: Any, target: str) -> None:
    from docx.opc.constants import RELATIONSHIP_TYPE
    from docx.oxml.ns import qn

    link = _element("w:hyperlink")
    link.set(
        qn("r:id"), paragraph.part.relate_to(holdable(target), RELATIONSHIP_TYPE.HYPERLINK, is_external=True)
    )
    run._r.addprevious(link)  # noqa: SLF001 - links are not of python-docx
    link.append(run._r)  # noqa: SLF001


def _edge(paragraph: Any, colour: str) -> None:
    """The thick edge and the pale ground of the banner."""
    properties = paragraph._p.get_or_add_pPr()  # noqa: SLF001 - borders are not of python-docx
    border = _element("w:pBdr")
    border.append(_element("w:left", val="single", sz="48", space="8", color=colour))
    shade = _element("w:shd", val="clear", color="auto", fill=_PALE)
    after = [child for child in properties if child.tag.rsplit("}", 1)[-1] in {"pStyle", "keepNext", "numPr"}]
    place = list(properties).index(after[-1]) + 1 if after else 0
    properties.insert(place, border)
    properties.insert(place + 1, shade)
    paragraph.paragraph_format.keep_together = True


def _lines(table: Any, name: str) -> None:
    """Thin lines between rows, none between columns; and the name that a screen reader says."""
    from docx.oxml.ns import qn

    properties = table._tbl.tblPr  # noqa: SLF001 - borders are not of python-docx
    borders = _element("w:tblBorders")
    for side in ("bottom", "insideH"):
        borders.append(_element(f"w:{side}", val="single", sz="4", space="0", color="D1D5DB"))
    properties.find(qn("w:tblLayout")).addprevious(borders)
    if name:
        properties.append(_element("w:tblCaption", val=holdable(name)))


def _row_properties(row: Any, *, is_head: bool) -> None:
    properties = row._tr.get_or_add_trPr()  # noqa: SLF001 - what keeps a row whole is not of python-docx
    properties.append(_element("w:cantSplit"))
    if is_head:
        properties.append(_element("w:tblHeader"))
