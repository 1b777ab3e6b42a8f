"""Jobs at the three vendors, on stubs that answer as their references describe."""

from __future__ import annotations

import asyncio
import json
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from llmbench.errors import (
    AuthenticationError,
    BadResponseError,
    ConnectionFailedError,
    DatasetError,
    FineTuningUnavailableError,
    InvalidRequestError,
    ProviderError,
    ProviderTimeoutError,
    RateLimitError,
    ServerError,
    UsageError,
)
from llmbench.providers import (
    BaseLLMProvider,
    FakeClock,
    FakeProvider,
    LlamaProvider,
    OpenAIProvider,
    TogetherProvider,
)
from llmbench.providers.training_file import CHAT, check_training_file
from tests.providers.cases import KEY
from tests.providers.tuning_stubs import (
    JOB,
    TRAINED,
    Jobs,
    openai_routes,
    replicate_routes,
    together_routes,
    tuning_vendor,
)
from tests.providers.vendor_stub import running

EXAMPLE = {"messages": [{"role": "user", "content": "2 + 2"}, {"role": "assistant", "content": "4"}]}
REPLICATE = {"destination": "me/mine", "version": "a" * 64}


@dataclass(frozen=True)
class Vendor:
    routes: Callable[[web.Application, Jobs], None]
    build: Callable[..., BaseLLMProvider]
    base_model: str
    words: dict[str, str]
    options: dict[str, Any] = field(default_factory=dict)


VENDORS = {
    "openai": Vendor(
        openai_routes,
        lambda url, **more: OpenAIProvider({"base_url": f"{url}/v1", "api_key": KEY, **more}),
        "gpt-4o-mini",
        {"queued": "validating_files", "running": "running", "succeeded": "succeeded", "failed": "failed",
         "cancelled": "cancelled"},
    ),
    "replicate": Vendor(
        replicate_routes,
        lambda url, **more: LlamaProvider(
            {"backend": "replicate", "base_url": url, "api_key": KEY, **more}
        ),
        "llama-3-8b",
        {"queued": "starting", "running": "processing", "succeeded": "succeeded", "failed": "failed",
         "cancelled": "canceled"},
        REPLICATE,
    ),
    "together": Vendor(
        together_routes,
        lambda url, **more: LlamaProvider({"backend": "together", "base_url": url, "api_key": KEY, **more}),
        "llama-3.1-8b",
        {"queued": "pending", "running": "running", "succeeded": "completed", "failed": "error",
         "cancelled": "cancelled"},
    ),
}  # fmt: skip


@pytest.fixture(params=sorted(VENDORS))
def vendor(request: pytest.FixtureRequest) -> Vendor:
    return VENDORS[request.param]


@pytest.fixture
def jobs(vendor: Vendor) -> Iterator[Jobs]:
    found = Jobs([vendor.words["queued"]])
    with tuning_vendor(vendor.routes, found):
        yield found


@pytest.fixture
def training(tmp_path: Path) -> Path:
    path = tmp_path / "training.jsonl"
    path.write_text(f"{json.dumps(EXAMPLE)}\n" * 10, encoding="utf-8")
    return path


def run(provider: BaseLLMProvider, ask: Callable[[], Any]) -> Any:
    async def once() -> Any:
        try:
            return await ask()
        finally:
            await provider.aclose()

    return asyncio.run(once())


def start(vendor: Vendor, jobs: Jobs, training: Path, **more: Any) -> dict[str, Any]:
    settings = more.pop("settings", {})
    provider = vendor.build(jobs.url, **settings)
    arguments = {
        "training_file_path": str(training),
        "base_model": vendor.base_model,
        **vendor.options,
        **more,
    }
    found: dict[str, Any] = run(provider, lambda: provider.fine_tune(**arguments))
    return found


def look(vendor: Vendor, jobs: Jobs, job_id: str = JOB) -> dict[str, Any]:
    provider = vendor.build(jobs.url)
    found: dict[str, Any] = run(provider, lambda: provider.get_fine_tuning_status(job_id))
    return found


