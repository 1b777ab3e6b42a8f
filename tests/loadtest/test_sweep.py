"""The whole client against a stub server on the loopback whose service time is known."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from click.testing import CliRunner

from llmbench import CustomProvider, FakeProvider
from llmbench.catalog.bench_files import read_bench_file
from llmbench.cli import cli
from llmbench.economics import waiting
from llmbench.errors import DatasetError, ProviderError, UsageError
from llmbench.loadtest import LoadPlan, LoadTest, Objective, load_test

TOKENS = 5


class Stub:
    """`places` requests at a time, each `service_s` until its first token; further ones come at once."""

    def __init__(self) -> None:
        self.places, self.service_s, self.step_s = 1, 0.02, 0.0
        self.fail_every = 0
        self.prompts: list[str] = []
        self.url = ""
        self._loop = asyncio.new_event_loop()
        self._gate: asyncio.Semaphore | None = None
        self._free: list[float] = []
        ready = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(ready,), daemon=True)
        self._thread.start()
        ready.wait(10)

    def _run(self, ready: threading.Event) -> None:
        asyncio.set_event_loop(self._loop)

        async def start() -> None:
            app = web.Application()
            app.router.add_post("/v1/chat/completions", self.answer)
            self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
            await self._runner.setup()
            site = web.TCPSite(self._runner, "127.0.0.1", 0)
            await site.start()
            self.url = f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}/v1"  # type: ignore[union-attr]
            ready.set()

        self._loop.run_until_complete(start())
        self._loop.run_forever()
        self._loop.run_until_complete(self._runner.cleanup())
        self._loop.close()

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.prompts.append(body["messages"][0]["content"])
        if self.fail_every and len(self.prompts) % self.fail_every == 0:
            return web.json_response({"error": {"message": "broken"}}, status=500)
        # The moment at which a place is done with it is worked out, so that no sleep adds to the next.
        now = time.perf_counter()
        self._free = sorted(self._free)[-self.places :]
        begin = max(now, self._free.pop(0)) if len(self._free) == self.places else now
        self._free.append(begin + self.service_s)
        await asyncio.sleep(begin + self.service_s - now)
        reply = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await reply.prepare(request)
        for number in range(TOKENS):
            if number:
                await asyncio.sleep(self.step_s)
            delta = {"choices": [{"index": 0, "delta": {"content": f"w{number} "}, "finish_reason": None}]}
            await reply.write(f"data: {json.dumps({'model': body['model'], **delta})}\n\n".encode())
        end = {
            "model": body["model"],
            "choices": [{"index": 0, "delta": {}, "finish_reason": "length"}],
            "usage": {"prompt_tokens": 40, "completion_tokens": TOKENS, "total_tokens": 40 + TOKENS},
        }
        await reply.write(f"data: {json.dumps(end)}\n\ndata: [DONE]\n\n".encode())
        return reply


@pytest.fixture
def stub() -> Iterator[Stub]:
    made = Stub()
    yield made
    made.close()


def run(stub: Stub, hours: float | None = 1.0, budget: float | None = None, **plan: Any) -> LoadTest:
    provider = CustomProvider({"base_url": stub.url, "usd_per_hour": hours, "endpoint": "stub"})
    options = {"seconds": 1.0, "input_tokens": 40, "output_tokens": TOKENS} | plan
    return load_test(provider, "llama-3.1-8b", LoadPlan(**options), budget_usd=budget)


@pytest.mark.parametrize("places", [1, 3])
def test_waits_are_those_of_the_queue(stub: Stub, places: int) -> None:
    stub.places, stub.service_s = places, 0.05
    rate = 0.7 * places / stub.service_s
    expected = waiting(places, rate * stub.service_s, stub.service_s, service_cv2=0.0).mean_s + stub.service_s
    found = run(stub, rates=(rate,), seconds=3.0).results[0]
    assert found.completed == found.sent > 35
    assert found.kept
    assert found.ttft.mean is not None
    assert 0.7 < found.ttft.mean / (1e3 * expected) < 1.5
    assert found.ttft.p50 is not None
    assert found.ttft.p50 >= 50
    assert found.tpot.p50 is not None
    assert found.tpot.p50 < 10


def test_knee_is_where_the_server_is_full(stub: Stub, tmp_path: Path) -> None:
    stub.service_s = 0.03
    found = run(stub, rates=(10, 15, 80, 99), objective=Objective(300, 100))
    assert [each.rate for each in found.results] == [10, 15, 80]
    assert found.knee.kept is found.results[1]
    assert found.knee.missed is found.results[2]
    assert found.results[2].achieved_per_s == pytest.approx(1 / 0.03, rel=0.15)
    # At 15/s, 5 tokens each, for $1 an hour:
    tokens = found.results[1].output_tokens_per_s
    assert tokens == pytest.approx(found.results[1].completed * TOKENS, rel=0.1)
    assert found.usd_per_million_output == pytest.approx(1e6 / 3600 / (tokens or 0))
    assert "objective" in found._repr_html_()
    assert list(found.to_pandas()["kept"]) == [True, True, False]
    rows = read_bench_file(found.write(tmp_path / "load.json"), gpu="L4")
    assert [row.output_tokens_per_s for row in rows] == [
        each.output_tokens_per_s for each in found.results[:2]
    ]
    assert (rows[0].input_tokens, rows[0].output_tokens, rows[0].ttft_ms) == (
        40,
        TOKENS,
        found.results[0].ttft.mean,
    )


def test_a_hopeless_rate_is_given_up(stub: Stub, tmp_path: Path) -> None:
    stub.service_s = 0.2
    begin = time.monotonic()
    found = run(stub, rates=(20,), seconds=20.0, objective=Objective(50, 5))
    assert time.monotonic() - begin < 8
    (only,) = found.results
    assert only.cut_off > 0
    assert only.seconds < 5
    assert only.ttft.at_least
    assert "given up" in only.misses[0]
    assert any(note.startswith("≥") for note in found.notes())
    with pytest.raises(DatasetError, match="no rate that was carried"):
        read_bench_file(found.write(tmp_path / "load.json"), gpu="L4")


def test_no_two_prompts_are_alike_and_none_is_sent_twice(stub: Stub) -> None:
    stub.fail_every = 10
    found = run(stub, rates=(20,))
    (only,) = found.results
    assert len(stub.prompts) == len(set(stub.prompts)) == only.sent + 2  # two to warm up
    assert only.failures == (("ServerError", only.failed),)
    assert only.completed + only.failed == only.sent


def test_first_request_that_fails_is_raised(stub: Stub) -> None:
    stub.fail_every = 1
    with pytest.raises(ProviderError, match="broken"):
        run(stub, rates=(20,))


def test_search_finds_the_knee(stub: Stub) -> None:
    stub.service_s = 0.05
    found = run(stub, seconds=1.0, objective=Objective(300, 100))
    assert found.knee.kept is not None
    assert found.knee.missed is not None
    assert 8 < found.knee.kept.rate < 26


def priced(price: dict[str, Any] | None) -> FakeProvider:
    return FakeProvider(lambda messages, params: "a b c", prices={"m": price} if price else None)


def test_money_needs_a_budget() -> None:
    plan = LoadPlan(rates=(20, 40), seconds=0.5, input_tokens=40, output_tokens=4)
    with pytest.raises(UsageError, match="budget"):
        load_test(priced({"input": 1, "output": 2}), "m", plan)
    with pytest.raises(UsageError, match="not known"):
        load_test(priced(None), "m", plan, budget_usd=1)
    found = load_test(priced({"input": 1, "output": 2}), "m", plan, budget_usd=1)
    assert len(found.results) == 2
    assert found.spent_usd is not None
    assert 0 < found.spent_usd < 0.01
    first = found.results[0].usd
    assert first is not None
    short = load_test(priced({"input": 1, "output": 2}), "m", plan, budget_usd=0.0035)
    assert [each.rate for each in short.results] == [20]
    assert short.stopped is not None
    assert "40 requests/s were not tried" in short.stopped


@pytest.mark.parametrize(
    "plan", [{"rates": ()}, {"rates": (0,)}, {"seconds": -1}, {"output_tokens": 1}, {"rates": (1e6,)}]
)
def test_plans_that_cannot_be_meant(plan: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        LoadPlan(**plan)


def test_command_line(stub: Stub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "llmbench.toml").write_text(
        f'[endpoints.stub]\nprovider = "custom"\nbase_url = "{stub.url}"\nusd_per_hour = 0.5\n',
        encoding="utf-8",
    )
    words = ["loadtest", "stub/llama-3.1-8b", "--rates", "10,20", "--seconds", ".6", "--input-tokens", "40"]
    done = CliRunner().invoke(cli, [*words, "--out", "out/load.json"], catch_exceptions=False)
    assert done.exit_code == 0
    assert "20 requests/s are carried within the objective" in done.output
    assert "per million output tokens" in done.output
    written = json.loads((tmp_path / "out" / "load.json").read_text(encoding="utf-8"))
    assert written["knee"]["kept"] == 20
    assert (tmp_path / "out" / "load.png").read_bytes().startswith(b"\x89PNG")
    assert {each.suffix for each in (tmp_path / "out").iterdir()} == {".json", ".png", ".svg", ".csv"}
    for bad in (["--rates", "a"], ["--rates", "1", "--out", "x.csv"]):
        with pytest.raises(UsageError):
            CliRunner().invoke(cli, ["loadtest", "stub/m", *bad], catch_exceptions=False)


def test_interrupted(stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    from llmbench import background
    from llmbench.loadtest import sweep

    def stop_soon(coroutine: Any) -> None:
        loop_run = background.run

        async def cut() -> None:
            task = asyncio.ensure_future(coroutine)
            await asyncio.sleep(2.0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

        loop_run(cut())
        raise KeyboardInterrupt

    monkeypatch.setattr(sweep, "background", type("B", (), {"run": staticmethod(stop_soon)}))
    found = run(stub, rates=(10, 20), seconds=1.2)
    assert [each.interrupted for each in found.results] == [False, True]
    assert found.knee.kept is found.results[0]
    assert found.knee.missed is None
    assert found.stopped is not None
