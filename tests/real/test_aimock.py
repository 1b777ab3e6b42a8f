"""OpenAI, Anthropic and Gemini as aimock plays them: through each vendor's own SDK and format, with
the failures that no vendor gives on request.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from llmbench import AnthropicProvider, GeminiProvider, Ledger, Matrix, ModelRouter, OpenAIProvider, finetune
from llmbench.background import run
from llmbench.errors import (
    AuthenticationError,
    BadResponseError,
    BudgetExceededError,
    ConnectionFailedError,
    ContextWindowError,
    InvalidRequestError,
    ModelUnavailableError,
    ProviderError,
    ProviderTimeoutError,
    QuotaExhaustedError,
    RateLimitError,
    ServerError,
    UsageError,
)
from llmbench.providers import BaseLLMProvider
from tests.real.parts import NODE_MODULES, Part, ask, check_schema, response_format, stream, together

KEY = "key-of-the-tests"
CAPITAL = "What is the capital of France?"
ANSWER = "The capital of France is Paris, on the Seine."
SLOW = "This answer takes its time, one word after the other, until it is whole."
FIRST_TOKEN_MS = 250


class Vendor(NamedTuple):
    name: str
    provider: type[BaseLLMProvider]
    path: str
    model: str


VENDORS = (
    Vendor("openai", OpenAIProvider, "/v1", "gpt-4o-mini"),
    Vendor("anthropic", AnthropicProvider, "", "claude-haiku-4-5"),
    Vendor("gemini", GeminiProvider, "", "gemini-2.5-flash"),
)

# Each format's names for the same 14 and 10 tokens, all in one: aimock takes those it knows.
USAGE = {
    "prompt_tokens": 14,
    "completion_tokens": 10,
    "total_tokens": 24,
    "input_tokens": 14,
    "output_tokens": 10,
    "promptTokenCount": 14,
    "candidatesTokenCount": 10,
    "totalTokenCount": 24,
}


class Failure(NamedTuple):
    error: type[ProviderError]
    said: dict[str, tuple[int, str, str]]
    """By vendor: status, code, and what is said, in its own words."""


FAILURES = {
    "rate limit": Failure(
        RateLimitError,
        {
            "openai": (429, "rate_limit_exceeded", "Rate limit reached for requests."),
            "anthropic": (429, "rate_limit_error", "This request would exceed your rate limit."),
            "gemini": (429, "RESOURCE_EXHAUSTED", "You exceeded your current quota, please check billing."),
        },
    ),
    "no credit": Failure(
        QuotaExhaustedError,
        {
            "openai": (429, "insufficient_quota", "You exceeded your current quota."),
            "anthropic": (400, "invalid_request_error", "Your credit balance is too low to access the API."),
            "gemini": (403, "PERMISSION_DENIED", "Please enable billing on project #1."),
        },
    ),
    "internal error": Failure(
        ServerError,
        {
            "openai": (500, "server_error", "The server had an error."),
            "anthropic": (500, "api_error", "Internal server error"),
            "gemini": (500, "INTERNAL", "An internal error has occurred."),
        },
    ),
    "overloaded": Failure(
        ServerError,
        {
            "openai": (503, "server_error", "The engine is currently overloaded."),
            "anthropic": (529, "overloaded_error", "Overloaded"),
            "gemini": (503, "UNAVAILABLE", "The model is overloaded. Please try again later."),
        },
    ),
    "refused as it is": Failure(
        InvalidRequestError,
        {
            "openai": (400, "invalid_value", "Invalid value: 'robot'."),
            "anthropic": (400, "invalid_request_error", "messages: roles must alternate."),
            "gemini": (400, "INVALID_ARGUMENT", "Please use a valid role: user, model."),
        },
    ),
    "too many words": Failure(
        ContextWindowError,
        {
            "openai": (
                400,
                "context_length_exceeded",
                "The maximum context length is 128000 tokens.",
            ),
            "anthropic": (400, "invalid_request_error", "prompt is too long: 250000 tokens > 200000 maximum"),
            "gemini": (
                400,
                "INVALID_ARGUMENT",
                "The input token count (1200000) exceeds the maximum number of tokens allowed (1048575).",
            ),
        },
    ),
    "retired": Failure(
        ModelUnavailableError,
        {
            "openai": (404, "model_not_found", "The model `gpt-4` has been deprecated."),
            "anthropic": (404, "not_found_error", "model: claude-2.1"),
            "gemini": (404, "NOT_FOUND", "models/gemini-1.0-pro is not found for API version v1beta."),
        },
    ),
}
"""The text that brings each about is its name with the vendor's."""
WAIT_S = 7


