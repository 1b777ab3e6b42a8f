"""What the notebook `fine_tune` says of money: a request of each model, and when a training is earned."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from llmbench.finetune.payback import Payback, RequestCost, payback
from llmbench.money import dollars
from llmbench.reporting.figures import PALETTE, Plot, house_style, new_figure
from llmbench.reporting.report_table import ReportTable
from llmbench.reporting.wording import whole
from llmbench.unknown import NONE, UNKNOWN

if TYPE_CHECKING:
    from llmbench.matrix.summary import CellSummary
    from llmbench.reporting.fine_tune_results import TunedResults

__all__ = ["CellCost", "cell_costs", "cost_figure", "cost_table", "paybacks", "token_sentence"]

_SECONDS_PER_HOUR = 3600.0
_LEAST_MONTHS = 0.3
"""Of a shorter span no number is told: it is the volume that is not known so well."""


class CellCost(NamedTuple):
    """One cell, a request."""

    cell: str
    input_tokens: float | None
    """Mean of a request."""
    output_tokens: float | None
    cost: RequestCost
    basis: str
    """How the cost came about, in a few words."""


def cell_costs(tuned: TunedResults, parameters: Mapping[str, Any]) -> tuple[CellCost, ...]:
    """What a request costs at each cell: what the vendor charged, or the machine's hours.

    The seconds of one's own machine are those that the tokens take at the speeds of the parameters: measured
    times are of whatever else the machine did.
    """
    p = parameters
    found = []
    for cell in tuned.results.cells:
        into, out = _mean(cell.input_tokens, cell), _mean(cell.output_tokens, cell)
        usd, basis = _request_usd(cell, into, out, p)
        is_tuned = cell.cell == tuned.candidate
        cost = RequestCost(
            cell.cell,
            usd,
            p["hosting_usd_per_month"] if is_tuned else 0.0,
            _training_usd(tuned, p) if is_tuned else 0.0,
        )
        found.append(CellCost(cell.cell, into, out, cost, basis))
    return tuple(found)


def paybacks(tuned: TunedResults, parameters: Mapping[str, Any]) -> dict[str, Payback]:
    """The tuned model against every other cell of the first screen, by that cell."""
    costs = {each.cell: each.cost for each in cell_costs(tuned, parameters)}
    mine = costs.pop(tuned.candidate)
    return {cell: payback(mine, other, parameters["requests_per_month"]) for cell, other in costs.items()}


def token_sentence(tuned: TunedResults, parameters: Mapping[str, Any]) -> str:
    """What the shorter prompt saves, which a tuned model no longer needs to be told."""
    costs = {each.cell: each for each in cell_costs(tuned, parameters)}
    mine, theirs = costs[tuned.candidate].input_tokens, costs[tuned.results.baseline].input_tokens
    if mine is None or theirs is None or theirs <= 0:
        return "How many tokens a request has is not told."
    change = 1 - mine / theirs
    how = (
        f"{change:.0%} fewer than"
        if change > 0
        else f"{-change:.0%} more than"
        if change < 0
        else "as many as"
    )
    why = ", whose prompt has to say what the tuned model has learned" if change > 0 else ""
    return (
        f"A request of {tuned.candidate} has {mine:,.0f} tokens to read, {how} the {theirs:,.0f} of "
        f"{tuned.results.baseline}{why}."
    )


def cost_table(tuned: TunedResults, parameters: Mapping[str, Any]) -> ReportTable:
    """A request, a month and the break-even of each cell."""
    import pandas as pd

    back = paybacks(tuned, parameters)
    volume = parameters["requests_per_month"]
    rows, shown = [], []
    for each in cell_costs(tuned, parameters):
        own = back.get(each.cell)
        month = each.cost.usd_per_month(volume)
        per_1k = each.cost.usd_per_1k_requests
        rows.append(
            {
                "cell": each.cell, "input_tokens": each.input_tokens, "output_tokens": each.output_tokens,
                "usd_per_1k_requests": per_1k, "usd_per_month": month, "training_usd": each.cost.training_usd,
                "tuned_saves_per_month": own and own.saving_per_month,
                "break_even_requests": own and own.break_even_requests,
                "break_even_months": own and own.break_even_months, "basis": each.basis,
            }
        )  # fmt: skip
        shown.append(
            {
                "model [prompt]": each.cell,
                "tokens in, a request": UNKNOWN if each.input_tokens is None else whole(each.input_tokens),
                "out": UNKNOWN if each.output_tokens is None else f"{each.output_tokens:.1f}",
                "$ per 1,000 requests": dollars(per_1k),
                f"$ a month, {volume:,.0f} requests": dollars(month),
                "$ of training": dollars(each.cost.training_usd) if own is None else NONE,
                "training earned after": NONE if own is None else _earned(own),
            }
        )
    frame = pd.DataFrame(shown)
    return ReportTable(pd.DataFrame(rows), frame, tuple(frame.columns[1:]))


@house_style()
def cost_figure(tuned: TunedResults, parameters: Mapping[str, Any]) -> Plot | None:
    """Cost of all requests so far, training included; None where the costs of fewer than two are known."""
    import pandas as pd

    known = [c for c in cell_costs(tuned, parameters) if c.cost.usd_per_request is not None]
    known = [c for c in known if c.cost.training_usd is not None]
    if len(known) < 2 or not any(c.cell == tuned.candidate for c in known):
        return None
    turns = [b.break_even_requests for b in paybacks(tuned, parameters).values() if b.break_even_requests]
    volume = parameters["requests_per_month"]
    most = max([volume, *(2 * turn for turn in turns if turn < 100 * max(volume, 1.0))])
    requests = np.linspace(0, most or 1.0, 101)
    figure, axes = new_figure(height=3.4)
    frames: list[pd.DataFrame] = []
    colours = {tuned.candidate: "blue", tuned.results.baseline: "orange"}
    if tuned.beside_stronger is not None:
        colours[tuned.beside_stronger.baseline] = "green"
    for each in known:
        mine = each.cell == tuned.candidate
        colour = PALETTE[colours.get(each.cell, "grey")]
        months = requests / volume if volume else np.zeros_like(requests)
        usd = (
            (each.cost.training_usd or 0.0)
            + requests * (each.cost.usd_per_request or 0.0)
            + months * each.cost.hosting_usd_per_month
        )
        axes.plot(requests, usd, color=colour, linewidth=2.2 if mine else 1.4)
        axes.annotate(
            each.cell, (requests[-1], usd[-1]), xytext=(4, 0), textcoords="offset points", fontsize=8,
            color=colour, va="center", annotation_clip=False,
        )  # fmt: skip
        frames.append(pd.DataFrame({"cell": each.cell, "requests": requests, "usd": usd}))
    axes.set_xlim(0, requests[-1] * 1.6)
    axes.set_xticks([tick for tick in axes.get_xticks() if tick <= requests[-1]])
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.yaxis.set_major_formatter("${x:,.2f}")
    axes.set_ylim(bottom=0)
    axes.set_xlabel("requests answered")
    axes.set_title("Cost so far, training included")
    caption = (
        f"At {volume:,.0f} requests a month; hosting is paid by the month. Where the blue line crosses "
        "another one the training has been earned against it."
    )
    return Plot(figure, pd.concat(frames, ignore_index=True), caption)


def _request_usd(
    cell: CellSummary, into: float | None, out: float | None, p: Mapping[str, Any]
) -> tuple[float | None, str]:
    if cell.cost_per_1k_calls:
        return cell.cost_per_1k_calls / 1000, "as charged"
    if cell.cost_per_1k_calls is None and not cell.model.startswith("local/"):
        return None, "not told"
    if into is None or out is None:
        return None, "tokens not told"
    reading, writing = p["speeds"].get(cell.model, (p["input_tokens_per_s"], p["output_tokens_per_s"]))
    seconds = into / reading + out / writing
    return seconds * p["usd_per_hour"] / _SECONDS_PER_HOUR / p["utilisation"], "hours of one's own machine"


def _training_usd(tuned: TunedResults, p: Mapping[str, Any]) -> float | None:
    """Of the vendor, or by the machine's hours; people's work on the data comes on top."""
    extra = float(p["preparation_usd"])
    if p["training_usd"] >= 0:
        return float(p["training_usd"]) + extra
    job = tuned.trained
    if job is None:
        return None
    if job.usd is not None:
        return job.usd + extra
    # On a machine that does other work too, the processor's seconds are those of the training.
    seconds = job.told.get("cpu_seconds") or job.seconds
    return None if seconds is None else float(seconds) * p["usd_per_hour"] / _SECONDS_PER_HOUR + extra


def _mean(total: int | None, cell: CellSummary) -> float | None:
    answered = cell.n
    return None if total is None or not answered else total / answered


def _earned(back: Payback) -> str:
    if back.break_even_requests is not None and back.break_even_months is not None:
        months = back.break_even_months
        span = f"{months:,.1f} months" if months >= _LEAST_MONTHS else "less than ten days"
        return f"{back.break_even_requests:,.0f} requests ({span})"
    return "never, by cost" if back.known else UNKNOWN
