"""The simulated outcomes: what their generator makes, and what is said of them."""

from __future__ import annotations

import json
import runpy
from pathlib import Path
from typing import Any

import pytest

from llmbench.abtest.counts import Counts
from llmbench.abtest.reading import read_counts
from llmbench.abtest.source import OutcomeSource

pq = pytest.importorskip("pyarrow.parquet")
pytest.importorskip("duckdb")
FOLDER = Path(__file__).resolve().parents[2] / "data" / "outcomes"
MADE = runpy.run_path(str(FOLDER / "make_outcomes.py"))
TABLES = ("sends", "replies", "assignments", "unsubscribes", "complaints")


@pytest.fixture(scope="module")
def counts() -> Counts:
    def table(name: str) -> str:
        return str(FOLDER / f"simulated_{name}.parquet")

    return read_counts(
        OutcomeSource.from_parameters(
            {
                "experiment_id": "simulated",
                "sends": {
                    "table": table("sends"), "unit": "lead_id", "message": "message_id",
                    "delivered": "delivered",
                    "cost": "cost_usd", "served_model": "served_model",
                },
                "replies": {"table": table("replies"), "unit": "lead_id", "kind": "kind"},
                "assignments": {
                    "table": table("assignments"), "unit": "lead_id", "epoch": "epoch",
                    "probability": "probability", "assigned_at": "assigned_at",
                },
                "guardrails": [
                    {"name": name, "table": table(name), "unit": "lead_id"}
                    for name in ("unsubscribes", "complaints")
                ],
                "not_human": ["auto-reply"], "control": "gpt-4o", "as_of": "2025-05-05", "cluster": "mailbox",
                "segments": ["company_size", "industry"], "contexts": ["company_size"],
            }
        )
    )  # fmt: skip


def test_the_generator_makes_these_values_again() -> None:
    made: dict[str, Any] = MADE["make"]()
    assert set(made) == set(TABLES)
    for name, table in made.items():
        kept = pq.read_table(FOLDER / f"simulated_{name}.parquet")
        assert kept.schema.names == table.schema.names
        assert kept.equals(table.cast(kept.schema)), name
    assert json.loads((FOLDER / "simulated_truth.json").read_text(encoding="utf-8")) == MADE["truth"]()


def test_the_generator_makes_other_sizes() -> None:
    made = MADE["make"](leads=500, seed=1)
    assert made["assignments"].num_rows == 500 + MADE["LEADS_IN_TWO_ARMS"]


def test_everything_is_labelled_simulated(counts: Counts) -> None:
    assert counts.simulated
    for path in FOLDER.glob("*"):
        if path.suffix in {".parquet", ".json"}:
            assert path.name.startswith("simulated_")
    for name in TABLES:
        table = pq.read_table(FOLDER / f"simulated_{name}.parquet")
        assert table["simulated"].to_pylist() == [True] * table.num_rows
        assert table.schema.metadata[b"simulated"] == b"true"


def test_the_counts_are_what_the_truth_says(counts: Counts) -> None:
    truth = MADE["truth"]()
    assert [(row.arm, row.stratum, row.weight) for row in counts.assigned] == [
        ("gpt-4o", "1", 0.1), ("gpt-4o", "2", 0.2), ("mixtral", "1", 0.9), ("mixtral", "2", 0.8),
    ]  # fmt: skip
    for row in counts.arms:
        # 0.036 falling to 0.024: about .0318 in the first seven weeks and .0258 in the last three.
        expected = 0.0318 if row.stratum == "1" else 0.0258
        spread = (expected / row.units) ** 0.5
        assert abs(row.replied / row.units - expected) < 4 * spread, row
        assert row.costed_units == row.units
    mixtral = [row for row in counts.arms if row.arm == "mixtral"]
    share = sum(row.served_by_other or 0 for row in mixtral) / sum(row.messages for row in mixtral)
    assert share == pytest.approx(truth["fallback_share"]["mixtral"], rel=0.1)
    out = {row.reason: row.rows for row in counts.excluded}
    assert out["units in two arms"] == truth["leads_in_two_arms"]
    assert out["sends listed more than once"] == truth["sends_listed_twice"]
    assert out["replies of units that were sent nothing"] >= truth["replies_of_strangers"]
    late = out["replies after the window"]
    human = sum(row.replies for row in counts.arms)
    assert late / (late + human) == pytest.approx(truth["late_share"], abs=0.015)


def test_readme_has_the_number_of_rows() -> None:
    readme = (FOLDER.parent / "README.md").read_text(encoding="utf-8")
    for name in TABLES:
        rows = pq.read_metadata(FOLDER / f"simulated_{name}.parquet").num_rows
        (line,) = (line for line in readme.splitlines() if line.startswith(f"| [outcomes/simulated_{name}"))
        assert line.endswith(f"| {rows} |")
        assert "simulated" in line
