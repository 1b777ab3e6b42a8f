"""`llmbench simulate`: a plan tried out thousands of times before it starts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from llmbench.cli.pictures import write_png
from llmbench.errors import UsageError
from llmbench.whole_file import write_whole

if TYPE_CHECKING:
    from llmbench.abtest.simulation_result import AbSimulation

__all__ = ["simulate"]

_MOST_LOOKS_SHOWN = 12


@click.group()
def simulate() -> None:
    """Try out a plan on simulated data: how often it errs, and how long it takes."""


@simulate.command("ab")
@click.option(
    "--control-rate",
    type=float,
    default=0.03,
    show_default=True,
    help="Share of the control's units that reply.",
)
@click.option(
    "--units-per-day",
    type=float,
    default=2000,
    show_default=True,
    help="New units (leads) a day, of all arms.",
)
@click.option(
    "--ratio",
    "ratios",
    multiple=True,
    metavar="RATIO",
    help="True treatment rate over control rate, repeatable; sized for the first. With several treatments "
    "one for all, or one each as in 1/.95. [default: 1]",
)
@click.option(
    "--margin",
    type=float,
    help="What is still good enough. [default: .9, or minus a tenth of the control's rate]",
)
@click.option(
    "--scale",
    type=click.Choice(["ratio", "difference"]),
    default="ratio",
    show_default=True,
    help="Of the margin.",
)
@click.option(
    "--split",
    default="50/50",
    show_default=True,
    metavar="TREATMENT/CONTROL",
    help="As in 90/10; of several treatments as in 40/40/20, the control last.",
)
@click.option("--planned-units", type=int, help="Units of all arms in the end. [default: what --power takes]")
@click.option(
    "--stopping-rule",
    type=click.Choice(["group-sequential", "fixed", "anytime"]),
    default="group-sequential",
    show_default=True,
)
@click.option("--looks", type=int, default=4, show_default=True, help="Of a group-sequential test.")
@click.option("--alpha", type=float, default=0.025, show_default=True, help="One-sided.")
@click.option("--power", type=float, default=0.8, show_default=True)
@click.option("--window-days", type=float, default=14, show_default=True, help="Days until a unit counts.")
@click.option("--cluster-size", type=int, default=1, show_default=True, help="Units assigned together.")
@click.option(
    "--correlation", type=float, default=0.0, show_default=True, help="Of replies within a cluster."
)
@click.option("--runs", type=int, default=2000, show_default=True, help="Simulated experiments per truth.")
@click.option("--seed", type=int, default=20250123, show_default=True)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write pictures (.png) and their numbers (.csv) to this folder.",
)
def ab(split: str, ratios: tuple[str, ...], margin: float | None, out: Path | None, **options: Any) -> None:
    """Run an A/B test of reply rates thousands of times: power, stopping day, error rates.

    The question is whether the treatment is not worse than the control by more than the margin. Every run
    is analysed as the real one will be. Equal rates and the margin itself are always among the truths.
    Several treatments share alpha by Holm's procedure, as the analysis has it.

    \b
    llmbench simulate ab --control-rate .03 --split 90/10 --units-per-day 5000 --out plan
    """  # noqa: D301 - click wants the character itself
    from llmbench.abtest.simulate import simulate as run
    from llmbench.abtest.simulation_plan import SimulationPlan
    from llmbench.cli.tables import show

    if margin is None:
        margin = 0.9 if options["scale"] == "ratio" else -0.1 * options["control_rate"]
    plan = SimulationPlan(
        split=_shares(split), ratios=tuple(map(_ratio, ratios)) or (1.0,), margin=margin, **options
    )
    found = run(plan)
    click.echo(f"Simulated: {found}.")
    show(found.table(), dispensable=("mean units", "of these better"))
    if 1 < len(found.looks) <= _MOST_LOOKS_SHOWN:
        click.echo()
        show(found.looks_table())
    for note in found.notes():
        click.echo(note)
    if out is not None:
        _write(found, out)


def _shares(split: str) -> float | tuple[float, ...]:
    parts = _numbers(split)
    if len(parts) < 2 or min(parts) <= 0:
        raise UsageError(
            "--split is written TREATMENT/CONTROL, as in 90/10, or with several treatments and the control "
            f"last, as in 40/40/20; not {split!r}."
        )
    shares = tuple(part / sum(parts) for part in parts[:-1])
    return shares if len(shares) > 1 else shares[0]


def _ratio(given: str) -> float | tuple[float, ...]:
    parts = _numbers(given)
    if not parts:
        raise UsageError(f"--ratio is a number such as .95, or one a treatment as in 1/.95; not {given!r}.")
    return parts if len(parts) > 1 else parts[0]


def _numbers(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split("/"))
    except ValueError:
        return ()


def _write(found: AbSimulation, folder: Path) -> None:
    from llmbench.reporting.simulation_charts import boundary_figure, power_figure, stopping_figure
    from llmbench.spreadsheet import frame_csv

    write_whole(folder / "outcomes.csv", frame_csv(found.to_pandas()))
    figures = {"power": power_figure, "stopping_days": stopping_figure, "boundaries": boundary_figure}
    for name, draw in figures.items():
        plot = draw(found)
        write_whole(folder / f"{name}.csv", frame_csv(plot.frame))
        write_png(plot.figure, folder / f"{name}.png")
        click.echo(f"{folder / name}.png: {plot.caption}")
    click.echo(f"Numbers in {folder}: outcomes.csv, and a .csv beside each picture.")
