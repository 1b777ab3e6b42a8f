"""How a LoRA adapter is trained on one's own machine: the options of a local fine-tuning job."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, get_args

from llmbench.errors import UsageError

__all__ = ["FileType", "LocalRecipe"]

FileType = Literal["q8_0", "f16", "f32", "none"]
"""The .gguf that a finished job leaves: its numbers, or none at all."""
_PRECISIONS = ("auto", "float32", "bfloat16")


@dataclass(frozen=True, slots=True)
class LocalRecipe:
    """The settings of a job, each with the default that the committed experiment was made with.

    >>> LocalRecipe.of({"n_epochs": 2}).n_epochs
    2
    >>> LocalRecipe.of({"n_epochs": 0})
    Traceback (most recent call last):
        ...
    llmbench.errors.UsageError: n_epochs must be a whole number of at least 1; it is 0.
    """

    n_epochs: int = 3
    batch_size: int = 8
    """Conversations in one step."""
    learning_rate: float = 1e-3
    """At its highest: it rises over the first `warmup_ratio` of the steps, and falls linearly to 0."""
    warmup_ratio: float = 0.1
    weight_decay: float = 0.0
    max_grad_norm: float = 1.0
    lora_r: int = 8
    lora_alpha: float | None = None
    """None: twice `lora_r`."""
    lora_dropout: float = 0.0
    max_seq_length: int = 1024
    """Tokens of the longest conversation; a longer one is refused, never cut."""
    checkpoint_every: int = 20
    """Steps between two checkpoints; the validation loss is taken at the same steps."""
    seed: int = 20250123
    """Of the adapter's first values, the order of the conversations and the dropout."""
    threads: int | None = None
    """None: chosen for the machine."""
    precision: str = "auto"
    """bfloat16 multiplies in bfloat16 and keeps all weights in float32; auto does so where the processor
    can, for it is then about twice as fast."""
    convert: FileType | None = None
    """None: q8_0 where the base model is of a kind that can be written as .gguf, else none."""

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> LocalRecipe:
        """Check the options of `fine_tune`. Raises UsageError naming the option."""
        recipe = cls(**options)
        for name in ("n_epochs", "batch_size", "lora_r", "max_seq_length", "checkpoint_every", "threads"):
            value = getattr(recipe, name)
            whole = isinstance(value, int) and not isinstance(value, bool) and value >= 1
            if not whole and (value is not None or name != "threads"):
                raise UsageError(f"{name} must be a whole number of at least 1; it is {value!r}.")
        seed: Any = recipe.seed
        if not isinstance(seed, int) or isinstance(seed, bool) or seed < 0:
            raise UsageError(f"seed must be a whole number of at least 0; it is {seed!r}.")
        for name in ("learning_rate", "max_grad_norm", "lora_alpha"):
            value = getattr(recipe, name)
            if value is not None and not (_is_number(value) and value > 0):
                raise UsageError(f"{name} must be a number above 0; it is {value!r}.")
        for name in ("warmup_ratio", "weight_decay", "lora_dropout"):
            value = getattr(recipe, name)
            if not (_is_number(value) and 0 <= value < 1):
                raise UsageError(f"{name} must be at least 0 and below 1; it is {value!r}.")
        if recipe.precision not in _PRECISIONS:
            raise UsageError(
                f"precision must be one of {', '.join(_PRECISIONS)}; it is {recipe.precision!r}."
            )
        kinds = get_args(FileType)
        if recipe.convert is not None and recipe.convert not in kinds:
            raise UsageError(f"convert must be one of {', '.join(kinds)}; it is {recipe.convert!r}.")
        return recipe

    @classmethod
    def options(cls) -> frozenset[str]:
        """The names of all options but the seed, which every vendor takes."""
        return frozenset(field.name for field in fields(cls)) - {"seed"}

    @property
    def alpha(self) -> float:
        """`lora_alpha`, or its default."""
        return 2.0 * self.lora_r if self.lora_alpha is None else self.lora_alpha

    def as_dict(self) -> dict[str, Any]:
        """All settings, for a JSON file."""
        return asdict(self)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
