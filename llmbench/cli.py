"""The command line: one screen of commands over the package's own functions."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from llmbench import __version__
from llmbench.errors import LLMBenchError, UsageError
from llmbench.money import dollars

__all__ = ["main"]

_NO_GO = 3
_INTERRUPTED = 130  # what a shell gives for a program ended by Ctrl-C


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="llmbench")
def cli() -> None:
    """Decide which language model a product should run on, and defend it in a memo."""


@cli.command()
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
    parameters |= _unique(given)
    runs = [run_report(name, parameters, out=out, fresh=fresh) for name in resolve_notebooks(notebooks)]
    click.echo(str(_shown(runs[-1].index)))
    if fail_on_no_go and any(run.decision == "NO_GO" for run in runs):
        sys.exit(_NO_GO)


@cli.group()
def models() -> None:
    """Models that run on this machine."""


@models.command()
@click.argument("name")
def pull(name: str) -> None:
    """Fetch the file of the model NAME into the user's cache, once."""
    from llmbench.providers.model_pull import pull as pull_file

    click.echo(str(pull_file(name)))


@cli.group()
def ledger() -> None:
    """What was asked, answered and paid."""


@ledger.command()
@click.option("--run", "run_id", help="Only the calls of one run.")
def spend(run_id: str | None) -> None:
    """Calls and USD, with the calls whose price is not known counted apart."""
    from llmbench.ledger import Ledger

    with Ledger() as book:
        total = book.spend(run_id=run_id)
    click.echo(
        f"{total.calls} attempts: {total.ok} answered, {total.failed} failed, {total.cancelled} cancelled; "
        f"{dollars(total.usd)} for {total.priced} of them, {total.unpriced} without a known price"
    )


@ledger.command()
@click.argument("path", type=click.Path(path_type=Path))
def export(path: Path) -> None:
    """Write every call as JSON lines to PATH."""
    from llmbench.ledger import Ledger

    with Ledger() as book:
        click.echo(f"{book.export(path)} calls written to {path}")


@ledger.command("import")
@click.argument("path", type=click.Path(path_type=Path))
def import_(path: Path) -> None:
    """Add the calls of an export; those that are already there are left as they are."""
    from llmbench.ledger import Ledger

    with Ledger() as book:
        click.echo(f"{book.import_lines(path)} calls added from {path}")


@ledger.command()
def verify() -> None:
    """Check that the ledger is whole; exit code 1 when it is not."""
    from llmbench.ledger import Ledger

    with Ledger() as book:
        found = book.verify()
    for problem in found.problems:
        click.echo(problem)
    click.echo(
        f"schema {found.schema_version}, {found.calls} calls, {'sound' if found.sound else 'not sound'}"
    )
    if not found.sound:
        sys.exit(1)


def _shown(path: Path) -> Path:
    """As short as it can be pasted into a browser or a shell from here."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def _unique(given: tuple[tuple[str, str], ...]) -> dict[str, str]:
    parameters: dict[str, str] = {}
    for name, value in given:
        if name in parameters:
            raise UsageError(f"The parameter {name!r} is given twice; give it once.")
        parameters[name] = value
    return parameters


def main() -> None:
    """Run the command line; every error of ours is one sentence on stderr and exit code 1."""
    try:
        cli(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt) as error:
        click.echo(
            str(error) or "Interrupted; nothing that arrived is lost. Run the same command again.", err=True
        )
        sys.exit(_INTERRUPTED)
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        click.echo(f"Error: {error.strerror or error}{where}; what was answered is in the ledger.", err=True)
        sys.exit(1)
    except LLMBenchError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(1)
