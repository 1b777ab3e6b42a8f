"""A calibrated router as a file: JSON, checked by its own sha256, that can execute nothing."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from llmbench.errors import ConfigError, UsageError
from llmbench.routing.calibrated import (
    CalibratedRouting,
    Certificate,
    Expected,
    GainFound,
    Provenance,
    Status,
)
from llmbench.routing.drift import DriftReference, WatchedNumber
from llmbench.routing.success_scorer import SuccessScorer
from llmbench.routing.text_features import FEATURES
from llmbench.whole_file import write_whole

__all__ = ["LARGEST_FILE", "SCHEMA", "load", "save"]

SCHEMA = "llmbench.calibrated-routing/1"
LARGEST_FILE = 16_000_000
"""Bytes. A file of 20,000 terms and ten models has five million."""
_MOST_BRACKETS = 10_000
"""Lists and objects of a true file are a few hundred; more would be memory without content."""
_MOST_MODELS = 100
_LARGEST_NUMBER = 1e12

Kind = TypeVar("Kind")


def save(routing: CalibratedRouting, path: str | Path) -> Path:
    """Write `routing`, whole or not at all. Raises UsageError where the file would be too large."""
    body = _body(routing)
    text = _canonical(body)
    data = json.dumps({"schema": SCHEMA, "sha256": _digest(text), "body": body}, allow_nan=False, indent=0)
    encoded = data.encode("ascii")
    if len(encoded) > LARGEST_FILE:
        raise UsageError(
            f"The calibrated router has {len(encoded):,} bytes, and a file may have {LARGEST_FILE:,}; "
            "use fewer models."
        )
    target = Path(path)
    write_whole(target, encoded)
    return target


def load(path: str | Path) -> CalibratedRouting:
    """Read a file that `save` wrote. Raises ConfigError that names the file, and what is wrong with it."""
    target = Path(path)
    name = target.name
    try:
        with target.open("rb") as file:
            content = file.read(LARGEST_FILE + 1)
    except OSError as error:
        raise ConfigError(
            f"The calibrated router {name} cannot be opened ({error.strerror}); give the path of a file that "
            "CalibratedRouting.save wrote."
        ) from error
    if len(content) > LARGEST_FILE:
        raise _bad(name, f"it has more than {LARGEST_FILE:,} bytes")
    if content.count(b"[") + content.count(b"{") > _MOST_BRACKETS:
        raise _bad(name, "it has more lists than any such file")
    try:
        data = json.loads(content, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise _bad(name, f"it is not JSON ({str(error)[:80]})") from error
    if not isinstance(data, dict) or data.get("schema") != SCHEMA:
        found = data.get("schema") if isinstance(data, dict) else None
        raise _bad(name, f"its schema is {str(found)[:80]!r}, not {SCHEMA!r}")
    body = data.get("body")
    if not isinstance(body, dict) or data.get("sha256") != _digest(_canonical(body)):
        raise _bad(name, "its content is not what its sha256 says; it was damaged or changed by hand")
    try:
        return _routing(body)
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError) as error:
        raise _bad(name, f"its content does not make sense ({str(error)[:120]})") from error


def _bad(name: str, why: str) -> ConfigError:
    return ConfigError(
        f"{name} is no calibrated router: {why}. Calibrate again, or copy the file again from where "
        "it was made."
    )


def _refuse_constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is no number of JSON")


def _canonical(body: Any) -> str:
    return json.dumps(body, sort_keys=True, separators=(",", ":"))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def _body(routing: CalibratedRouting) -> dict[str, Any]:
    scorer = routing.scorer
    return {
        "models": routing.models,
        "strong": routing.strong,
        "status": routing.status.value,
        "summary": routing.summary,
        "threshold": routing.threshold,
        "quality": routing.quality,
        "scorer": {
            "features": FEATURES,
            "models": scorer.models,
            "terms": scorer.terms,
            "idf": scorer.idf,
            "term_weights": scorer.term_weights,
            "means": scorer.means,
            "scales": scorer.scales,
            "feature_weight": scorer.feature_weight,
            "feature_weights": scorer.feature_weights,
            "intercepts": scorer.intercepts,
        },
        "certificate": routing.certificate._asdict(),
        "gain": routing.gain._asdict(),
        "expected": routing.expected._asdict() if routing.expected is not None else None,
        "drift": {
            **routing.drift._asdict(),
            "watched": [each._asdict() for each in routing.drift.watched],
        },
        "provenance": routing.provenance._asdict(),
    }


def _routing(body: Mapping[str, Any]) -> CalibratedRouting:
    models = _texts(body["models"], "models")
    strong = _text(body["strong"])
    threshold = _maybe(_number, body["threshold"])
    scorer = _scorer(body["scorer"])
    if not models or len(models) > _MOST_MODELS or len(set(models)) != len(models):
        raise ValueError("models must be different names, at most 100")
    if models[-1] != strong or scorer.models != models:
        raise ValueError("the models of its parts differ")
    quality = _texts(body["quality"], "quality")
    status = Status(body["status"])
    if (threshold is not None) != (status in {Status.ROUTE, Status.CHEAPEST}):
        raise ValueError("threshold and status contradict each other")
    certificate = _certificate(body["certificate"])
    if threshold is not None and not certificate.passed:
        raise ValueError("its threshold is not certified")
    return CalibratedRouting(
        name="calibrated routing",
        models=models,
        strong=strong,
        status=status,
        summary=_text(body["summary"]),
        threshold=threshold,
        scorer=scorer,
        quality=quality,
        certificate=certificate,
        gain=_gain(body["gain"]),
        expected=_maybe(_expected, body["expected"]),
        drift=_drift(body["drift"]),
        provenance=_provenance(body["provenance"]),
    )


def _scorer(data: Mapping[str, Any]) -> SuccessScorer:
    if tuple(data["features"]) != FEATURES:
        raise ValueError("it was made with other features of a prompt, by another version of llmbench")
    models = _texts(data["models"], "models")
    terms = _texts(data["terms"], "terms")
    if len(set(terms)) != len(terms):
        raise ValueError("a term comes twice")
    scales = _numbers(data["scales"], len(FEATURES))
    if min(scales) <= 0:
        raise ValueError("a scale is not above 0")
    return SuccessScorer(
        models=models,
        terms=terms,
        idf=_numbers(data["idf"], len(terms)),
        term_weights=_rows(data["term_weights"], len(models), len(terms)),
        means=_numbers(data["means"], len(FEATURES)),
        scales=scales,
        feature_weight=_number(data["feature_weight"]),
        feature_weights=_rows(data["feature_weights"], len(models), len(FEATURES)),
        intercepts=_numbers(data["intercepts"], len(models)),
    )


def _certificate(data: Mapping[str, Any]) -> Certificate:
    worst = data["holds_if_missing_are_worst"]
    if worst is not None and not isinstance(worst, bool):
        raise ValueError("holds_if_missing_are_worst must be true, false or null")
    counts = {key: _count(data[key]) for key in ("n", "units", "left_out", "tested", "passed")}
    return Certificate(
        tolerance=_share(data["tolerance"]),
        level=_share(data["level"]),
        p_value=_maybe(_number, data["p_value"]),
        holds_if_missing_are_worst=worst,
        **counts,
    )


def _gain(data: Mapping[str, Any]) -> GainFound:
    return GainFound(
        _maybe(_number, data["difference"]),
        _maybe(_pair, data["interval"]),
        _maybe(_number, data["p_value"]),
        _share(data["level"]),
    )


def _expected(data: Mapping[str, Any]) -> Expected:
    return Expected(
        shares=_by_name(data["shares"], _number),
        quality=_number(data["quality"]),
        quality_interval=_maybe(_pair, data["quality_interval"]),
        strong_quality=_number(data["strong_quality"]),
        quality_lost=_number(data["quality_lost"]),
        quality_lost_interval=_maybe(_pair, data["quality_lost_interval"]),
        cost_usd=_maybe(_number, data["cost_usd"]),
        strong_cost_usd=_maybe(_number, data["strong_cost_usd"]),
        saving_usd=_maybe(_number, data["saving_usd"]),
        saving_interval=_maybe(_pair, data["saving_interval"]),
        confidence=_share(data["confidence"]),
    )


def _drift(data: Mapping[str, Any]) -> DriftReference:
    watched = []
    for each in data["watched"]:
        edges = _numbers(each["edges"], len(each["edges"]))
        counts = tuple(map(_count, each["counts"]))
        if list(edges) != sorted(edges) or len(counts) != len(edges) + 1 or not sum(counts):
            raise ValueError("the bins of a watched number do not fit its edges")
        watched.append(WatchedNumber(_text(each["name"]), edges, counts, _number(each["critical"])))
    window = _count(data["window"])
    if window < 1:
        raise ValueError("the window of the drift monitor must be at least 1")
    return DriftReference(tuple(watched), window, _number(data["least_index"]), _share(data["level"]))


def _provenance(data: Mapping[str, Any]) -> Provenance:
    return Provenance(
        data_sha256=_text(data["data_sha256"]),
        prompts=_count(data["prompts"]),
        trained_prompts=_count(data["trained_prompts"]),
        missing=_by_name(data["missing"], _count),
        penalties=_by_name(data["penalties"], _number),
        seed=_count(data["seed"]),
        made_on=_text(data["made_on"]),
        versions=_by_name(data["versions"], _text),
    )


def _text(value: Any) -> str:
    if not isinstance(value, str) or len(value) > 10_000:
        raise ValueError(f"a text was expected, and {value!r:.40} is none")
    return value


def _texts(values: Any, what: str) -> tuple[str, ...]:
    if not isinstance(values, list):
        raise TypeError(f"{what} must be a list")
    return tuple(map(_text, values))


def _number(value: Any) -> float:
    if type(value) not in {int, float} or not math.isfinite(value) or abs(value) > _LARGEST_NUMBER:
        raise ValueError(f"a number was expected, and {value!r:.40} is none")
    return float(value)


def _numbers(values: Any, n: int) -> tuple[float, ...]:
    if not isinstance(values, list) or len(values) != n:
        raise ValueError(f"a list of {n} numbers was expected")
    return tuple(map(_number, values))


def _rows(values: Any, rows: int, columns: int) -> tuple[tuple[float, ...], ...]:
    if not isinstance(values, list) or len(values) != rows:
        raise ValueError(f"{rows} rows were expected")
    return tuple(_numbers(row, columns) for row in values)


def _count(value: Any) -> int:
    if type(value) is not int or not 0 <= value <= _LARGEST_NUMBER:
        raise ValueError(f"a whole number from 0 on was expected, and {value!r:.40} is none")
    return value


def _share(value: Any) -> float:
    number = _number(value)
    if not 0 < number < 1:
        raise ValueError(f"a number between 0 and 1 was expected, and {number:g} is none")
    return number


def _pair(value: Any) -> tuple[float, float]:
    low, high = _numbers(value, 2)
    return low, high


def _maybe(read: Callable[[Any], Kind], value: Any) -> Kind | None:
    return None if value is None else read(value)


def _by_name(value: Any, read: Callable[[Any], Kind]) -> dict[str, Kind]:
    if not isinstance(value, dict):
        raise TypeError("names with values were expected")
    return {_text(name): read(each) for name, each in value.items()}
