"""The command line: one screen of commands over the package's own functions."""

from __future__ import annotations

import errno
import sys

import click

from llmbench import __version__
from llmbench.cli.diff import diff
from llmbench.cli.doctor import doctor
from llmbench.cli.estimate import estimate
from llmbench.cli.init import init
from llmbench.cli.lab import lab
from llmbench.cli.label import label
from llmbench.cli.ledger import ledger
from llmbench.cli.loadtest import loadtest
from llmbench.cli.models import models
from llmbench.cli.prices import prices
from llmbench.cli.report import report
from llmbench.cli.schedule import schedule
from llmbench.cli.simulate import simulate
from llmbench.errors import LLMBenchError
from llmbench.quick_start import without_address_grammars

__all__ = ["cli", "main"]

_WRITABLE = "make the place writable or name another, and run the same command again; "
_ADVICE = {
    errno.ENOSPC: "free some space, and run the same command again; ",
    errno.EROFS: _WRITABLE,
    errno.EACCES: _WRITABLE,
    errno.EPERM: _WRITABLE,
}
_INTERRUPTED = 130  # what a shell gives for a program ended by Ctrl-C


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="llmbench")
def cli() -> None:
    """Decide which language model a product should run on, and defend it in a memo."""


for _command in (
    init, lab, report, schedule, models, estimate, prices, loadtest, simulate, label, ledger, diff, doctor,
):  # fmt: skip
    cli.add_command(_command)


def main() -> None:
    """Run the command line; every error of ours is one sentence on stderr and exit code 1."""
    without_address_grammars()
    try:
        cli(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt) as error:
        told = str(error) or str(error.__cause__ or "")  # click raises an Abort from the interrupt
        click.echo(told or "Interrupted; nothing that arrived is lost. Run the same command again.", err=True)
        sys.exit(_INTERRUPTED)
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        advice = _ADVICE.get(error.errno or 0, "")
        click.echo(
            f"Error: {error.strerror or error}{where}; {advice}what was answered is in the ledger.", err=True
        )
        sys.exit(1)
    except LLMBenchError as error:
        from llmbench.reporting.text import visible

        click.echo(f"Error: {visible(error)}", err=True)
        sys.exit(1)
