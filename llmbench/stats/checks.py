"""What every estimator asks of its input; each refusal is a UsageError that names the parameter."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeGuard

import numpy as np

from llmbench.errors import UsageError
from llmbench.numbers import is_finite

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "NO_SPREAD",
    "check_choice",
    "check_concentration",
    "check_confidence",
    "check_count",
    "check_number",
    "check_open_unit",
    "check_positive",
    "check_same_items",
    "check_sides",
    "check_value_range",
    "cluster_codes",
    "finite_array",
    "label_list",
    "number_array",
    "paired_arrays",
]

_LARGEST = 1e60
"""Squares of larger numbers, times their counts, would not be numbers any more."""
_MOST_COUNTED = 2**53
_STRONGEST = 1e9
_LEAST_CONFIDENCE = 1e-9
NO_SPREAD = 1e-12
"""Below this share of the largest value a standard error is rounding noise, and counts as zero."""


def check_number(name: str, value: object) -> float:
    """`value` as float; raise unless it is a finite number, of at most 1e60 in size."""
    if not is_finite(value):
        raise UsageError(f"{name} must be a finite number, not {value!r}.")
    if abs(value) > _LARGEST:
        raise UsageError(f"{name} must not be beyond {_LARGEST:g}, not {value!r}.")
    return float(value)


def check_positive(name: str, value: object) -> float:
    """`value` as float; raise unless it is a number above 0, and not so small that its inverse is none."""
    number = check_number(name, value)
    if number <= 0:
        raise UsageError(f"{name} must be above 0, not {value!r}.")
    if number < 1 / _LARGEST:
        raise UsageError(f"{name} must be at least {1 / _LARGEST:g}, not {value!r}.")
    return number


def check_concentration(concentration: object, name: str = "concentration") -> float:
    """How many units a mixture is worth; raise unless it is above 0 and at most 1e9.

    With more of them the logarithms that the evidence is a difference of have no digits left for it.
    """
    number = check_positive(name, concentration)
    if number > _STRONGEST:
        raise UsageError(f"{name} must be at most {_STRONGEST:g}, not {concentration!r}.")
    return number


def check_open_unit(name: str, value: object) -> float:
    """`value` as float; raise unless it is a number strictly between 0 and 1."""
    number = check_number(name, value)
    if not 0 < number < 1:
        raise UsageError(f"{name} must lie strictly between 0 and 1, not {value!r}.")
    return number


def check_confidence(confidence: object) -> float:
    """`confidence` as float; raise unless it is a share such as .95."""
    number = check_number("confidence", confidence)
    if 1 < number < 100:
        raise UsageError(f"confidence is a share: write {number / 100:g}, not {confidence!r}.")
    if 0 < number < _LEAST_CONFIDENCE:
        raise UsageError(f"confidence must be at least {_LEAST_CONFIDENCE:g}, not {confidence!r}.")
    return check_open_unit("confidence", number)


def check_count(name: str, value: object, least: int = 0) -> int:
    """`value` as int; raise unless it is a whole number from `least` to 2**53, where floats still count."""
    number = check_number(name, value)
    if number != int(number):
        raise UsageError(f"{name} must be a whole number, not {value!r}.")
    if number < least:
        raise UsageError(f"{name} must be at least {least}, not {value!r}.")
    if number > _MOST_COUNTED:
        raise UsageError(f"{name} must be at most {_MOST_COUNTED}, not {value!r}.")
    return int(number)


def check_sides(sides: object) -> None:
    """Raise unless `sides` is 1 or 2."""
    if check_count("sides", sides) not in {1, 2}:
        raise UsageError(f"sides must be 1 or 2, not {sides!r}.")


def check_choice(name: str, value: str, allowed: Sequence[str]) -> None:
    """Raise unless `value` is one of `allowed`."""
    if value not in allowed:
        raise UsageError(f"{name} must be one of {', '.join(map(repr, allowed))}, not {value!r}.")


def check_value_range(value_range: object) -> None:
    """Raise unless `value_range` is None or an ascending pair of finite numbers."""
    if value_range is None:
        return
    if not isinstance(value_range, tuple | list) or len(value_range) != 2:
        raise UsageError(f"value_range must be None or a pair (low, high), not {value_range!r}.")
    low, high = (check_number("value_range", end) for end in value_range)
    if not low < high:
        raise UsageError(f"value_range must ascend, not {value_range!r}.")


def number_array(name: str, values: object, dimensions: Sequence[int] = (1,)) -> NDArray[np.float64]:
    """`values` as floats, by default a vector; missing ones (None, NaN, NA, masked) become NaN.

    Infinities, text, dates and other shapes are refused.
    """
    array: NDArray[np.float64] | None
    try:
        raw = np.asarray(values)
        if raw.dtype.kind == "O":
            array = np.array([math.nan if _is_missing(value) else _float(value) for value in raw.flat])
            array = array.reshape(raw.shape)
        else:
            array = raw.astype(float) if raw.dtype.kind in "biuf" else None
    except (OverflowError, TypeError, ValueError):
        array = None
    if array is None or (array.ndim == 0 and 0 not in dimensions):
        raise UsageError(f"{name} must be a list or array of numbers, without text, dates or other things.")
    if isinstance(values, np.ma.MaskedArray):
        array = np.where(np.ma.getmaskarray(values), math.nan, array)
    if array.ndim not in dimensions:
        raise UsageError(
            f"{name} must have {' or '.join(map(str, dimensions))} dimension(s), not {array.ndim}."
        )
    if np.isinf(array).any():
        raise UsageError(f"{name}{_place(np.isinf(array))} is infinite; every value must be finite.")
    if (large := np.abs(array) > _LARGEST).any():
        raise UsageError(f"{name}{_place(large)} is beyond {_LARGEST:g}; it cannot be counted with.")
    return array


def finite_array(name: str, values: object, dimensions: Sequence[int] = (1,)) -> NDArray[np.float64]:
    """`values` as floats, none of them missing.

    A missing value is refused rather than dropped: whoever drops it also has to report it.
    """
    array = number_array(name, values, dimensions)
    if np.isnan(array).any():
        raise UsageError(
            f"{name}{_place(np.isnan(array))} is missing (NaN); leave missing values out and report how many."
        )
    return array


def check_same_items(first_name: str, first: object, second_name: str, second: object) -> None:
    """Raise where the labels of two pandas columns show that their rows are different items.

    Columns are matched by position. Labels in another order, or that agree only in part, mean that
    different items would be matched; wholly different labels claim nothing.
    """
    first_index: Any = getattr(first, "index", None)
    second_index: Any = getattr(second, "index", None)
    if not (hasattr(first_index, "equals") and hasattr(second_index, "equals")):
        return
    if not first_index.equals(second_index) and len(first_index.intersection(second_index)) > 0:
        raise UsageError(
            f"The pandas labels of {first_name} and {second_name} differ in order or in part; "
            "align both to the same items first."
        )


def paired_arrays(
    first_name: str, first: object, second_name: str, second: object
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Two float vectors of one length, NaN where a value is missing. Raises UsageError."""
    check_same_items(first_name, first, second_name, second)
    one, two = number_array(first_name, first), number_array(second_name, second)
    if len(one) != len(two):
        raise UsageError(
            f"{first_name} has {len(one)} values and {second_name} has {len(two)}; both need one per item."
        )
    return one, two


