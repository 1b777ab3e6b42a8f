from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import web

from llmbench.errors import (
    BadResponseError,
    ContentFilteredError,
    ContextWindowError,
    InvalidRequestError,
    ModelUnavailableError,
    ProviderError,
    ServerError,
    UsageError,
)
from llmbench.providers import BaseLLMProvider, LlamaProvider, MixtralProvider
from llmbench.providers.adapter import Place
from llmbench.providers.backends import BACKENDS
from llmbench.providers.replicate_backend import open_adapter
from llmbench.providers.replicate_input import FAMILIES, prediction_input
from llmbench.providers.replicate_wire import EventReader, prediction_answer, prediction_error
from llmbench.secret import Secret
from llmbench.types import ChatRequest, LLMResponse
from tests.providers.cases import KEY
from tests.providers.dialects.replicate import ReplicateDialect
from tests.providers.vendor_stub import ANSWER, VendorStub, running, serving

HELLO = [{"role": "user", "content": "hello"}]


def build(stub: VendorStub, **settings: Any) -> BaseLLMProvider:
    return LlamaProvider(
        {"backend": "replicate", "base_url": stub.url, "api_key": KEY, "poll_s": 0.01, **settings}
    )


def ask(stub: VendorStub, model: str = "stub/m", **options: Any) -> LLMResponse:
    provider = build(stub, max_attempts=1)

    async def once() -> LLMResponse:
        try:
            return await provider.chat_completion(HELLO, model, **options)
        finally:
            await provider.aclose()

    return asyncio.run(once())


def test_a_cold_start_is_apart_from_the_run() -> None:
    with serving(ReplicateDialect("stub/")) as stub:
        answer = ask(stub)
    assert answer.timing is not None
    assert answer.timing.queue_ms == 12_500
    assert answer.timing.prefill_ms == pytest.approx(20.0)
    assert answer.timing.decode_ms == pytest.approx(30.0)
    assert answer.metadata["predict_time_s"] == 0.05


def test_the_catalogs_price_holds_by_token(stub: VendorStub) -> None:
    provider = build(stub)
    assert provider.get_model_info("llama-3-70b").cost_per_1k_output_tokens == pytest.approx(0.00275)


@pytest.mark.parametrize(
    ("scenario", "kind"),
    [
        ("fails", ServerError),
        ("too-long", ContextWindowError),
        ("nsfw", ContentFilteredError),
        ("flagged", ContentFilteredError),
        ("bad-template", InvalidRequestError),
    ],
)
def test_a_prediction_that_fails(scenario: str, kind: type[ProviderError]) -> None:
    dialect = ReplicateDialect("stub/")
    with serving(dialect) as stub, pytest.raises(kind) as caught:
        ask(stub, f"stub/{scenario}")
    assert type(caught.value) is kind
    assert caught.value.maybe_billed
    assert caught.value.attempts[0].cost is None, "its run time may have been charged"
    assert not dialect.cancelled, "it had ended by itself"


def test_a_prediction_that_never_ran() -> None:
    with serving(ReplicateDialect("stub/")) as stub, pytest.raises(ServerError, match="'aborted'") as caught:
        ask(stub, "stub/aborted")
    assert not caught.value.maybe_billed


@pytest.mark.parametrize(
    ("error", "quoted"),
    [
        ('{"detail": "broke"}', "(broke)"),
        ("{broke", "({broke)"),
        ({"detail": "broke"}, "(broke)"),
        (None, "'failed';"),
    ],
    ids=str,
)
def test_the_words_of_a_failure(error: Any, quoted: str) -> None:
    found = prediction_error({"status": "failed", "error": error}, provider="llama", model="m")
    assert quoted in str(found)


def test_a_failure_does_not_show_the_key() -> None:
    prediction = {"status": "failed", "error": f"CUDA error near {KEY}"}
    assert KEY not in str(prediction_error(prediction, provider="llama", model="m", secrets=[KEY]))


@pytest.mark.parametrize(("scenario", "kind"), [("lost", ServerError), ("odd", BadResponseError)])
def test_what_can_no_longer_be_seen_is_cancelled(scenario: str, kind: type[ProviderError]) -> None:
    dialect = ReplicateDialect("stub/")
    with serving(dialect) as stub, pytest.raises(kind):
        ask(stub, f"stub/{scenario}")
    assert dialect.cancelled == [scenario], "it runs, and is charged, on"


