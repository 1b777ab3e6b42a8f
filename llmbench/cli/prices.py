"""`llmbench prices`."""

from __future__ import annotations

from datetime import UTC, datetime

import click

__all__ = ["prices"]


@click.group()
def prices() -> None:
    """What GPUs rent for, with dates."""


@prices.command()
@click.option("--seller", "sellers", multiple=True, help="Only these, such as aws or runpod; default: all.")
def refresh(sellers: tuple[str, ...]) -> None:
    """Fetch today's GPU prices (gpuhunt, the extra `prices`) into a dated snapshot of the project."""
    from llmbench.catalog.gpu_offers import write_snapshot
    from llmbench.catalog.gpuhunt_offers import SELLERS, fetch_offers
    from llmbench.config import load_config
    from llmbench.errors import UsageError

    unknown = [seller for seller in sellers if seller not in SELLERS]
    if unknown:
        raise UsageError(f"There is no seller {unknown[0]!r}; choose of {', '.join(SELLERS)}.")
    config, day = load_config(), datetime.now(UTC).date()
    offers = fetch_offers(day, sellers or SELLERS)
    path = write_snapshot(config.root, offers, day)
    click.echo(f"{len(offers)} offers of {len({o.gpu for o in offers})} GPUs in {config.relative(path)}.")
    missing = [seller for seller in sellers or SELLERS if seller not in {offer.seller for offer in offers}]
    if missing:
        click.echo(f"Nothing came from {', '.join(missing)}: no list, or none of the catalog's GPUs in it.")


@prices.command(name="list")
def list_offers() -> None:
    """The GPU prices at hand, with source and age."""
    from llmbench.catalog.gpu_offers import age_days, gpu_offers
    from llmbench.cli.tables import show
    from llmbench.config import load_config
    from llmbench.money import dollars
    from llmbench.plain_table import PlainTable

    today = datetime.now(UTC).date()
    rows = []
    for offer in sorted(gpu_offers(load_config().root), key=lambda each: (each.gpu, each.n_gpu, each.seller)):
        kinds = (offer.usd_per_hour, offer.spot_usd_per_hour, offer.reserved_usd_per_hour)
        amounts = ["" if price is None else dollars(price) for price in kinds]
        gpus = f"{offer.n_gpu}x {offer.gpu}"
        rows.append((gpus, offer.name, offer.as_of, str(age_days(offer.as_of, today)), *amounts))
    head = ("GPUs", "offer", "price of", "days old", "on demand", "spot", "reserved")
    show(PlainTable(head, rows, texts=3))
    click.echo("USD an hour for all GPUs of the machine. `llmbench prices refresh` fetches today's.")
