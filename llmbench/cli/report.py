"""`llmbench report`."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from llmbench.cli.parameter_options import format_options, parameter_options, unique_parameters
from llmbench.errors import UsageError

if TYPE_CHECKING:
    from llmbench.reporting.process import Follower
    from llmbench.reporting.run import ReportRun

__all__ = ["report"]

_NO_GO = 3
_WORSE = 4


@click.command()
@click.argument("notebooks", nargs=-1, required=True, metavar="NOTEBOOK...")
@parameter_options
@click.option(
    "--list-parameters",
    is_flag=True,
    help="Print what -p and -f take, with what it is when not given, and run nothing.",
)
@click.option("--out", metavar="DIR|URL", help="Folder, or its URL; default: reports in the project's root.")
@click.option("--fresh", is_flag=True, help="Ask every model again (a cut-off fresh run goes on for a day).")
@click.option(
    "--accept-stale",
    metavar="REASON",
    help="Use results that are too old, and print why: the parameter accept_stale of migration_memo.",
)
@click.option("--fail-on-no-go", is_flag=True, help="Exit with 3 when a verdict is NO_GO.")
@click.option(
    "--fail-on-regression",
    is_flag=True,
    help="Exit with 4 when a report got worse than the last of the same parameters and inputs.",
)
@click.option(
    "--webhook-env",
    metavar="NAME",
    help="Environment variable with an address that is told when a decision changes.",
)
@click.option(
    "--keep", type=click.IntRange(min=1), metavar="N", help="Remove all but the newest N runs; default: none."
)
@format_options
@click.option(
    "--jobs", type=click.IntRange(min=1), default=1, show_default=True, metavar="N",
    help="Reports made at the same time; the memo waits for the others.",
)  # fmt: skip
def report(
    notebooks: tuple[str, ...],
    given: tuple[tuple[str, str], ...],
    file: Path | None,
    list_parameters: bool,
    out: str | None,
    fresh: bool,
    accept_stale: str | None,
    fail_on_no_go: bool,
    fail_on_regression: bool,
    webhook_env: str | None,
    keep: int | None,
    formats: tuple[str, ...],
    paper: str,
    jobs: int,
) -> None:
    """Run notebooks and publish their reports. NOTEBOOK may be `all`.

    With --jobs above 1, what a report measures of this machine, such as a local model's latency, is
    measured beside other work.

    A format that cannot be made (a PDF needs Chromium, Chrome or Edge; a DOCX the extra `docx`) is a warning:
    the report is published without it.
    """
    from llmbench.reporting import read_parameter_file, resolve_notebooks, run_report
    from llmbench.reporting.after_run import follow_up, remove_old_runs
    from llmbench.reporting.formats import read_formats, read_paper
    from llmbench.reporting.remote import RemoteReports, local_folder, remote_url
    from llmbench.reporting.run_many import side_by_side
    from llmbench.reporting.text import visible
    from llmbench.reporting.webhook import webhook_address

    if list_parameters:
        click.echo(visible("\n\n".join(map(_parameter_lines, resolve_notebooks(notebooks)))))
        return
    remote = RemoteReports(out) if out is not None and remote_url(out) is not None else None
    folder = remote.local if remote is not None else local_folder(out) if out is not None else None
    address = webhook_address(webhook_env) if webhook_env is not None else None
    wanted, paper = read_formats(formats), read_paper(paper)
    parameters: dict[str, Any] = read_parameter_file(file) if file else {}
    parameters |= unique_parameters(given)
    if accept_stale is not None:
        parameters |= _accepted(accept_stale, parameters)
    runs, worse = [], []
    names = resolve_notebooks(notebooks)
    if remote is not None:
        remote.pull()
        remote.check()

    def make(name: str, follower: Follower | None = None) -> ReportRun:
        return run_report(
            name, parameters, out=folder, fresh=fresh, follower=follower, formats=wanted, paper=paper
        )

    made = (make(name) for name in names) if jobs == 1 else side_by_side(names, make, jobs)
    for run in made:
        runs.append(run)
        if remote is not None:
            remote.push(run.notebook)
        after = follow_up(run, address)
        click.echo(visible(after.line))
        warnings = tuple(f"{run.notebook}: {warning}" for warning in run.warnings) + after.warnings
        warnings += remove_old_runs(run, keep, remote) if keep is not None else ()
        for warning in warnings:
            click.echo(f"Warning: {visible(warning)}", err=True)
        if fail_on_regression and after.worse:
            worse.append(after.worse)
    click.echo(remote.index if remote is not None else str(_shown(runs[-1].index)))
    for line in worse:
        click.echo(visible(line), err=True)
    if worse:
        sys.exit(_WORSE)
    if fail_on_no_go and any(run.decision == "NO_GO" for run in runs):
        sys.exit(_NO_GO)


def _parameter_lines(name: str) -> str:
    """What a file for -f may hold: each line is the default, and is stated once its first # is taken away."""
    import json

    from llmbench.config import load_config
    from llmbench.reporting import read_parameters
    from llmbench.reporting.run import find_notebook

    lines = [
        f"# {each.name}: {json.dumps(each.default, ensure_ascii=False)}  # {each.help}"
        for each in read_parameters(find_notebook(name, load_config().root))
    ]
    return "\n".join([f"# {Path(name).stem}", *lines])


def _accepted(reason: str, parameters: Mapping[str, Any]) -> dict[str, str]:
    """`--accept-stale` as the parameter that it stands for. Raises UsageError."""
    if not reason.strip():
        raise UsageError('--accept-stale needs a reason: --accept-stale "the test cannot be repeated".')
    if "accept_stale" in parameters:
        raise UsageError(
            "The reason is given as --accept-stale and as the parameter accept_stale; give it once."
        )
    return {"accept_stale": reason}


def _shown(path: Path) -> Path:
    """As short as it can be pasted into a browser or a shell from here."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path
