"""`llmbench models`."""

from __future__ import annotations

import click

__all__ = ["models"]


@click.group()
def models() -> None:
    """Models that run on this machine."""


@models.command()
@click.argument("name")
def pull(name: str) -> None:
    """Fetch the file of the model NAME into the user's cache, once."""
    from llmbench.providers.model_pull import pull as pull_file

    click.echo(str(pull_file(name)))
