"""The figure of docs/decisions.md and the table behind it, written by the long run."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from llmbench.reporting.figures import PALETTE, Plot, figure_svg, house_style, new_figure
from llmbench.stats import clopper_pearson_interval
from tests.decisions.operating import Operating

FIGURES = Path(__file__).resolve().parents[2] / "docs" / "figures"
_NAME = "decisions"
_LIMIT = 5.5
_WANTED = 80.0


def table(found: Operating) -> pd.DataFrame:
    """One row a scenario, in shares with their 99% limits (98% intervals)."""
    rows = []
    for name, tally in found.tallies.items():
        row: dict[str, object] = {"scenario": name, "migrations": tally.runs}
        for column, count in (("go", tally.go), ("no_go", tally.no_go), ("no_go_unadjusted", tally.alone)):
            low, high = clopper_pearson_interval(count, tally.runs, 0.98)
            row |= {column: count / tally.runs, f"{column}_low": low, f"{column}_high": high}
        rows.append(row)
    return pd.DataFrame(rows).round(5)


@house_style()
def plot(frame: pd.DataFrame) -> Plot:
    """Chances to go and to stop by scenario: errors lie on the left, the power on the right."""
    figure, axes = new_figure(width=7.2, height=4.8)
    looks = (
        ("go", "GO", "blue", "o", -0.2),
        ("no_go", "NO_GO", "orange", "s", 0.0),
        ("no_go_unadjusted", "NO_GO, were each gate to stop by itself", "grey", "x", 0.2),
    )
    for column, label, colour, marker, shift in looks:
        places = [place + shift for place in range(len(frame))]
        low, high = 100 * frame[f"{column}_low"], 100 * frame[f"{column}_high"]
        axes.hlines(places, low, high, color=PALETTE[colour], linewidth=2)
        axes.plot(
            100 * frame[column], places, linestyle="", marker=marker, color=PALETTE[colour], label=label,
            markersize=5,
        )  # fmt: skip
    axes.axvline(_LIMIT, color=PALETTE["ink"], linewidth=1, linestyle=(0, (4, 3)))
    axes.axvline(_WANTED, color=PALETTE["grey"], linewidth=1, linestyle=(0, (4, 3)))
    axes.set_xscale("symlog", linthresh=10)
    axes.set_xlim(-0.3, 110)
    ticks = [0, 2.5, 5.5, 10, 20, 40, 80]
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.minorticks_off()
    axes.set_yticks(range(len(frame)), [name.replace(", ", ",\n") for name in frame["scenario"]])
    axes.set_ylim(len(frame) - 0.5, -0.6)
    axes.grid(visible=False, axis="y")
    axes.set_xlabel(f"% of {int(frame['migrations'].iloc[0]):,} migrations")
    axes.set_title("What is decided, by what is true")
    axes.legend(loc="upper center", bbox_to_anchor=(0.38, -0.12), ncols=3, frameon=False, fontsize=8)
    return Plot(figure, frame, "Decisions of simulated migrations by what is true of them.")


def write(found: Operating, folder: Path = FIGURES) -> None:
    """decisions.svg and decisions.csv."""
    made = plot(table(found))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{_NAME}.svg").write_bytes(figure_svg(made.figure))
    made.frame.to_csv(folder / f"{_NAME}.csv", index=False, lineterminator="\n")
