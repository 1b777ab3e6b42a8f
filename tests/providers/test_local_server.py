"""llama.cpp's server in this process: one for each file, silent, private, and gone at the end."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import textwrap
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from llmbench.errors import ConfigError, ConnectionFailedError
from llmbench.providers import local_server
from llmbench.providers.gguf import GgufHead
from llmbench.providers.local_server import LocalServer, ServerSettings
from llmbench.providers.model_files import find


class Owner:
    """Anything that can hold a server."""


@pytest.fixture
def model() -> Iterator[Path]:
    yield find("smollm2-135m").path
    LocalServer.close_all()


def body(max_tokens: int) -> dict[str, object]:
    # Without an end-of-text token the model writes until it is stopped.
    messages = [{"role": "user", "content": "Tell a long story."}]
    return {"messages": messages, "max_tokens": max_tokens, "temperature": 0, "ignore_eos": True}


async def ask(server: LocalServer, max_tokens: int = 1) -> int:
    reply = await server.transport.post_json("chat/completions", body(max_tokens))
    return reply.status


@pytest.mark.model
def test_one_server_for_a_file(model: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.gguf"
    link.symlink_to(model)
    first, second = Owner(), Owner()

    async def main() -> None:
        server = await asyncio.to_thread(LocalServer.get, model, owner=first)
        assert LocalServer.get(link, owner=second) is server
        assert LocalServer.get(str(model), owner=second) is server
        assert await ask(server) == 200
        await server.release(first)
        assert server.is_current()
        assert await ask(server) == 200
        await server.release(second)
        assert not server.is_current()
        with pytest.raises(ConnectionFailedError):
            await ask(server)
        await server.transport.aclose()
        again = LocalServer.get(model, owner=first)
        assert again is not server
        assert await ask(again) == 200
        await again.release(first)

    asyncio.run(main())


@pytest.mark.model
def test_other_settings(model: Path) -> None:
    first, second = Owner(), Owner()
    server = LocalServer.get(model, ServerSettings(context=512), owner=first)
    assert server.context == 512
    with pytest.raises(ConfigError, match=r"already runs .*context = 512; close .*slots = 2"):
        LocalServer.get(model, ServerSettings(slots=2), owner=second)
    # Whoever is alone with it gets what it asks for, also after others have been dropped unclosed.
    del first
    other = LocalServer.get(model, ServerSettings(slots=2), owner=second)
    assert server.closed
    assert other.settings.slots == 2


@pytest.mark.model
def test_server_is_for_this_process_only(model: Path) -> None:
    server = LocalServer.get(model, owner=Owner())
    base = server.transport.base_url
    assert base.startswith("http://127.0.0.1:")
    wrong_key = {"Authorization": "Bearer wrong"}
    for path, headers in (
        ("chat/completions", {}),
        ("chat/completions", wrong_key),
        ("models", {}),
        ("slots", {}),
    ):
        data = json.dumps(body(1)).encode() if "chat" in path else None
        request = urllib.request.Request(
            f"{base}/{path}", data, {"Content-Type": "application/json", **headers}
        )
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(request, timeout=10)
        with caught.value as error:
            assert error.code in {401, 404}


@pytest.mark.model
def test_close_while_it_answers(model: Path) -> None:
    server = LocalServer.get(model, owner=Owner())
    errors: list[Exception] = []

    async def call() -> None:
        try:
            await ask(server, max_tokens=4000)
        except ConnectionFailedError as error:
            errors.append(error)
        finally:
            await server.transport.aclose()

    thread = threading.Thread(target=lambda: asyncio.run(call()))
    thread.start()
    time.sleep(0.7)
    start = time.perf_counter()
    server.close()
    thread.join(10)
    assert time.perf_counter() - start < 5
    assert len(errors) == 1


@pytest.mark.model
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_process_ends_in_silence(model: Path) -> None:
    """A fork that ends by itself, then an end in the middle of an answer: no hang, silence."""
    script = textwrap.dedent(
        """
        import os, sys, threading, time
        from llmbench import background
        from llmbench.providers.local import LocalProvider

        provider = LocalProvider({"max_attempts": 1})
        hello = [{"role": "user", "content": "hello"}]
        background.run(provider.chat_completion(hello, "smollm2-135m", max_tokens=2))
        child = os.fork()
        if child == 0:
            sys.exit(7)  # runs atexit handlers and destructors, as a real end does
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
        long = [{"role": "user", "content": "hello " * 9000}]
        try:
            background.run(provider.chat_completion(long, "smollm2-135m"))
        except Exception as error:
            print(type(error).__name__)

        def call():
            try:
                background.run(provider.chat_completion(hello, "smollm2-135m", max_tokens=8000))
            except BaseException:
                pass

        threading.Thread(target=call, daemon=True).start()
        time.sleep(0.5)
        """
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", script],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "ContextWindowError\n", "")


def test_damaged_file(tmp_path: Path) -> None:
    path = tmp_path / "half.gguf"
    # A head without a model behind it: only llama.cpp can tell.
    path.write_bytes(b"GGUF\x03\x00\x00\x00" + bytes(16))
    with pytest.raises(ConfigError, match=r"llama\.cpp cannot load half\.gguf .*check its sha256"):
        LocalServer.get(path, owner=Owner())


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="There is no model file"):
        LocalServer.get(tmp_path / "none.gguf", owner=Owner())


@pytest.mark.parametrize(
    "settings", [{"slots": 0}, {"threads": -1}, {"context": 1.5}, {"slots": None}, {"threads": True}]
)
def test_settings_refused(settings: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match="must be a whole number of at least 1"):
        ServerSettings(**settings)  # type: ignore[arg-type]


def test_context_longer_than_trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_server, "read_gguf_head", lambda _: GgufHead("llama", 2048, 23_040))
    path = tmp_path / "m.gguf"
    path.write_bytes(b"GGUF")
    with pytest.raises(ConfigError, match="trained to read 2048 tokens; context = 4096 is more"):
        LocalServer.get(path, ServerSettings(context=4096), owner=Owner())


def test_memory_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_server, "read_gguf_head", lambda _: GgufHead("llama", 131_072, 1_000_000))
    monkeypatch.setattr(local_server, "available_memory", lambda: 8_000_000_000)
    path = tmp_path / "m.gguf"
    path.write_bytes(b"GGUF")
    with pytest.raises(ConfigError, match=r"needs about 16\.4 GB of memory and 8\.0 GB are free"):
        LocalServer.get(path, ServerSettings(slots=2), owner=Owner())


def test_extra_that_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "xllamacpp", None)
    path = tmp_path / "m.gguf"
    path.write_bytes(b"GGUF\x03\x00\x00\x00" + bytes(16))
    with pytest.raises(ConfigError, match=r"pip install 'llmbench\[local\]'"):
        LocalServer.get(path, owner=Owner())
