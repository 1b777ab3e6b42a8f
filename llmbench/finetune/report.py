"""What `finetune.check` found, as text, as HTML and as tables."""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmbench.errors import DatasetError, UsageError
from llmbench.finetune.costs import TrainingCost
from llmbench.finetune.findings import Finding, Severity
from llmbench.finetune.lengths import Lengths, LengthSummary
from llmbench.money import dollars
from llmbench.plain_table import PlainTable, count_text
from llmbench.shown import shown
from llmbench.unknown import NONE, UNKNOWN

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["TokenTotals", "TrainingReport"]

_SHOWN = 20
_TABLES = ("findings", "examples", "costs")


@dataclass(frozen=True, slots=True)
class TokenTotals:
    """The tokens of all examples, once."""

    model: str
    """Whose tokens they are."""
    tokens: int
    low: int
    high: int
    learned: int
    """Those that the model is trained to write."""
    exact: bool
    tokenizer: str
    note: str
    cut: int = 0
    """Tokens beyond the longest example that the vendor trains: neither learned nor charged."""


@shown
@dataclass(frozen=True, slots=True)
class TrainingReport:
    """A training file, examined. It shows itself, and turns into tables by `to_pandas`."""

    path: Path
    sha256: str
    size: int
    """Bytes."""
    vendor: str | None
    """For whom it was checked; None: for all that llmbench trains at."""
    base_model: str | None
    form: str | None
    """chat, completion or text; None where no line could be read."""
    examples: int
    """Lines that are not blank, good or bad."""
    findings: tuple[Finding, ...]
    """By line, the first of each kind (see `keep`)."""
    counts: Mapping[tuple[Severity, str], int]
    """How many findings there are of each kind, all of them."""
    refused: Mapping[str, int]
    """By vendor, how many lines it would not take."""
    tokens: TokenTotals | None
    lengths: LengthSummary | None
    costs: tuple[TrainingCost, ...]
    notes: tuple[str, ...]
    """What was assumed, or not looked at."""
    by_example: Lengths = field(repr=False, compare=False, default_factory=Lengths)

    @property
    def errors(self) -> int:
        """How many errors there are."""
        return sum(count for (severity, _), count in self.counts.items() if severity == "error")

    @property
    def warnings(self) -> int:
        """How many warnings there are."""
        return sum(count for (severity, _), count in self.counts.items() if severity == "warning")

    @property
    def ok(self) -> bool:
        """Whether nothing is an error; warnings may be left."""
        return not self.errors

    def count(self, code: str) -> int:
        """How many findings have this code, whatever their severity."""
        return sum(count for (_, each), count in self.counts.items() if each == code)

    def refuse_if_bad(self) -> None:
        """Raise DatasetError naming up to 20 lines, unless `ok`."""
        if self.ok:
            return
        bad = [finding for finding in self.findings if finding.severity == "error"][:_SHOWN]
        more = self.errors - len(bad)
        raise DatasetError(
            "\n".join(
                [f"{self.path.name} has {self.errors:,} errors:", *(f.sentence(self.path.name) for f in bad)]
                + ([f"... and {more:,} more."] if more else [])
            )
        )

    def to_pandas(self, table: str = "findings") -> pd.DataFrame:
        """One of the tables "findings", "examples" (line, tokens, learned) and "costs"."""
        import pandas as pd

        if table == "findings":
            return pd.DataFrame(self.findings, columns=list(Finding._fields)).astype({"line": "Int64"})
        if table == "examples":
            kept = self.by_example
            columns = {"line": kept.lines, "tokens": kept.tokens, "learned": kept.learned}
            return pd.DataFrame({name: pd.Series(values, dtype="int64") for name, values in columns.items()})
        if table == "costs":
            kinds = dict.fromkeys(("usd", "usd_low", "usd_high"), "float64")
            kinds |= dict.fromkeys(("epochs", "trained_tokens"), "Int64")
            return pd.DataFrame(self.costs, columns=list(TrainingCost._fields)).astype(kinds)
        raise UsageError(f"table is {table!r} and must be one of {', '.join(_TABLES)}.")

    def text(self) -> str:
        """The report in plain lines."""
        lines = [self._headline(), *self._facts()]
        lines += [f"  {finding.severity}: {finding.sentence(self.path.name)}" for finding in self._shown()]
        lines += [f"  ... and {self._hidden():,} more"] if self._hidden() else []
        lines += [f"  {' | '.join(row)}" for row in self._cost_rows()]
        lines += [f"  {note}" for note in self.notes]
        return "\n".join(lines)

    def __str__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        found = PlainTable(
            ("line", "severity", "kind", "what"),
            [(str(f.line or NONE), f.severity, f.code, f"{f.message}.") for f in self._shown()],
            texts=4,
        )
        money = PlainTable(
            ("vendor", "model", "method", "epochs", "trained tokens", "USD", "as of"),
            self._cost_rows(),
            texts=3,
        )
        parts = [f"<p><b>{html.escape(self._headline())}</b></p>"]
        parts += [f"<p>{html.escape(fact)}</p>" for fact in self._facts()]
        parts += [found.html()] if self.findings else []
        parts += [f"<p>… and {self._hidden():,} more.</p>"] if self._hidden() else []
        parts += [money.html()] if self.costs else []
        parts += [f"<p>{html.escape(note)}</p>" for note in self.notes]
        return "".join(parts)

    def _headline(self) -> str:
        verdict = "can be sent" if self.ok else "must be corrected"
        return (
            f"{self.path.name}: {self.examples:,} examples, {self.errors:,} errors, {self.warnings:,} "
            f"warnings; it {verdict}"
        )

    def _facts(self) -> list[str]:
        found = []
        kinds = sorted(self.counts.items(), key=lambda kind: (kind[0][0], -kind[1], kind[0][1]))
        if kinds:
            found.append(", ".join(f"{code} {count:,}" for (_, code), count in kinds))
        refused = [f"{vendor} {count:,}" for vendor, count in self.refused.items()]
        found.append(f"form {self.form or UNKNOWN}; lines not taken: {', '.join(refused)}")
        if self.tokens is not None and self.lengths is not None:
            known, lengths = self.tokens, self.lengths
            span = "" if known.exact else f" (near: {known.low:,} to {known.high:,})"
            found.append(
                f"{known.tokens:,} tokens of {known.model}{span}, {known.learned:,} of them learned; an "
                f"example has {lengths.median:,} (median), {lengths.p99:,} (99th percentile), at most "
                f"{lengths.longest:,} (line {lengths.longest_line:,})"
            )
        return found

    def _shown(self) -> list[Finding]:
        in_order = sorted(self.findings, key=lambda finding: finding.severity != "error")
        return in_order[:_SHOWN]

    def _hidden(self) -> int:
        return self.errors + self.warnings - len(self._shown())

    def _cost_rows(self) -> list[tuple[str, ...]]:
        return [
            (
                cost.vendor, cost.model, cost.method or NONE, count_text(cost.epochs),
                count_text(cost.trained_tokens), _money(cost), cost.as_of,
            )
            for cost in self.costs
        ]  # fmt: skip

    def summary(self) -> dict[str, Any]:
        """The figures as plain JSON: for a manifest, or a result."""
        return {
            "file": self.path.name,
            "sha256": self.sha256,
            "examples": self.examples,
            "form": self.form,
            "errors": self.errors,
            "warnings": self.warnings,
            "counts": {code: self.count(code) for _, code in sorted(self.counts)},
            "tokens": None if self.tokens is None else self.tokens.tokens,
            "costs": [cost._asdict() for cost in self.costs],
        }


def _money(cost: TrainingCost) -> str:
    if cost.usd is None or cost.usd_low is None or cost.usd_high is None:
        return f"{UNKNOWN} ({cost.note})"
    if cost.usd_low == cost.usd_high:
        return dollars(cost.usd)
    return f"{dollars(cost.usd)} ({dollars(cost.usd_low)} to {dollars(cost.usd_high)})"
