"""docs/benchmarks.md, made of results.json and of nothing else, and docs/scale.md, of scale.md beside this.

In scale.md, and in the reasons of missed aims, `{{part|case|subject|unit}}` stands for what was measured;
with `|minutes` at its end, for the minutes that a million takes at that many a second; with `|beyond|CASE`,
for how much it is more than in that case. `{{part|load before}}` is a fact of the part's machine, and
`{{part|rounds}}` the most rounds that a series of it has.
"""

from __future__ import annotations

import re
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

from aims import AIMS, Judged, judge
from findings import Part, Series

DOCS = Path(__file__).parents[1] / "docs"
TEMPLATE = Path(__file__).parent / "scale.md"
_INTRODUCTION = """# Benchmarks

Written by `make bench` from `benchmarks/results.json`; do not edit it. Each part runs in one go beside its
peers, every subject a process of its own, peers in environments of their own (`.bench/`), in interleaved
rounds. Where a ratio is given it is the median of those round by round: the machine is shared, and is not
the same for two minutes. So trust ratios first, CPU (user and system time of the subject's processes) next,
wall time last: a load above the number of cores stretches it, and the load average before each part is
printed with it. Differences below about 1.5 times are within what one subject moves between two rounds,
unless the ranges say otherwise.
"""


def pages(parts: Mapping[str, Part]) -> dict[Path, str]:
    """Every document that is made of the results, and its text."""
    return {DOCS / "benchmarks.md": page(parts), DOCS / "scale.md": scale(parts)}


def scale(parts: Mapping[str, Part], template: str | None = None) -> str:
    text = TEMPLATE.read_text(encoding="utf-8") if template is None else template
    return re.sub(r"\{\{(.+?)\}\}", lambda found: _measured(parts, found[1].split("|")), text)


def _measured(parts: Mapping[str, Part], where: Sequence[str]) -> str:
    name, case, *more = where
    if name not in parts:
        return "(not measured)"
    if not more:
        return _fact(parts[name], case)
    subject, unit, *how = more
    found = parts[name].find(case, subject, unit)
    less = parts[name].find(how[1], subject, unit) if len(how) > 1 else None
    if found is None or (less is None and len(how) > 1):
        return "(not measured)"
    values = list(found.rounds)
    if less is not None:
        values = [one - other for one, other in zip(values, less.rounds, strict=False)]
    elif how == ["minutes"]:
        values = [1e6 / value / 60 for value in values]
    if len(values) == 1:
        return f"{number(values[0])} (one run)"
    return _spread(statistics.median(values), values)


def _fact(part: Part, name: str) -> str:
    if name == "rounds":
        return str(max((len(each.rounds) for each in part.series), default=0))
    return part.machine.get(name, "(not measured)")


def _spread(middle: float, values: Sequence[float]) -> str:
    return f"{number(middle)} ({number(min(values))} to {number(max(values))})"


def page(parts: Mapping[str, Part]) -> str:
    judged = [judge(aim, parts) for aim in AIMS]
    blocks = [_INTRODUCTION, _aims(judged, parts), *(_part(part) for part in parts.values())]
    return "\n".join(blocks)


def _aims(judged: Sequence[Judged], parts: Mapping[str, Part]) -> str:
    rows = []
    for each in judged:
        word = {True: "met", False: "**missed**", None: "not measured"}[each.met]
        limit = f"{'at least' if each.aim.at_least else 'at most'} {number(each.aim.limit)}"
        if each.aim.ratio_to:
            limit += f" times {each.aim.ratio_to}"
        one = each.seen is None or min(each.values) == max(each.values)
        seen = "" if each.seen is None else number(each.seen) if one else _spread(each.seen, each.values)
        rows.append([each.aim.says, limit, seen, str(len(each.values) or ""), word])
    met = sum(each.met is True for each in judged)
    missed = [each for each in judged if each.met is False]
    unmeasured = sum(each.met is None for each in judged)
    told = f"{met} of {len(judged)} are met, {len(missed)} missed"
    told += f", {unmeasured} not measured.\n" if unmeasured else ".\n"
    told += (
        "Judged by the median of the rounds; what may never happen (a repeated call, an answer that is "
        "missing, a rate below which no round may fall) by the worst. Where the range reaches beyond the "
        "limit, an aim is met narrowly.\n"
    )
    lines = [
        "## The aims\n", told, table(["aim", "limit", "seen (least to most)", "rounds", "verdict"], rows),
    ]  # fmt: skip
    reasons = [f"- {each.aim.says}: {scale(parts, each.aim.reason)}" for each in missed if each.aim.reason]
    if reasons:
        lines += ["\nWhy those that are missed stay so:\n", *reasons]
    return "\n".join(lines) + "\n"


def _part(part: Part) -> str:
    facts = {**part.machine, **{f"version of {name}": found for name, found in part.versions.items()}}
    said = "; ".join(f"{name} {value}" for name, value in facts.items())
    lines = [f"## {part.title}\n", f"{part.how}\n"]
    if said:
        lines.append(f"{said}.\n")
    lines += [f"Left out: {name}, because {why}.\n" for name, why in part.skipped.items()]
    lines.append(series_table(part))
    return "\n".join(lines) + "\n"


def series_table(part: Part) -> str:
    """The one form of all tables."""
    head = [
        "case",
        "subject",
        "unit",
        "median",
        "least",
        "most",
        "rounds",
        "against",
        "ratio (least to most)",
    ]
    return table(head, [_row(part, each) for each in part.series])


def _row(part: Part, each: Series) -> list[str]:
    ratios = sorted(part.ratios(each))
    ratio = _spread(statistics.median(ratios), ratios) if ratios else ""
    low, high = min(each.rounds), max(each.rounds)
    against = (each.against or "") if ratios else ""
    return [
        each.case, each.subject, each.unit, number(each.median), number(low), number(high),
        str(len(each.rounds)), against, ratio,
    ]  # fmt: skip


def number(value: float) -> str:
    """Three digits, as a person would write them."""
    if value and abs(value) < 0.001:
        return f"{value:.1e}"
    if abs(value) >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.3g}"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])
