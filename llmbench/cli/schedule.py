"""`llmbench schedule`."""

from __future__ import annotations

from pathlib import Path

import click

from llmbench.cli.parameter_options import format_options, parameter_options, unique_parameters
from llmbench.errors import UsageError
from llmbench.whole_file import write_whole

__all__ = ["schedule"]


@click.command()
@click.argument("notebooks", nargs=-1, required=True, metavar="NOTEBOOK...")
@click.option(
    "--cron",
    required=True,
    metavar='"M H D M W"',
    help="When: five fields, such as '0 7 * * 1', Mondays at 7.",
)
@parameter_options
@click.option(
    "--as",
    "kind",
    type=click.Choice(["crontab", "github", "airflow"]),
    default="crontab",
    show_default=True,
    help="What to write.",
)
@click.option("--time-zone", default="UTC", show_default=True, help="Such as Europe/Berlin.")
@click.option(
    "--reports",
    metavar="DIR|URL",
    help="Where the reports go: `llmbench report --out`; default: reports in the project's root.",
)
@format_options
@click.option("--out", type=click.Path(path_type=Path), metavar="FILE", help="A new file; default: stdout.")
def schedule(
    notebooks: tuple[str, ...],
    cron: str,
    given: tuple[tuple[str, str], ...],
    file: Path | None,
    kind: str,
    time_zone: str,
    reports: str | None,
    formats: tuple[str, ...],
    paper: str,
    out: Path | None,
) -> None:
    """Write a crontab line, a GitHub workflow or an Airflow DAG that makes reports at fixed times.

    Nothing is installed: the text goes to stdout, or to a file that is not there yet. A memo reads what the
    other reports have left, so it comes after them.

    \b
    llmbench schedule model_matrix --cron "0 7 * * 1" --time-zone Europe/Berlin
    """  # noqa: D301 - click wants the character itself
    from llmbench.reporting.scheduling import plan_schedule
    from llmbench.reporting.scheduling_airflow import airflow_dag
    from llmbench.reporting.scheduling_crontab import crontab
    from llmbench.reporting.scheduling_github import github_workflow
    from llmbench.reporting.scheduling_memo import memo_note
    from llmbench.reporting.text import visible

    planned = plan_schedule(
        notebooks, cron, unique_parameters(given), file=file, time_zone=time_zone,
        out=reports, formats=formats, paper=paper,
    )  # fmt: skip
    write = {"crontab": crontab, "github": github_workflow, "airflow": airflow_dag}[kind]
    text = write(planned)
    note = memo_note(planned, alone=kind == "github")
    click.echo(planned.next_line(), err=True)
    if note is not None:
        click.echo(f"Note: {visible(note)}", err=True)
    if out is None:
        click.echo(text, nl=False)
        return
    if out.exists():
        raise UsageError(f"{out} is there already; remove it, or name another file for --out.")
    try:
        write_whole(out, text)
    except OSError as error:
        raise UsageError(f"{out} cannot be written: {error.strerror}; name another for --out.") from error
    click.echo(str(out))
