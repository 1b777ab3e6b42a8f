"""Sliders over a break-even study, for JupyterLab; reports do without them."""

from __future__ import annotations

import html
from dataclasses import replace
from typing import Any

from llmbench.economics import BreakEvenStudy, cheapest
from llmbench.reporting.break_even_words import usd_text, volume_text

__all__ = ["answer", "sliders"]

_MISSING = (
    "Sliders need ipywidgets: pip install 'llmbench[notebooks]'. "
    "The spreadsheet model.xlsx has the same numbers to change."
)


def answer(
    study: BreakEvenStudy,
    *,
    messages_per_month: float,
    operations_hours: float,
    spare_replicas: int,
    utilisation_limit: float,
    rent: float = 1.0,
) -> str:
    """What the study answers with these five numbers changed; `rent` is a factor on all GPU prices.

    Raises UsageError for numbers that cannot be meant.
    """
    load = replace(study.load, messages_per_month=messages_per_month)
    costs = replace(
        study.costs,
        operations_hours=operations_hours,
        spare_replicas=spare_replicas,
        utilisation_limit=utilisation_limit,
    )
    options = tuple(replace(each, usd_per_hour=each.usd_per_hour * rent) for each in study.options)
    changed = replace(study, load=load, costs=costs, options=options)
    option, month = cheapest(changed.working, load, costs, changed.fallback_usd)
    bill = changed.usd_per_month(study.baseline)
    pays = changed.pays[study.baseline].messages_per_month
    side = "less" if month.usd < bill else "more"
    turn = "at no volume" if pays is None else f"from {volume_text(pays)} messages a month on"
    return (
        f"{month.replicas} x {option.hardware} at {option.dtype}: {usd_text(month.usd)} a month, "
        f"{usd_text(abs(month.usd - bill))} {side} than the API of {study.baseline} ({usd_text(bill)}). Own "
        f"machines cost less {turn}."
    )


def sliders(study: BreakEvenStudy) -> Any:
    """Five sliders and the answer under them; without ipywidgets a sentence that says what is missing."""
    try:
        import ipywidgets as widgets
    except ImportError:
        return _MISSING
    volume = study.load.messages_per_month
    wide = {"style": {"description_width": "14em"}, "layout": widgets.Layout(width="40em")}
    controls = {
        "messages_per_month": widgets.FloatLogSlider(
            value=volume,
            min=3,
            max=9,
            step=0.05,
            readout_format=",.0f",
            description="messages a month",
            **wide,
        ),
        "operations_hours": widgets.FloatSlider(
            value=study.costs.operations_hours, min=0, max=80, step=1, description="people's hours", **wide
        ),
        "spare_replicas": widgets.IntSlider(
            value=int(study.costs.spare_replicas), min=0, max=3, description="spare replicas", **wide
        ),
        "utilisation_limit": widgets.FloatSlider(
            value=study.costs.utilisation_limit, min=0.1, max=1, step=0.05, description="fullest hour", **wide
        ),
        "rent": widgets.FloatSlider(value=1.0, min=0.2, max=2, step=0.05, description="rent, times", **wide),
    }

    shown = widgets.HTML()

    def move(_: Any = None) -> None:
        shown.value = html.escape(answer(study, **{name: each.value for name, each in controls.items()}))

    for control in controls.values():
        control.observe(move, names="value")
    move()
    return widgets.VBox([*controls.values(), shown])