def failures() -> Iterator[dict[str, Any]]:
    for name, failure in FAILURES.items():
        for vendor, (status, code, said) in failure.said.items():
            yield {
                "match": {"userMessage": f"{name} of {vendor}"},
                "response": {
                    "error": {"message": said, "type": code, "code": code},
                    "status": status,
                    "retryAfter": WAIT_S,
                },
            }


def says(text: str, content: str, **more: Any) -> dict[str, Any]:
    match = {"userMessage": text, **more.pop("match", {})}
    return {
        "match": match,
        "response": {"content": content, "usage": USAGE, **more.pop("response", {})},
        **more,
    }


FIXTURES = [
    says("capital of France", ANSWER),
    says("And its river", "The Seine.", match={"systemMessage": "Be brief.", "turnIndex": 1}),
    says("too long an answer", "It goes on and", response={"finishReason": "length"}),
    says("in JSON", '{"verdict": "good", "sure": true}'),
    says(
        "slow answer",
        SLOW,
        chunkSize=6,
        streamingProfile={"ttft": FIRST_TOKEN_MS, "tps": 40, "jitter": 0},
    ),
    says("endless answer", "word " * 400, chunkSize=5, streamingProfile={"ttft": 10, "tps": 20, "jitter": 0}),
    says("cut in mid-stream", SLOW, chunkSize=6, latency=60, truncateAfterChunks=5),
    says("garbage", ANSWER, chaos={"malformedRate": 1}),
    says("drop the line", ANSWER, chaos={"disconnectRate": 1}),
    *failures(),
    *[
        fixture
        for vendor in VENDORS
        for fixture in (
            {
                "match": {"userMessage": f"busy once for {vendor.name}", "sequenceIndex": 0},
                "response": {"error": {"message": "Overloaded.", "type": "overloaded_error"}, "status": 503},
            },
            says(f"busy once for {vendor.name}", "Now I have time.", match={"sequenceIndex": 1}),
        )
    ],
]


@pytest.fixture(scope="module")
def aimock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Part]:
    fixtures = tmp_path_factory.mktemp("aimock") / "fixtures.json"
    fixtures.write_text(json.dumps({"fixtures": FIXTURES}), encoding="utf-8")
    part = Part(
        "aimock",
        lambda port: [
            *[NODE_MODULES / ".bin" / "llmock", "--port", port, "--host", "127.0.0.1"],
            *["--fixtures", fixtures, "--validate-on-load", "--strict"],
        ],
        ready="/health",
        within_s=30,
        environment={"AIMOCK_API_KEYS": KEY},
    )
    with part:
        yield part


@pytest.fixture(params=VENDORS, ids=lambda vendor: vendor.name)
def vendor(request: pytest.FixtureRequest) -> Vendor:
    found: Vendor = request.param
    return found


def open_provider(vendor: Vendor, part: Part, **config: Any) -> BaseLLMProvider:
    settings = {
        "base_url": f"{part.url}{vendor.path}",
        "api_key": KEY,
        "max_attempts": 1,
        "model": vendor.model,
    }
    return vendor.provider(settings | config)


@pytest.fixture
def provider(vendor: Vendor, aimock: Part) -> BaseLLMProvider:
    return open_provider(vendor, aimock)


def test_chat(provider: BaseLLMProvider, vendor: Vendor) -> None:
    answer = ask(provider, CAPITAL, max_tokens=50)
    assert answer.content == ANSWER
    assert (answer.provider, answer.model, answer.finish_reason) == (vendor.name, vendor.model, "stop")
    assert answer.usage is not None
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (14, 10)
    assert answer.cost_basis == "priced"
    price = provider.price(vendor.model, answer.usage)
    assert price.usd is not None
    assert answer.cost == price.usd > 0


