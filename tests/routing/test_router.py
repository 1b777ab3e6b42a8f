from __future__ import annotations

import asyncio
import warnings
from typing import Any

import pytest

from llmbench import (
    FakeProvider,
    Ledger,
    LlamaProvider,
    MixtralProvider,
    ModelRouter,
    OpenAIProvider,
    RoutingStrategy,
)
from llmbench.errors import ConfigError, LLMBenchError, UsageError
from llmbench.types import RawAnswer, Usage
from tests.routing.routing_stubs import PRICES, make_provider

HI = [{"role": "user", "content": "Hello there"}]


def three(**changes: FakeProvider) -> dict[str, FakeProvider]:
    return {
        "openai": make_provider("openai", "gpt-4o"),
        "llama": make_provider("llama", "llama-3.1-8b"),
        "mixtral": make_provider("mixtral", "mixtral-8x7b"),
    } | changes


@pytest.fixture
def document(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The document's providers; nothing is called."""
    config = {"backend": "together", "api_key": "key-of-the-tests"}
    return {
        "openai": OpenAIProvider({"api_key": "key-of-the-tests"}),
        "llama": LlamaProvider(config),
        "mixtral": MixtralProvider(config),
    }


def test_smart_is_the_default_and_explains_itself() -> None:
    router = ModelRouter(three())
    response = asyncio.run(router.route(HI))
    assert response.content == "mixtral here"
    assert response.metadata["route"] == {
        "strategy": "smart",
        "rule": "short",
        "reason": "11 characters are fewer than 200",
        "chosen": "mixtral/mixtral-8x7b",
        "candidates": ["mixtral/mixtral-8x7b", "openai/gpt-4o", "llama/llama-3.1-8b"],
    }
    assert [attempt.model for attempt in response.attempts] == ["mixtral/mixtral-8x7b"]


@pytest.mark.parametrize(
    ("strategy", "chosen"),
    [
        (RoutingStrategy.BEST_QUALITY, "openai/gpt-4o"),
        ("FASTEST", "llama/llama-3.1-8b"),
        ("cheapest", "llama/llama-3.1-8b"),
        ("smart", "mixtral/mixtral-8x7b"),
    ],
)
def test_strategies_over_the_documents_providers(document: Any, strategy: Any, chosen: str) -> None:
    assert ModelRouter(document).explain(HI, strategy=strategy).chosen == chosen


def test_cheapest_prices_the_request_and_not_the_list() -> None:
    """Dear input and cheap output, or the other way round: the request decides."""
    reader = make_provider("reader", "reader", prices={"reader": {"input": 0.1, "output": 30.0}})
    writer = make_provider("writer", "writer", prices={"writer": {"input": 3.0, "output": 1.0}})
    router = ModelRouter({"reader": reader, "writer": writer}, "cheapest")
    long = [{"role": "user", "content": "word " * 4000}]
    assert router.explain(long, max_tokens=10).chosen == "reader/reader"
    assert router.explain(HI, max_tokens=1000).chosen == "writer/writer"


def test_cheapest_refuses_what_has_no_price() -> None:
    unpriced = FakeProvider(["x"], model="new")
    with pytest.raises(UsageError, match=r"none is known for the models at hand \(other/new\)"):
        ModelRouter({"other": unpriced}, "cheapest").explain(HI)
    router = ModelRouter({"other": unpriced, "mixtral": three()["mixtral"]}, "cheapest")
    route = router.explain(HI)
    assert [each.model for each in route.candidates] == ["mixtral/mixtral-8x7b"]
    assert "left out without a price: 1" in route.reason
    allowed = ModelRouter({"other": unpriced, "mixtral": three()["mixtral"]}, "cheapest", allow_unpriced=True)
    assert [each.model for each in allowed.explain(HI).candidates] == ["mixtral/mixtral-8x7b", "other/new"]


def test_cheapest_takes_ones_own_endpoint_at_its_share_of_the_hour() -> None:
    own = LlamaProvider({"backend": "vllm", "model": "llama-3.1-8b", "usd_per_hour": 3600.0 * 8})
    dear = ModelRouter({"own": own, "mixtral": three()["mixtral"]}, "cheapest").explain(HI, max_tokens=30)
    assert dear.chosen == "mixtral/mixtral-8x7b"
    # 30 tokens at the assumed 30 a second are a second, of which 8 calls share $8.
    assert "$1.000000: 1.0 s (assumed, 30 tokens/s)" in dear.candidates[1].note
    free = LlamaProvider({"backend": "vllm", "model": "llama-3.1-8b"})
    assert ModelRouter({"own": free, "mixtral": three()["mixtral"]}, "cheapest").explain(HI).chosen == (
        "own/llama-3.1-8b"
    )


def test_fastest_ranks_on_the_ledger_at_like_length(ledger: Ledger) -> None:
    def script(words: int) -> Any:
        return lambda messages, params: RawAnswer("x " * words, Usage(1, words))

    async def fill() -> None:
        # gpt-4o: quick at short answers, slow at long ones; mixtral the other way round.
        for words, slow, quick in ((10, "mixtral", "openai"), (1000, "openai", "mixtral")):
            models = {"mixtral": "mixtral-8x7b", "openai": "gpt-4o"}
            for name, latency in ((slow, 30), (quick, 1)):
                provider = FakeProvider(script(words), endpoint=name, latency_ms=latency, ledger=ledger)
                for _ in range(20):
                    await provider.chat_completion(HI, models[name])

    asyncio.run(fill())
    router = ModelRouter(three(), "fastest", ledger=ledger)
    assert router.explain(HI, max_tokens=12).chosen == "openai/gpt-4o"
    long = router.explain(HI, max_tokens=1000)
    assert long.chosen == "mixtral/mixtral-8x7b"
    assert "(n = 20)" in long.reason
    assert "llama" in long.candidates[2].model
    assert "fewer than 20" in long.candidates[2].note


def test_fastest_says_that_it_falls_back_and_takes_ones_own_first() -> None:
    own = make_provider("own", "mixtral-8x7b", self_hosted=True)
    route = ModelRouter({"openai": three()["openai"], "own": own}, "fastest").explain(HI)
    assert route.chosen == "own/mixtral-8x7b"
    assert "declared order" in route.reason


def test_best_quality_takes_measured_scores() -> None:
    router = ModelRouter(three(), "best_quality", quality={"llama/llama-3.1-8b": 0.9, "gpt-4o": 0.8})
    route = router.explain(HI)
    assert [each.model for each in route.candidates] == [
        "llama/llama-3.1-8b", "openai/gpt-4o", "mixtral/mixtral-8x7b",
    ]  # fmt: skip
    assert [each.note for each in route.candidates][2] == "not in the matrix"


def test_explicit_provider_and_model_bypass_the_rules() -> None:
    router = ModelRouter(three())
    response = asyncio.run(router.route(HI, task_type="simple", provider="openai", model="gpt-4o"))
    assert response.content == "openai here"
    assert response.metadata["route"]["strategy"] == "explicit"
    assert asyncio.run(router.route(HI, model="llama-3.1-8b")).content == "llama here"
    assert asyncio.run(router.route(HI, provider="llama")).content == "llama here"


def test_options_of_chat_completion_are_passed_on() -> None:
    seen: list[Any] = []
    provider = make_provider("m", "mixtral-8x7b", lambda messages, params: seen.append(dict(params)) or "ok")
    asyncio.run(ModelRouter({"m": provider}).route(HI, temperature=0.5, max_tokens=7))
    assert seen == [{"temperature": 0.5, "max_tokens": 7}]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"strategy": "best"}, "no routing strategy 'best'"),
        ({"provider": "opnai"}, "did you mean 'openai'"),
        ({"model": "gpt-9"}, "No provider of the router serves 'gpt-9'"),
        ({"unit_id": ""}, "unit_id must be a text"),
        ({"unit_id": 7}, "unit_id must be a text"),
        ({"messages": []}, "messages must be a list"),
        ({"messages": "hi"}, "messages must be a list"),
        ({"n": 3}, "cannot pass on the option 'n'"),
    ],
)
def test_calls_that_cannot_be_meant(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(LLMBenchError, match=message):
        asyncio.run(ModelRouter(three()).route(**{"messages": HI} | arguments))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"providers": {}}, "no providers"),
        ({"default_strategy": "x"}, "no routing strategy"),
        ({"routes": "nowhere.toml"}, "cannot be opened"),
        ({"models": ["gpt-9"]}, "gpt-9"),
        ({"limits": {"opnai/gpt-4o": None}}, "'opnai/gpt-4o', which is no endpoint"),
        ({"limits": {"openai": 3}}, "give a Limit"),
        ({"quality": 3}, "quality must map"),
        ({"max_attempts": 0}, "max_attempts"),
        ({"ledger": "ledger.db"}, "ledger must be a Ledger"),
        ({"redact": ["("], "store_texts": True}, "neither one of"),
    ],
)
def test_routers_that_cannot_be_meant(arguments: dict[str, Any], message: str, ledger: Ledger) -> None:
    with pytest.raises((UsageError, ConfigError), match=message):
        ModelRouter(**{"providers": three(), "ledger": ledger} | arguments)


