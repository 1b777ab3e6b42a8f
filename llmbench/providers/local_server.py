"""llama.cpp's own server, in this process, on a loopback port: one for each model file.

In process means that no server is left behind by Ctrl-C, kill -9 or a closed notebook. A random
key keeps other users of the machine out. Measured with SmolLM2-135M (Q4_1) and one thread on two
shared cores: ready in 0.5 s, 80 tokens/s written, 160 tokens/s read.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import ctypes
import os
import secrets
import socket
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar
from weakref import WeakKeyDictionary, WeakSet

from llmbench.errors import ConfigError
from llmbench.providers.gguf import GgufHead, read_gguf_head
from llmbench.providers.machine import available_memory, default_threads
from llmbench.providers.prompt_reuse import PORTION, reuses_exactly
from llmbench.providers.transport import HttpTransport

__all__ = ["LocalServer", "ServerSettings"]

DEFAULT_CONTEXT = 8192
"""Tokens, unless the model was trained to read fewer. All that a longer context costs before it
is used is memory, but at 128k that is more than the model itself."""
_SILENT = -1
# Threads of the HTTP side beyond one for each slot: a cancelled request holds its thread for a moment.
_SPARE_HTTP_THREADS = 6


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """How a model is run. `threads` and `context` None: chosen for the machine and the model."""

    threads: int | None = None
    slots: int = 1
    """Requests worked on at the same time. More than one lets a neighbour's tokens into the same
    matrix product, which may round differently: answers are then not reproducible."""
    context: int | None = None
    """Tokens of messages and answer together, for each slot."""

    def __post_init__(self) -> None:
        for name in ("threads", "slots", "context"):
            value = getattr(self, name)
            wrong = not isinstance(value, int) or isinstance(value, bool) or value < 1
            if wrong and (value is not None or name == "slots"):
                raise ConfigError(f"{name} must be a whole number of at least 1; it is {value!r}.")


class LocalServer:
    """One running server. Get it by `LocalServer.get`, give it back by `release`."""

    _running: ClassVar[dict[tuple[Path, int, int], LocalServer]] = {}
    _lock: ClassVar[threading.RLock] = threading.RLock()
    _ending: ClassVar[bool] = False

    def __init__(self, path: Path, settings: ServerSettings) -> None:
        head = read_gguf_head(path)
        self.path = path
        self._state = _state(path)
        self.settings = settings
        self.threads = settings.threads or default_threads()
        trained = head.context_length or DEFAULT_CONTEXT
        self.context = settings.context or min(DEFAULT_CONTEXT, trained)
        self.pid = os.getpid()
        self.closed = False
        self._owners: WeakSet[object] = WeakSet()
        self._sockets: WeakSet[socket.socket] = WeakSet()
        self._gates: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()
        _check_fit(path, head, self.context, settings)
        self.reuses_exactly = settings.slots == 1 and reuses_exactly(path)
        """Whether a prompt's beginning can be kept without changing answers: see `prompt_reuse`."""
        self._key = secrets.token_urlsafe(24)
        start = time.perf_counter()
        self._native: Any = self._load()
        self.load_ms = (time.perf_counter() - start) * 1000
        """Milliseconds from file to readiness."""
        self.transport = HttpTransport(
            f"{self._native.listening_address}/v1",
            api_key=self._key,
            limit=settings.slots + _SPARE_HTTP_THREADS // 2,
            name="The local server",
            socket_factory=self._socket,
        )

    @classmethod
    def get(cls, path: str | Path, settings: ServerSettings | None = None, *, owner: object) -> LocalServer:
        """The server of the model file `path`, started if none runs; it stays until every owner
        has released it, or is gone.

        Blocks, while a model loads, for about 0.5 s per 100 MB, and holds the interpreter's lock
        for that time (xllamacpp does). Raises ConfigError for a file that cannot be loaded, and
        where the file already runs with other settings.
        """
        settings = settings or ServerSettings()
        real = Path(path).expanduser().resolve()
        state = _state(real)
        with cls._lock:
            if cls._ending:
                raise ConfigError("The local model cannot be started while the process ends.")
            server = cls._running.get((real, *state))
            if server is not None and server.settings != settings and server.only_owner_is(owner):
                server.close()
                server = None
            if server is None:
                server = cls._running[real, *state] = cls(real, settings)
            elif server.settings != settings:
                raise ConfigError(
                    f"{real.name} already runs in this process with {_in_words(server.settings)}; close that "
                    f"provider (aclose) before starting it with {_in_words(settings)}."
                )
            server._owners.add(owner)
            return server

    def is_current(self) -> bool:
        """Whether it runs in this process, and its file is still the one it has loaded."""
        return not self.closed and _state(self.path) == self._state

    def only_owner_is(self, owner: object) -> bool:
        """Whether nobody but `owner` uses this server."""
        return not any(other is not owner for other in self._owners)

    async def release(self, owner: object) -> None:
        """Give the server back; the last owner's release closes it."""
        with self._lock:
            self._owners.discard(owner)
            last = not self._owners
        if last:
            await self.transport.aclose()
            await asyncio.to_thread(self._close_if_unused)

    def _close_if_unused(self) -> None:
        with self._lock:
            if not self._owners:
                self.close()

    def close(self) -> None:
        """Cut what is still being answered, and free the model."""
        with self._lock:
            if self.closed or self.pid != os.getpid():
                return
            self.closed = True
            for key, server in list(self._running.items()):
                if server is self:
                    del self._running[key]
            # llama.cpp's destructor waits for every request in flight, for ever if its client is
            # in this process, and holds the interpreter's lock meanwhile. So the clients go first.
            for _ in range(2):  # the second round takes a connection that was just being made
                for connection in list(self._sockets):
                    _cut(connection)
                time.sleep(0.01)
            self._native = None

    def abandon(self) -> None:
        """Leave the model's memory as it is, for ever."""
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._native))
        self.closed = True

    @classmethod
    def close_all(cls) -> None:
        """Close every server of this process."""
        with cls._lock:
            for server in list(cls._running.values()):
                server.close()

    @classmethod
    def at_exit(cls) -> None:
        """Close every server, and start no other: a retry may be under way in another thread."""
        cls._ending = True
        cls.close_all()

    @classmethod
    def in_forked_child(cls) -> None:
        """A fork copies the servers' memory but none of their threads: forget them, and never run
        their destructor, which would wait for those threads for ever.
        """
        if not cls._running:
            return
        for server in cls._running.values():
            server.abandon()
        # llama.cpp's static objects wait for the same threads when the child ends, where the C
        # library is glibc; so the child leaves before they are destroyed.
        with contextlib.suppress(OSError, AttributeError, TypeError):
            library = ctypes.CDLL(None)
            library.on_exit(library._exit, None)  # noqa: SLF001 - a name of the C library
        cls._running = {}
        cls._lock = threading.RLock()

    @property
    def gate(self) -> asyncio.Semaphore:
        """Lets as many requests of the running event loop through as there are slots, so that the
        wait for one can be told from the work.
        """
        loop = asyncio.get_running_loop()
        gate = self._gates.get(loop)
        if gate is None:
            gate = self._gates[loop] = asyncio.Semaphore(self.settings.slots)
        return gate

    def _socket(self, address: Any) -> socket.socket:
        family, kind, protocol, *_ = address
        if self.closed:
            raise OSError("the local server is closed")
        connection = socket.socket(family, kind, protocol)
        self._sockets.add(connection)
        return connection

    def _load(self) -> Any:
        try:
            import xllamacpp
        except ImportError as error:
            raise ConfigError(
                "The local model needs xllamacpp, which is not installed; run: pip install 'llmbench[local]'."
            ) from error
        params = xllamacpp.CommonParams()
        params.model.path = str(self.path)
        params.n_parallel = self.settings.slots
        params.n_ctx = self.context * self.settings.slots
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = self.threads
        params.n_threads_http = self.settings.slots + _SPARE_HTTP_THREADS
        params.hostnames, params.port = ["127.0.0.1"], 0
        params.api_keys = [self._key]
        params.verbosity = _SILENT
        params.fit_params = False  # would shrink the context to fit instead of failing
        params.cache_ram_mib = 0  # prompts of the past, up to 8 GB by default
        params.n_ubatch = PORTION
        if self.reuses_exactly:
            kinds = xllamacpp.llama_flash_attn_type
            params.flash_attn_type = kinds.LLAMA_FLASH_ATTN_TYPE_DISABLED
        params.ui = params.endpoint_slots = params.endpoint_props = False
        try:
            return xllamacpp.Server(params)
        except RuntimeError as error:
            raise ConfigError(
                f"llama.cpp cannot load {self.path.name} ({self.path.stat().st_size / 1e6:.0f} MB, context "
                f"{self.context}): it is damaged, of a kind this version does not know, or memory is short; "
                "check its sha256, or give a smaller context."
            ) from error


