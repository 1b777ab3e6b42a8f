from __future__ import annotations

import asyncio
from typing import Any

import pytest

from llmbench import Experiment, Ledger, ModelRouter
from llmbench.errors import ServerError, UsageError
from tests.routing.routing_stubs import make_provider

HI = [{"role": "user", "content": "Hello"}]
ARMS = {"mixtral/mixtral-8x7b": 9, "openai/gpt-4o": 1}


def make_router(
    ledger: Ledger | None = None, arms: Any = None, mixtral: Any = None, **settings: Any
) -> ModelRouter:
    providers = {
        "openai": make_provider("openai", "gpt-4o"),
        "mixtral": make_provider("mixtral", "mixtral-8x7b", mixtral),
    }
    experiment = Experiment("test", arms or ARMS, **settings)
    return ModelRouter(providers, "ab_test", experiment=experiment, ledger=ledger)


def arms_of(router: ModelRouter, units: range) -> dict[str, str]:
    async def ask() -> dict[str, str]:
        found = {}
        for number in units:
            response = await router.route(HI, unit_id=f"lead {number}")
            found[f"lead {number}"] = response.metadata["route"]["chosen"]
        return found

    return asyncio.run(ask())


def test_units_are_sticky_across_routers_and_processes() -> None:
    assert arms_of(make_router(), range(100)) == arms_of(make_router(), range(100))


def test_shares_of_the_arms() -> None:
    experiment = Experiment("test", ARMS)
    share = sum(experiment.arm_of(f"lead {n}") == "openai/gpt-4o" for n in range(20_000)) / 20_000
    assert abs(share - 0.1) < 4 * (0.1 * 0.9 / 20_000) ** 0.5


def test_assignment_is_in_the_ledger_with_its_probability(ledger: Ledger) -> None:
    chosen = arms_of(make_router(ledger), range(50))
    arms_of(make_router(ledger), range(50))
    rows = list(ledger.assignments("test"))
    assert {row.unit_id: row.arm for row in rows} == chosen
    assert len(rows) == 50
    assert {(row.epoch, row.arm, row.probability) for row in rows} == {
        (1, "mixtral/mixtral-8x7b", 0.9),
        (1, "openai/gpt-4o", 0.1),
    }


def test_known_units_keep_their_arm_when_the_weights_change(ledger: Ledger) -> None:
    before = arms_of(make_router(ledger), range(200))
    after = arms_of(make_router(ledger, {"mixtral/mixtral-8x7b": 1, "openai/gpt-4o": 1}), range(400))
    assert {unit: after[unit] for unit in before} == before
    new = [arm for unit, arm in after.items() if unit not in before]
    assert 0.35 < new.count("openai/gpt-4o") / 200 < 0.65
    assert [(each.epoch, each.weights["openai/gpt-4o"]) for each in ledger.epochs("test")] == [
        (1, 0.1),
        (2, 0.5),
    ]
    by_epoch = {row.unit_id: (row.epoch, row.probability) for row in ledger.assignments("test")}
    assert by_epoch["lead 3"][0] == 1
    assert by_epoch["lead 300"] == (2, 0.5)


def test_units_of_an_arm_that_is_dropped_are_assigned_anew(ledger: Ledger) -> None:
    arms_of(make_router(ledger), range(30))
    after = arms_of(make_router(ledger, {"openai/gpt-4o": 1, "mixtral/mixtral-8x7b": 0}), range(30))
    assert set(after.values()) == {"openai/gpt-4o"}


def test_same_weights_open_no_epoch(ledger: Ledger) -> None:
    arms_of(make_router(ledger), range(1))
    arms_of(make_router(ledger, {"openai/gpt-4o": 10, "mixtral/mixtral-8x7b": 90}), range(1))
    assert len(ledger.epochs("test")) == 1


def test_assigned_arm_and_serving_model_are_apart(ledger: Ledger) -> None:
    router = make_router(ledger, mixtral=lambda *_: ServerError("busy hour"))
    arms_of(router, range(20))
    outcomes = {outcome.unit_id: outcome for outcome in ledger.outcomes("test")}
    moved = [o for o in outcomes.values() if o.metadata["arm"] == "mixtral/mixtral-8x7b"]
    assert len(outcomes) == 20
    assert moved
    assert all(o.metadata["model"] == "mixtral/mixtral-8x7b" for o in moved)
    assert all(o.metadata["served"] == {"openai/gpt-4o": 1} for o in moved)


def test_experiment_without_fallback_lets_no_other_arm_answer() -> None:
    router = make_router(mixtral=[ServerError("x"), "mixtral"], fallback=False)
    unit = next(f"lead {n}" for n in range(99) if Experiment("test", ARMS).arm_of(f"lead {n}")[0] == "m")
    assert asyncio.run(router.route(HI, unit_id=unit)).content == "mixtral"


def test_call_without_a_unit_is_one_of_its_own(ledger: Ledger) -> None:
    router = make_router(ledger)

    async def ask() -> None:
        for _ in range(3):
            await router.route(HI)

    asyncio.run(ask())
    assert len({row.unit_id for row in ledger.assignments("test")}) == 3


def test_what_is_known_of_a_unit_is_recorded_with_its_arm(ledger: Ledger) -> None:
    router = make_router(ledger)

    async def ask() -> None:
        await router.route(
            HI, task_type="email", unit_id="lead 1", unit_attributes={"mailbox": "m", "size": 7}
        )
        await router.route(HI, unit_id="lead 1", unit_attributes={"mailbox": "other"})
        with pytest.raises(UsageError, match="'arm'"):
            await router.route(HI, unit_id="lead 2", unit_attributes={"arm": "x"})

    asyncio.run(ask())
    (row,) = ledger.assignments("test")
    assert row.attributes == {"mailbox": "m", "size": "7"}
    assert [each.task_type for each in ledger.unit_attempts("test")] == ["email", None]


def test_explain_does_not_assign(ledger: Ledger) -> None:
    router = make_router(ledger)
    explained = [router.explain(HI, unit_id=f"lead {n}").chosen for n in range(20)]
    assert not list(ledger.assignments("test"))
    assert explained == list(arms_of(router, range(20)).values())


def test_experiment_of_the_table_where_none_is_given() -> None:
    providers = {"openai": make_provider("o", "gpt-4o"), "mixtral": make_provider("m", "mixtral-8x7b")}
    route = ModelRouter(providers, "ab_test").explain(HI, unit_id="lead 1")
    assert (route.rule, route.assigned and route.assigned.probability) == ("document", 0.9)


def test_ab_test_without_an_arm_at_hand() -> None:
    with pytest.raises(UsageError, match="AB_TEST needs an experiment"):
        ModelRouter({"other": make_provider("o", "x")}, "ab_test").explain(HI)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("", ARMS), "needs an id"),
        (("x", {}), "nothing to choose from"),
        (("x", {"a": -1}), "weight -1"),
        (("x", ["a"]), "must be"),
    ],
)
def test_experiments_that_cannot_be_meant(arguments: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Experiment(*arguments)
