"""A key that does not show itself."""

from __future__ import annotations

import os
from collections.abc import Callable

from llmbench.errors import ConfigError

__all__ = ["Secret", "from_environment"]

_KEYRING_SERVICE = "llmbench"


class Secret:
    """Holds a key; every way of printing, copying or storing it gives stars.

    Raises ConfigError, without the key, for one that no header can hold.

    >>> key = Secret("sk-abc123")
    >>> key
    Secret(****)
    >>> f"{key}"
    '****'
    >>> key.reveal()
    'sk-abc123'
    """

    __slots__ = ("_reveal",)

    def __init__(self, value: str) -> None:
        if not value or value != value.strip() or "\n" in value:
            raise ConfigError("A key is empty or has white space around it; set it again without.")
        # Of what a header cannot hold, an SDK's error would show the whole header in its repr.
        if not (value.isascii() and value.isprintable()):
            raise ConfigError(
                "A key holds a character that no key has, such as a curly quote or an invisible one; "
                "copy it again."
            )
        # A closure, so that neither vars() nor a debugger's attribute table prints the value.
        self._reveal: Callable[[], str] = lambda: value

    def reveal(self) -> str:
        """The key itself: only for the header of a request to its own vendor."""
        return self._reveal()

    def __repr__(self) -> str:
        return "Secret(****)"

    def __str__(self) -> str:
        return "****"

    def __bool__(self) -> bool:
        return True

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("A key is never written to a file.")


def from_environment(*names: str) -> Secret | None:
    """The first of the environment variables `names` that is set, else the keyring's entry of
    that name under the service "llmbench", else None.
    """
    for name in names:
        value = os.environ.get(name, "").strip()
        if value:
            return Secret(value)
    return _from_keyring(names)


def _from_keyring(names: tuple[str, ...]) -> Secret | None:
    if os.environ.get("LLMBENCH_KEYRING", "on") == "off":
        return None
    try:
        import keyring
        from keyring.errors import KeyringError
    except ImportError:
        return None
    for name in names:
        try:
            value = keyring.get_password(_KEYRING_SERVICE, name)
        except KeyringError:
            return None  # no usable keyring on this machine: the same as an empty one
        if value:
            return Secret(value)
    return None
