"""The notebook `break_even` around its tables: ways to buy, and what result.json is told."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmbench.catalog import price_book
from llmbench.catalog.gpu_offers import Purchase
from llmbench.economics import ClaimAudit, HostingOption, api_lines
from llmbench.economics.api_lines import NO_BATCH_PRICE
from llmbench.economics.options import hosting_options
from llmbench.economics.scenarios import Scenario, scenarios
from llmbench.errors import UsageError
from llmbench.reporting.break_even_inputs import Question, input_files
from llmbench.reporting.break_even_validation import validation_data
from llmbench.reporting.break_even_words import verdict
from llmbench.results import Spend

if TYPE_CHECKING:
    from llmbench.economics.validation import Validation

__all__ = ["envelope_fields", "ways"]


def ways(question: Question) -> list[Scenario]:
    """The workload bought in every way, cheapest first."""
    study = question.study
    asked = [option for option in study.options if option.model == study.model]
    bought: dict[str, list[HostingOption]] = {}
    kinds: tuple[Purchase, ...] = ("on-demand", "reserved", "spot")
    for purchase in kinds:
        sold = {offer.gpu for offer in question.offers if offer.price(purchase) is not None}
        gpus = [gpu for gpu in dict.fromkeys(option.gpu for option in asked) if gpu in sold]
        if not gpus:
            continue  # nobody offers one of these GPUs so
        try:
            bought[purchase] = hosting_options(
                [study.model],
                study.load,
                question.offers,
                gpus=gpus,
                dtypes=list(dict.fromkeys(option.dtype for option in asked)),
                engine=asked[0].engine,
                objective=question.objective,
                purchase=purchase,
                calibrations=question.calibrations,
            )
        except UsageError:
            continue  # not in one machine of any size
    return scenarios(study, bought, _batch_price(question))


def _batch_price(question: Question) -> float | None:
    """What the baseline takes in batches; None where it has no such price."""
    study = question.study
    waiting = replace(study.load, batch_share=1.0)
    book = study.lines.price_book
    line = api_lines(waiting, [study.baseline], price_book=book)[study.baseline]
    return None if NO_BATCH_PRICE in line.note else line.usd_per_message


def envelope_fields(
    question: Question, audit: ClaimAudit, validation: Validation, root: Path
) -> dict[str, Any]:
    """What `Report.finish` is told."""
    study = question.study
    option = study.best[0]
    return {
        "verdict": verdict(question),
        "data": {
            "claims": _claims(audit),
            **study.data(),
            "validation": validation_data(validation),
            **_workload(question),
        },
        "workload_sha256": hashlib.sha256(
            json.dumps(asdict(study.load), sort_keys=True).encode()
        ).hexdigest(),
        "baseline": study.baseline,
        "candidate": option.name,
        "price_book": study.lines.price_book,
        # The prices are its data: it is as old as they are.
        "data_until": price_book(study.lines.price_book).as_of,
        "seed": study.seed,
        "spend": Spend(0.0, 0.0),
        "inputs": input_files(question, root),
    }


def _claims(audit: ClaimAudit) -> list[dict[str, Any]]:
    return [
        {
            "id": row.id,
            "claim": row.claim,
            "claimed": row.claimed,
            "derived": row.derived,
            "unit": row.unit,
            "verdict": row.verdict,
            "derivation": row.derivation,
            "detail": dict(row.detail),
            "implied": row.implied,
        }
        for row in audit
    ]


def _workload(question: Question) -> Mapping[str, Any]:
    load = question.study.load
    return {
        "workload": {
            "messages_per_month": load.messages_per_month,
            "input_tokens": load.input_tokens,
            "output_tokens": load.output_tokens,
            "peak_to_mean": load.peak_to_mean,
            "batch_share": load.batch_share,
            "from_log": question.measured is not None,
        }
    }
