"""A report as PDF, DOCX and Markdown, made from its page: report.pdf, report.docx, report.md.

Every one is made from `report.html` and says what it says. A format that cannot be made (no browser, no
extra) costs the others nothing: the report stands, with a sentence about what is missing.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from llmbench.errors import LLMBenchError, ReportError, UsageError
from llmbench.reporting.browser import print_pdf
from llmbench.reporting.document import Picture, read_document
from llmbench.reporting.markdown import markdown
from llmbench.reporting.word import docx_bytes
from llmbench.result_files import read_envelope
from llmbench.results import ResultEnvelope
from llmbench.run_files import FIGURES, PAGE, RESULT, report_as

__all__ = ["FORMATS", "PAPERS", "convert_report", "read_formats", "read_paper", "write_formats"]

FORMATS = ("pdf", "docx", "md")
"""What a report is made as, beside report.html."""
PAPERS = ("A4", "letter")
"""Sizes of a page, by the names that CSS has for them."""
_ALIASES = {"markdown": "md", "word": "docx"}
_RUN = re.compile(r"<footer>\s*<p>Run ([\w-]+),")
_LOCAL_LINK = re.compile(r'(<a\b[^>]*?) href="(?!https?:|mailto:|#)[^"]*"', re.IGNORECASE)


def read_formats(given: str | Iterable[str]) -> tuple[str, ...]:
    """The formats meant by a name, names and comma lists of names, in the order of FORMATS.

    `html` is no wish, because it is always made; `all` is every one. Raises UsageError for another name.

    >>> read_formats(["md,pdf", "html"])
    ('pdf', 'md')
    """
    wanted: set[str] = set()
    texts = [given] if isinstance(given, str) else given
    for name in (part.strip().lower() for text in texts for part in text.split(",")):
        if name == "all":
            wanted.update(FORMATS)
        elif _ALIASES.get(name, name) in FORMATS:
            wanted.add(_ALIASES.get(name, name))
        elif name != "html":
            raise UsageError(
                f"There is no report format {name!r}; choose of html, {', '.join(FORMATS)} and all."
            )
    return tuple(name for name in FORMATS if name in wanted)


def read_paper(given: str) -> str:
    """The paper meant, in whatever case; raises UsageError for another.

    >>> read_paper("a4")
    'A4'
    """
    found = {paper.lower(): paper for paper in PAPERS}.get(given.lower())
    if found is None:
        raise UsageError(f"There is no paper {given!r}; choose of {' and '.join(PAPERS)}.")
    return found


def write_formats(
    folder: Path, page: str, envelope: ResultEnvelope, run_id: str, formats: Iterable[str], paper: str = "A4"
) -> tuple[list[str], list[str]]:
    """Write `page`, the report in `folder`, in each of `formats`; the names of the files, and warnings.

    A warning is a sentence about a format that could not be made. Raises OSError where a file cannot be
    written.
    """
    source = _Source(page, envelope, run_id, folder / FIGURES, paper)
    made, warnings = [], []
    for name in formats:
        target = folder / report_as(name)
        try:
            _WRITERS[name](target, source)
        except LLMBenchError as error:
            warnings.append(f"{target.name} was not made: {error}")
        else:
            made.append(target.name)
    return made, warnings


def convert_report(
    folder: str | Path, formats: str | Iterable[str], out: str | Path, *, paper: str = "A4"
) -> list[Path]:
    """Write a report that was published in other formats, to the folder `out`; returns the files.

    `folder` is one with report.html and result.json, such as reports/NOTEBOOK or one of its runs/RUN-ID;
    it is not changed. `formats` are of "pdf", "docx" and "md". The Markdown's figures go to `out`/figures.

    Raises UsageError for a format or paper there is not, ReportError for a folder without a report or an
    `out` that cannot be written, ConfigError where the browser or the extra `docx` is missing.
    """
    origin, target = Path(folder), Path(out)
    wanted = read_formats(formats)
    size = read_paper(paper)
    if target.resolve() == origin.resolve():
        raise UsageError("A published report is not changed: name another folder for what is made of it.")
    try:
        page = (origin / PAGE).read_text(encoding="utf-8")
    except OSError as error:
        raise ReportError(
            f"There is no report to convert: {PAGE} cannot be read: {error.strerror}."
        ) from error
    found = _RUN.search(page)
    source = _Source(page, read_envelope(origin / RESULT), found[1] if found else "", origin / FIGURES, size)
    files = [target / report_as(name) for name in wanted]
    try:
        target.mkdir(parents=True, exist_ok=True)
        for name, file in zip(wanted, files, strict=True):
            _WRITERS[name](file, source)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ReportError(f"The folder {target.name} cannot be written: {reason}; name another.") from error
    return files


class _Source(NamedTuple):
    page: str
    envelope: ResultEnvelope
    run_id: str
    figures: Path
    """The folder of the report's own figures."""
    paper: str


def _write_pdf(target: Path, source: _Source) -> None:
    # A link to a file beside the report would be printed with its whole path on this machine.
    page = _LOCAL_LINK.sub(r"\1", source.page)
    page = page.replace("</head>", f"<style>@page {{ size: {source.paper} }}</style></head>", 1)
    # Beside the target: a browser that is confined to the user's folders sees nothing of /tmp.
    copy = target.with_name(f"{target.stem}.printed.html")
    try:
        copy.write_text(page, encoding="utf-8")
        print_pdf(copy, target)
    finally:
        copy.unlink(missing_ok=True)


def _write_docx(target: Path, source: _Source) -> None:
    try:
        created = datetime.fromisoformat(source.envelope.generated_at).astimezone(UTC).replace(tzinfo=None)
    except ValueError:
        created = datetime(1970, 1, 1)  # noqa: DTZ001 - a document's dates have no zone
    foot = f"{source.envelope.title} · run {source.run_id}"
    content = docx_bytes(read_document(source.page), foot=foot, created=created, paper=source.paper)
    target.write_bytes(content)


def _write_markdown(target: Path, source: _Source) -> None:
    known = {
        _digest(path.read_bytes()): path.name
        for path in sorted(source.figures.glob("*"), reverse=True)  # of two alike, the first by name
        if path.suffix in {".svg", ".png"}
    }
    figures = target.parent / FIGURES

    def link(picture: Picture) -> str:
        digest = _digest(picture.content)
        name = known.setdefault(digest, f"report-{digest[:12]}.{picture.kind.partition('+')[0] or 'bin'}")
        if not (figures / name).exists():
            figures.mkdir(exist_ok=True)
            (figures / name).write_bytes(picture.content)
        return f"{FIGURES}/{name}"

    target.write_text(markdown(read_document(source.page), link), encoding="utf-8", newline="\n")


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


_WRITERS: Mapping[str, Callable[[Path, _Source], None]] = {
    "pdf": _write_pdf,
    "docx": _write_docx,
    "md": _write_markdown,
}