def test_a_job_is_submitted_once_with_its_file(vendor: Vendor, jobs: Jobs, training: Path) -> None:
    result = start(vendor, jobs, training, seed=7)
    assert result["job_id"] == JOB
    assert result["status"] == "queued"
    assert result["vendor_status"] == vendor.words["queued"]
    assert result["training_file_id"] == "file-1"
    assert len(result["training_file_sha256"]) == 64
    assert result["created_at"].endswith("+00:00")
    assert len(jobs.created) == len(jobs.uploads) == 1
    assert json.dumps(EXAMPLE).encode() in jobs.uploads[0]
    assert set(jobs.keys) == {f"Bearer {KEY}"}


def test_states(vendor: Vendor, jobs: Jobs) -> None:
    for state, word in vendor.words.items():
        jobs.words = [word]
        result = look(vendor, jobs)
        assert (result["status"], result["vendor_status"]) == (state, word)
        assert (result["fine_tuned_model"] is not None) == (state == "succeeded")
        assert result["finished_at"] is not None or state != "succeeded"
        assert result["finished_at"] is None or state not in {"queued", "running"}
        assert (result["error"] == "bad file") == (state == "failed")


def test_a_state_nobody_knows_is_not_guessed(jobs: Jobs, vendor: Vendor) -> None:
    jobs.words = ["meditating"]
    with pytest.raises(BadResponseError, match="meditating"):
        look(vendor, jobs)


def test_an_unknown_job(vendor: Vendor, jobs: Jobs) -> None:
    with pytest.raises(InvalidRequestError, match="no fine-tuning job 'ftjob-2'") as caught:
        look(vendor, jobs, "ftjob-2")
    assert caught.value.status_code == 404
    with pytest.raises(UsageError, match="job_id"):
        look(vendor, jobs, " ")


@pytest.mark.parametrize(
    ("refusal", "kind"),
    [
        ((401, f"bad key {KEY}"), AuthenticationError),
        ((429, "slow down"), RateLimitError),
        ((403, "Fine-tuning is no longer available for your organization."), FineTuningUnavailableError),
        ((400, "bad hyperparameters"), InvalidRequestError),
    ],
)
def test_refusals_are_not_retried_and_show_no_key(
    vendor: Vendor, jobs: Jobs, training: Path, refusal: tuple[int, str], kind: type[ProviderError]
) -> None:
    jobs.refusal = refusal
    with pytest.raises(kind) as caught:
        start(vendor, jobs, training)
    assert type(caught.value) is kind
    assert len(jobs.keys) == 1
    assert not caught.value.maybe_billed
    assert "no job was started; uploaded: file-1" in str(caught.value)
    assert KEY not in f"{caught.value!r} {caught.value.__cause__!r} {caught.value.__context__!r}"


def test_no_answer_says_that_a_job_may_have_been_started(vendor: Vendor, jobs: Jobs, training: Path) -> None:
    jobs.hang = True
    with pytest.raises(ProviderTimeoutError, match="may have been started") as caught:
        start(vendor, jobs, training, deadline_s=1.0)
    assert caught.value.maybe_billed


def test_an_option_the_vendor_does_not_have(vendor: Vendor, jobs: Jobs, training: Path) -> None:
    with pytest.raises(UsageError, match="n_epoch"):
        start(vendor, jobs, training, n_epoch=3)
    assert not jobs.uploads


BAD_LINES = [
    (b"not json\n", "is not JSON"),
    (b"[1]\n", "is a JSON array; write each example"),
    (b"\xff\xfe\n", "UTF-8"),
    (b"{}\n", "messages"),
    (b'{"messages": []}\n', "empty"),
    (b'{"messages": [{"role": "robot", "content": "x"}]}\n', "role"),
    (b'{"messages": [{"role": "user", "content": ""}]}\n', "text"),
    (b'{"messages": [{"role": "user", "content": "x"}]}\n', "assistant"),
]


@pytest.mark.parametrize(("line", "words"), BAD_LINES)
def test_bad_lines_are_named_and_nothing_is_sent(
    vendor: Vendor, jobs: Jobs, training: Path, line: bytes, words: str
) -> None:
    training.write_bytes(training.read_bytes() + line)
    with pytest.raises(DatasetError, match=rf"training\.jsonl:11 .*{words}"):
        start(vendor, jobs, training)
    assert not jobs.uploads


def test_files_that_are_none(vendor: Vendor, jobs: Jobs, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="cannot be read"):
        start(vendor, jobs, tmp_path / "absent.jsonl")
    empty = tmp_path / "empty.jsonl"
    empty.write_text("\n\n", encoding="utf-8")
    with pytest.raises(DatasetError, match="0 examples"):
        start(vendor, jobs, empty)


