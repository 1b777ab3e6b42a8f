"""A folder of reports behind a URL that fsspec knows: s3://, gs://, az://, memory:// and others.

A report is made in a local copy of that folder, which holds the results of all runs there (for history,
comparisons and the index), and is then uploaded: first the run, its manifest last, then the newest path, then
the index. A run without its manifest is not there yet, so nobody reads half of one. What was not uploaded
goes along with the next report into the same folder.
"""

from __future__ import annotations

import contextlib
import glob
import hashlib
import importlib
import json
import os
import secrets
import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

from llmbench.config import load_config
from llmbench.errors import ConfigError, LLMBenchError, ReportError, UsageError
from llmbench.reporting.folder_lock import folder_lock
from llmbench.reporting.index import write_index
from llmbench.reporting.remote_removal import remove_runs
from llmbench.reporting.secrets import environment_secrets, find_secret, known_secrets
from llmbench.run_files import FIGURES, INDEX, MANIFEST, PAGE, REPORTS, RESULT, RUNS, TABLES, report_as
from llmbench.whole_file import write_whole

if TYPE_CHECKING:
    from types import ModuleType

__all__ = ["RemoteReports", "local_folder", "remote_url", "reports_folder", "reports_of"]

_LOCK = ".remote"
_OBJECTS = frozenset({"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "oss", "memory"})
_TRIES = 3


def remote_url(out: str) -> str | None:
    """`out` where it is a URL of a remote folder; None where it is a local one (file:// included).

    Raises UsageError for a URL with a name, a password or a key in it: it would stand in logs and schedules.

    >>> remote_url("reports"), remote_url("file:///tmp/reports"), remote_url("s3://bucket/reports/")
    (None, None, 's3://bucket/reports')
    """
    if "://" not in out:
        return None
    try:
        parts = urlsplit(out)
    except ValueError as error:
        raise UsageError("The folder of reports is no URL that can be read; correct --out.") from error
    if "::" in out:
        raise UsageError("A folder of reports is one URL, not a chain of them; give the last one alone.")
    if "@" in parts.netloc and (parts.password is not None or parts.scheme not in {"abfs", "abfss", "az"}):
        raise UsageError(
            f"The {parts.scheme}:// folder of reports has a name or a password before its host, which logs "
            f"would show; leave them out, and give them as {parts.scheme}'s own package reads them."
        )
    if parts.query or parts.fragment:
        raise UsageError(
            f"The {parts.scheme}:// folder of reports has a ? or a #, where keys stand and no folder; leave "
            "that out."
        )
    known = environment_secrets(os.environ)
    if any(find_secret(text, known) is not None for text in (out, *out.split("/"))):
        raise UsageError("The URL of the folder of reports holds a key, which logs would show; leave it out.")
    if parts.scheme == "file":
        return None
    if not (parts.netloc + parts.path).strip("/"):
        raise UsageError(f"{out} names no folder; give one, such as {out}NAME/reports.")
    return out.rstrip("/")


def local_folder(out: str | Path) -> Path:
    """The path of a local folder, given as a path or as file://.

    Raises UsageError for a remote one.
    """
    text = str(out)
    if isinstance(out, Path) or "://" not in text:
        return Path(out)
    if remote_url(text) is not None:
        raise UsageError(
            f"{text} is no local folder; use `llmbench report --out`, or RemoteReports(url) and its `local`."
        )
    parts = urlsplit(text)
    if parts.netloc not in {"", "localhost"}:
        raise UsageError(f"{text} names another machine; write file:///PATH for a folder of this one.")
    return Path(url2pathname(parts.path))


def reports_of(root: Path, out: str | Path | None = None) -> Path:
    """The local folder of a project's reports: `out`, or reports/ under its root where none is named.

    `out` is made absolute, because a run changes the current folder. Raises UsageError for a remote one.
    """
    return local_folder(out).resolve() if out is not None else root / REPORTS


class RemoteReports:
    """The folder of reports at `url`, and `local`: its copy below the project's root.

    A run in `local` that has its page is not uploaded yet; of one that is, only result.json stays there.

    Raises ConfigError where fsspec, or the package for this kind of URL, is not installed; UsageError for
    a URL that no folder of reports may have.
    """

    def __init__(self, url: str, root: Path | None = None) -> None:
        checked = remote_url(url)
        if checked is None:
            raise UsageError(f"{url!r} is a local folder.")
        self.url = checked
        self.root = root if root is not None else load_config().root
        self._fs, self._base = _open(self.url)
        name = hashlib.sha256(self.url.encode()).hexdigest()[:16]
        self.local = self.root / ".llmbench" / REPORTS / name

    @property
    def index(self) -> str:
        """The URL of the index."""
        return f"{self.url}/{INDEX}"

    def pull(self) -> None:
        """Make the local copy know the runs that are there, and no other but those not uploaded yet.

        Raises ReportError where the folder cannot be read.
        """
        with self._told(), folder_lock(self.local / _LOCK):
            self._align(self._runs())

    def check(self) -> None:
        """Write a small file there and remove it: to be known before a model is asked.

        Raises ReportError where nothing can be written.
        """
        with self._told(" Correct that, or choose another with --out; no notebook was run."):
            name = f".written-{secrets.token_hex(6)}"
            self._write(name, b"")
            with contextlib.suppress(PermissionError):  # a place that only takes
                self._fs.rm_file(f"{self._base}/{name}")

    def push(self, notebook: str) -> None:
        """Upload the runs of a notebook that were published into `local`, then the newest path and the index.

        Raises ReportError where that cannot be done; what was made stays in `local`.
        """
        own = self.local.relative_to(self.root).as_posix()
        kept = f" The report itself lies in {own} and goes along with the next one."
        with self._told(kept), folder_lock(self.local / _LOCK):
            for page in sorted(self.local.glob(f"{glob.escape(notebook)}/{RUNS}/[0-9]*/{PAGE}")):
                self._push_run(notebook, page.parent)
            self._push_index()

    def remove(self, notebook: str, run_ids: Iterable[str]) -> None:
        """Remove runs, and what is left of those whose removal was cut off.

        Each is not there any more once its manifest is gone.

        Raises ReportError where that cannot be done.
        """
        with self._told(), folder_lock(self.local / _LOCK):
            if remove_runs(self._fs, f"{self._base}/{notebook}", run_ids):
                self._push_index()

    @contextlib.contextmanager
    def _told(self, more: str = "") -> Iterator[None]:
        """What any of fsspec's packages raises, in one sentence that holds no secret."""
        try:
            yield
        except LLMBenchError:
            raise
        except Exception as error:  # noqa: BLE001 - each package has errors of its own
            said = str(error)
            if find_secret(said, known_secrets(load_config(self.root))) is not None:
                said = ""
            first = (said.strip().splitlines() or [""])[0][:200].rstrip(". ")
            reason = f"{type(error).__name__}{f': {first}' if first else ''}"
            raise ReportError(
                f"The reports at {self.url} cannot be read or written: {reason}.{more}"
            ) from None

    def _runs(self) -> dict[str, list[str]]:
        """{notebook: ids of its whole runs, newest first}."""
        self._fs.invalidate_cache()
        found: dict[str, list[str]] = {}
        for path in self._fs.glob(f"{self._base}/*/{RUNS}/*/{MANIFEST}"):
            start, _, run_id, _ = str(path).rsplit("/", 3)
            notebook = start.rsplit("/", 1)[-1]
            if _is_name(notebook) and _is_name(run_id):
                found.setdefault(notebook, []).append(run_id)
        return {notebook: sorted(ids, reverse=True) for notebook, ids in found.items()}

    def _align(self, there: Mapping[str, Iterable[str]]) -> None:
        for folder in self.local.glob(f"*/{RUNS}/[0-9]*"):
            if (folder / PAGE).exists():
                continue  # to be uploaded
            if folder.name in there.get(folder.parents[1].name, ()):
                _forget(folder)  # which a kill may have cut off
            else:
                shutil.rmtree(folder, ignore_errors=True)
        self._pull_results(there)

    def _pull_results(self, runs: Mapping[str, Iterable[str]]) -> None:
        for notebook, ids in runs.items():
            for run_id in ids:
                folder = self.local / notebook / RUNS / run_id
                if (folder / RESULT).is_file():
                    continue  # a run never changes
                try:
                    content = self._fs.cat_file(f"{self._base}/{notebook}/{RUNS}/{run_id}/{RESULT}")
                except FileNotFoundError:  # removed meanwhile
                    continue
                write_whole(folder / RESULT, content)

    def _push_run(self, notebook: str, folder: Path) -> None:
        names = _names(json.loads((folder / MANIFEST).read_text(encoding="utf-8")))
        for name in names:
            self._write(f"{notebook}/{RUNS}/{folder.name}/{name}", (folder / name).read_bytes())
        newest = ""
        for _ in range(_TRIES):  # another machine may publish meanwhile
            if newest == (current := self._runs()[notebook][0]):
                break
            newest = current
            self._push_newest(notebook, newest)
        _forget(folder)

    def _push_newest(self, notebook: str, run_id: str) -> None:
        """The newest path, from the run of that id."""
        source = f"{self._base}/{notebook}/{RUNS}/{run_id}"
        names = _names(json.loads(self._fs.cat_file(f"{source}/{MANIFEST}")))
        for name in names:
            self._write(f"{notebook}/{name}", self._fs.cat_file(f"{source}/{name}"))
        for path in self._fs.glob(f"{self._base}/{notebook}/{report_as('*')}"):
            if str(path).rsplit("/", 1)[-1] not in names:  # a format that this run was not made as
                self._fs.rm_file(path)
        for kept in (TABLES, FIGURES):
            folder = f"{self._base}/{notebook}/{kept}"
            for path in self._fs.find(folder) if self._fs.exists(folder) else ():
                if f"{kept}/{str(path).rsplit('/', 1)[-1]}" not in names:
                    self._fs.rm_file(path)

    def _push_index(self) -> None:
        """Again where another machine has published meanwhile."""
        known: dict[str, list[str]] | None = None
        for _ in range(_TRIES):
            if known == (current := self._runs()):
                return
            known = current
            self._align(known)
            self._write(INDEX, write_index(self.local).read_bytes())

    def _write(self, name: str, content: bytes) -> None:
        path = f"{self._base}/{name}"
        if not _OBJECTS.intersection(
            self._protocols()
        ):  # there is no folder, and a bucket is not ours to make
            self._fs.makedirs(path.rsplit("/", 1)[0], exist_ok=True)
        self._fs.pipe_file(path, content)

    def _protocols(self) -> tuple[str, ...]:
        told = self._fs.protocol
        return (told,) if isinstance(told, str) else tuple(told)


def reports_folder(out: str | Path) -> Path:
    """A folder of reports to be read: itself where it is local, else its local copy, brought up to date."""
    url = remote_url(out) if isinstance(out, str) else None
    if url is None:
        return local_folder(out)
    remote = RemoteReports(url)
    remote.pull()
    return remote.local


def _is_name(text: str) -> bool:
    """Whether it names a folder here, and not one elsewhere: what lies there was written by others."""
    return bool(text) and not text.startswith(".") and not set(text) & set("/\\:~\0")


def _forget(folder: Path) -> None:
    """Of a run that is uploaded, only its result stays; its page goes first, which says that it is not."""
    for path in (folder / PAGE, *folder.rglob("*")):
        if path != folder / RESULT and not path.is_dir():
            path.unlink(missing_ok=True)


def _names(manifest: Any) -> list[str]:
    """The files of a run as they are written: the page after the rest, the manifest last."""
    if not isinstance(manifest, dict) or not all(
        _is_name(part) for name in manifest for part in name.split("/")
    ):
        raise ReportError("A manifest there is no manifest of a report; remove that run.")
    return [*sorted(manifest, key=lambda name: (name == PAGE, name)), MANIFEST]


def _open(url: str) -> tuple[Any, str]:
    scheme = url.split("://", 1)[0]
    core, registry = _fsspec()
    try:
        filesystem, path = core.url_to_fs(url)
    except ImportError as error:
        package = str(registry.known_implementations.get(scheme, {}).get("err", ""))
        hint = f" ({package.rstrip('.')})" if package else ""
        raise ConfigError(
            f"{scheme}:// needs a package that is not installed{hint}; install it beside llmbench."
        ) from error
    except ValueError as error:
        raise UsageError(
            f"{scheme}:// is no kind of folder that fsspec knows; use one such as s3://, gs:// or az://."
        ) from error
    return filesystem, str(path).rstrip("/")


def _fsspec() -> tuple[ModuleType, ModuleType]:
    try:
        return importlib.import_module("fsspec.core"), importlib.import_module("fsspec.registry")
    except ImportError as error:
        raise ConfigError(
            "A remote folder of reports needs the package fsspec; run: pip install 'llmbench[remote]'"
        ) from error