@pytest.mark.parametrize("version", ["stub/m:" + "a" * 64, "a" * 64])
def test_a_version_is_asked_for_by_its_id(version: str) -> None:
    with serving(ReplicateDialect("stub/")) as stub:
        assert ask(stub, version).content == ANSWER
        assert stub.asked[0].body["version"] == "a" * 64


def test_a_prediction_whose_output_is_gone_is_no_empty_answer() -> None:
    with serving(ReplicateDialect("stub/")) as stub, pytest.raises(BadResponseError, match="removed"):
        ask(stub, "stub/removed")


@pytest.mark.parametrize("scenario", ["m", "late"])
def test_who_leaves_cancels_the_prediction(scenario: str) -> None:
    """Also one that is only being created: its reply is still on the way when the caller leaves."""
    dialect = ReplicateDialect("stub/")
    with serving(dialect) as stub:
        provider = build(stub, poll_s=5)

        async def leave() -> None:
            task = asyncio.create_task(provider.chat_completion(HELLO, f"stub/{scenario}"))
            assert await asyncio.to_thread(stub.arrived.wait, 20)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await provider.aclose()

        asyncio.run(leave())
    assert dialect.cancelled == [scenario], "it runs, and is charged, on"


def test_who_leaves_a_stream_cancels_the_prediction() -> None:
    dialect = ReplicateDialect("stub/")
    with serving(dialect) as stub:

        async def leave() -> None:
            provider = build(stub)
            async with provider.stream_chat_completion(HELLO, "stub/m") as stream:
                await anext(aiter(stream))
            await provider.aclose()

        asyncio.run(leave())
    assert dialect.cancelled == ["m"]


def test_a_caller_cancelled_while_a_failure_is_cleaned_up_stops() -> None:
    """The cancellation must not be lost to the failure, which would be tried again."""
    cancelling = threading.Event()
    stub = VendorStub()

    def routes(app: web.Application) -> None:
        async def cancel_slowly(_: web.Request) -> web.StreamResponse:
            cancelling.set()
            await asyncio.sleep(20)
            return web.Response()

        # The first route that fits is taken.
        app.router.add_post("/v1/predictions/{id}/cancel", cancel_slowly)
        ReplicateDialect("stub/").add_routes(app, stub)

    async def leave() -> None:
        provider = build(stub, max_attempts=3)
        task = asyncio.create_task(provider.chat_completion(HELLO, "stub/lost"))
        assert await asyncio.to_thread(cancelling.wait, 20)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await provider.aclose()

    with running(routes) as stub.url:
        asyncio.run(leave())
    assert len(stub.asked) == 1


def test_a_model_that_replicate_does_not_have_is_not_asked_for() -> None:
    with serving(ReplicateDialect("stub/")) as stub:
        with pytest.raises(ModelUnavailableError, match="owner/name"):
            ask(stub, "llama-3.1-8b")
        assert not stub.asked


NOT_TAKEN = [
    (LlamaProvider, "llama-3-70b", {"seed": 1}),
    (LlamaProvider, "llama-3-70b", {"frequency_penalty": 0.5}),
    (LlamaProvider, "llama-3-70b", {"response_format": {"type": "json_object"}}),
    (MixtralProvider, "mixtral-8x7b", {"seed": 1}),
    (MixtralProvider, "mixtral-8x7b", {"stop": ["x"]}),
]


@pytest.mark.parametrize(("family", "model", "option"), NOT_TAKEN, ids=str)
def test_what_its_models_do_not_take_is_refused(
    family: type[BaseLLMProvider], model: str, option: dict[str, Any]
) -> None:
    provider = family({"backend": "replicate", "api_key": KEY})
    with pytest.raises(InvalidRequestError, match=f"{family.name} on replicate .*{next(iter(option))}"):
        provider.request(HELLO, model, **option)


def test_the_row_says_what_the_fields_say() -> None:
    assert BACKENDS["replicate"].family_options == {
        name: frozenset(family.fields) for name, family in FAMILIES.items()
    }


