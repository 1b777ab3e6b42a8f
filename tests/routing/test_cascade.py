"""Cascades, live over a router and afterwards on answers that are there."""

from __future__ import annotations

import asyncio
import json
import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

from llmbench import FakeProvider, Ledger, ModelRouter
from llmbench.errors import ProviderError, UsageError
from llmbench.routing import (
    Cascade,
    Judgement,
    evaluate,
    evaluate_cascade,
    evaluate_trust,
    format_check,
    self_consistency,
    verifier,
)
from tests.routing.routing_stubs import make_provider

HI = [{"role": "user", "content": "7 + 5? Digits only."}]


def router_of(cheap: Any, strong: Any, **settings: Any) -> ModelRouter:
    return ModelRouter({"openai": strong, "mixtral": cheap}, **settings)


def two(cheap: list[Any], strong: list[Any], **settings: Any) -> ModelRouter:
    return router_of(
        make_provider("mixtral", "mixtral-8x7b", cheap), make_provider("openai", "gpt-4o", strong), **settings
    )


NAMES = ("mixtral/mixtral-8x7b", "openai/gpt-4o")


def test_a_trusted_answer_stands() -> None:
    cascade = Cascade(two(["12"], ["13"]), *NAMES, format_check(str.isdigit))
    response = asyncio.run(cascade.route(HI))
    assert response.content == "12"
    assert [attempt.model for attempt in response.attempts] == [NAMES[0]]
    assert response.metadata["cascade"]["escalated"] is False
    assert response.metadata["route"]["rule"] == "cascade"


def test_an_escalation_is_one_decision_and_costs_both_calls(ledger: Ledger) -> None:
    cascade = Cascade(two(["twelve"], ["12"], ledger=ledger), *NAMES, format_check(str.isdigit))
    response = asyncio.run(cascade.route(HI, unit_id="lead-1"))
    assert response.content == "12"
    assert response.model == "gpt-4o"
    assert [attempt.model for attempt in response.attempts] == list(NAMES)
    costs = [attempt.cost for attempt in response.attempts]
    assert None not in costs
    assert response.cost == pytest.approx(sum(costs))
    assert response.tokens_used == sum(attempt.usage.total_tokens for attempt in response.attempts)
    records = list(ledger.calls())
    assert {record.call_id for record in records} == {response.call_id}
    assert [record.attempt for record in records] == [1, 2]
    assert {record.unit_id for record in records} == {"lead-1"}
    routes = [record.route for record in records]
    assert [route["chosen"] for route in routes] == list(NAMES)
    assert "trust 0.00 is below 0.5" in routes[1]["reason"]


def test_samples_are_drawn_and_agree() -> None:
    cascade = Cascade(two(["12", "14", "12."], ["x"]), *NAMES, self_consistency(), threshold=0.6, samples=3)
    response = asyncio.run(cascade.route(HI))
    assert response.content in {"12", "12."}
    said = response.metadata["cascade"]
    assert said["trust"] == pytest.approx(2 / 3)
    assert said["calls"] == 3
    assert sorted(attempt.number for attempt in response.attempts) == [1, 2, 3]


def test_samples_that_disagree_escalate() -> None:
    cascade = Cascade(two(["1", "2", "3"], ["12"]), *NAMES, self_consistency(), threshold=0.6, samples=3)
    response = asyncio.run(cascade.route(HI))
    assert response.content == "12"
    assert len(response.attempts) == 4


def test_an_awaited_verifier_adds_its_cost() -> None:
    async def score(messages: Any, answer: str) -> tuple[float, float]:
        assert messages == HI
        return float(answer == "12"), 0.25

    cascade = Cascade(two(["12"], ["x"]), *NAMES, verifier(score))
    response = asyncio.run(cascade.route(HI))
    assert response.content == "12"
    assert response.metadata["cascade"]["judge_cost_usd"] == 0.25
    assert response.cost == pytest.approx(0.25 + response.attempts[0].cost)


def test_an_unknown_cost_of_the_judge_makes_all_unknown() -> None:
    cascade = Cascade(two(["12"], ["x"]), *NAMES, lambda *_: Judgement(1.0, 0, None))
    assert asyncio.run(cascade.route(HI)).cost is None


def test_a_cheap_model_that_fails_is_escalated() -> None:
    failing = FakeProvider([ProviderError("down", provider="mixtral")] * 9, model="mixtral-8x7b")
    router = router_of(failing, make_provider("openai", "gpt-4o", ["12"]), max_attempts=1)
    response = asyncio.run(Cascade(router, *NAMES, format_check(str.isdigit)).route(HI))
    assert response.content == "12"
    assert response.metadata["cascade"]["trust"] == 0
    assert response.attempts[0].status != "ok"


@pytest.mark.parametrize("bad", [0.5, Judgement(1.5), Judgement(math.nan), Judgement(1.0, 4), None])
def test_a_judge_that_says_nonsense_is_refused(bad: Any) -> None:
    cascade = Cascade(two(["12"], ["x"]), *NAMES, lambda *_: bad)
    with pytest.raises(UsageError, match="judge"):
        asyncio.run(cascade.route(HI))


