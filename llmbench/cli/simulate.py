"""`llmbench simulate`: a plan tried out thousands of times before it starts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from llmbench.errors import UsageError

if TYPE_CHECKING:
    from llmbench.abtest.simulation_result import AbSimulation

__all__ = ["simulate"]

_DPI = 144
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
    help="New units (leads) a day, of both arms.",
)
@click.option(
    "--ratio",
    "ratios",
    type=float,
    multiple=True,
    help="True treatment rate over control rate, repeatable; sized for the first. [default: 1]",
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
@click.option("--split", default="50/50", show_default=True, metavar="TREATMENT/CONTROL", help="As in 90/10.")
@click.option(
    "--planned-units", type=int, help="Units of both arms in the end. [default: what --power takes]"
)
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
def ab(split: str, ratios: tuple[float, ...], margin: float | None, out: Path | None, **options: Any) -> None:
    r"""Run an A/B test of reply rates thousands of times: power, stopping day, error rates.

    The question is whether the treatment is not worse than the control by more than the margin. Every run
    is analysed as the real one will be. Equal rates and the margin itself are always among the truths.

    \b
    llmbench simulate ab --control-rate .03 --split 90/10 --units-per-day 5000 --out plan
    """
    from llmbench.abtest.simulate import simulate as run
    from llmbench.abtest.simulation_plan import SimulationPlan
    from llmbench.cli.tables import show

    if margin is None:
        margin = 0.9 if options["scale"] == "ratio" else -0.1 * options["control_rate"]
    plan = SimulationPlan(split=_share(split), ratios=ratios or (1.0,), margin=margin, **options)
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


def _share(split: str) -> float:
    try:
        treatment, control = (float(part) for part in split.split("/"))
    except ValueError:
        treatment = control = 0.0
    if not (treatment > 0 and control > 0):
        raise UsageError(f"--split is written TREATMENT/CONTROL, as in 90/10, not {split!r}.")
    return treatment / (treatment + control)


def _write(found: AbSimulation, folder: Path) -> None:
    from llmbench.reporting.figures import house_style
    from llmbench.reporting.simulation_charts import boundary_figure, power_figure, stopping_figure

    folder.mkdir(parents=True, exist_ok=True)
    found.to_pandas().to_csv(folder / "outcomes.csv", index=False, lineterminator="\n")
    figures = {"power": power_figure, "stopping_days": stopping_figure, "boundaries": boundary_figure}
    for name, draw in figures.items():
        plot = draw(found)
        plot.frame.to_csv(folder / f"{name}.csv", index=False, lineterminator="\n")
        with house_style():
            plot.figure.savefig(folder / f"{name}.png", dpi=_DPI, metadata={"Software": None})
        click.echo(f"{folder / name}.png: {plot.caption}")
    click.echo(f"Numbers in {folder}: outcomes.csv, and a .csv beside each picture.")