def test_stream(provider: BaseLLMProvider) -> None:
    pieces, answer = stream(provider, "Give a slow answer.", max_tokens=50)
    assert len(pieces) > 5
    assert "".join(pieces) == answer.content == SLOW
    assert answer.finish_reason == "stop"
    assert answer.usage is not None
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (14, 10)
    assert answer.timing is not None
    assert answer.timing.time_to_first_token_ms is not None
    assert FIRST_TOKEN_MS * 0.9 < answer.timing.time_to_first_token_ms < answer.timing.latency_ms


def test_system_message_and_several_turns(provider: BaseLLMProvider) -> None:
    turns = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": CAPITAL},
        {"role": "assistant", "content": "Paris."},
        {"role": "user", "content": "And its river?"},
    ]
    (answer,) = together(provider, [{"messages": turns, "max_tokens": 50}])
    assert answer.content == "The Seine."  # which aimock says only to that system message and that turn


def test_truncated_answer(provider: BaseLLMProvider) -> None:
    answer = ask(provider, "Give too long an answer.", max_tokens=4)
    assert (answer.content, answer.finish_reason) == ("It goes on and", "length")
    _, streamed = stream(provider, "Give too long an answer.", max_tokens=4)
    assert streamed.finish_reason == "length"


def test_json_schema(provider: BaseLLMProvider) -> None:
    answer = ask(provider, "Answer in JSON.", max_tokens=50, response_format=response_format())
    check_schema(answer.content)


def test_options_arrive(aimock: Part, vendor: Vendor, provider: BaseLLMProvider) -> None:
    ask(provider, CAPITAL, max_tokens=33, temperature=0.25)
    _, body = aimock.get("/__aimock/journal", headers={"Authorization": f"Bearer {KEY}"})
    sent = json.loads(body)[-1]["body"]
    assert sent["temperature"] == 0.25
    assert 33 in {sent.get("max_tokens"), sent.get("max_completion_tokens")}
    assert not {"top_p", "stop", "seed", "n"} & set(sent)  # nothing that nobody asked for


@pytest.mark.parametrize("name", FAILURES)
@pytest.mark.parametrize("streamed", [False, True])
def test_failures(provider: BaseLLMProvider, vendor: Vendor, name: str, streamed: bool) -> None:
    call: Any = stream if streamed else ask
    status, _, said = FAILURES[name].said[vendor.name]
    with pytest.raises(FAILURES[name].error, match=re.escape(said.rstrip("."))) as caught:
        call(provider, f"{name} of {vendor.name}", max_tokens=50)
    assert type(caught.value) is FAILURES[name].error
    assert (caught.value.status_code, caught.value.model) == (status, vendor.model)
    assert KEY not in repr(caught.value)
    assert len(caught.value.attempts) == 1
    if name == "rate limit":
        assert caught.value.retry_after == WAIT_S


@pytest.mark.parametrize(
    ("text", "error"), [("garbage", BadResponseError), ("drop the line", ConnectionFailedError)]
)
@pytest.mark.parametrize("streamed", [False, True])
def test_broken_replies(
    provider: BaseLLMProvider, vendor: Vendor, text: str, error: type[ProviderError], streamed: bool
) -> None:
    call: Any = stream if streamed else ask
    with pytest.raises(error) as caught:
        call(provider, text, max_tokens=50)
    assert (caught.value.status_code, caught.value.model) == (None, vendor.model)
    assert caught.value.maybe_billed


def test_wrong_key(aimock: Part, vendor: Vendor) -> None:
    with pytest.raises(AuthenticationError) as caught:
        ask(open_provider(vendor, aimock, api_key="another-key"), CAPITAL, max_tokens=5)
    assert caught.value.status_code == 401
    assert "another-key" not in str(caught.value)


def test_stream_that_is_cut_is_no_answer(provider: BaseLLMProvider) -> None:
    heard: list[str] = []

    async def listen() -> None:
        answer = provider.stream_chat_completion(
            [{"role": "user", "content": "Be cut in mid-stream."}], max_tokens=50
        )
        try:
            async for piece in answer:
                heard.append(piece)  # noqa: PERF401 - what was heard before the cut counts
        finally:
            await answer.aclose()
            await provider.aclose()

    with pytest.raises((ConnectionFailedError, BadResponseError)) as caught:
        asyncio.run(listen())
    assert heard
    assert SLOW.startswith("".join(heard))
    assert caught.value.maybe_billed


