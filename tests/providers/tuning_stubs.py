"""The three vendors' fine-tuning on loopback, as their references describe it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.providers.vendor_stub import running

JOB = "ftjob-1"
TRAINED = "meta-llama/Meta-Llama-3.1-8B-Instruct-Reference"


@dataclass
class Jobs:
    """One vendor's jobs: `words` are the states that one look after another finds."""

    words: list[str]
    url: str = ""
    storage: str = ""
    """Another host, for the vendor that has its files sent elsewhere."""
    refusal: tuple[int, str] | None = None
    """Of everything that asks about a job."""
    upload_refusal: tuple[int, str] | None = None
    created: list[dict[str, Any]] = field(default_factory=list)
    uploads: list[bytes] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    """What carried the key, with each request about a job."""
    storage_headers: list[dict[str, str]] = field(default_factory=list)
    limits_asked: list[str] = field(default_factory=list)
    storage_status: int = 200
    hang: bool = False
    cut: bool = False
    raw: str | None = None
    """Said instead of a job."""
    echo: str | None = None
    """What the vendor says of a failed job."""
    file_words: list[str] = field(default_factory=lambda: ["processed"])
    """The states of a file, as one look after another finds them."""
    tampering: Callable[[], None] | None = None
    """Done while a file is uploaded."""
    headers: dict[str, str] = field(default_factory=dict)
    cancelled: list[str] = field(default_factory=list)
    """Jobs that were asked to stop."""
    unlisted: bool = False
    """A list of jobs does not show what was started."""
    estimates: list[dict[str, Any]] = field(default_factory=list)
    """The price that one request after another is told, by the vendor that gives one; then 404."""
    estimates_asked: list[dict[str, Any]] = field(default_factory=list)
    after_start: Callable[[], None] | None = None
    """Done when a job has been started, before the vendor says so."""

    async def refuse(self, request: web.Request) -> web.Response | None:
        """Note the request; the reply where it is not a job."""
        self.keys.append(request.headers.get("Authorization", ""))
        if self.hang:
            await asyncio.sleep(20)
        if self.cut:
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        if self.raw is not None:
            return web.Response(text=self.raw, content_type="application/json")
        return self._refused(self.refusal)

    def refuse_upload(self) -> web.Response | None:
        """The reply of an upload that fails."""
        return self._refused(self.upload_refusal)

    def _refused(self, refusal: tuple[int, str] | None) -> web.Response | None:
        if refusal is None:
            return None
        status, message = refusal
        body = {"error": {"message": message, "code": None}, "detail": message}
        return web.json_response(body, status=status, headers=self.headers)

    def word(self) -> str:
        """The next state."""
        return self.words.pop(0) if len(self.words) > 1 else self.words[0]

    async def take(self, request: web.Request) -> None:
        """Keep an upload."""
        self.uploads.append(await request.read())
        if self.tampering:
            self.tampering()

    def add(self, app: web.Application, create: str, look: str, job: Callable[[], dict[str, Any]]) -> None:
        """Routes that start and show jobs."""

        async def started(request: web.Request) -> web.Response:
            if (refused := await self.refuse(request)) is not None:
                return refused
            self.created.append(await request.json())
            if self.after_start:
                self.after_start()
            return web.json_response(job(), status=201 if "models" in create else 200)

        async def shown(request: web.Request) -> web.Response:
            if request.match_info["id"] != JOB:
                return web.json_response({"error": {"message": "no such job"}, "detail": "no"}, status=404)
            return await self.refuse(request) or web.json_response(job())

        async def stopped(request: web.Request) -> web.Response:
            if request.match_info["id"] != JOB:
                return web.json_response({"error": {"message": "no such job"}, "detail": "no"}, status=404)
            if (refused := await self.refuse(request)) is not None:
                return refused
            self.cancelled.append(request.match_info["id"])
            return web.json_response(job())

        app.router.add_post(create, started)
        app.router.add_get(look, shown)
        app.router.add_post(f"{look}/cancel", stopped)

    def listed(self, row: Callable[[], dict[str, Any]]) -> list[dict[str, Any]]:
        """The jobs that a list shows: others', and what was started here."""
        others = {
            **row(),
            "id": "ftjob-9",
            "training_file": "file-9",
            "input": {"train_data": "http://x/v1/files/file-9"},
        }
        return [others, *([row()] if self.created and not self.unlisted else [])]


