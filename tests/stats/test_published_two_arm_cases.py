"""Every worked example of the validation folder that the comparison of two arms covers."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from llmbench.stats import (
    equality_test,
    fieller_interval,
    margin_test,
    power,
    rate_difference_interval,
    rate_ratio_interval,
    sample_size,
)

Given = dict[str, Any]


def _interval(function: Callable[..., Any], method: str) -> Callable[[Given], list[float]]:
    return lambda g: list(function(g["x1"], g["n1"], g["x2"], g["n2"], 1 - g["alpha"], method))


def _equality(method: str) -> Callable[[Given], list[float]]:
    def solve(g: Given) -> list[float]:
        names = ("x1", "n1", "x2", "n2") if "x1" in g else ("x_treat", "n_treat", "x_ctrl", "n_ctrl")
        return [equality_test(*(g[name] for name in names), method=method).p_value]  # type: ignore[arg-type]

    return solve


def _margin(g: Given) -> list[float]:
    found = margin_test(
        g["x1"], g["n1"], g["x2"], g["n2"], g["delta0"], "difference", g["alternative"], "farrington-manning"
    )
    return list(found)


def _sample_size(g: Given) -> list[float]:
    return [
        sample_size(
            g["p1"], g["p2"], g["delta0"], "difference", g["alpha"], g["sided"], g["power"], g["ratio"]
        )
    ]


def _power(g: Given) -> list[float]:
    total = g["n1"] * (1 + g["ratio"])
    rates = g["p2"] + g["diff"], g["p2"]
    return [power(*rates, 0.0, total, "difference", g["alpha"], 2, g["ratio"])]


def _fieller(g: Given) -> list[float]:
    found = fieller_interval(g["a"], g["b"], g["var_a"], g["var_b"], g["cov"], g["t"])
    return [*found, found.g]


SOLVERS: dict[str, Callable[[Given], list[float]]] = {
    "ci_diff.newcombe": _interval(rate_difference_interval, "newcombe"),
    "ci_diff.mee_farrington_manning": _interval(rate_difference_interval, "mee"),
    "ci_diff.miettinen_nurminen": _interval(rate_difference_interval, "miettinen-nurminen"),
    "ci_diff.agresti_caffo": _interval(rate_difference_interval, "agresti-caffo"),
    "ci_diff.wald": _interval(rate_difference_interval, "wald"),
    "ci_ratio.koopman": _interval(rate_ratio_interval, "koopman"),
    "ci_ratio.miettinen_nurminen": _interval(rate_ratio_interval, "miettinen-nurminen"),
    "test_equal.fisher_two_sided": _equality("fisher"),
    "test_equal.barnard_pooled": _equality("barnard"),
    "test_diff_margin.farrington_manning": _margin,
    "n_diff.farrington_manning": _sample_size,
    "power_diff.two_sided": _power,
    "ratio.fieller": _fieller,
}

IDS = [
    "newcombe98-m10-a",
    "newcombe98-m10-b",
    "newcombe98-m10-d",
    "newcombe98-m10-f",
    "newcombe98-m10-g",
    "sas-mee-a",
    "sas-mee-g",
    "sas-mn-a",
    "sas-mn-b",
    "sas-ac-b",
    "sas-ac-g",
    "cicalc-wald",
    "cicalc-mee-delta0",
    "fll-newcombe-perondi",
    "fll-mee-perondi",
    "fll-koopman-perondi",
    "fll-agresticaffo-perondi",
    "fll-fisher-ritland",
    "ratesci-mn-newcombe-d",
    "ratesci-gartnam90",
    "ratesci-mn-rr-0",
    "ratesci-mn-rr-2",
    "fm-kkmann",
    "fm90-n-1",
    "sas-power-fm",
    "sm-power-R",
    "propcis-wald2ci-ac",
    "propcis-wald2ci-wald",
    "propcis-diffscoreci",
    "tt-barnard",
    "fieller-dcstats",
]


@pytest.fixture(scope="module")
def cases(validation: Path) -> dict[str, dict[str, Any]]:
    read = json.loads((validation / "abtest" / "cases.json").read_text(encoding="utf-8"))["cases"]
    return {case["id"]: case for case in read}


@pytest.mark.parametrize("case_id", IDS)
def test_published_case(cases: dict[str, dict[str, Any]], case_id: str) -> None:
    case = cases[case_id]
    found = SOLVERS[case["method"]](case["inputs"])
    expected = case["expected"]
    if isinstance(expected, dict):
        # A source may print the p-value only; it then comes last.
        expected = list(expected.values())
        found = found[-len(expected) :]
    assert found == pytest.approx(expected, abs=case["tolerance"])


def test_no_case_is_left_out(cases: dict[str, dict[str, Any]]) -> None:
    assert {name for name, case in cases.items() if case["method"] in SOLVERS} == set(IDS)