def label_list(name: str, labels: object) -> list[Hashable]:
    """`labels` as a list. Raises UsageError, also where one is missing."""
    if not _is_column(labels):
        raise UsageError(f"{name} must be a list of one label per item.")
    found: list[Hashable] = []
    for place, label in enumerate(labels):
        if _is_missing(label):
            raise UsageError(
                f"{name}[{place}] is missing; leave items without a label out and report how many."
            )
        if not isinstance(label, Hashable):
            raise UsageError(f"{name}[{place}] must be a label such as a string or a number.")
        found.append(label)
    return found


def cluster_codes(
    clusters: Iterable[Hashable] | None, name: str, values: object, n: int
) -> NDArray[np.intp] | None:
    """Labels of the `n` items of the parameter `name` as numbers 0, 1, ... in order of first appearance;
    None where there are none. Raises UsageError, also for a missing label or too few of them.
    """
    if clusters is None:
        return None
    if not _is_column(clusters):
        raise UsageError("clusters must be None or a list of one label per item.")
    check_same_items(name, values, "clusters", clusters)
    numbers_of: dict[Hashable, int] = {}
    codes: list[int] = []
    for place, label in enumerate(clusters):
        # A missing label would be a cluster of its own, or, worse, one large cluster.
        if _is_missing(label):
            raise UsageError(f"clusters[{place}] is missing; every item needs a cluster.")
        try:
            codes.append(numbers_of.setdefault(label, len(numbers_of)))
        except TypeError:
            raise UsageError(f"clusters[{place}] must be a label such as a string or a number.") from None
    if len(codes) != n:
        raise UsageError(f"clusters has {len(codes)} labels for the {n} values of {name}; it needs one each.")
    return np.array(codes, dtype=np.intp)


def _is_column(labels: object) -> TypeGuard[Iterable[Any]]:
    # An array of no dimension says that it can be iterated over, and cannot.
    return (
        isinstance(labels, Iterable)
        and not isinstance(labels, str | bytes)
        and getattr(labels, "shape", None) != ()
    )


def _is_missing(value: Any) -> bool:
    # Missing values of numpy and pandas differ from themselves, or cannot be compared at all.
    return value is None or type(value).__name__ in {"NAType", "NaTType"} or bool(value != value)


def _float(value: Any) -> float:
    if isinstance(value, str | bytes):
        raise TypeError
    return float(value)


def _place(found: NDArray[np.bool_]) -> str:
    return "".join(f"[{position}]" for position in np.argwhere(found)[0])