def openai_routes(app: web.Application, jobs: Jobs, *, prefix: str = "/v1") -> None:
    """OpenAI's, and Azure's under another prefix."""

    def file() -> web.Response:
        word = jobs.file_words.pop(0) if len(jobs.file_words) > 1 else jobs.file_words[0]
        return web.json_response(
            {"id": "file-1", "object": "file", "bytes": 1, "created_at": 1, "filename": "t.jsonl",
             "purpose": "fine-tune", "status": word, "status_details": "line 3" if word == "error" else None}
        )  # fmt: skip

    async def upload(request: web.Request) -> web.Response:
        await jobs.take(request)
        return jobs.refuse_upload() or file()

    async def look_at_file(_: web.Request) -> web.Response:
        return file()

    def job() -> dict[str, Any]:
        word = jobs.word()
        done = word == "succeeded"
        error = {"code": "x", "message": jobs.echo or "bad file", "param": None} if word == "failed" else {}
        return {
            "id": JOB, "object": "fine_tuning.job", "model": "gpt-4o-mini-2024-07-18", "status": word,
            "created_at": 1_700_000_000, "finished_at": 1_700_003_600 if done else None,
            "fine_tuned_model": "ft:gpt-4o-mini:us::1" if done else None, "training_file": "file-1",
            "trained_tokens": 4321 if done else None, "organization_id": "org", "result_files": [], "seed": 1,
            "validation_file": None, "hyperparameters": {"n_epochs": "auto"}, "error": error,
        }  # fmt: skip

    async def jobs_of(request: web.Request) -> web.Response:
        rows = jobs.listed(job)
        # One job a page, so that pages are followed.
        after = request.query.get("after")
        rest = rows[1 + [row["id"] for row in rows].index(after) :] if after else rows
        return web.json_response({"object": "list", "data": rest[:1], "has_more": len(rest) > 1})

    async def events(request: web.Request) -> web.Response:
        if request.match_info["id"] != JOB:
            return web.json_response({"error": {"message": "no such job"}}, status=404)
        rows = [
            {"id": "e-3", "created_at": 1_700_000_200, "level": "info", "message": "Step 2 of 2",
             "type": "metrics", "data": {"step": 2, "train_loss": 0.5, "valid_loss": 0.75, "total_steps": 2}},
            {"id": "e-2", "created_at": 1_700_000_100, "level": "warn", "message": "Step 1 of 2",
             "type": "metrics", "data": {"step": 1, "train_loss": 0.9}},
            {"id": "e-1", "created_at": 1_700_000_000, "level": "info", "message": "Made", "type": "message"},
        ]  # fmt: skip
        after = request.query.get("after")
        rest = rows[1 + [row["id"] for row in rows].index(after) :] if after else rows
        return web.json_response({"object": "list", "data": rest[:2], "has_more": len(rest) > 2})

    app.router.add_post(f"{prefix}/files", upload)
    app.router.add_get(f"{prefix}/fine_tuning/jobs", jobs_of)
    app.router.add_get(f"{prefix}/fine_tuning/jobs/{{id}}/events", events)
    app.router.add_get(f"{prefix}/files/file-1", look_at_file)
    jobs.add(app, f"{prefix}/fine_tuning/jobs", f"{prefix}/fine_tuning/jobs/{{id}}", job)


def replicate_routes(app: web.Application, jobs: Jobs) -> None:
    """Replicate's."""

    async def upload(request: web.Request) -> web.Response:
        await jobs.take(request)
        return jobs.refuse_upload() or web.json_response(
            {"id": "file-1", "name": "t.jsonl", "content_type": "application/jsonl", "size": 1, "etag": "e",
             "checksums": {}, "metadata": {}, "created_at": "2026-01-01T00:00:00Z", "expires_at": None,
             "urls": {"get": f"http://{request.host}/v1/files/file-1"}}
        )  # fmt: skip

    def job() -> dict[str, Any]:
        word = jobs.word()
        done = word == "succeeded"
        return {
            "id": JOB, "model": "meta/meta-llama-3-8b-instruct", "version": "a" * 64, "status": word,
            "destination": "me/mine", "logs": "loading\nstep 1 of 2\n", "urls": {},
            "input": {"train_data": f"{jobs.url}/v1/files/file-1"},
            "output": {"version": "me/mine:b"} if done else None,
            "error": (jobs.echo or "bad file") if word == "failed" else None,
            "created_at": "2026-01-01T00:00:00Z", "started_at": None,
            "completed_at": "2026-01-01T01:00:00Z" if done else None,
        }  # fmt: skip

    async def jobs_of(request: web.Request) -> web.Response:
        rows = jobs.listed(job)
        page = int(request.query.get("cursor", 0))
        following = (
            f"https://api.replicate.com/v1/trainings?cursor={page + 1}" if page + 1 < len(rows) else None
        )
        return web.json_response({"results": rows[page : page + 1], "next": following, "previous": None})

    app.router.add_post("/v1/files", upload)
    app.router.add_get("/v1/trainings", jobs_of)
    jobs.add(app, "/v1/models/{owner}/{name}/versions/{version}/trainings", "/v1/trainings/{id}", job)


