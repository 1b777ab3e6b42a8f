"""`llmbench report`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from llmbench.errors import UsageError

__all__ = ["report", "unique_parameters"]

_NO_GO = 3


@click.command()
@click.argument("notebooks", nargs=-1, required=True, metavar="NOTEBOOK...")
@click.option(
    "-p", "--parameter", "given", nargs=2, multiple=True, metavar="NAME VALUE", help="One parameter."
)
@click.option(
    "-f",
    "--parameters",
    "file",
    type=click.Path(path_type=Path),
    metavar="PARAMS.yaml",
    help="Several parameters.",
)
@click.option(
    "--out", type=click.Path(path_type=Path), help="Folder; default: reports in the project's root."
)
@click.option("--fresh", is_flag=True, help="Ask every model again (a cut-off fresh run goes on for a day).")
@click.option("--fail-on-no-go", is_flag=True, help="Exit with 3 when a verdict is NO_GO.")
def report(
    notebooks: tuple[str, ...],
    given: tuple[tuple[str, str], ...],
    file: Path | None,
    out: Path | None,
    fresh: bool,
    fail_on_no_go: bool,
) -> None:
    """Run notebooks and publish their reports. NOTEBOOK may be `all`."""
    from llmbench.reporting import read_parameter_file, resolve_notebooks, run_report

    parameters: dict[str, Any] = read_parameter_file(file) if file else {}
    parameters |= unique_parameters(given)
    runs = [run_report(name, parameters, out=out, fresh=fresh) for name in resolve_notebooks(notebooks)]
    click.echo(str(_shown(runs[-1].index)))
    if fail_on_no_go and any(run.decision == "NO_GO" for run in runs):
        sys.exit(_NO_GO)


def _shown(path: Path) -> Path:
    """As short as it can be pasted into a browser or a shell from here."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def unique_parameters(given: tuple[tuple[str, str], ...]) -> dict[str, str]:
    """{name: value} of -p NAME VALUE; raises UsageError for a name given twice."""
    parameters: dict[str, str] = {}
    for name, value in given:
        if name in parameters:
            raise UsageError(f"The parameter {name!r} is given twice; give it once.")
        parameters[name] = value
    return parameters
