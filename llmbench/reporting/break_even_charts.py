"""The two figures of the first screen of `break_even`: cost against volume, and what is claimed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from llmbench.economics import BreakEvenStudy, ClaimAudit, HostingOption, cheapest
from llmbench.economics.claims import number_text
from llmbench.money import dollars
from llmbench.reporting.axes import log_axis, series_style
from llmbench.reporting.break_even_words import usd_text, volume_text
from llmbench.reporting.figures import DASHED, PALETTE, Plot, house_style, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from llmbench.economics import CheckedClaim

__all__ = ["claim_figure", "cost_figure", "short_number", "whole_dollars"]

_MOST_LINES = 7
_VOLUMES = 241
_BAND_VOLUMES = 25
_BAND_DRAWS = 4000
_MOST_CLAIMS = 13
_CLAIM_CHARACTERS = 44
"""Of each of its two lines."""
_VERDICT_MARKS = {"holds": "o", "wrong": "X", "impossible": "D", "cannot be checked": "s"}
_VERDICT_COLOURS = {"holds": "green", "wrong": "orange", "impossible": "ink", "cannot be checked": "grey"}


def short_number(value: float, _: float = 0) -> str:
    """A large number as an axis has it.

    >>> [short_number(each) for each in (500, 20_000, 2_000_000, 1e9)]
    ['500', '20K', '2M', '1B']
    """
    for size, letter in ((1e9, "B"), (1e6, "M"), (1e3, "K")):
        if value >= size:
            return f"{value / size:g}{letter}"
    return f"{value:g}"


def whole_dollars(usd: float, _: float = 0) -> str:
    """USD without cents, as an axis has them.

    >>> whole_dollars(1234.5), whole_dollars(-20)
    ('$1,234', '−$20')
    """
    return dollars(usd, cents_below=0)


def _usd(value: float, _: float = 0) -> str:
    return f"${short_number(value)}"


@house_style()
def cost_figure(study: BreakEvenStudy) -> Plot:
    """USD a month against messages a month, both logarithmic: each API is a line, one's own machines a
    staircase, with the range of 80% of the draws and the crossings marked.
    """
    import numpy as np
    import pandas as pd

    figure, axes = new_figure(width=7.2, height=5.0)
    names = study.compared[:_MOST_LINES]
    low, high = _range(study, names)
    volumes = np.geomspace(low, high, _VOLUMES)
    chosen = [cheapest(study.working, _at(study, v), study.costs, study.fallback_usd) for v in volumes]
    own = np.array([month.usd for _, month in chosen])
    band = _band(study, volumes, [option for option, _ in chosen])
    axes.fill_between(*band, color=PALETTE["ink"], alpha=0.12, linewidth=0)
    axes.plot(volumes, own, color=PALETTE["ink"], linewidth=2.4)
    frame = {"messages_per_month": volumes, "self_hosting_usd": own}
    frame |= {f"{name}_usd": volumes * study.usd_per_message(name) for name in study.compared}
    for place, name in enumerate(names):
        usd = study.usd_per_message(name)
        colour, stroke = series_style(place)
        axes.plot(volumes, volumes * usd, color=colour, linewidth=1.4, linestyle=stroke)
        crossing = study.pays[name].messages_per_month
        if crossing is not None and low <= crossing <= high:
            axes.plot(crossing, crossing * usd, "o", color=colour, markersize=6, zorder=5)
    log_axis(axes, short_number, steps=(1.0,))
    log_axis(axes, _usd, side="y", steps=(1.0,))
    axes.set_xlim(low, high)
    axes.set_ylim(max(1.0, 0.5 * min(frame[f"{name}_usd"][0] for name in names)), 4 * max(own[-1], 3000))
    _stated_volume(axes, study)
    _line_labels(axes, study, names, high, float(own[-1]))
    axes.set_xlabel("messages a month")
    axes.set_ylabel("USD a month")
    axes.set_title("Cost against volume")
    left = len(names) < len(study.compared)
    note = f" The first {len(names)} of {len(study.compared)} APIs; the CSV has all." if left else ""
    return Plot(
        figure,
        pd.DataFrame(frame),
        (
            "Each line is an API, the staircase the cheapest machines that carry the peak hour, "
            "spare replica, people "
            "and storage in it; grey: 80% of the draws. Dots: from there on one's own machines cost "
            "less than that API. "
            f"Both axes are logarithmic.{note}"
        ),
    )


def _at(study: BreakEvenStudy, messages: float) -> Any:
    return replace(study.load, messages_per_month=float(messages))


def _range(study: BreakEvenStudy, names: Sequence[str]) -> tuple[float, float]:
    """From a tenth of the volume to past the crossings, within reason."""
    volume = study.load.messages_per_month
    found = [study.pays[name].messages_per_month or 0.0 for name in names]
    high = max(100 * volume, 1.6 * max(found))
    return volume / 12, min(max(high, 10 * volume), 3000 * volume)


def _band(study: BreakEvenStudy, volumes: Any, options: list[HostingOption]) -> tuple[Any, Any, Any]:
    """10% and 90% of the draws of whichever option is cheapest at each volume."""
    import numpy as np

    few = replace(study, draws=min(study.draws, _BAND_DRAWS))
    places = np.linspace(0, len(volumes) - 1, _BAND_VOLUMES).astype(int)
    low, high = [], []
    for place in places:
        drawn = few.simulate(float(volumes[place]), [options[place]])
        bottom, _, top = drawn.quantiles(options[place].name)
        low.append(bottom)
        high.append(top)
    return volumes[places], np.array(low), np.array(high)


def _stated_volume(axes: Axes, study: BreakEvenStudy) -> None:
    volume = study.load.messages_per_month
    axes.axvline(volume, color=PALETTE["ink"], linewidth=1, linestyle=DASHED)
    axes.annotate(
        f"{volume_text(volume)} messages",
        (volume, 0.0),
        xycoords=("data", "axes fraction"),
        xytext=(4, 5),
        textcoords="offset points",
        fontsize=8.5,
    )
    for usd in (study.best[1].usd, study.usd_per_month(study.baseline)):
        axes.plot(volume, usd, "s", color=PALETTE["ink"], markersize=5, zorder=6)
        axes.annotate(
            usd_text(usd),
            (volume, usd),
            xytext=(6, -12),
            textcoords="offset points",
            fontsize=9,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.8, "alpha": 0.85},
        )


def _line_labels(axes: Axes, study: BreakEvenStudy, names: Sequence[str], high: float, own: float) -> None:
    """Names at the right end of the lines, pushed apart where they would overprint."""
    low_y, high_y = axes.get_ylim()
    span = math.log10(high_y / low_y)
    gap = 0.047
    ends = [(high * study.usd_per_message(name), place, name) for place, name in enumerate(names)]
    ends.append((own, -1, ""))
    wanted = sorted((math.log10(usd / low_y) / span, place, name) for usd, place, name in ends)
    top = 1.0
    placed: list[tuple[float, int, str]] = []
    for at, place, name in reversed(wanted):
        top = min(at, top - gap) if placed else min(at, 0.985)
        placed.append((top, place, name))
    for at, place, name in placed:
        volume = study.pays[name].messages_per_month if name else None
        told = f"{name}: {'never' if volume is None else f'from {volume_text(volume)}'}"
        axes.annotate(
            told if name else f"own machines, {study.model}",
            (1.0, at),
            xycoords="axes fraction",
            xytext=(5, 0),
            textcoords="offset points",
            fontsize=8.5,
            va="center",
            color=series_style(place)[0] if name else PALETTE["ink"],
            fontweight="normal" if name else "bold",
            annotation_clip=False,
        )


@house_style()
def claim_figure(audit: ClaimAudit) -> Plot:
    """The claims that are furthest from what comes out: how many times the right number they are."""
    import pandas as pd

    rows = _worst(audit)
    figure, axes = new_figure(width=7.2, height=5.0)
    axes.axvline(1, color=PALETTE["green"], linewidth=1.6)
    for position, (row, ratio) in enumerate(rows):
        colour = PALETTE[_VERDICT_COLOURS[row.verdict]]
        if ratio is not None:
            axes.hlines(position, 1, ratio, color=colour, linewidth=1.6)
            axes.plot(ratio, position, _VERDICT_MARKS[row.verdict], color=colour, markersize=7)
        else:
            axes.plot(1, position, _VERDICT_MARKS[row.verdict], color=colour, markersize=7)
    axes.set_yticks(range(len(rows)), [_wrap(row.claim) for row, _ in rows], fontsize=8)
    axes.set_ylim(len(rows) - 0.4, -0.9)
    axes.grid(visible=False, axis="y")
    log_axis(axes, "{x:g}x", steps=(1.0,))
    low, high = axes.get_xlim()
    axes.set_xlim(low / 3, high * 3)
    for position, (row, ratio) in enumerate(rows):
        told = f"{number_text(row.claimed, row.unit)}, right: {_right(row)}"
        right = ratio is None or ratio >= 1
        axes.annotate(
            told,
            (max(ratio or 1, 1) if right else 1, position),
            xytext=(8, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
            annotation_clip=False,
        )
    axes.set_xlabel("claimed over right number")
    figure.suptitle(_audit_title(audit), x=0.01, ha="left", fontsize=11, fontweight="bold")
    frame = pd.DataFrame(
        [
            {
                "id": row.id,
                "claim": row.claim,
                "claimed": row.claimed,
                "derived": row.derived,
                "ratio": ratio,
                "verdict": row.verdict,
            }
            for row, ratio in rows
        ]
    )
    return Plot(
        figure,
        frame,
        (
            "The claims of the document of 2025-01-23 that are furthest from what its own workload and "
            "prices give (cross: wrong; diamond: impossible, whatever is left open). All are under Claim "
            "audit."
        ),
    )


def _audit_title(audit: ClaimAudit) -> str:
    counts = audit.counts()
    return (
        f"Of {len(audit)} claims {counts['holds']} hold, {counts['wrong']} are wrong, {counts['impossible']} "
        f"impossible, {counts['cannot be checked']} cannot be checked"
    )


def _worst(audit: ClaimAudit) -> list[tuple[CheckedClaim, float | None]]:
    """What is impossible, then what is furthest off."""
    found: list[tuple[CheckedClaim, float | None]] = []
    for row in audit:
        if row.verdict not in {"wrong", "impossible"} or row.implied or isinstance(row.claimed, tuple):
            continue
        if row.claimed is None or row.derived is None or row.claimed <= 0:
            continue
        found.append((row, row.claimed / row.derived if row.derived > 0 else None))
    return sorted(found, key=lambda pair: -_distance(pair[1]))[:_MOST_CLAIMS]


def _distance(ratio: float | None) -> float:
    return math.inf if ratio is None else abs(math.log(ratio))


def _right(row: CheckedClaim) -> str:
    return number_text(row.derived, row.unit)


def _wrap(text: str) -> str:
    import textwrap

    return "\n".join(textwrap.wrap(text, _CLAIM_CHARACTERS, max_lines=2, placeholder=" …"))
