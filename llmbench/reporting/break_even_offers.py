"""Tables of the notebook `break_even` about what is on offer: machines, APIs, and the GPUs' prices."""

from __future__ import annotations

from llmbench.economics import BreakEvenStudy, HostingOption
from llmbench.money import dollars
from llmbench.reporting.break_even_inputs import Question
from llmbench.reporting.break_even_words import each_text
from llmbench.reporting.report_table import ReportTable
from llmbench.unknown import NONE

__all__ = ["api_table", "option_sentence", "option_table", "price_table"]

_MOST_OPTIONS = 14
"""Of the model that is asked about."""


def option_table(study: BreakEvenStudy) -> ReportTable:
    """The machines looked at, cheapest first; those that do not work last, with the reason. A reader sees the
    first ones (see `option_sentence`), and of each other model the cheapest.
    """
    import pandas as pd

    def key(option: HostingOption) -> tuple[bool, float]:
        return not option.works, study.month(option).usd if option.works else 0.0

    ordered = sorted(_asked(study), key=key)
    others = sorted((o for o in study.options if o.model != study.model and o.works), key=key)
    best_of = {model: next(o for o in others if o.model == model) for model in {o.model for o in others}}
    shown_options = [*ordered[:_MOST_OPTIONS], *sorted(best_of.values(), key=key)]
    numbers = (
        "output tokens/s, one replica",
        "80% interval",
        "USD/month",
        "$ per 1M tokens",
        "busy",
        "$ an hour",
    )
    shown = [_option_row(study, option) for option in shown_options]
    rows = [
        study.option_row(option) | {"offer": option.offer, "price_as_of": option.price_as_of}
        for option in study.options
    ]
    return ReportTable(pd.DataFrame(rows), pd.DataFrame(shown), numbers)


def option_sentence(study: BreakEvenStudy) -> str | None:
    """Where the machines are that the table has no room for; None where it shows all."""
    asked = len(_asked(study))
    if asked <= _MOST_OPTIONS:
        return None
    return (
        f"The first {_MOST_OPTIONS} of {asked} ways to run {study.model} are shown, and of other models the "
        "cheapest; machines.csv has all."
    )


def _asked(study: BreakEvenStudy) -> list[HostingOption]:
    return [option for option in study.options if option.model == study.model]


def _option_row(study: BreakEvenStudy, option: HostingOption) -> dict[str, str]:
    month = study.month(option) if option.works else None
    return {
        "model": f"{option.model}, {option.dtype}",
        "GPU": f"{option.n_gpu} x {option.gpu}",
        "memory": option.fits,
        "output tokens/s, one replica": f"{option.output_tokens_per_s:,.0f}" if option.works else NONE,
        "80% interval": f"{option.low:,.0f} to {option.high:,.0f}" if option.works else NONE,
        "throughput": _basis(option),
        "replicas": f"{month.serving} + {month.replicas - month.serving}" if month else NONE,
        "$ an hour": dollars(option.usd_per_hour),
        "USD/month": f"{month.usd:,.0f}" if month else NONE,
        "$ per 1M tokens": dollars(month.usd_per_million_tokens) if month else NONE,
        "busy": f"{month.utilisation:.1%}" if month else NONE,
    }


def _basis(option: HostingOption) -> str:
    if not option.works:
        return option.why_not()
    return "extrapolated, no measurement" if option.extrapolated else "from measurements"


def api_table(study: BreakEvenStudy) -> ReportTable:
    """Every model of the price book, cheapest first."""
    import pandas as pd

    shown = [
        {
            "model": line.model,
            "a message": each_text(line.usd_per_message),
            "USD/month": dollars(line.usd_per_month),
            "price of": line.price_as_of or NONE,
            "discount": f"{line.discount:.0%}" if line.discount else NONE,
            "ends": line.shutdown_date or NONE,
            "note": line.note or NONE,
        }
        for line in study.lines
    ]
    return ReportTable(study.lines.to_pandas(), pd.DataFrame(shown), ("a message", "USD/month", "discount"))


def price_table(question: Question) -> ReportTable:
    """Where each GPU price comes from, and how old it is."""
    import pandas as pd

    from llmbench.catalog.gpu_offers import age_days

    rows = [
        {
            "gpu": offer.gpu,
            "n_gpu": offer.n_gpu,
            "offer": offer.name,
            "on_demand": offer.usd_per_hour,
            "spot": offer.spot_usd_per_hour,
            "reserved": offer.reserved_usd_per_hour,
            "price_of": offer.as_of,
            "days_old": age_days(offer.as_of, question.today),
            "source": offer.source,
        }
        for offer in sorted(question.offers, key=lambda each: (each.gpu, each.n_gpu))
    ]
    frame = pd.DataFrame(rows)
    shown = frame.copy()
    for name in ("on_demand", "spot", "reserved"):
        shown[name] = [NONE if pd.isna(value) else dollars(value) for value in frame[name]]
    shown.columns = [
        "GPU",
        "GPUs",
        "offer",
        "$/h on demand",
        "$/h spot",
        "$/h reserved",
        "price of",
        "days old",
        "source",
    ]
    return ReportTable(frame, shown, ("$/h on demand", "$/h spot", "$/h reserved"))
