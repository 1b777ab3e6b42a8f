"""Where a PostgreSQL ledger is, and what its failures mean, told without user and password."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import psycopg
from psycopg.conninfo import conninfo_to_dict

from llmbench.errors import LedgerError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["PATIENCE_S", "Address"]

PATIENCE_S = 30.0
"""How long a server that went away is waited for, and how long another program's lock."""

_DEFAULTS: Mapping[str, Any] = {
    "fallback_application_name": "llmbench",
    "connect_timeout": 10,
    # A server that vanished without a word is noticed within the patience.
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 25_000,
}
_PASSWORDS = ("password", "sslpassword")
_ADVICE: Mapping[str, str] = {  # by SQLSTATE, or by its class
    "08": "cannot be reached: check its URL, its server and the network",
    "22": "cannot hold a value of this record: see the error in brackets",
    "25006": "is read-only: give the URL of a server and a user that may write",
    "28": "refuses this user: check user and password",
    "3D000": "does not exist: create the database, or correct its URL",
    "40": "was written by others at the same rows: try again",
    "42501": "may not be used like this: grant the user of its URL the use of its schema and tables",
    "42P01": "lacks a table, which was dropped or replaced while open: open it again",
    "53100": "cannot grow: free space on its server's disk; what was recorded before is kept",
    "53": "finds no room on its server just now: try again, or raise the server's limits",
    "54": "cannot hold a value this long: shorten the record's text",
    "55P03": f"has been locked for {PATIENCE_S:.0f} s: end the program that holds it",
    "57": "was stopped by its server: see there why, and try again; what was recorded before is kept",
    "58": "cannot be read or written: check its server's disk; what was recorded before is kept",
    "XX": "may be damaged: see the log of its server",
}


class Address:
    """A URL taken apart. `name` is for messages: host, port and database."""

    def __init__(self, url: str) -> None:
        try:
            given = conninfo_to_dict(url)
        except psycopg.Error:  # its message repeats the URL
            given = {}
        # Where a password is not percent-encoded, its second half is read as the host, the port or the
        # database, and must not be shown as such.
        torn = any("@" in str(given.get(part, "")) for part in ("host", "dbname"))
        if not given or torn or not re.fullmatch(r"[\d,]*", str(given.get("port", ""))):
            raise LedgerError(
                "The URL of the PostgreSQL ledger cannot be understood: write "
                "postgresql://user:password@host/database, with what is special in the password "
                "percent-encoded."
            )
        self.name = _name(given)
        self.parameters = {**_DEFAULTS, **given, "client_encoding": "utf8"}
        self._user = str(given.get("user") or "")
        self._passwords = [str(given[key]) for key in _PASSWORDS if given.get(key)]

    def __repr__(self) -> str:
        return f"Address({self.name!r})"

    def explain(self, error: Exception) -> LedgerError:
        """`error` as one sentence that says what to do."""
        state = getattr(error, "sqlstate", None) or ""
        if not state and isinstance(error, psycopg.OperationalError):
            state = "08"
        unknown = "cannot do this: see the error in brackets"
        advice = _ADVICE.get(state) or _ADVICE.get(state[:2], unknown)
        told = " ".join(str(error).split()).rstrip(".")
        for password in self._passwords:
            told = told.replace(password, "***")
        if self._user:
            told = re.sub(rf"(?<!\w){re.escape(self._user)}(?!\w)", "***", told)
        # It may come from the environment or the operating system as well.
        told = re.sub(r'\b(user|role) "[^"]*"', r'\1 "***"', told)
        return LedgerError(f"The ledger {self.name} {advice} ({told}).")


def _name(given: Mapping[str, Any]) -> str:
    host = str(given.get("host") or given.get("hostaddr") or os.environ.get("PGHOST") or "")
    host = f"[{host}]" if ":" in host else quote(host, safe=",")
    port = f":{given['port']}" if given.get("port") else ""
    database = quote(str(given.get("dbname") or os.environ.get("PGDATABASE") or ""))
    return f"postgresql://{host}{port}/{database}"