def test_openai_needs_ten_examples_and_trains_a_dated_snapshot(tmp_path: Path, training: Path) -> None:
    jobs, vendor = Jobs(["queued"]), VENDORS["openai"]
    with tuning_vendor(openai_routes, jobs):
        start(vendor, jobs, training, suffix="rekindle-v2-1-0", n_epochs=2)
        assert jobs.created[0]["model"] == "gpt-4o-mini-2024-07-18"
        assert jobs.created[0]["suffix"] == "rekindle-v2-1-0"
        assert jobs.created[0]["method"]["supervised"]["hyperparameters"] == {"n_epochs": 2}
        few = tmp_path / "few.jsonl"
        few.write_text(f"{json.dumps(EXAMPLE)}\n" * 9, encoding="utf-8")
        with pytest.raises(DatasetError, match="9 examples, and at least 10"):
            start(vendor, jobs, few)


def test_nothing_is_asked_for_beyond_what_was_given(training: Path) -> None:
    jobs, vendor = Jobs(["queued"]), VENDORS["openai"]
    with tuning_vendor(openai_routes, jobs):
        start(vendor, jobs, training)
    assert set(jobs.created[0]) == {"model", "training_file"}


@pytest.mark.parametrize(
    ("day", "open_"),
    [(datetime(2027, 1, 6, 12, tzinfo=UTC), True), (datetime(2027, 1, 7, tzinfo=UTC), False)],
)
def test_openai_closes_on_its_date(training: Path, day: datetime, open_: bool) -> None:
    clock = FakeClock()
    clock.now = lambda: day  # type: ignore[method-assign]
    jobs, vendor = Jobs(["queued"]), VENDORS["openai"]
    with tuning_vendor(openai_routes, jobs):
        if open_:
            assert start(vendor, jobs, training, settings={"clock": clock})["job_id"]
            return
        with pytest.raises(FineTuningUnavailableError, match="2027-01-06"):
            start(vendor, jobs, training, settings={"clock": clock})
    assert not jobs.uploads


def test_a_model_that_cannot_be_tuned_names_those_that_can(training: Path) -> None:
    provider = OpenAIProvider({"api_key": KEY})
    with pytest.raises(FineTuningUnavailableError, match="gpt-4o-mini"):
        asyncio.run(provider.fine_tune(training, "gpt-4"))


@pytest.mark.parametrize("missing", ["destination", "version"])
def test_replicate_needs_a_model_to_train_into(training: Path, missing: str) -> None:
    jobs, vendor = Jobs(["starting"]), VENDORS["replicate"]
    with (
        tuning_vendor(replicate_routes, jobs),
        pytest.raises(UsageError, match=missing),
    ):
        start(vendor, jobs, training, **{missing: None})
    assert not jobs.uploads


@pytest.mark.parametrize("backend", ["vllm", "ollama"])
def test_ones_own_server_trains_nothing(backend: str, training: Path) -> None:
    provider = LlamaProvider({"backend": backend})
    with pytest.raises(FineTuningUnavailableError, match=f"llama on {backend}"):
        asyncio.run(provider.fine_tune(training, "llama-3.1-8b"))
    with pytest.raises(FineTuningUnavailableError, match="job-1"):
        asyncio.run(provider.get_fine_tuning_status("job-1"))


def test_a_provider_without_fine_tuning(training: Path) -> None:
    with pytest.raises(FineTuningUnavailableError, match="fake"):
        asyncio.run(FakeProvider([]).fine_tune(training, "m"))


@pytest.mark.parametrize("row", [{"prompt": "a", "completion": "b"}, {"text": "a"}])
def test_together_takes_other_formats_too(tmp_path: Path, row: dict[str, str]) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text(json.dumps(row) + "\n", encoding="utf-8")
    tuner = TogetherProvider({"api_key": KEY})._tuner()
    assert tuner is not None
    assert check_training_file(path, formats=tuner.formats).examples == 1


def test_a_refused_upload_has_started_nothing(vendor: Vendor, jobs: Jobs, training: Path) -> None:
    jobs.upload_refusal = (503, "busy")
    with pytest.raises(ServerError, match="no job was started") as caught:
        start(vendor, jobs, training)
    assert not caught.value.maybe_billed
    assert "uploaded" not in str(caught.value)
    assert not jobs.keys


