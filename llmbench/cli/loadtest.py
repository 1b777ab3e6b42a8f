"""`llmbench loadtest`: how much traffic an endpoint stands."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from llmbench.cli.pictures import write_png
from llmbench.errors import UsageError
from llmbench.whole_file import write_whole

if TYPE_CHECKING:
    from llmbench.loadtest.results import LoadTest
    from llmbench.loadtest.sweep import Progress
    from llmbench.providers.base import BaseLLMProvider

__all__ = ["loadtest"]

_CLEAR = "\r\x1b[K"


@click.command()
@click.argument("endpoint_model", metavar="ENDPOINT/MODEL")
@click.option(
    "--rates", metavar="R,R,...", help="Requests a second, as in 0.5,1,2,4. [default: searched for]"
)
@click.option("--seconds", type=float, default=30.0, show_default=True, help="Of each rate.")
@click.option("--input-tokens", type=int, default=200, show_default=True, help="Of one prompt.")
@click.option("--output-tokens", type=int, default=50, show_default=True, help="At most, of one answer.")
@click.option("--shared-prefix-tokens", type=int, default=0, help="Of the input, common to all prompts.")
@click.option(
    "--prompts",
    "prompt_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="A file with a prompt a line, or JSON lines with `prompt`, sent in turn.",
)
@click.option("--ttft-ms", type=float, default=2000.0, show_default=True, help="Objective of TTFT p95.")
@click.option("--tpot-ms", type=float, default=100.0, show_default=True, help="Objective of TPOT p95.")
@click.option("--usd-per-hour", type=float, help="Of the machine. [default: the endpoint's]")
@click.option("--budget-usd", type=float, help="Needed where calls cost money; their worst case is held.")
@click.option("--seed", type=int, default=20250123, show_default=True)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write all figures to this .json, with a .png, .svg and .csv beside it.",
)
def loadtest(
    endpoint_model: str,
    rates: str | None,
    seconds: float,
    input_tokens: int,
    output_tokens: int,
    shared_prefix_tokens: int,
    prompt_file: Path | None,
    ttft_ms: float,
    tpot_ms: float,
    usd_per_hour: float | None,
    budget_usd: float | None,
    seed: int,
    out: Path | None,
) -> None:
    """Send requests at random moments, faster and faster, and find what is still carried in time.

    Requests do not wait for one another (Poisson arrivals), and times run from the moment at which a
    request was due. Ctrl-C ends it with what was measured so far.

    \b
    llmbench loadtest local/smollm2-135m --rates 0.5,1,2 --usd-per-hour 0.10 --out load.json
    """  # noqa: D301 - click wants the character itself
    from llmbench.cli.tables import show
    from llmbench.loadtest import LoadPlan, Objective, load_test, read_prompts
    from llmbench.providers.registry import split_model_id

    endpoint, model = split_model_id(endpoint_model)
    if out is not None and out.suffix != ".json":
        raise UsageError(f"--out must end in .json; it is {out.name!r}.")
    plan = LoadPlan(
        rates=None if rates is None else _rates(rates),
        seconds=seconds,
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        objective=Objective(ttft_ms, tpot_ms),
        shared_prefix_tokens=shared_prefix_tokens,
        prompts=None if prompt_file is None else tuple(read_prompts(prompt_file)),
        seed=seed,
    )
    found = load_test(
        _open(endpoint),
        model,
        plan,
        usd_per_hour=usd_per_hour,
        budget_usd=budget_usd,
        on_progress=_Live(),
    )
    click.echo(f"{found}")
    if found.results:
        show(found.table(), dispensable=("latency p50 ms", "failed", "answered/s"), whole="--out")
    for note in found.notes():
        click.echo(note)
    if out is not None and found.results:
        _write(found, out)


def _open(endpoint: str) -> BaseLLMProvider:
    """The endpoint, recording to the project's ledger as all calls do."""
    from llmbench.config import load_config
    from llmbench.ledger import Ledger
    from llmbench.providers.registry import open_endpoint

    return open_endpoint(endpoint, config=load_config(), recorder=Ledger())


def _rates(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise UsageError(f"--rates are numbers with commas between, as in 0.5,1,2; not {text!r}.") from None


class _Live:
    """One line that changes on a terminal, one line a rate elsewhere; on stderr, beside the result."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()

    def __call__(self, seen: Progress) -> None:
        if seen.result is not None:
            ttft = seen.result.ttft.p50
            wait = "no answer" if ttft is None else f"TTFT p50 {ttft:,.0f} ms"
            self._line(
                f"{seen.rate:g} requests/s: {seen.completed} of {seen.sent} answered, {seen.failed} failed, "
                f"{wait}\n"
            )
        elif self._terminal:
            self._line(
                f"{seen.rate:g} requests/s: {seen.elapsed_s:.0f} of {seen.seconds:.0f} s, "
                f"{seen.sent} sent, {seen.completed} answered, {seen.failed} failed"
            )

    def _line(self, text: str) -> None:
        click.echo(f"{_CLEAR if self._terminal else ''}{text}", err=True, nl=False)


def _write(found: LoadTest, out: Path) -> None:
    from llmbench.reporting.figures import figure_svg
    from llmbench.reporting.loadtest_charts import load_figure
    from llmbench.spreadsheet import frame_csv

    found.write(out)
    plot = load_figure(found)
    write_whole(out.with_suffix(".csv"), frame_csv(plot.frame))
    write_whole(out.with_suffix(".svg"), figure_svg(plot.figure))
    write_png(plot.figure, out.with_suffix(".png"))
    click.echo(f"{out}, with {out.stem}.png, .svg and .csv beside it: {plot.caption}")
