"""SQLite's SQL and values as PostgreSQL takes them, and back.

Text: PostgreSQL's cannot hold NUL or half of a surrogate pair. Both are written as U+001A and four
hexadecimal digits (U+001A itself as well, so that reading is exact); any other text is stored as it is.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from psycopg.types.string import StrDumperUnknown, TextLoader

from llmbench.ledger.rows import StoredText, SurrogateText

if TYPE_CHECKING:
    from psycopg import Connection
    from psycopg.abc import Buffer

__all__ = ["adapt", "from_text", "schema_sql", "statement", "to_text"]

_MARK = "\x1a"
_MARK_BYTE = _MARK.encode()
_UNSTORABLE = re.compile("[\0\x1a\ud800-\udfff]")
_ESCAPED = re.compile(f"{_MARK}([0-9a-f]{{4}})")
_IN_STATEMENT = re.compile(r"('(?:[^']|'')*')|\?|%|CROSS JOIN")
_OF_SCHEMA = re.compile(r"\b(?:INTEGER PRIMARY KEY|INTEGER|REAL|BLOB|TEXT)\b")
_TYPES = {
    "INTEGER PRIMARY KEY": "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
    "INTEGER": "BIGINT",
    "REAL": "DOUBLE PRECISION",
    "BLOB": "BYTEA",
    # Instants sort as bytes do, and the order of an index outlives an upgrade of the server's libc.
    "TEXT": 'TEXT COLLATE "C"',
}


@lru_cache(maxsize=256)
def statement(sql: str) -> bytes:
    """A statement with psycopg's placeholders. SQLite's CROSS JOIN only fixes the order of a join.

    >>> statement("SELECT a % 2, '?' FROM t CROSS JOIN u ON u.id = t.id WHERE b = ?")
    b"SELECT a %% 2, '?' FROM t JOIN u ON u.id = t.id WHERE b = %s"
    """
    words = {"?": "%s", "%": "%%", "CROSS JOIN": "JOIN"}
    return _IN_STATEMENT.sub(lambda found: words.get(found[0]) or found[0].replace("%", "%%"), sql).encode()


def schema_sql(sql: str) -> str:
    """A statement of a migration with PostgreSQL's types.

    >>> schema_sql("CREATE TABLE t (id INTEGER PRIMARY KEY, x REAL, b BLOB)")
    'CREATE TABLE t (id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, x DOUBLE PRECISION, b BYTEA)'
    """
    return _OF_SCHEMA.sub(lambda found: _TYPES[found[0]], sql)


def to_text(text: StoredText) -> str:
    r"""Text that PostgreSQL can hold.

    >>> to_text("né"), to_text("a\0b"), to_text("\x1a")
    ('né', 'a\x1a0000b', '\x1a001a')
    """
    plain = text.decode(errors="surrogatepass") if isinstance(text, bytes) else text
    return _UNSTORABLE.sub(lambda found: f"{_MARK}{ord(found[0]):04x}", plain)


def from_text(text: str) -> StoredText:
    r"""What `to_text` was given.

    >>> from_text("a\x1a0000b"), from_text("\x1ad83d")
    ('a\x00b', b'\xed\xa0\xbd')
    """
    plain = _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text)
    try:
        plain.encode()
    except UnicodeEncodeError:
        return SurrogateText(plain.encode(errors="surrogatepass"))
    return plain


class _TextDumper(StrDumperUnknown):
    def dump(self, obj: Any) -> Buffer:
        if obj.__class__ is str and "\0" not in obj and _MARK not in obj:
            return obj.encode()
        return to_text(obj).encode()


class _TextLoader(TextLoader):
    def load(self, data: Buffer) -> Any:
        text = bytes(data)
        return from_text(text.decode()) if _MARK_BYTE in text else text.decode()


def adapt(connection: Connection[Any]) -> None:
    """Let `connection` take and give the ledger's values."""
    connection.adapters.register_dumper(str, _TextDumper)
    connection.adapters.register_dumper(SurrogateText, _TextDumper)
    connection.adapters.register_loader("text", _TextLoader)
