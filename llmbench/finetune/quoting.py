"""What a job will cost, before anything is sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from llmbench.catalog.training_prices import TrainingPrice, training_price
from llmbench.errors import BudgetExceededError
from llmbench.finetune.backend import JobOrder, TuningBackend
from llmbench.finetune.trained_tokens import FileTokens, count_file_tokens
from llmbench.money import dollars
from llmbench.shown import shown

__all__ = ["TrainingQuote", "quote_order"]


@shown
@dataclass(frozen=True, slots=True)
class TrainingQuote:
    """A job's price in USD: trained tokens (those of the file times the epochs) times a dated price.

    `usd`, `usd_low` and `usd_high` are None where the price is not known; on one's own machine they are 0.0,
    and its hours are a line of their own.
    """

    place: str
    base_model: str
    method: str
    epochs: int
    examples: int
    tokens: int
    """Trained tokens, those of a validation file included where it is charged."""
    tokens_low: int
    tokens_high: int
    tokenizer: str
    token_note: str
    usd: float | None
    usd_low: float | None
    usd_high: float | None
    usd_per_million_tokens: float | None
    minimum_usd: float | None
    price_source: str | None
    price_date: str | None
    price_note: str | None = None
    """What must be known beside the price."""
    estimated_usd: float | None = None
    """The vendor's own, which takes the place of `usd`. It is None until the job is about to start, because a
    vendor estimates only a file that it has.
    """

    @property
    def most_usd(self) -> float | None:
        """What a budget must hold: the vendor's estimate, else the upper end of ours."""
        return self.usd_high if self.estimated_usd is None else self.estimated_usd

    def with_estimate(self, usd: float | None) -> TrainingQuote:
        """The quote with the vendor's own estimate."""
        return replace(self, estimated_usd=usd)

    def refuse_above(self, budget_usd: float, *, allow_unknown_price: bool = False) -> None:
        """Raise BudgetExceededError where the job might cost more than `budget_usd`, or an amount that nobody
        knows.
        """
        most = self.most_usd
        if most is None and not allow_unknown_price:
            raise BudgetExceededError(
                f"What {self.place} charges for training {self.base_model!r} is not known, so that no budget "
                "can hold it; no job was started. Look at the vendor's price list, and give "
                "allow_unknown_price=True if it may cost what it does."
            )
        if most is not None and most > budget_usd:
            raise BudgetExceededError(
                f"Training {self.base_model!r} at {self.place} may cost {dollars(most)} ({self._how()}), and "
                f"budget_usd is {dollars(budget_usd)}; no job was started. Raise the budget, or "
                "train on fewer examples or epochs."
            )

    def _how(self) -> str:
        if self.estimated_usd is not None:
            return "the vendor's own estimate"
        return f"{self.tokens_high:,} trained tokens at {self._rate()}"

    def _rate(self) -> str:
        least = ""
        if self.minimum_usd and self.usd == self.minimum_usd:
            least = f", the least that is charged being {dollars(self.minimum_usd)}"
        noted = f"; {self.price_note}" if self.price_note else ""
        return f"{dollars(self.usd_per_million_tokens)} per 1M as of {self.price_date}{least}{noted}"

    def __str__(self) -> str:
        count = f"{self.tokens:,}" if self.tokens_low == self.tokens_high else (
            f"{self.tokens:,} ({self.tokens_low:,} to {self.tokens_high:,})"
        )  # fmt: skip
        told = (
            f"{self.base_model} at {self.place}, {self.method}: {self.examples:,} examples x {self.epochs} "
            f"epochs = {count} trained tokens"
        )
        if self.estimated_usd is not None:
            return f"{told}, {dollars(self.estimated_usd)} by the vendor's own estimate"
        if self.usd is None:
            return f"{told}; the price is not known"
        if self.usd_per_million_tokens is None:
            return f"{told}, on a machine of your own: no price a token"
        return f"{told}, {dollars(self.usd)} (up to {dollars(self.usd_high)}) at {self._rate()}"

    @classmethod
    def from_dict(cls, row: Mapping[str, Any]) -> TrainingQuote:
        """What `to_dict` gave, of this version or another: what it lacks is None."""
        known: dict[str, Any] = {each.name: row.get(each.name) for each in fields(cls)}
        return cls(**known)

    def to_dict(self) -> dict[str, Any]:
        """Every field, as JSON has it."""
        return asdict(self)


def quote_order(backend: TuningBackend, order: JobOrder) -> TrainingQuote:
    """Count and price `order`; never the network."""
    training = count_file_tokens(order.training_file, order.base_model, place=backend.place)
    tokens = [order.epochs * count for count in (training.tokens, training.low, training.high)]
    looks = _charged_evaluations(backend, order)
    if order.validation_file is not None and looks:
        held_out = count_file_tokens(order.validation_file, order.base_model, place=backend.place)
        more = (held_out.tokens, held_out.low, held_out.high)
        tokens = [count + looks * each for count, each in zip(tokens, more, strict=True)]
    price = None if backend.self_hosted else training_price(backend.place, order.base_model, order.method)
    return _priced(backend, order, training, tokens, price)


def _charged_evaluations(backend: TuningBackend, order: JobOrder) -> int:
    """How often the validation file is read at a price: Together charges each evaluation, and makes none
    unless it is asked to (docs.together.ai/docs/fine-tuning/pricing).
    """
    asked = order.options.get("n_evals", 0)
    charged = backend.place == "together" and isinstance(asked, int) and not isinstance(asked, bool)
    return max(0, asked) if charged else 0


def _priced(
    backend: TuningBackend,
    order: JobOrder,
    training: FileTokens,
    tokens: list[int],
    price: TrainingPrice | None,
) -> TrainingQuote:
    usd: list[float | None] = [0.0 if backend.self_hosted else None] * 3
    if price is not None:
        usd = [price.usd(count) for count in tokens]
    return TrainingQuote(
        place=backend.place,
        base_model=order.base_model,
        method=order.method,
        epochs=order.epochs,
        examples=training.examples,
        tokens=tokens[0],
        tokens_low=tokens[1],
        tokens_high=tokens[2],
        tokenizer=training.tokenizer,
        token_note=training.note,
        usd=usd[0],
        usd_low=usd[1],
        usd_high=usd[2],
        usd_per_million_tokens=price.usd_per_million_tokens if price else None,
        minimum_usd=price.minimum_usd if price else None,
        price_source=price.source if price else None,
        price_date=price.date if price else None,
        price_note=price.note if price else None,
    )
