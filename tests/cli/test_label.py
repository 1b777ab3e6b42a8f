from __future__ import annotations

from pathlib import Path

import pandas as pd
from click.testing import CliRunner

from llmbench.cli import cli


def test_export_and_import(tmp_path: Path) -> None:
    answers = tmp_path / "answers.csv"
    pd.DataFrame(
        {"item_id": ["a", "b"], "cell": "e/m[p]", "answer": ["x", "y"], "expected": "x", "score": [1.0, 0.0]}
    ).to_csv(answers, index=False)
    (tmp_path / "items.csv").write_text("id,prompt\na,One?\nb,Two?\n", encoding="utf-8")
    sheet, out = tmp_path / "sheet.csv", tmp_path / "labels.csv"
    done = CliRunner().invoke(
        cli, ["label", "export", str(answers), "--items", str(tmp_path / "items.csv"), "--out", str(sheet)]
    )
    assert done.exit_code == 0, done.output
    assert "2 answers" in done.output
    rows = pd.read_csv(sheet)
    assert set(rows["question"]) == {"One?", "Two?"}
    rows.assign(rating_1=[1, 1]).to_csv(sheet, index=False)
    done = CliRunner().invoke(cli, ["label", "import", str(sheet), "--out", str(out)])
    assert done.exit_code == 0, done.output
    assert "2 labels, 0 rows left empty" in done.output
    assert "1.000 by people, 0.500 by the matrix's grader" in done.output
    assert len(pd.read_csv(out)) == 2


def test_a_table_without_questions_needs_the_items(tmp_path: Path) -> None:
    answers = tmp_path / "answers.csv"
    table = pd.DataFrame({"item_id": ["a", "b"], "cell": "e/m[p]", "answer": ["x", "y"], "score": [1.0, 0.0]})
    table.to_csv(answers, index=False)
    sheet = tmp_path / "sheet.csv"
    done = CliRunner().invoke(cli, ["label", "export", str(answers), "--out", str(sheet)])
    assert done.exit_code != 0
    assert "--items" in done.output + str(done.exception)
    assert not sheet.exists()
    table.assign(question=["One?", "Two?"]).to_csv(answers, index=False)
    done = CliRunner().invoke(cli, ["label", "export", str(answers), "--out", str(sheet)])
    assert done.exit_code == 0, done.output
    rows = pd.read_csv(sheet)
    assert set(rows["question"]) == {"One?", "Two?"}
    rows.assign(rating_1=[1, 1]).to_csv(sheet, index=False)
    done = CliRunner().invoke(cli, ["label", "import", str(sheet)])
    assert "from 2 labels only" in done.output
