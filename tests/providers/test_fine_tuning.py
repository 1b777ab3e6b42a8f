"""Jobs at the three vendors, on stubs that answer as their references describe."""

from __future__ import annotations

import asyncio
import json
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
    DatasetError,
    FineTuningUnavailableError,
    InvalidRequestError,
    ProviderError,
    ProviderTimeoutError,
    RateLimitError,
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
from tests.providers.cases import KEY
from tests.providers.vendor_stub import running

EXAMPLE = {"messages": [{"role": "user", "content": "2 + 2"}, {"role": "assistant", "content": "4"}]}
REPLICATE = {"destination": "me/mine", "version": "a" * 64}


@dataclass
class Jobs:
    """One vendor's jobs: `words` are the states that one look after another finds."""

    words: list[str]
    url: str = ""
    refusal: tuple[int, str] | None = None
    created: list[dict[str, Any]] = field(default_factory=list)
    uploads: list[bytes] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    hang: bool = False

    async def refuse(self, request: web.Request) -> web.Response | None:
        self.keys.append(request.headers.get("Authorization", ""))
        if self.hang:
            await asyncio.sleep(20)
        if self.refusal:
            status, message = self.refusal
            body = {"error": {"message": message, "code": None}, "detail": message}
            return web.json_response(body, status=status)
        return None

    def word(self) -> str:
        return self.words.pop(0) if len(self.words) > 1 else self.words[0]


def openai_routes(app: web.Application, jobs: Jobs) -> None:
    async def upload(request: web.Request) -> web.Response:
        jobs.uploads.append(await request.read())
        return web.json_response(
            {"id": "file-1", "object": "file", "bytes": 1, "created_at": 1, "filename": "t.jsonl",
             "purpose": "fine-tune", "status": "processed"}
        )  # fmt: skip

    async def create(request: web.Request) -> web.Response:
        if (refused := await jobs.refuse(request)) is not None:
            return refused
        jobs.created.append(await request.json())
        return web.json_response(job())

    async def look(request: web.Request) -> web.Response:
        if request.match_info["id"] != "ftjob-1":
            return web.json_response({"error": {"message": "no such job", "code": None}}, status=404)
        return await jobs.refuse(request) or web.json_response(job())

    def job() -> dict[str, Any]:
        word = jobs.word()
        done = word == "succeeded"
        return {
            "id": "ftjob-1", "object": "fine_tuning.job", "model": "gpt-4o-mini-2024-07-18", "status": word,
            "created_at": 1_700_000_000, "finished_at": 1_700_003_600 if done else None,
            "fine_tuned_model": "ft:gpt-4o-mini:us::1" if done else None, "training_file": "file-1",
            "trained_tokens": 4321 if done else None, "organization_id": "org", "result_files": [], "seed": 1,
            "validation_file": None, "hyperparameters": {"n_epochs": "auto"},
            "error": {"code": "x", "message": "bad file", "param": None} if word == "failed" else None,
        }  # fmt: skip

    app.router.add_post("/v1/files", upload)
    app.router.add_post("/v1/fine_tuning/jobs", create)
    app.router.add_get("/v1/fine_tuning/jobs/{id}", look)


def replicate_routes(app: web.Application, jobs: Jobs) -> None:
    async def upload(request: web.Request) -> web.Response:
        jobs.uploads.append(await request.read())
        root = f"http://{request.host}"
        return web.json_response(
            {"id": "file-1", "name": "t.jsonl", "content_type": "application/jsonl", "size": 1, "etag": "e",
             "checksums": {}, "metadata": {}, "created_at": "2026-01-01T00:00:00Z", "expires_at": None,
             "urls": {"get": f"{root}/v1/files/file-1"}}
        )  # fmt: skip

    async def create(request: web.Request) -> web.Response:
        if (refused := await jobs.refuse(request)) is not None:
            return refused
        jobs.created.append(await request.json())
        return web.json_response(job(), status=201)

    async def look(request: web.Request) -> web.Response:
        if request.match_info["id"] != "ftjob-1":
            return web.json_response({"detail": "not found"}, status=404)
        return await jobs.refuse(request) or web.json_response(job())

    def job() -> dict[str, Any]:
        word = jobs.word()
        done = word == "succeeded"
        return {
            "id": "ftjob-1", "model": "meta/meta-llama-3-8b-instruct", "version": "a" * 64, "status": word,
            "destination": "me/mine", "input": {}, "logs": "", "urls": {},
            "output": {"version": "me/mine:b"} if done else None,
            "error": "bad file" if word == "failed" else None, "created_at": "2026-01-01T00:00:00Z",
            "started_at": None, "completed_at": "2026-01-01T01:00:00Z" if done else None,
        }  # fmt: skip

    app.router.add_post("/v1/files", upload)
    app.router.add_post("/v1/models/{owner}/{name}/versions/{version}/trainings", create)
    app.router.add_get("/v1/trainings/{id}", look)


@dataclass(frozen=True)
class Vendor:
    routes: Callable[[web.Application, Jobs], None]
    build: Callable[..., BaseLLMProvider]
    base_model: str
    words: dict[str, str]
    options: dict[str, Any] = field(default_factory=dict)
    suffix: str = ""


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
}  # fmt: skip


@pytest.fixture(params=sorted(VENDORS))
def vendor(request: pytest.FixtureRequest) -> Vendor:
    return VENDORS[request.param]


@pytest.fixture
def jobs(vendor: Vendor) -> Iterator[Jobs]:
    found = Jobs([vendor.words["queued"]])
    with running(lambda app: vendor.routes(app, found)) as root:
        found.url = root
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


def look(vendor: Vendor, jobs: Jobs, job_id: str = "ftjob-1") -> dict[str, Any]:
    provider = vendor.build(jobs.url)
    found: dict[str, Any] = run(provider, lambda: provider.get_fine_tuning_status(job_id))
    return found


def test_a_job_is_submitted_once_with_its_file(vendor: Vendor, jobs: Jobs, training: Path) -> None:
    result = start(vendor, jobs, training, seed=7)
    assert result["job_id"] == "ftjob-1"
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
        assert (result["finished_at"] is not None) == (state == "succeeded")
        assert (result["error"] == "bad file") == (state == "failed")


def test_a_state_nobody_knows_is_not_guessed(jobs: Jobs, vendor: Vendor) -> None:
    if vendor is VENDORS["replicate"]:
        pytest.skip("its SDK refuses such a reply itself")
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
    (b"[1]\n", "no JSON object"),
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
    with running(lambda app: openai_routes(app, jobs)) as jobs.url:
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
    with running(lambda app: openai_routes(app, jobs)) as jobs.url:
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
    with running(lambda app: openai_routes(app, jobs)) as jobs.url:
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
        running(lambda app: replicate_routes(app, jobs)) as jobs.url,
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
    from llmbench.providers.training_file import check_training_file

    path = tmp_path / "t.jsonl"
    path.write_text(json.dumps(row) + "\n", encoding="utf-8")
    tuner = TogetherProvider({"api_key": KEY})._tuner()
    assert tuner is not None
    assert check_training_file(path, formats=tuner.formats).examples == 1
