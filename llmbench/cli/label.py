"""`llmbench label`: answers to be labelled by people, and their labels."""

from __future__ import annotations

from pathlib import Path

import click

from llmbench.whole_file import write_whole

__all__ = ["label"]


@click.group()
def label() -> None:
    """Have people grade a blinded sample of a matrix's answers, and read what they said."""


@label.command("export")
@click.argument("answers", type=click.Path(path_type=Path))
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("labels.xlsx"),
    show_default=True,
    help=".xlsx or .csv",
)
@click.option("--items", type=click.Path(path_type=Path), help="The items, for their questions.")
@click.option("-n", "--answers", "n", type=int, default=100, show_default=True, help="Answers to draw.")
@click.option("--raters", type=int, default=1, show_default=True, help="1 or 2.")
@click.option("--scale", type=int, nargs=2, default=(0, 1), show_default=True, help="Worst and best.")
@click.option("--seed", type=int, default=20250123, show_default=True)
def export(
    answers: Path,
    items: Path | None,
    out: Path,
    n: int,
    raters: int,
    scale: tuple[int, int],
    seed: int,
) -> None:
    """Draw answers from ANSWERS, a table of a matrix's answers (.csv, .parquet, .jsonl, .xlsx)."""
    from llmbench.matrix.answer_files import read_answers
    from llmbench.matrix.dataset import Dataset
    from llmbench.matrix.labels import check_questions, export_labels, key_path
    from llmbench.matrix.text import as_text

    questions: dict[str, str] | None = None
    if items is not None:
        data = Dataset.load(items)
        questions = {item.id: as_text(item.fields.get(data.prompt_column or "") or "") for item in data.rows}
    table = read_answers(answers)
    check_questions(table, questions)
    count = export_labels(table, out, n=n, raters=raters, scale=scale, seed=seed, questions=questions)
    click.echo(
        f"{count} answers in {out}; give raters that file only, and keep {key_path(out).name} beside it."
    )


@label.command("import")
@click.argument("sheet", type=click.Path(path_type=Path))
@click.option("--key", type=click.Path(path_type=Path), help="Default: beside the sheet.")
@click.option("--out", type=click.Path(path_type=Path), help="Write the labels to this .csv.")
def import_(sheet: Path, key: Path | None, out: Path | None) -> None:
    """Check a filled-in SHEET and say what it holds."""
    from llmbench.matrix.label_statistics import few_labels
    from llmbench.matrix.labels import import_labels
    from llmbench.spreadsheet import frame_csv

    found = import_labels(sheet, key)
    count = len(found.table) - found.blank
    click.echo(f"{count} labels, {found.blank} rows left empty.")
    if found.raters > 1:
        kappa = "cannot be told yet" if found.kappa is None else f"{found.kappa:.3f}"
        click.echo(f"Agreement of the two raters (Cohen's kappa): {kappa}.")
    kappa_people = found.grader_kappa()
    if kappa_people is not None:
        click.echo(f"Agreement of the matrix's grader with people (Cohen's kappa): {kappa_people:.3f}.")
    for cell, rows in found.table.dropna(subset=["label", "judge"]).groupby("cell"):
        people, judge = rows["label"].mean(), rows["judge"].mean()
        click.echo(
            f"{cell}: {people:.3f} by people, {judge:.3f} by the matrix's grader, on {len(rows)} answers."
        )
        corrected = found.corrected(str(cell))
        if len(rows) > 1:
            low, high = corrected.interval
            click.echo(
                f"{cell}: {corrected.mean:.3f} (95% interval {low:.3f} to {high:.3f}) on all "
                f"{corrected.labels + corrected.judged} answers, by the grader corrected by people"
                f"{few_labels(corrected.labels)}."
            )
    if out is not None:
        write_whole(out, frame_csv(found.table))
        click.echo(f"Labels in {out}.")