@pytest.mark.parametrize(
    ("trouble", "kind"),
    [
        ({"cut": True}, ConnectionFailedError),
        ({"refusal": (502, "bad gateway")}, ServerError),
        ({"raw": "{"}, BadResponseError),
        ({"raw": "{}"}, BadResponseError),
        ({"raw": "[]"}, BadResponseError),
        ({"words": ["meditating"]}, BadResponseError),
    ],
)
def test_a_submission_in_doubt_says_so_and_is_not_repeated(
    vendor: Vendor, jobs: Jobs, training: Path, trouble: dict[str, Any], kind: type[ProviderError]
) -> None:
    for name, value in trouble.items():
        setattr(jobs, name, value)
    with pytest.raises(kind, match=r"a job may have been started: .*; uploaded: file-1") as caught:
        start(vendor, jobs, training)
    assert caught.value.maybe_billed
    assert len(jobs.keys) == 1
    if jobs.created:
        assert JOB in str(caught.value)  # the job is not lost


@pytest.mark.parametrize("trouble", [{"cut": True}, {"raw": "{"}, {"refusal": (502, "x")}])
def test_a_look_costs_nothing(vendor: Vendor, jobs: Jobs, trouble: dict[str, Any]) -> None:
    for name, value in trouble.items():
        setattr(jobs, name, value)
    with pytest.raises(ProviderError) as caught:
        look(vendor, jobs)
    assert not caught.value.maybe_billed
    assert "started" not in str(caught.value)


@pytest.mark.parametrize("job_id", ["../models", "a/b", "ftjob-1?x=1", "..", "ft job", "ftjob-1\n"])
def test_an_id_that_would_reach_another_path_is_no_job(vendor: Vendor, jobs: Jobs, job_id: str) -> None:
    with pytest.raises(InvalidRequestError, match="no fine-tuning job"):
        look(vendor, jobs, job_id)
    assert not jobs.keys


@pytest.mark.parametrize("status", [400, 422])
def test_an_id_of_another_vendor_is_no_job(vendor: Vendor, jobs: Jobs, status: int) -> None:
    jobs.refusal = (status, "malformed id")
    with pytest.raises(InvalidRequestError, match="no fine-tuning job"):
        look(vendor, jobs)


def test_a_result_shows_no_key(vendor: Vendor, jobs: Jobs) -> None:
    jobs.words, jobs.echo = [vendor.words["failed"]], f"bad key {KEY}"
    result = look(vendor, jobs)
    assert result["error"] == "bad key ****"
    assert KEY not in json.dumps(result)


def test_the_wait_that_a_limit_asks_for(vendor: Vendor, jobs: Jobs, training: Path) -> None:
    jobs.refusal, jobs.headers = (429, "slow down"), {"Retry-After": "7"}
    with pytest.raises(RateLimitError) as caught:
        start(vendor, jobs, training)
    assert caught.value.retry_after == 7


def test_a_file_that_changes_on_its_way_starts_no_job(vendor: Vendor, jobs: Jobs, training: Path) -> None:
    other = training.with_name("other.jsonl")
    other.write_bytes(training.read_bytes())

    def tamper() -> None:
        other.write_bytes(training.read_bytes() * 2)

    jobs.tampering = tamper
    with pytest.raises(DatasetError, match="was changed"):
        start(vendor, jobs, training, validation_file_path=other)
    assert not jobs.created


def test_a_validation_file_is_checked_and_sent_too(vendor: Vendor, jobs: Jobs, training: Path) -> None:
    held_out = training.with_name("held_out.jsonl")
    held_out.write_text(json.dumps(EXAMPLE), encoding="utf-8")
    start(vendor, jobs, training, validation_file_path=held_out)
    assert len(jobs.uploads) == 2
    asked = {**jobs.created[0], **jobs.created[0].get("input", {})}
    assert {"validation_file", "validation_data"} & set(asked)
    held_out.write_text("{}", encoding="utf-8")
    with pytest.raises(DatasetError, match=r"held_out\.jsonl:1"):
        start(vendor, jobs, training, validation_file_path=held_out)


