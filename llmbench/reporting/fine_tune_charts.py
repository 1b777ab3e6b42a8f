"""Figures of the notebook `fine_tune`: the learning curve, and the losses of the training."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmbench.reporting.axes import log_axis
from llmbench.reporting.figures import DASHED, PALETTE, Plot, house_style, new_figure
from llmbench.reporting.report_table import ReportTable
from llmbench.reporting.wording import counted, estimate, percent, points
from llmbench.unknown import NONE

if TYPE_CHECKING:
    from llmbench.finetune.learning_curve import CurvePoint
    from llmbench.reporting.fine_tune_results import TunedResults

__all__ = ["curve_figure", "curve_table", "loss_figure"]


@house_style()
def curve_figure(tuned: TunedResults) -> Plot | None:
    """Score by the size of the training set, each seed a point, beside the base model's best prompt; None
    where there are no two sizes.
    """
    import pandas as pd

    curve = tuned.curve
    if curve is None:
        return None
    figure, axes = new_figure(height=3.4)
    places = {point.n_train: place for place, point in enumerate(curve.points)}
    beside = [(tuned.results.baseline, "orange")]
    if tuned.beside_stronger is not None:
        beside.append((tuned.beside_stronger.baseline, "green"))
    for name, colour in beside:
        score = tuned.results.cell(name).score
        if score is None:
            continue
        axes.axhline(100 * score, color=PALETTE[colour], linewidth=1.4, linestyle=DASHED)
        axes.annotate(
            name, (len(places) - 1, 100 * score), xytext=(0, 4), textcoords="offset points", fontsize=8,
            color=PALETTE[colour], ha="right",
        )  # fmt: skip
    for each in curve.trained:
        axes.plot(places[each.n_train], 100 * each.score, "o", color=PALETTE["grey"], markersize=4, alpha=0.7)
    xs = [places[point.n_train] for point in curve.points]
    axes.plot(xs, [100 * point.score for point in curve.points], "o-", color=PALETTE["blue"], linewidth=2)
    for point in curve.points:
        axes.vlines(
            places[point.n_train], 100 * point.ci.low, 100 * point.ci.high, color=PALETTE["blue"], linewidth=2
        )
    axes.set_xticks(xs, [_size(point) for point in curve.points])
    axes.set_xlim(-0.4, len(xs) - 0.6)
    axes.set_ylabel("score, %")
    axes.set_xlabel("examples it was trained on")
    axes.set_title("What more examples bought")
    rows = [t._asdict() | {"low": t.ci.low, "high": t.ci.high, "kind": "one training"} for t in curve.trained]
    rows += [
        p._asdict() | {"low": p.ci.low, "high": p.ci.high, "kind": "mean over seeds", "seed": None}
        for p in curve.points
    ]
    frame = pd.DataFrame(rows).drop(columns=["ci"])
    most = max(point.seeds for point in curve.points)
    level = f"{100 * curve.confidence:g}% intervals over items"
    means = f"mean over up to {most} seeds, {level} and seeds; grey: each seed"
    told = means if most > 1 else f"one seed each, {level}"
    caption = (
        f"Blue: {told}. All under the prompt of {tuned.candidate}; 0 is the untrained model under it. "
        f"Dashed: what a prompt alone gets{' of the base model and of a stronger one' * (len(beside) > 1)}."
    )
    return Plot(figure, frame, caption)


def curve_table(tuned: TunedResults) -> ReportTable | None:
    """The points of the learning curve; None where there is none."""
    import pandas as pd

    if tuned.curve is None:
        return None
    shown = pd.DataFrame(
        [
            {
                "examples": f"{p.n_train:,}",
                "seeds": f"{p.seeds}",
                "score": estimate(p.score, p.ci, percent),
                "spread of seeds, points": NONE if p.seeds < 2 else points(round(p.seed_sd, 3)),
                "items": f"{p.n:,}",
            }
            for p in tuned.curve.points
        ]
    )
    return ReportTable(tuned.curve.to_pandas(), shown, tuple(shown.columns))


@house_style()
def loss_figure(tuned: TunedResults) -> Plot | None:
    """Loss by step of every training: light, of the examples it learns from; dark, of others. None where no
    losses were kept.
    """
    losses = tuned.losses
    if losses is None or losses.empty:
        return None
    sizes = sorted(losses["n_train"].unique())
    figure, axes = new_figure(height=3.4)
    colours = [PALETTE[name] for name in ("grey", "orange", "blue", "green", "ink")]
    for place, size in enumerate(sizes):
        colour = colours[place % len(colours)]
        of_size = losses[losses["n_train"] == size]
        for _, rows in of_size.groupby("seed"):
            learned = rows.dropna(subset=["loss"])
            axes.plot(learned["step"], learned["loss"], color=colour, linewidth=0.8, alpha=0.35)
            held_out = rows.dropna(subset=["validation_loss"])
            axes.plot(held_out["step"], held_out["validation_loss"], "o-", color=colour, markersize=3)
        last = of_size.dropna(subset=["validation_loss"]).sort_values("step").tail(1)
        for _, row in last.iterrows():
            axes.annotate(
                f"{size:,} examples", (row["step"], row["validation_loss"]), xytext=(5, 2),
                textcoords="offset points", fontsize=8, color=colour,
            )  # fmt: skip
    log_axis(axes, side="y")
    axes.margins(x=0.15)
    axes.set_xlabel("step")
    axes.set_ylabel("loss, nats a token")
    axes.set_title("Loss while training")
    caption = (
        "Thin: of the examples it learns from. Dotted: of examples held out; where that rises while the "
        "other falls, the model learns by heart. Each line is a seed."
    )
    return Plot(figure, losses, caption)


def _size(point: CurvePoint) -> str:
    return f"{point.n_train:,}" + ("" if point.n_train == 0 else f"\n{counted(point.seeds, 'seed')}")
