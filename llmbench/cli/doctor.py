"""`llmbench doctor`."""

from __future__ import annotations

import json
import sys

import click

__all__ = ["doctor"]

_COLOURS = {"ok": "green", "warning": "yellow", "problem": "bold red"}


@click.command()
@click.option("--offline", is_flag=True, help="Ask no endpoint whether it answers.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def doctor(*, offline: bool, as_json: bool) -> None:
    """Check keys, endpoints, extras, ledger, prices and disk; exit code 1 when there is a problem.

    Every endpoint of llmbench.toml, and every vendor whose key is here, is asked once for its list of
    models, which costs nothing. A key is sent to its own vendor only, and never shown.
    """
    from llmbench.doctor import examine

    found = examine(offline=offline)
    if as_json:
        click.echo(json.dumps(found.data(), indent=2, ensure_ascii=False))
    else:
        from llmbench.cli.tables import show

        show(found.table(), _COLOURS)
        click.echo(found.summary())
    if not found.healthy:
        sys.exit(1)