def test_unknown_hint_is_routed_by_length_and_warned_of_once() -> None:
    router = ModelRouter(three())
    with pytest.warns(UserWarning, match="task_type='setiment'"):
        response = asyncio.run(router.route(HI, task_type="setiment"))
    assert "the hint 'setiment' is in no rule" in response.metadata["route"]["reason"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        asyncio.run(router.route(HI, task_type="setiment"))


def test_no_provider_serves_a_rule() -> None:
    providers = {"other": FakeProvider(["x"], prices={"my-model": PRICES})}
    with pytest.raises(UsageError, match=r"Rule 'short' .* \(other\)"):
        ModelRouter(providers).explain(HI)


def test_a_provider_outside_of_the_table_answers_by_its_default_model() -> None:
    assert ModelRouter({"other": make_provider("other", "my-model")}).explain(HI).chosen == "other/my-model"


def test_endpoints_by_name_record_to_the_projects_ledger(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LLMBENCH_LEDGER", raising=False)
    (tmp_path / "llmbench.toml").write_text(
        '[endpoints.gpu]\nprovider = "llama"\nbackend = "vllm"\nbase_url = "http://127.0.0.1:9/v1"\n'
    )
    router = ModelRouter(["gpu"])
    assert router.ledger is not None
    assert router.explain(HI, model="llama-3.1-8b").chosen == "gpu/llama-3.1-8b"
    assert router.ledger.path == tmp_path / ".llmbench" / "ledger.db"
    router.ledger.close()


def test_one_call_has_one_ledger(ledger: Ledger, tmp_path: Any) -> None:
    with Ledger(tmp_path / "other.db") as other:
        providers = three(openai=make_provider("openai", "gpt-4o", ledger=other))
        with pytest.raises(UsageError, match="records to another ledger"):
            ModelRouter(providers, ledger=ledger)


def test_texts_stay_out_of_the_ledger_unless_asked_for(ledger: Ledger) -> None:
    asyncio.run(ModelRouter(three(), ledger=ledger).route(HI, unit_id="lead 7", stop=["secret"]))
    (call,) = ledger.calls()
    assert (call.messages, call.content, dict(call.params)) == ([], None, {})
    assert (call.endpoint, call.unit_id, call.route and call.route["rule"]) == ("mixtral", "lead 7", "short")
    assert not ledger.answers([call.request_hash])


def test_texts_are_kept_and_redacted_when_asked_for(ledger: Ledger) -> None:
    router = ModelRouter(three(), ledger=ledger, store_texts=True, redact=["email", "number \\d+"])
    asyncio.run(router.route([{"role": "user", "content": "Write to ann@example.org about number 17"}]))
    (call,) = ledger.calls()
    assert call.messages[0]["content"] == "Write to [email] about [redacted]"
    assert not ledger.answers([call.request_hash.removeprefix("redacted:")])


def test_calls_of_both_llamas_are_recorded_under_the_routers_names(ledger: Ledger) -> None:
    providers = {
        "llama_local": make_provider("local", "llama-3.1-8b", self_hosted=True),
        "llama_cloud": make_provider("cloud", "llama-3.1-8b"),
    }
    router = ModelRouter(providers, ledger=ledger)
    response = asyncio.run(router.route(HI, task_type="sentiment"))
    assert (response.endpoint, response.content) == ("llama_local", "local here")
    assert next(iter(ledger.calls())).endpoint == "llama_local"


def test_repr_names_no_key(document: Any) -> None:
    router = ModelRouter(document)
    assert "key-of-the-tests" not in repr(router) + repr(router.explain(HI)) + str(vars(router))
    assert repr(router) == "ModelRouter(openai, llama, mixtral; SMART, routes 'document')"


def test_route_shows_itself(document: Any) -> None:
    route = ModelRouter(document).explain([{"role": "user", "content": "<b>"}], task_type="complex")
    assert "<b>openai/gpt-4o</b>" in route._repr_html_()
    assert list(route.to_pandas().columns) == ["model", "note"]
    assert "the catalog has it end on 2027-01-14" in route.candidates[0].note
