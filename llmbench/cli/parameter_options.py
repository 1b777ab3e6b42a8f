"""How parameters of a notebook are given on the command line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from llmbench.errors import UsageError

__all__ = ["parameter_options", "unique_parameters"]


def parameter_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options -p and -f: arguments `given` and `file` of the command."""
    one = click.option(
        "-p", "--parameter", "given", nargs=2, multiple=True, metavar="NAME VALUE", help="One parameter."
    )
    several = click.option(
        "-f",
        "--parameters",
        "file",
        type=click.Path(path_type=Path),
        metavar="PARAMS.yaml",
        help="Several parameters.",
    )
    return one(several(command))


def unique_parameters(given: tuple[tuple[str, str], ...]) -> dict[str, str]:
    """{name: value} of -p NAME VALUE; raises UsageError for a name given twice."""
    parameters: dict[str, str] = {}
    for name, value in given:
        if name in parameters:
            raise UsageError(f"The parameter {name!r} is given twice; give it once.")
        parameters[name] = value
    return parameters
