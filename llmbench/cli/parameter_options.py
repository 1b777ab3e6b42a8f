"""How the parameters of a notebook, and the formats of its report, are given on the command line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from llmbench.errors import UsageError

__all__ = ["format_options", "parameter_options", "unique_parameters"]


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


def format_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options --format and --paper: arguments `formats` and `paper` of the command."""
    wanted = click.option(
        "--format", "--to", "formats", multiple=True, metavar="FORMAT",
        help="Reports also as pdf, docx or md (or all); several with commas, or the option again.",
    )  # fmt: skip
    sheet = click.option(
        "--paper", default="A4", show_default=True, metavar="A4|letter", help="Of PDF and DOCX."
    )
    return wanted(sheet(command))


def unique_parameters(given: tuple[tuple[str, str], ...]) -> dict[str, str]:
    """{name: value} of -p NAME VALUE; raises UsageError for a name given twice."""
    parameters: dict[str, str] = {}
    for name, value in given:
        if name in parameters:
            raise UsageError(f"The parameter {name!r} is given twice; give it once.")
        parameters[name] = value
    return parameters
