"""What a router has to beat: random choice, prompt length, category, an all-knowing one, and fixed rules."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from llmbench.errors import UsageError
from llmbench.routing.features import features_of
from llmbench.routing.table import RoutingTable, routing_table
from llmbench.stats.checks import check_count, cluster_codes, label_list, paired_arrays

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import ArrayLike, NDArray

    from llmbench.routing.two_models import TwoModels

__all__ = ["baselines", "category_scores", "length_scores", "oracle_scores", "random_spread", "rule_scores"]


def oracle_scores(weak: ArrayLike, strong: ArrayLike) -> NDArray[np.float64]:
    """What the strong model would gain on each prompt (n), which no router can know; 0 where missing."""
    one, two = paired_arrays("weak", weak, "strong", strong)
    return np.nan_to_num(two - one, nan=0.0)


def length_scores(prompts: Sequence[Any]) -> NDArray[np.float64]:
    """Characters of each prompt (n): of a text, or of all that the user wrote in a list of messages.

    >>> length_scores(["Hi", [{"role": "user", "content": "Why?"}]])
    array([2., 4.])
    """
    return np.array([features_of(_messages(each), None).characters for each in prompts], dtype=float)


def category_scores(
    categories: Sequence[Hashable],
    weak: ArrayLike,
    strong: ArrayLike,
    *,
    clusters: Sequence[Hashable] | None = None,
    folds: int = 2,
    seed: int = 20250123,
) -> NDArray[np.float64]:
    """Mean gain of each prompt's category (n), learned from the other folds only.

    Whole clusters are dealt into folds. A category that the other folds have not seen gets their mean
    gain over all. Prompts with a missing quality are scored, and teach nothing. Raises UsageError.

    >>> category_scores(["a", "a", "b", "b"], [0, 0, 1, 1], [1, 1, 1, 1], folds=2, seed=1)
    array([1., 1., 0., 0.])
    """
    check_count("folds", folds, least=2)
    labels = label_list("categories", categories)
    one, two = paired_arrays("weak", weak, "strong", strong)
    if len(labels) != len(one):
        raise UsageError(f"categories has {len(labels)} labels for {len(one)} prompts; it needs one each.")
    codes = cluster_codes(clusters, "weak", weak, len(one))
    units = np.arange(len(one)) if codes is None else codes
    dealt = np.random.default_rng(seed).permutation(int(units.max(initial=-1)) + 1) % folds
    fold = dealt[units]
    numbers: dict[Hashable, int] = {}
    kind = np.array([numbers.setdefault(label, len(numbers)) for label in labels], dtype=np.intp)
    gain, known = two - one, ~np.isnan(two - one)
    kinds = len(numbers)
    scores = np.zeros(len(one))
    for part in range(folds):
        learn = known & (fold != part)
        overall = float(gain[learn].mean()) if learn.any() else 0.0
        counts = np.bincount(kind[learn], minlength=kinds)
        sums = np.bincount(kind[learn], weights=gain[learn], minlength=kinds)
        means = np.where(counts > 0, sums / np.maximum(counts, 1), overall)
        scores[fold == part] = means[kind[fold == part]]
    return scores


def rule_scores(
    prompts: Sequence[Any],
    routes: str | Path | Mapping[str, Any] | RoutingTable = "document",
    task_types: Sequence[str | None] | None = None,
) -> NDArray[np.float64]:
    """1 where the rules of a routing table want their best model for a prompt, else 0 (n values).

    A table names models of its own. Of those that its rules put first, the best by the table's order
    of quality stands for the strong model, all others for the weak one: of the document's rules,
    gpt-4o. A prompt is a text, or a list of messages. Raises UsageError.

    >>> rule_scores(["Is 7 prime?", "Summarise: " + "word " * 300])
    array([0., 1.])
    >>> rule_scores(["Is 7 prime?"], task_types=["complex"])
    array([1.])
    """
    table = routing_table(routes)
    firsts = dict.fromkeys(part[0] for rule in table.rules for part in rule.parts)
    best = next((model for model in table.quality if model in firsts), None)
    if best is None:
        raise UsageError(
            f"No rule of the routing table {table.name!r} prefers a model of its [order] quality, so that "
            "its strong model is not known; add one there."
        )
    hints = [None] * len(prompts) if task_types is None else list(task_types)
    if len(hints) != len(prompts):
        raise UsageError(f"task_types has {len(hints)} hints for {len(prompts)} prompts; it needs one each.")
    found = []
    for prompt, hint in zip(prompts, hints, strict=True):
        messages = _messages(prompt)
        choice = table.choose(features_of(messages, hint), str(messages[-1]["content"]))
        found.append(float(choice.models[0] == best))
    return np.array(found)


def random_spread(weak: ArrayLike, strong: ArrayLike) -> float:
    """Standard deviation of the APGR of one router that chooses at random; its mean is 0.5.

    Over the permutations of n prompts without ties, with gain g = strong - weak:
    sqrt(Σ(g - mean)² · Σ(u - mean)² / (n - 1)) / (n · mean g), where u = 1 - (rank - 1/2)/n and so
    Σ(u - mean)² = (n² - 1)/(12n). NaN of fewer than two prompts or without a gap.

    >>> print(f"{random_spread([0] * 10, [0, 1] * 5):.4f}")
    0.0957
    """
    one, two = paired_arrays("weak", weak, "strong", strong)
    gain = two - one
    gain = gain[~np.isnan(gain)]
    n = len(gain)
    if n < 2 or gain.mean() <= 0:
        return math.nan
    squares = float(np.sum((gain - gain.mean()) ** 2)) * (n * n - 1) / (12 * n)
    return math.sqrt(squares / (n - 1)) / (n * float(gain.mean()))


def baselines(
    sides: TwoModels,
    *,
    prompts: Sequence[Any] | None,
    categories: Sequence[Hashable] | None,
    task_types: Sequence[str | None] | None,
    routes: str | Path | Mapping[str, Any] | RoutingTable,
    seed: int,
) -> tuple[dict[str, NDArray[np.float64]], tuple[str, ...], list[str]]:
    """Scores of all prompts given by name; which of them are rules; what could not be made and why."""
    total = len(sides.kept)
    scores = {"random": np.zeros(total), "oracle": _spread(oracle_scores(sides.weak, sides.strong), sides)}
    rules: tuple[str, ...] = ()
    notes = []
    if prompts is None:
        notes.append("No prompts are given: prompt length and SMART rules are not shown beside it.")
    else:
        _one_each("prompts", prompts, total)
        scores["prompt length"] = length_scores(prompts)
        table = routing_table(routes)
        rules = (f"SMART rules ({table.name})",)
        scores[rules[0]] = rule_scores(prompts, table, task_types)
    if categories is None:
        notes.append("No categories are given: the category baseline is not shown beside it.")
    else:
        _one_each("categories", categories, total)
        labels = [label for label, kept in zip(categories, sides.kept, strict=True) if kept]
        clusters = None if sides.codes is None else sides.codes.tolist()
        found = category_scores(labels, sides.weak, sides.strong, clusters=clusters, seed=seed)
        scores["category"] = _spread(found, sides)
    return scores, rules, notes


def _spread(values: NDArray[np.float64], sides: TwoModels) -> NDArray[np.float64]:
    """Values of the prompts kept, at their places among all."""
    found = np.zeros(len(sides.kept))
    found[sides.kept] = values
    return found


def _one_each(name: str, values: Sequence[Any], n: int) -> None:
    if isinstance(values, str | bytes) or not hasattr(values, "__len__"):
        raise UsageError(f"{name} must be a list of one per prompt.")
    if len(values) != n:
        raise UsageError(f"{name} has {len(values)} values for {n} prompts; it needs one each.")


def _messages(prompt: Any) -> Any:
    return [{"role": "user", "content": prompt}] if isinstance(prompt, str) else prompt
