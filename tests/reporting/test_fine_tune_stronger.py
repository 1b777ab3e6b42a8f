"""The tuned model beside a stronger one: both ways it may come out, with the interval."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from llmbench.reporting import fine_tune_charts as charts
from llmbench.reporting import fine_tune_money as money
from llmbench.reporting import fine_tune_report as whole
from llmbench.reporting import fine_tune_stronger as stronger
from llmbench.reporting.fine_tune_provenance import provenance_sentence
from llmbench.reporting.fine_tune_results import TunedResults, read_tuned_results
from llmbench.stats import paired_difference

PARAMETERS: dict[str, Any] = {
    "results": ".", "baseline": "local/base[long]", "candidate": "local/tuned[short]", "also": [],
    "stronger": "big/model[long]", "training_file": "", "evaluation": "", "evaluation_column": "text",
    "priced_as": "", "margin": 0.03, "least_gain": 0.03, "general_margin": 0.05, "requests_per_month": 1000.0,
    "value_per_answer_usd": 0.0, "training_usd": 1.0, "preparation_usd": 0.0, "hosting_usd_per_month": 0.0,
    "usd_per_hour": 3.6, "utilisation": 0.5, "input_tokens_per_s": 100.0, "output_tokens_per_s": 50.0,
    "speeds": {"big/model": [50.0, 25.0]}, "confidence": 0.95, "seed": 1, "horizon_months": 24.0,
}  # fmt: skip
ITEMS = 120
BASE, TUNED = "local/base|long", "local/tuned|short"


def _read(
    folder: Path, base: int, tuned: int, big: int, cost: str = "0.0", **changed: Any
) -> tuple[TunedResults, dict[str, Any]]:
    """So many of 10 items are right, the first ones."""
    lines = ["item,model,prompt,category,score,input_tokens,output_tokens,cost_usd"]
    for name, right in ((BASE, base), (TUNED, tuned), ("big/model|long", big)):
        model, prompt = name.split("|")
        usd = cost if model.startswith("big") else "0.0"
        tokens = 100 if prompt == "long" else 20
        lines += [
            f"i{i},{model},{prompt},{'ab'[i % 2]},{int(i % 10 < right)},{tokens},2,{usd}"
            for i in range(ITEMS)
        ]
    (folder / "answers.csv").write_text("\n".join(lines) + "\n")
    parameters = {**PARAMETERS, **changed}
    return read_tuned_results(parameters, folder), parameters


def test_without_one_nothing_is_claimed(tmp_path: Path) -> None:
    tuned, parameters = _read(tmp_path, 2, 5, 9, stronger="")
    assert stronger.stronger_sentence(tuned).startswith("No stronger model was asked")
    assert stronger.stronger_cost_sentence(tuned, parameters).startswith("No stronger model was asked")
    assert stronger.stronger_table(tuned) is None


@pytest.mark.parametrize(
    ("tuned", "big", "words"),
    [
        (7, 9, "it is worse: −20.0 (−28.0 to −13.8) points on the 120 items"),
        (9, 5, "it is better: +40.0 (+31.7 to +48.9) points on the 120 items"),
        (7, 7, "it is not known whether it is as good: +0.0 (−3.1 to +3.1) points"),
    ],
)
def test_it_is_said_with_the_interval_whichever_way(tmp_path: Path, tuned: int, big: int, words: str) -> None:
    read, _ = _read(tmp_path, 2, tuned, big)
    assert f"Beside the stronger big/model[long] {words}" in stronger.stronger_sentence(read)


@pytest.mark.parametrize(
    ("base", "big", "words"),
    [
        (2, 9, "That one is itself above local/base[long]: +70.0 ("),
        (5, 2, "On this task that one is not the stronger: it is below local/base[long], −30.0 ("),
        (5, 5, "That big/model[long] is stronger on this task is not shown: +0.0 ("),
    ],
)
def test_whether_it_is_stronger_is_measured(tmp_path: Path, base: int, big: int, words: str) -> None:
    assert words in stronger.stronger_sentence(_read(tmp_path, base, 7, big)[0])


def test_the_table_is_the_paired_difference(tmp_path: Path) -> None:
    tuned, _ = _read(tmp_path, 2, 7, 9)
    table = stronger.stronger_table(tuned)
    assert table is not None
    assert list(table.frame["category"]) == ["a", "b", "all"]
    both = ([int(i % 10 < right) for i in range(ITEMS)] for right in (7, 9))
    by_hand = paired_difference(*both)
    row = table.frame.iloc[-1]
    assert row["difference"] == pytest.approx(by_hand.difference) == pytest.approx(-0.2)
    assert (row["low"], row["high"]) == pytest.approx(tuple(by_hand.interval))
    assert (row["stronger"], row["tuned"], row["n"]) == (0.9, 0.7, ITEMS)
    of_a = table.frame.iloc[0]  # even items: 0 2 4 6 of 10 are right, and 8
    assert (of_a["stronger"], of_a["tuned"], of_a["n"]) == (1.0, 0.8, 60)
    assert list(table.shown["difference, points"])[-1] == "−20.0 (−28.0 to −13.8)"


def test_what_it_costs_is_of_its_own_speed_or_as_charged(tmp_path: Path) -> None:
    # 100 / 50 + 2 / 25 = 2.08 s, and 20 / 100 + 2 / 50 = 0.24 s, at $0.001 a second, half of it busy.
    said = stronger.stronger_cost_sentence(*_read(tmp_path, 2, 7, 9))
    own = "(hours of one's own machine)"
    assert said.startswith(
        f"1,000 requests cost $4.16 at big/model[long] and $0.48 at the tuned model {own}. "
    )
    assert "saves $3.68 a month against big/model[long]" in said
    said = stronger.stronger_cost_sentence(*_read(tmp_path, 2, 7, 9, cost="0.0001"))
    assert said.startswith(
        "1,000 requests cost $0.10 at big/model[long] (as charged) and $0.48 at the tuned model (hours"
    )
    assert "is not cheaper" in said
    said = stronger.stronger_cost_sentence(*_read(tmp_path, 2, 7, 9, cost=""))
    assert said.startswith("1,000 requests cost unknown at big/model[long] (not told) and ")


def test_it_is_in_the_figures(tmp_path: Path) -> None:
    tuned, parameters = _read(tmp_path, 2, 7, 9)
    costs = money.cost_figure(tuned, parameters)
    assert costs is not None
    assert "big/model[long]" in set(costs.frame["cell"])
    assert charts.curve_figure(tuned) is None  # one trained model is no curve
    data = whole.envelope_fields(tuned, parameters, tmp_path)["data"]
    assert data["beside_stronger"][0]["baseline"] == "big/model[long]"


def test_its_provenance_is_told(tmp_path: Path) -> None:
    told: dict[str, Any] = {"name": "big/model", "kind": "a large one", "licence": None, "source": "a shop"}
    said = "The stronger model is big/model: a large one. Its file: a shop."
    assert provenance_sentence({"stronger_model": told}) == said
    told["asked_again"] = False
    assert provenance_sentence({"stronger_model": told}).endswith("it was not asked again.")
    assert "stronger" not in provenance_sentence({"calls": 3, "stronger_model": None})
    (tmp_path / "provenance.json").write_text(json.dumps({"stronger_model": told}))
    tuned, _ = _read(tmp_path, 2, 7, 9)
    assert stronger.stronger_sentence(tuned).endswith("stored answers are taken: it was not asked again.")
    told["name"] = "another/model"
    (tmp_path / "provenance.json").write_text(json.dumps({"stronger_model": told}))
    assert "stored" not in stronger.stronger_sentence(_read(tmp_path, 2, 7, 9)[0])
