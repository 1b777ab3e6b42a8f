"""`llmbench init`."""

from __future__ import annotations

from pathlib import Path

import click

__all__ = ["init"]

_KEPT_SHOWN = 8


@click.command()
@click.argument("folder", type=click.Path(path_type=Path), default=".", metavar="[DIR]")
def init(folder: Path) -> None:
    """Make a project of your own in DIR: notebooks, their data, llmbench.toml.

    What is there already is left as it is, so that it also brings an older project what is new.
    """
    from llmbench.starter import make_project

    made = make_project(folder)
    if made.written:
        notebooks = sum(name.endswith(".ipynb") for name in made.written)
        click.echo(f"Wrote {len(made.written)} files, {notebooks} notebooks among them, into {folder}.")
    else:
        click.echo(f"{folder} has everything already.")
    if made.kept:
        shown = ", ".join(made.kept[:_KEPT_SHOWN])
        more = f" and {len(made.kept) - _KEPT_SHOWN} more" if len(made.kept) > _KEPT_SHOWN else ""
        click.echo(f"Left as they are, because yours differ: {shown}{more}.")
    where = "" if folder == Path() else f"cd {folder} && "
    click.echo(f"Next: {where}llmbench doctor && llmbench report break_even, or llmbench lab in a browser")