def test_busy_server_is_asked_again(aimock: Part, vendor: Vendor) -> None:
    provider = open_provider(vendor, aimock, max_attempts=3)
    answer = ask(provider, f"busy once for {vendor.name}", max_tokens=50)
    assert answer.content == "Now I have time."
    assert [attempt.status for attempt in answer.attempts] == ["error", "ok"]


def test_wait_that_passes_the_deadline_is_not_waited(aimock: Part, vendor: Vendor) -> None:
    provider = open_provider(vendor, aimock, max_attempts=3, deadline_s=WAIT_S - 1)
    with pytest.raises(RateLimitError) as caught:
        ask(provider, f"rate limit of {vendor.name}", max_tokens=50)
    assert len(caught.value.attempts) == 1


def test_deadline_of_a_stream(provider: BaseLLMProvider) -> None:
    with pytest.raises(ProviderTimeoutError, match="within 1 s"):
        stream(provider, "Give an endless answer.", max_tokens=500, deadline_s=1)


def test_fine_tuning_life_cycle(aimock: Part, tmp_path: Path) -> None:
    rows = [
        {
            "messages": [
                {"role": "user", "content": f"Is {n} even?"},
                {"role": "assistant", "content": "Yes." if n % 2 == 0 else "No."},
            ]
        }
        for n in range(12)
    ]
    training = tmp_path / "train.jsonl"
    training.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    provider = open_provider(VENDORS[0], aimock)

    async def tune() -> tuple[dict[str, Any], list[dict[str, Any]]]:
        try:
            job = await provider.fine_tune(
                training_file_path=str(training), base_model="gpt-4o-mini-2024-07-18", suffix="even"
            )
            states = [await provider.get_fine_tuning_status(job["job_id"]) for _ in range(4)]
        finally:
            await provider.aclose()
        return job, states

    job, states = asyncio.run(tune())
    assert job["job_id"].startswith("ftjob-")
    words = [state["status"] for state in states]
    assert words == ["queued", "running", "succeeded", "succeeded"]
    assert all(state["job_id"] == job["job_id"] for state in states)
    assert "ft:gpt-4o-mini-2024-07-18:" in str(states[-1])

    _, body = aimock.get("/__aimock/journal?service=files", headers={"Authorization": f"Bearer {KEY}"})
    uploaded = json.loads(body)[-1]["body"]
    assert uploaded["purpose"] == "fine-tune"
    assert uploaded["bytes"] == training.stat().st_size


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project with a file to train."""
    (tmp_path / "llmbench.toml").touch()
    monkeypatch.chdir(tmp_path)
    rows = [
        [
            {"role": "user", "content": f"Is {n} even?"},
            {"role": "assistant", "content": "Yes." if n % 2 else "No."},
        ]
        for n in range(12)
    ]
    lines = "".join(json.dumps({"messages": row}) + "\n" for row in rows)
    (tmp_path / "train.jsonl").write_text(lines, encoding="utf-8")
    return tmp_path


def test_a_job_from_its_quote_to_a_priced_model(aimock: Part, project: Path) -> None:
    training = project / "train.jsonl"
    with Ledger("jobs.db") as ledger:
        provider = open_provider(VENDORS[0], aimock, ledger=ledger)
        quote = finetune.quote(provider, training, "gpt-4o-mini", epochs=2)
        assert quote.usd is not None
        job = finetune.start(
            provider, training, "gpt-4o-mini", budget_usd=quote.usd, suffix="even", epochs=2, ledger=ledger
        )
        assert job.id is not None
        assert (job.state, job.status.vendor_state) == ("queued", "validating_files")
        with pytest.raises(BudgetExceededError):
            finetune.start(
                provider, training, "gpt-4o-mini", budget_usd=0, epochs=2, ledger=ledger, again=True
            )
        same = finetune.start(
            provider, training, "gpt-4o-mini", budget_usd=1, suffix="even", epochs=2, ledger=ledger
        )
        assert same.id == job.id  # the same order is not started, or paid, twice
        job_id = job.id
        run(provider.aclose())
    with Ledger("jobs.db") as ledger:  # after a restart
        provider = open_provider(VENDORS[0], aimock, ledger=ledger)
        job = finetune.resume(job_id, provider=provider, ledger=ledger)
        assert job.refresh().state == "queued"
        told: list[str] = []
        assert job.wait(poll_s=0.05, progress=told.append).state == "succeeded"
        assert [line.split(": ")[1].split(",")[0] for line in told] == ["running", "succeeded"]
        messages = [event.message for event in job.events()]
        assert "Training started" in messages
        assert messages[-1].startswith("Training complete")
        assert job.metrics() == []  # aimock trains nothing, so that there is no loss
        assert job.tuned_model is not None
        assert job.tuned_model.startswith("ft:gpt-4o-mini-2024-07-18:aimock:even:")
        assert job.usd is not None
        assert job.model == f"openai/{job.tuned_model}"
        assert [each.id for each in finetune.jobs(ledger)] == [job_id]

        items = project / "items.jsonl"
        items.write_text(json.dumps({"prompt": CAPITAL, "expected": ANSWER}) + "\n", encoding="utf-8")
        matrix = Matrix(
            items,
            [job.model],
            params={"temperature": 0, "max_tokens": 50},
            ledger=ledger,
            providers={"openai": provider},
        )
        assert matrix.quote().usd is not None
        matrix.run()
        (call,) = ledger.calls()
        assert (call.model, call.cost_basis) == (job.tuned_model, "priced")
        assert call.cost == pytest.approx((14 * 0.30 + 10 * 1.20) / 1e6)
        router = ModelRouter({"openai": provider})
        question = [{"role": "user", "content": CAPITAL}]
        answer = run(router.route(question, provider="openai", model=job.tuned_model, max_tokens=50))
        assert (answer.model, answer.cost) == (job.tuned_model, call.cost)
        run(provider.aclose())


def test_a_job_that_is_cancelled(aimock: Part, project: Path) -> None:
    with Ledger("jobs.db") as ledger:
        provider = open_provider(VENDORS[0], aimock, ledger=ledger)
        job = finetune.start(provider, project / "train.jsonl", "gpt-4o-mini", budget_usd=1, epochs=1)
        assert job.cancel().state == "cancelled"
        assert job.refresh().state == job.wait(progress=None).state == "cancelled"
        assert job.model is None
        run(provider.aclose())


def test_a_job_whose_start_was_cut_off_is_found_in_the_list(aimock: Part, project: Path) -> None:
    with Ledger("jobs.db") as ledger:
        provider = open_provider(VENDORS[0], aimock, ledger=ledger)
        training = project / "train.jsonl"
        job = finetune.start(provider, training, "gpt-4o-mini", budget_usd=1, epochs=3)
        (row,) = ledger.tuning_jobs()
        # As the ledger would be if this process had been killed before it heard the id.
        ledger.tuning_seen(row.tag, job_id=None, state="queued", status={}, at=row.prepared_at)
        found = finetune.start(provider, training, "gpt-4o-mini", budget_usd=1, epochs=3)
        assert found.id == job.id
        assert "was cut off" in found.note
        run(provider.aclose())


def test_a_job_that_the_vendor_has_forgotten(aimock: Part, project: Path) -> None:
    with Ledger("jobs.db") as ledger:
        provider = open_provider(VENDORS[0], aimock, ledger=ledger)
        with pytest.raises(UsageError, match="ftjob-nowhere"):
            finetune.resume("ftjob-nowhere", provider=provider)
        job = finetune.start(provider, project / "train.jsonl", "gpt-4o-mini", budget_usd=1, epochs=4)
        (row,) = ledger.tuning_jobs()
        ledger.tuning_seen(
            row.tag, job_id="ftjob-gone", state="running", status=row.status, at=row.prepared_at
        )
        status = job.refresh()
        assert status.state == "unavailable"
        assert "no longer knows the job" in str(status.error)
        assert [each.id for each in finetune.jobs(ledger)] == ["ftjob-gone"]  # the record is kept
        run(provider.aclose())


def test_fine_tuning_job_that_is_not_there(aimock: Part) -> None:
    provider = open_provider(VENDORS[0], aimock)

    async def look() -> None:
        try:
            await provider.get_fine_tuning_status("ftjob-nowhere")
        finally:
            await provider.aclose()

    with pytest.raises(ProviderError, match="ftjob-nowhere") as caught:
        asyncio.run(look())
    assert caught.value.status_code == 404