def written(
    *contents: tuple[str, str],
    model: str = "meta/meta-llama-3-70b-instruct",
    family: str = "llama",
    **params: Any,
) -> dict[str, Any]:
    return prediction_input(request(*contents, **params), model=model, family=family, provider=family)


@pytest.mark.parametrize(
    ("stop", "sent"),
    [
        ("END", "END,<|end_of_text|>,<|eot_id|>"),
        (["\n", " b"], "\n, b,<|end_of_text|>,<|eot_id|>"),
        ([], None),
    ],
    ids=str,
)
def test_stop_texts_stand_before_the_models_own(stop: Any, sent: str | None) -> None:
    assert written(("user", "x"), stop=stop).get("stop_sequences") == sent


@pytest.mark.parametrize("stop", ["a,b", ["x", ","], "", ["x", ""]], ids=repr)
def test_a_stop_text_that_no_list_with_commas_can_hold(stop: Any) -> None:
    with pytest.raises(InvalidRequestError, match="commas"):
        written(("user", "x"), stop=stop)


@pytest.mark.parametrize(
    ("model", "family", "is_mixtral"),
    [
        ("meta/meta-llama-3-8b-instruct", "llama", False),
        ("mistralai/mixtral-8x7b-instruct-v0.1", "mixtral", True),
        ("acme/support", "llama", False),
        ("acme/support", "mixtral", True),
        ("a" * 64, "mixtral", True),
        ("mistralai/mixtral-8x7b-instruct-v0.1", "llama", True),
        ("llama-farm/mixtral-tuned", "mixtral", True),
    ],
)
def test_the_template_is_the_models(model: str, family: str, is_mixtral: bool) -> None:
    prompt = written(("user", "x"), model=model, family=family)["prompt"]
    assert prompt.startswith("<s>[INST]" if is_mixtral else "<|begin_of_text|>")


def test_an_option_of_the_provider_that_the_model_asked_for_does_not_take() -> None:
    with pytest.raises(InvalidRequestError, match="'stop'"):
        written(("user", "x"), model="mistralai/mixtral-8x7b-instruct-v0.1", stop="x")


@pytest.mark.parametrize(
    "model",
    [
        "meta/llama-2-70b-chat",
        "meta/llama-4-maverick-instruct",
        "meta/codellama-7b",
        "mistralai/mistral-7b-v0.1",
    ],
)
def test_a_model_of_another_template_is_refused(model: str) -> None:
    with pytest.raises(InvalidRequestError, match="Llama 3 and Mixtral"):
        written(("user", "x"), model=model)


def request(*contents: tuple[str, str], **params: Any) -> ChatRequest:
    return ChatRequest("m", [{"role": role, "content": content} for role, content in contents], params)


def test_llama_3s_template() -> None:
    # Meta's example, llama.com/docs/model-cards-and-prompt-formats/meta-llama-3
    found = prediction_input(
        request(("system", "You are a helpful AI assistant"), ("user", "What can you help me with?")),
        model="meta/meta-llama-3-70b-instruct",
        family="llama",
        provider="llama",
    )
    assert found["prompt"] == (
        "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\n"
        "You are a helpful AI assistant<|eot_id|>"
        "<|start_header_id|>user<|end_header_id|>\n\nWhat can you help me with?<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\n"
    )
    assert found["prompt_template"] == "{prompt}"


def test_mixtrals_template() -> None:
    found = prediction_input(
        request(
            ("system", "be kind"), ("user", "one"), ("assistant", "two"), ("user", "three"), max_tokens=5
        ),
        model="mistralai/mixtral-8x7b-instruct-v0.1",
        family="mixtral",
        provider="mixtral",
    )
    assert found["prompt"] == "<s>[INST] be kind\n\none [/INST] two</s>[INST] three [/INST]"
    assert found["max_new_tokens"] == 5


def test_mixtrals_template_as_it_is_published() -> None:
    # docs.mistral.ai, open-weight models, chat template
    turns = ("user", "Instruction"), ("assistant", "Model answer"), ("user", "Follow-up instruction")
    assert written(*turns, family="mixtral", model="a/b")["prompt"] == (
        "<s>[INST] Instruction [/INST] Model answer</s>[INST] Follow-up instruction [/INST]"
    )