@pytest.mark.parametrize("model", ["ft:gpt-4o-mini-2024-07-18:us::1", "gpt-next", "gpt-4.1"])
def test_after_openais_last_day_no_model_is_taken(training: Path, model: str) -> None:
    clock = FakeClock(datetime(2027, 1, 7, tzinfo=UTC))
    provider = OpenAIProvider({"api_key": KEY, "clock": clock})
    with pytest.raises(FineTuningUnavailableError, match="no new jobs after 2027-01-06"):
        asyncio.run(provider.fine_tune(training, model))


@pytest.fixture
def azure() -> Iterator[tuple[Jobs, Callable[..., OpenAIProvider]]]:
    """Azure after OpenAI's last day."""
    jobs, clock = Jobs(["pending"]), FakeClock(datetime(2027, 1, 7, tzinfo=UTC))
    deployments = {"mine": "gpt-4.1", "old": "gpt-4"}

    def routes(app: web.Application, jobs: Jobs) -> None:
        openai_routes(app, jobs, prefix="/openai/v1")

    def build() -> OpenAIProvider:
        return OpenAIProvider(
            {
                "backend": "azure",
                "base_url": jobs.url,
                "allow_http": True,
                "api_key": KEY,
                "clock": clock,
                "deployments": deployments,
            }
        )

    with tuning_vendor(routes, jobs):
        yield jobs, build


def test_azure_is_not_closed_by_openais_date_and_knows_its_deployments(azure: Any, training: Path) -> None:
    jobs, build = azure
    result = run(provider := build(), lambda: provider.fine_tune(training, "mine"))
    assert (result["backend"], result["status"]) == ("azure", "queued")
    assert jobs.created[0]["model"] == "gpt-4.1-2025-04-14"
    with pytest.raises(FineTuningUnavailableError, match="cannot be fine-tuned"):
        run(second := build(), lambda: second.fine_tune(training, "old"))


def test_azure_reads_a_file_before_it_takes_the_job(azure: Any, training: Path) -> None:
    jobs, build = azure
    jobs.file_words = ["pending", "running", "processed"]
    provider = build()
    assert run(provider, lambda: provider.fine_tune(training, "mine"))["job_id"] == JOB
    assert provider.clock.sleeps == [2.0, 2.0]
    jobs.file_words = ["pending", "error"]
    with pytest.raises(DatasetError, match=r"file-1 there: line 3; no job was started"):
        run(provider, lambda: provider.fine_tune(training, "mine"))
    jobs.file_words = ["pending"]
    with pytest.raises(ProviderTimeoutError, match=r"no job was started; uploaded: file-1") as caught:
        run(provider, lambda: provider.fine_tune(training, "mine", deadline_s=9))
    assert not caught.value.maybe_billed
    assert len(jobs.created) == 1


