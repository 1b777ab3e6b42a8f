"""What the words that name a ledger mean: a file, or a database."""

from __future__ import annotations

from pathlib import Path

from llmbench.errors import LedgerError

__all__ = ["is_database", "ledger_path"]


def is_database(url: str | Path) -> bool:
    """True for the URL of a PostgreSQL database."""
    return str(url).startswith(("postgresql://", "postgres://"))


def ledger_path(url: str | Path) -> Path:
    """The file that `url` means.

    Raises LedgerError for anything but a path.
    """
    text = str(url)
    # A Path made of a URL has one slash less.
    if "://" in text or text in {"", ":memory:"} or text.startswith(("postgresql:", "postgres:")):
        raise LedgerError(
            # Its scheme only: what follows may hold a password.
            f"{text.partition(':')[0] or text!r} is not the path of a ledger file: give one, such as "
            ".llmbench/ledger.db, or a postgresql:// URL as text, by parameter `url`, LLMBENCH_LEDGER or "
            "llmbench.toml."
        )
    return Path(text)