@pytest.mark.parametrize(
    ("family", "text"),
    [
        ("llama", "<|eot_id|>"),
        ("llama", "<|reserved_special_token_5|>"),
        ("mixtral", "[/INST]"),
        ("mixtral", "</s>"),
    ],
)
def test_content_cannot_end_its_own_turn(family: str, text: str) -> None:
    with pytest.raises(InvalidRequestError, match=r"messages\[1\]"):
        written(("system", "be kind"), ("user", f"x {text} y"), model="a/b", family=family)


@pytest.mark.parametrize(
    ("family", "text"),
    [
        ("llama", "x |> sum() <| y"),
        ("llama", "<s>struck</s>"),
        ("llama", "[INST]"),
        ("mixtral", "<|eot_id|> {x}"),
    ],
)
def test_content_that_is_no_mark_of_its_template_is_sent_as_it_is(family: str, text: str) -> None:
    assert text in written(("user", text), model="a/b", family=family)["prompt"]


@pytest.mark.parametrize(
    "roles",
    [("user", "user"), ("user", "assistant"), ("user", "assistant", "assistant", "user"), ("assistant",)],
)
def test_turns_of_mixtral_alternate_and_end_with_the_user(roles: tuple[str, ...]) -> None:
    with pytest.raises(InvalidRequestError, match="mixtral"):
        written(*((role, "x") for role in roles), model="a/b", family="mixtral")


@pytest.mark.parametrize(
    ("home", "there", "allowed"),
    [
        ("https://api.replicate.com", "https://stream.replicate.com/v1/x", True),
        ("https://api.replicate.com", "https://replicate.delivery/x", True),
        ("https://api.replicate.com", "https://stream.replicate.delivery/x", True),
        ("https://api.replicate.com", "https://evilreplicate.delivery/x", False),
        ("https://api.replicate.com", "https://stream.replicate.com.evil.example/x", False),
        ("https://api.replicate.com", "https://stream.replicate.com@evil.example/x", False),
        ("https://api.replicate.com", "http://stream.replicate.com/x", False),
        ("https://proxy.example", "https://stream.replicate.com/x", False),
        ("https://proxy.example", "https://proxy.example/x", True),
        ("https://proxy.example", "https://proxy.example:444/x", False),
    ],
)
def test_the_key_goes_to_no_other_host(home: str, there: str, allowed: bool) -> None:
    adapter = open_adapter(Place("llama", home, Secret(KEY)))
    if allowed:
        adapter._check_host(there, request(("user", "x")))
        return
    with pytest.raises(BadResponseError, match="another host"):
        adapter._check_host(there, request(("user", "x")))


def test_a_server_that_streams_from_elsewhere_gets_the_key_to_nobody() -> None:
    seen: list[str] = []

    def routes(app: web.Application) -> None:
        async def any_path(request: web.Request) -> web.StreamResponse:
            seen.append(str(request.headers))
            return web.Response()

        app.router.add_route("*", "/{tail:.*}", any_path)

    with running(routes) as elsewhere:
        dialect = ReplicateDialect("stub/", streams_at=elsewhere)
        with serving(dialect) as stub, pytest.raises(BadResponseError, match="another host"):
            read_stream(stub, max_attempts=1)
        assert not seen
        assert dialect.cancelled == ["m"]


def read_stream(stub: VendorStub, **settings: Any) -> LLMResponse:
    async def read() -> LLMResponse:
        provider = build(stub, **settings)
        try:
            stream = provider.stream_chat_completion(HELLO, "stub/m", max_tokens=50)
            async for _ in stream:
                pass
            return stream.response
        finally:
            await provider.aclose()

    return asyncio.run(read())


def test_a_stream_has_the_counts_of_its_prediction_without_a_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    sleep = asyncio.sleep

    async def noted(seconds: float) -> None:
        waits.append(seconds)
        await sleep(seconds)

    with serving(ReplicateDialect("stub/")) as stub:
        monkeypatch.setattr(asyncio, "sleep", noted)
        answer = read_stream(stub, poll_s=0.0123)
    # Once done, it is looked at before any wait: the stub's first look is "processing", its second the end.
    assert waits.count(0.0123) == 1
    assert answer.usage == ReplicateDialect.usage
    assert answer.metadata["predict_time_s"] == 0.05