def test_a_file_that_vanishes_on_its_way(
    vendor: Vendor, jobs: Jobs, training: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def check_and_remove(path: Path, **rules: Any) -> Any:
        found = check_training_file(path, **rules)
        Path(path).unlink()
        return found

    monkeypatch.setattr("llmbench.providers.fine_tuning.check_training_file", check_and_remove)
    with pytest.raises(DatasetError, match=r"training\.jsonl.* could not be read .*no job was started"):
        start(vendor, jobs, training)
    assert not jobs.keys


def test_together_sends_its_files_elsewhere_without_the_key(training: Path) -> None:
    jobs = Jobs(["pending"])
    with tuning_vendor(together_routes, jobs):
        start(VENDORS["together"], jobs, training)
    assert len(jobs.storage_headers) == 1
    assert KEY not in str(jobs.storage_headers)
    assert "Authorization" not in jobs.storage_headers[0]


def test_together_is_asked_for_no_more_than_was_given(training: Path) -> None:
    jobs = Jobs(["pending"])
    with tuning_vendor(together_routes, jobs):
        start(VENDORS["together"], jobs, training)
        start(VENDORS["together"], jobs, training, lora_r=8, n_epochs=2, seed=3, suffix="v2", lora=None)
        start(VENDORS["together"], jobs, training, lora=True, train_on_inputs=False)
        start(VENDORS["together"], jobs, training, lora=False)
    plain = {"model": TRAINED, "training_file": "file-1"}
    assert jobs.created == [
        plain,
        {
            **plain,
            "n_epochs": 2,
            "random_seed": 3,
            "suffix": "v2",
            "training_type": {"type": "Lora", "lora_r": 8, "lora_alpha": 16},
        },
        {
            **plain,
            "training_type": {"type": "Lora", "lora_r": 16, "lora_alpha": 32},
            "training_method": {"method": "sft", "train_on_inputs": False},
        },
        {**plain, "training_type": {"type": "Full"}},
    ]


def test_together_trains_under_another_id_than_it_answers(training: Path) -> None:
    jobs = Jobs(["pending"])
    with tuning_vendor(together_routes, jobs):
        assert start(VENDORS["together"], jobs, training)["base_model"] == TRAINED
        assert jobs.limits_asked == ["meta-llama/Meta-Llama-3.1-8B-Instruct-Turbo", TRAINED]
        uploads = len(jobs.uploads)
        with pytest.raises(FineTuningUnavailableError, match="does not fine-tune 'me/unknown'"):
            start(VENDORS["together"], jobs, training, base_model="me/unknown")
        assert len(jobs.uploads) == uploads


def test_together_takes_files_by_their_ending_and_no_lora_options_without_lora(training: Path) -> None:
    jobs = Jobs(["pending"])
    other = training.rename(training.with_suffix(".txt"))
    with tuning_vendor(together_routes, jobs):
        with pytest.raises(UsageError, match=r"\.jsonl"):
            start(VENDORS["together"], jobs, other)
        with pytest.raises(UsageError, match="lora_r"):
            start(VENDORS["together"], jobs, other.rename(training), lora=False, lora_r=8)
    assert not jobs.limits_asked


def test_a_storage_that_refuses_is_not_a_wrong_key(training: Path) -> None:
    jobs = Jobs(["pending"], storage_status=403)
    with (
        tuning_vendor(together_routes, jobs),
        pytest.raises(ServerError, match=r"storage at localhost .*no job was started") as caught,
    ):
        start(VENDORS["together"], jobs, training)
    assert not caught.value.maybe_billed


def test_replicates_word_for_a_training_that_never_ran() -> None:
    jobs = Jobs(["aborted"])
    with tuning_vendor(replicate_routes, jobs):
        assert look(VENDORS["replicate"], jobs)["status"] == "cancelled"


def test_a_redirect_is_not_followed(training: Path) -> None:
    elsewhere: list[str] = []

    async def note(request: web.Request) -> web.Response:
        elsewhere.append(request.headers.get("Authorization", ""))
        return web.json_response({})

    for vendor in VENDORS.values():
        jobs = Jobs([vendor.words["queued"]])
        with running(lambda app: app.router.add_route("*", "/{any:.*}", note) and None) as other:
            jobs.refusal, jobs.headers = (307, "moved"), {"Location": f"{other}/x"}
            with tuning_vendor(vendor.routes, jobs), pytest.raises(InvalidRequestError):
                start(vendor, jobs, training)
    assert not elsewhere


@pytest.mark.parametrize(
    "messages",
    [
        [{"role": "user", "content": [{"type": "text", "text": "x"}]}, {"role": "assistant", "content": "y"}],
        [
            {"role": "user", "content": "x"},
            {"role": "assistant", "tool_calls": [{"id": "1"}], "content": None},
            {"role": "tool", "content": "y", "tool_call_id": "1"},
            {"role": "assistant", "content": "z", "weight": 0},
        ],
    ],
)
def test_what_the_vendors_take_is_taken(tmp_path: Path, messages: list[Any]) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text(json.dumps({"messages": messages}), encoding="utf-8")
    assert check_training_file(path, formats=frozenset({CHAT})).examples == 1


def test_at_most_twenty_problems_are_named(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text("NaN\n" * 500, encoding="utf-8")
    with pytest.raises(DatasetError) as caught:
        check_training_file(path, formats=frozenset({CHAT}))
    assert str(caught.value).count("is not JSON") == 20
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps(EXAMPLE).encode())
    with pytest.raises(DatasetError, match=r"t\.jsonl:1 starts with a byte order mark"):
        check_training_file(path, formats=frozenset({CHAT}))


def test_a_file_of_one_endless_line_does_not_fill_the_memory(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    with path.open("wb") as content:
        content.truncate(200_000_000)  # sparse: zeros without a line end
        content.seek(0, 2)
        content.write(b"\n{}\n")
    tracemalloc.start()
    try:
        with pytest.raises(DatasetError, match=r"t\.jsonl:1 is longer than 32 MiB.*\n.*t\.jsonl:2 has no"):
            check_training_file(path, formats=frozenset({CHAT}))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 110_000_000