def _state(path: Path) -> tuple[int, int]:
    """Size and time of a file: when either changes, it holds another model."""
    try:
        status = path.stat()
    except OSError as error:
        raise ConfigError(
            f"There is no model file {str(path)!r} ({error.strerror}); correct the path."
        ) from error
    return status.st_size, status.st_mtime_ns


def _check_fit(path: Path, head: GgufHead, context: int, settings: ServerSettings) -> None:
    """Refuse what llama.cpp would refuse late, or what would take the machine's memory with it."""
    if head.context_length and context > head.context_length:
        raise ConfigError(
            f"{path.name} was trained to read {head.context_length} tokens; context = {context} is more, "
            "lower it."
        )
    available = available_memory()
    if available is None or head.cache_bytes_per_token is None:
        return
    needed = path.stat().st_size + head.cache_bytes_per_token * context * settings.slots
    if needed > available:
        raise ConfigError(
            f"{path.name} with a context of {context} and {settings.slots} slot(s) needs about "
            f"{needed / 1e9:.1f} GB of memory and {available / 1e9:.1f} GB are free; take a smaller context, "
            "fewer slots or a smaller model."
        )


def _in_words(settings: ServerSettings) -> str:
    named = {"threads": settings.threads, "slots": settings.slots, "context": settings.context}
    return ", ".join(f"{name} = {'default' if value is None else value}" for name, value in named.items())


def _cut(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):  # never connected, or gone already
        connection.shutdown(socket.SHUT_RDWR)


atexit.register(LocalServer.at_exit)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=LocalServer.in_forked_child)
