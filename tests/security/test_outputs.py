"""Hostile texts in what is made of a report: Markdown, DOCX, PDF, the trends page, and the desk."""

from __future__ import annotations

import html
import json
import re
import sys
import zipfile
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmbench.desk.outcome import outcome_html
from llmbench.desk.overview import reports
from llmbench.reporting.document import read_document
from llmbench.reporting.envelope import write_envelope
from llmbench.reporting.history import run_history
from llmbench.reporting.index import write_index
from llmbench.reporting.markdown import markdown
from llmbench.reporting.text import encodable
from llmbench.results import Decision, ResultEnvelope, Spend, Verdict
from llmbench.shown import undirected
from tests.security.hostile import HOSTILE, hostile_texts, many
from tests.security.test_answers import acting

TEXTS = [text for name, text in HOSTILE.items() if name != "giant"]


def turned(shown: str) -> list[str]:
    """What has the words after it read backwards. (Arabic and Hebrew need its milder kin.)"""
    return re.findall("[\u202d\u202e]", shown)


def page_of(texts: list[str]) -> str:
    """A report's page on which every kind of place holds each of the texts."""
    parts = []
    for text in texts:
        safe = html.escape(undirected(encodable(text)))
        parts += [
            f"<h2>{safe}</h2><p>{safe} <b>{safe}</b> <i>{safe}</i> <code>{safe}</code></p><pre>{safe}</pre>",
            f"<ul><li>{safe}</li></ul><ol><li>{safe}</li></ol>",
            f"<table><caption>{safe}</caption><thead><tr><th>{safe}</th></tr></thead>",
            f"<tbody><tr><td>{safe}</td></tr></tbody></table>",
        ]
    return f"<main><h1>Odd</h1>{''.join(parts)}</main>"


def assert_markdown(texts: list[str]) -> None:
    mistune = pytest.importorskip("mistune")
    made = markdown(read_document(page_of(texts)), lambda _: "figures/one.svg")
    shown = str(mistune.create_markdown(plugins=["table", "strikethrough", "footnotes"], escape=False)(made))
    assert acting(shown) == []
    assert "evil.test" not in " ".join(re.findall(r'src="([^"]*)"', shown))


def assert_docx(texts: list[str]) -> None:
    pytest.importorskip("resvg_py", reason="the extra docx is not installed")
    from llmbench.reporting.word import docx_bytes

    created = datetime(2025, 1, 23, tzinfo=UTC)
    content = docx_bytes(read_document(page_of(texts)), foot="", created=created)
    with zipfile.ZipFile(BytesIO(content)) as made:
        fields = set()
        for name in made.namelist():
            if name.endswith((".xml", ".rels")):
                tree = ET.fromstring(made.read(name))
                fields |= {str(each.text).strip() for each in tree.iter() if each.tag.endswith("}instrText")}
                fields |= {str(each.attrib) for each in tree.iter() if each.tag.endswith("}fldSimple")}
                targets = [each.attrib for each in tree.iter() if each.attrib.get("TargetMode") == "External"]
                assert targets == [], name
                assert not turned(" ".join(tree.itertext())), name
        assert fields <= {"PAGE", "NUMPAGES"}
        assert not [name for name in made.namelist() if "vba" in name.lower() or "embeddings" in name]


def test_markdown_of_every_hostile_text() -> None:
    assert_markdown(TEXTS)


def test_docx_of_every_hostile_text() -> None:
    assert_docx(TEXTS)


@given(st.lists(hostile_texts, min_size=1, max_size=4))
@many(15)
def test_markdown_of_any_text(texts: list[str]) -> None:
    assert_markdown(texts)


@given(st.lists(hostile_texts, min_size=1, max_size=3))
@many(3)
def test_docx_of_any_text(texts: list[str]) -> None:
    assert_docx(texts)


def leave(out: Path, run_id: str, text: str, score: float) -> Path:
    """A run whose result holds `text` wherever a result holds text."""
    run = out / "odd" / "runs" / run_id
    run.mkdir(parents=True, exist_ok=True)
    found = ResultEnvelope(
        report="odd", title=text, verdict=Verdict(Decision.HOLD, text, (text,)), parameters={text: text},
        inputs=(), workload_sha256=None, baseline=text, candidate=text, price_book=text,
        generated_at=f"2026-01-0{1 + round(score)}T00:00:00+00:00", data_until=text, llmbench_version=text,
        git_commit=None, seed=1, spend=Spend(None, 1.0),
        data={"models": [{"model": text, "prompt": text, "n": 100, "score": score}],
              "arms": [{"arm": text, "rate": score}], "calls": {"made": 1, "replayed": 0}},
    )  # fmt: skip
    write_envelope(run / "result.json", found)
    return run


def assert_pages(out: Path, text: str) -> None:
    for run_id, score in (("20260101T000000Z-aaaaaa", 0.0), ("20260102T000000Z-bbbbbb", 1.0)):
        run = leave(out, run_id, text, score)
    page = write_index(out).read_text(encoding="utf-8")
    for shown in (page, run_history(out, "odd")._repr_html_(), outcome_html(run)):
        assert acting(shown) == []
        assert not turned(shown)


@pytest.mark.parametrize("name", [name for name in HOSTILE if name != "giant"])
def test_trends_and_the_desks_outcome(tmp_path: Path, name: str) -> None:
    assert_pages(tmp_path, HOSTILE[name])


@given(hostile_texts)
@many(10)
def test_trends_and_the_desks_outcome_of_any_text(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    assert_pages(tmp_path_factory.mktemp("pages"), text)


def test_the_desks_overview(project: Path) -> None:
    for number, text in enumerate(TEXTS):
        cell = {"cell_type": "markdown", "id": "a", "metadata": {}, "source": f"# {text}"}
        document = {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
        path = project / "notebooks" / f"odd{number}.ipynb"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(document), encoding="utf-8")
        run = leave(project / "reports", "20260101T000000Z-aaaaaa", text, 0.0)
        run.rename(project / "reports" / f"odd{number}")
    found: Any = reports()
    assert len(found.lines) == len(TEXTS)
    assert acting(found._repr_html_()) == []
    assert not turned(found._repr_html_())


def test_a_table_of_the_desk(monkeypatch: pytest.MonkeyPatch) -> None:
    import pandas as pd

    from llmbench.desk import tables

    monkeypatch.setitem(sys.modules, "itables", None)
    frame = pd.DataFrame({"answer": TEXTS, "<script>alert(1)</script>": TEXTS}, dtype=object)
    shown = tables.interactive(frame, "<img src=x onerror=alert(1)>")._repr_html_()
    own = "a href=data:text/csv;base64,"  # the table itself, to be downloaded
    assert [each for each in acting(shown) if not each.startswith(own)] == []
    assert not turned(shown)