@pytest.mark.parametrize(
    "settings", [{"threshold": 2}, {"threshold": math.nan}, {"samples": 0}, {"samples": 1.5}]
)
def test_settings_are_checked(settings: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        Cascade(two([], []), *NAMES, self_consistency(), **settings)


def test_judges() -> None:
    assert self_consistency(key=len)("", ["ab", "xy", "z"]) == Judgement(2 / 3, 0)
    assert verifier(lambda _, answer: len(answer) / 10)("", ["a", "abcd"]) == Judgement(0.4, 1)
    judge = format_check(json.loads)
    assert judge("", ["no"]) == Judgement(0.0, 0)
    assert judge("", ["no", "1"]) == Judgement(1.0, 1)


def test_trust_curve_is_that_of_evaluate_with_both_costs() -> None:
    random = np.random.default_rng(1)
    trust, cheap = random.integers(0, 5, 60) / 4, random.integers(0, 2, 60).astype(float)
    strong = np.maximum(cheap, random.integers(0, 2, 60))
    first, then = random.random(60) * 0.001, random.random(60) * 0.01
    found = evaluate_trust(trust, cheap, strong, first, then, cheap_ms=100.0, strong_ms=900.0, bootstraps=100)
    same = evaluate(-trust, cheap, strong, costs=(first, first + then))
    assert found.curve.apgr == same.apgr
    assert found.curve.cost_usd == pytest.approx(same.curve.cost_usd)
    for threshold in (0.0, 0.25, 0.6, 1.0, 1.1):
        up = trust < threshold
        point = found.at(threshold)
        assert point.escalated == pytest.approx(up.mean())
        assert point.quality == pytest.approx(np.where(up, strong, cheap).mean())
        assert point.cost_usd == pytest.approx((first + np.where(up, then, 0)).mean())
        assert point.latency_ms == pytest.approx(100 + 900 * up.mean())
        assert point.saving_usd == pytest.approx(then.mean() - point.cost_usd)
    assert len(found.points()) == 6
    low, high = found.saving_interval(0.95)
    assert low <= found.saving_at(0.95 * strong.mean()) <= high


def test_trust_without_a_cheap_answer_is_always_escalated() -> None:
    found = evaluate_trust([1, math.nan], [1, math.nan], [1, 1], 0.001, 0.01)
    assert found.unanswered == 1
    point = found.at(0.0)
    assert (point.escalated, point.quality) == (0.5, 1.0)
    assert point.cost_usd == pytest.approx(0.001 + 0.01 / 2)


def table(n: int = 40, repeats: int = 3, seed: int = 5) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    rows = []
    for item in range(n):
        right, p = str(item), random.random()
        for repeat in range(repeats):
            said = right if random.random() < p else f"wrong {random.integers(5)}"
            rows.append(("small[a]", "small", item, repeat, said, float(said == right), 0.001, 50.0 + repeat))
        said = right if random.random() < 0.9 else "no"
        rows.append(("large[a]", "large", item, 0, said, float(said == right), 0.02, 400.0))
    names = ["cell", "model", "item_id", "repeat", "answer", "score", "cost_usd", "latency_ms"]
    frame = pd.DataFrame(rows, columns=names)
    frame["category"] = np.where(frame["item_id"] % 2, "odd", "even")
    return frame


def test_cascade_of_a_results_table_by_hand() -> None:
    answers = table()
    found = evaluate_cascade(answers, "small", "large", self_consistency())
    trusts, cheap = [], []
    for item in range(40):
        drawn = answers[(answers["model"] == "small") & (answers["item_id"] == item)]
        counts = drawn["answer"].value_counts(sort=False)
        top = next(answer for answer in drawn["answer"] if counts[answer] == counts.max())
        trusts.append(counts.max() / 3)
        cheap.append(float(top == str(item)))
    strong = answers[answers["model"] == "large"]["score"].to_numpy()
    for threshold in (0.4, 0.7, 1.0):
        up = np.array(trusts) < threshold
        point = found.at(threshold)
        assert point.quality == pytest.approx(np.where(up, strong, cheap).mean())
        assert point.cost_usd == pytest.approx(0.003 + 0.02 * up.mean())
        assert point.latency_ms == pytest.approx(52 + 400 * up.mean())
    assert found.evaluation.policy("category").apgr == pytest.approx(0.5, abs=0.3)
    one_by_one = evaluate_cascade(answers, "small", "large", self_consistency(), at_once=False)
    assert one_by_one.at(0).latency_ms == pytest.approx(50 + 51 + 52)
    single = evaluate_cascade(answers, "small", "large", verifier(lambda *_: 1), samples=1)
    assert single.at(0).cost_usd == pytest.approx(0.001)


def test_self_consistency_beats_lots_on_answers_that_differ_in_difficulty() -> None:
    found = evaluate_cascade(table(400, 5), "small", "large", self_consistency(), bootstraps=100)
    assert found.evaluation.policy("random").difference_interval.low > 0


def test_cascade_costs_of_ones_own_and_missing_answers() -> None:
    answers = table(10, 2)
    answers.loc[(answers["model"] == "small") & (answers["item_id"] == 3), ["answer", "score"]] = None
    answers.loc[(answers["model"] == "large") & (answers["item_id"] == 4), "score"] = math.nan
    found = evaluate_cascade(answers, "small[a]", "large[a]", self_consistency(), costs=(0.1, 1.0))
    assert found.unanswered == 1
    assert found.evaluation.n == 9
    assert found.evaluation.missing == 1
    assert found.at(0).escalated == pytest.approx(1 / 9)
    assert found.strong_cost_usd == 1.0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (([2.0], [1], [1]), "trust must lie"),
        (([1.0], [1], [1, 0]), "strong has 2"),
        (([1.0], [1], [1], 0.1), "both stages"),
        (([1.0, 1.0], [1, 1], [1, 1], [0.1], 1), "cheap_costs has 1"),
    ],
)
def test_trust_refusals(arguments: tuple[Any, ...], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        evaluate_trust(*arguments)


def test_a_cell_that_is_not_there_is_named() -> None:
    with pytest.raises(UsageError, match="small\\[a\\], large\\[a\\]"):
        evaluate_cascade(table(4), "medium", "large", self_consistency())