@pytest.mark.parametrize("poll_s", [0, -1, "1", True])
def test_the_time_between_two_looks(poll_s: Any, stub: VendorStub) -> None:
    with pytest.raises(UsageError, match="poll_s"):
        build(stub, poll_s=poll_s)


@pytest.mark.parametrize(
    "prediction",
    [
        {},
        {"metrics": "x", "created_at": 3, "started_at": None},
        {"output": ["a"], "metrics": {"input_token_count": -1, "output_token_count": True}},
        {"output": "text", "metrics": {"predict_time": float("nan"), "time_to_first_token": "x"}},
        {"created_at": "2026-01-01T00:00:05Z", "started_at": "2026-01-01T00:00:00Z"},
        {"created_at": "2026-01-01T00:00:05Z", "started_at": "2026-01-01T00:00:06"},
    ],
    ids=range(6),
)
def test_odd_predictions_make_no_wrong_numbers(prediction: dict[str, Any]) -> None:
    answer = prediction_answer(prediction, request(("user", "x")), provider="llama")
    assert answer.usage is None
    assert answer.queue_ms is None
    assert answer.decode_ms is None


@pytest.mark.parametrize("output", [{"a": 1}, ["a", 3], [None], 3, True], ids=repr)
def test_output_that_is_no_text_is_no_answer(output: Any) -> None:
    with pytest.raises(BadResponseError, match="no text"):
        prediction_answer({"output": output}, request(("user", "x")), provider="llama")


def test_events_that_are_cut_anywhere() -> None:
    body = "event: output\r\nid: 1\r\ndata: Grüße\r\n\r\n: note\nevent: output\ndata: \ndata: \n\n".encode()
    for size in range(1, len(body)):
        reader = EventReader()
        found = [e for n in range(0, len(body), size) for e in reader.feed(body[n : n + size])]
        assert found == [("output", "Grüße"), ("output", "\n")]


@pytest.mark.parametrize("family", [LlamaProvider, MixtralProvider])
def test_both_families_have_models_there(family: Callable[[dict[str, Any]], BaseLLMProvider]) -> None:
    assert family({"backend": "replicate", "api_key": KEY}).list_models()


@pytest.mark.parametrize(
    ("family", "option", "field", "begins"),
    [
        (LlamaProvider, {"stop": "END"}, "stop_sequences", "<|begin_of_text|>"),
        (MixtralProvider, {"frequency_penalty": 0.5}, "frequency_penalty", "<s>[INST]"),
    ],
)
def test_a_family_asks_in_its_own_way_for_a_model_of_ones_own(
    family: Callable[[dict[str, Any]], BaseLLMProvider], option: dict[str, Any], field: str, begins: str
) -> None:
    """The id tells no family: the provider does."""
    with serving(ReplicateDialect("stub/")) as stub:
        provider = family({"backend": "replicate", "base_url": stub.url, "api_key": KEY, "poll_s": 0.01})

        async def once() -> None:
            await provider.chat_completion(HELLO, "stub/m", **option)
            await provider.aclose()

        asyncio.run(once())
        sent = stub.asked[0].body["input"]
    assert field in sent
    assert sent["prompt"].startswith(begins)


@pytest.mark.parametrize("key", ["predict_time", "time_to_first_token"])
def test_a_time_that_no_float_holds_in_milliseconds_is_unknown(key: str) -> None:
    found = prediction_answer(
        {"status": "succeeded", "output": "a", "metrics": {"time_to_first_token": 0.5, key: 1e308}},
        ChatRequest("m", [{"role": "user", "content": "hi"}]),
        provider="replicate",
    )
    assert found.decode_ms is None


@pytest.mark.parametrize("address", ["/stream:99999999", "/stream\x00", "/[", "//[::1"])
def test_a_stream_at_no_address_is_an_error_of_ours(address: str) -> None:
    with serving(ReplicateDialect("stub/", streams_at=address)) as stub, pytest.raises(ProviderError):
        read_stream(stub)
