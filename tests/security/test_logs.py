"""Tables, logs and results that others wrote, fuzzed as in `test_files`."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from llmbench import Matrix
from llmbench.abtest.reading import read_counts
from llmbench.abtest.source import OutcomeSource, Sends
from llmbench.decision.phases import read_phases
from llmbench.loadtest.prompts import read_prompts
from llmbench.matrix.choices import split_choices
from llmbench.reporting.break_even_loadtest import (
    loadtest_sentence,
    loadtest_table,
    machine_of,
    read_loadtest,
)
from llmbench.reporting.break_even_log import read_log
from tests.matrix.foreign.test_runners import choice
from tests.security.hostile import changed_bytes, changed_document, changed_lines, dumped, many, some
from tests.security.test_files import place, refused

__all__ = ["place"]

RESULTS = b"item,model,score,cost_usd,latency_ms,answer\n" + b"".join(
    b"%d,%s,%d,0.001,100,yes\n" % (item, model, item % 2) for item in range(4) for model in (b"old", b"new")
)
"""A table of answers."""


def scored(path: Path, **options: Any) -> None:
    found = refused(lambda: Matrix.from_results(path, **options))
    for score in found.answers["score"].tolist() if found is not None else ():
        assert score is None or math.isnan(score) or 0 <= score <= 1
    for cell in found.cells if found is not None else ():
        assert cell.cost_usd is None or 0 <= cell.cost_usd < math.inf


@pytest.fixture(scope="module")
def tables(place: Path) -> dict[str, bytes]:
    import io

    import pandas as pd

    frame = pd.read_csv(io.BytesIO(RESULTS))
    frame.to_parquet(place / "results.parquet")
    frame.to_excel(place / "results.xlsx", index=False)
    frame.to_json(place / "results.jsonl", orient="records", lines=True)
    return {
        "csv": RESULTS,
        **{kind: (place / f"results.{kind}").read_bytes() for kind in ("parquet", "xlsx", "jsonl")},
    }


@pytest.mark.parametrize("kind", ["csv", "parquet", "xlsx", "jsonl"])
@given(data=st.data())
@many(4)
def test_tables_of_results(place: Path, tables: dict[str, bytes], kind: str, data: st.DataObject) -> None:
    path = place / f"given.{kind}"
    path.write_bytes(data.draw(changed_bytes(tables[kind])))
    scored(path)


@given(changed_lines([choice(0, 1.0), choice(1, 0.0), choice(2, None)]))
@example(dumped({"item": "a", "model": "m", "score": 1, "\ud83d": 0}))
@many(5)
def test_samples_of_lm_eval(place: Path, content: bytes) -> None:
    (place / "harness").mkdir(exist_ok=True)
    path = place / "harness" / "samples_arc_2026-11-24T10-00-00.123456.jsonl"
    path.write_bytes(content)
    scored(path)


LEADS = b"""unit_id,model,sent_at,replied,cost
007,mixtral,2025-01-06T09:00:00+00:00,Y,0.001
008,mixtral,2025-01-06T10:00:00Z,N,0.002
009,gpt-4o,2025-01-07 09:00:00+01,N,
"""


@pytest.mark.parametrize("suffix", ["csv", "tsv", "csv.gz", "parquet"])
@given(data=st.data())
@many(5)
def test_outcomes(place: Path, suffix: str, data: st.DataObject) -> None:
    content = outcomes(place, suffix)
    path = place / f"leads.{suffix}"
    path.write_bytes(data.draw(changed_bytes(content)))
    sends = Sends(str(path), arm="model", replied="replied", cost="cost")
    found = refused(lambda: read_counts(OutcomeSource(experiment_id="e", sends=sends, as_of="2025-03-01")))
    for arm in found.arms if found is not None else ():
        assert 0 <= arm.replied <= arm.units <= 2 * LEADS.count(b"\n") + 60
        assert 0 <= arm.cost_usd < math.inf


def outcomes(place: Path, suffix: str) -> bytes:
    import gzip
    import io

    import pandas as pd

    match suffix:
        case "csv":
            return LEADS
        case "tsv":
            return LEADS.replace(b",", b"\t")
        case "csv.gz":
            return gzip.compress(LEADS, mtime=0)
    pd.read_csv(io.BytesIO(LEADS), dtype=str).astype({"cost": float}).to_parquet(place / "valid.parquet")
    return (place / "valid.parquet").read_bytes()


LOG = [
    {"started_at": f"2026-11-01T10:00:0{k}+00:00", "input_tokens": 10 + k, "output_tokens": 5}
    for k in range(4)
]


def workload(path: Path) -> None:
    found = refused(lambda: read_log(path.name, {}, path.parent))
    if found is not None:
        repr(found)


@given(changed_lines(LOG))
@example(b"[" * 100_000)
@example(b"[]\n" + dumped(LOG[0]))
@example(dumped({**LOG[0], "input_tokens": 10**400}) + b"\n" + dumped({**LOG[1], "output_tokens": None}))
@example(dumped({**LOG[0], "output_tokens": 10**400}) + b"\n" + dumped({"started_at": LOG[1]["started_at"]}))
@many(10)
def test_logs_of_messages(place: Path, content: bytes) -> None:
    (place / "log.jsonl").write_bytes(content)
    workload(place / "log.jsonl")


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
@given(data=st.data())
@many(5)
def test_logs_of_messages_as_tables(place: Path, suffix: str, data: st.DataObject) -> None:
    import pandas as pd

    valid = place / f"valid-log.{suffix}"
    if not valid.exists():
        frame = pd.DataFrame(LOG)
        frame.to_csv(valid, index=False) if suffix == "csv" else frame.to_parquet(valid)
    (place / f"log.{suffix}").write_bytes(data.draw(changed_bytes(valid.read_bytes())))
    workload(place / f"log.{suffix}")


STORED = Path(__file__).parents[2] / "data" / "loadtest" / "smollm2-135m.json"


@given(changed_document(json.loads(STORED.read_text(encoding="utf-8"))))
@example(b"[" * 100_000)
@example(STORED.read_bytes().replace(b'"total_input_tokens": 649', b'"total_input_tokens": null'))
@some(10)
def test_results_of_a_load_test(place: Path, content: bytes) -> None:
    (place / "load.json").write_bytes(content)
    found = refused(lambda: read_loadtest("load.json", place))
    if found is not None:
        loadtest_sentence(found)
        loadtest_table(found)
        machine_of(found)


PHASES = b"""
[[phases]]
name = "pilot"
title = "A tenth"
baseline = "gpt-4o"
candidate = "mixtral-8x7b"
share = 0.1
"""


@given(changed_bytes(PHASES))
@example(b"phases = " + b"[" * 5000)
@some(15)
def test_phases_of_a_migration(place: Path, content: bytes) -> None:
    (place / "phases.toml").write_bytes(content)
    for phase in refused(lambda: read_phases(place / "phases.toml")) or ():
        assert 0 <= phase.share <= 1


@given(changed_lines([{"prompt": "Why?"}, {"text": "How?"}]))
@example(b'{"a": ' + b"[" * 100_000)
@some(10)
def test_prompts_of_a_load_test(place: Path, content: bytes) -> None:
    (place / "prompts.jsonl").write_bytes(content)
    found = refused(lambda: read_prompts(place / "prompts.jsonl"))
    assert found is None or all(prompt.strip() for prompt in found)


@pytest.mark.parametrize("deep", ["[" * 100_000, '{"a":' * 100_000])
def test_a_cell_of_endless_brackets(deep: str) -> None:
    assert json.dumps(split_choices(deep))