def together_routes(app: web.Application, jobs: Jobs) -> None:
    """Together's: a file goes by a redirect to a storage elsewhere."""

    async def announce(request: web.Request) -> web.Response:
        headers = {"Location": f"{jobs.storage}/bucket/t.jsonl?signature=s", "X-Together-File-Id": "file-1"}
        return jobs.refuse_upload() or web.Response(status=302, headers=headers)

    async def stored(request: web.Request) -> web.Response:
        return web.json_response(
            {"id": request.match_info["id"], "bytes": 1, "created_at": 1, "filename": "t.jsonl",
             "FileType": "jsonl", "object": "file", "purpose": "fine-tune"}
        )  # fmt: skip

    async def limits(request: web.Request) -> web.Response:
        jobs.limits_asked.append(request.query["model_name"])
        if jobs.limits_asked[-1] != TRAINED:
            return web.json_response({"message": "not supported for fine-tuning"}, status=404)
        batches = {"max_batch_size": 8, "max_batch_size_dpo": 8, "min_batch_size": 8}
        return web.json_response(
            {"model_name": TRAINED, "lora_training": {**batches, "max_rank": 64, "default_rank": 16,
             "target_modules": ["q_proj"]}, "max_num_epochs": 20, "max_num_evals": 100,
             "max_learning_rate": 1.0, "min_learning_rate": 1e-7, "supports_vision": False}
        )  # fmt: skip

    def job() -> dict[str, Any]:
        word = jobs.word()
        events = [{"object": "fine-tune-event", "level": "info", "message": "started", "type": "job_start"}]
        if word == "error":
            events.append({**events[0], "level": "error", "message": jobs.echo or "bad file"})
        return {
            "id": JOB, "training_file": "file-1", "model": TRAINED, "model_output_name": "me/tuned-1",
            "status": word, "created_at": "2026-01-01T00:00:00.000Z", "updated_at": "2026-01-01T01:00:00Z",
            "events": events, "token_count": 4321 if word == "completed" else None,
        }  # fmt: skip

    async def jobs_of(_: web.Request) -> web.Response:
        return web.json_response({"data": jobs.listed(job)})

    async def events(_: web.Request) -> web.Response:
        rows = [
            {"object": "fine-tune-event", "created_at": "2026-01-01T00:00:00Z", "level": "info",
             "message": "started", "type": "job_start", "step": -1},
            {"object": "fine-tune-event", "created_at": "2026-01-01T00:10:00Z", "level": "legacy_iwarning",
             "message": "epoch 1 done", "type": "epoch_complete", "step": 2},
        ]  # fmt: skip
        return web.json_response({"data": rows})

    async def metrics(_: web.Request) -> web.Response:
        rows = [
            {"train/global_step": 1, "train/loss": 0.9, "train/learning_rate": 0.1},
            {"train/global_step": 2, "train/loss": 0.5, "train/epoch": 1.0},
            {"eval/global_step": 2, "eval/loss": 0.75},
        ]
        return web.json_response({"metrics": rows})

    async def estimate(request: web.Request) -> web.Response:
        jobs.estimates_asked.append(await request.json())
        if not jobs.estimates:
            return web.json_response({"error": {"message": "no such path"}}, status=404)
        return web.json_response(jobs.estimates.pop(0))

    app.router.add_get("/v1/fine-tunes", jobs_of)
    app.router.add_get("/v1/fine-tunes/{id}/events", events)
    app.router.add_get("/v1/fine-tunes/{id}/metrics", metrics)
    app.router.add_post("/v1/fine-tunes/estimate-price", estimate)
    app.router.add_post("/v1/files", announce)
    app.router.add_post("/v1/files/{id}/preprocess", stored)
    app.router.add_get("/v1/fine-tunes/models/limits", limits)
    jobs.add(app, "/v1/fine-tunes", "/v1/fine-tunes/{id}", job)


@contextmanager
def tuning_vendor(routes: Callable[[web.Application, Jobs], None], jobs: Jobs) -> Iterator[Jobs]:
    """The vendor, and a storage that is another host; both until the end of the block."""

    async def put(request: web.Request) -> web.Response:
        jobs.storage_headers.append(dict(request.headers))
        await jobs.take(request)
        return web.Response(status=jobs.storage_status, text="<Error>SignatureDoesNotMatch</Error>")

    with (
        running(lambda app: app.router.add_put("/bucket/{name}", put) and None) as storage,
        running(lambda app: routes(app, jobs)) as root,
    ):
        jobs.url, jobs.storage = root, storage.replace("127.0.0.1", "localhost")
        yield jobs
