"""Personal data in examples: what kind, and never the value itself."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from llmbench.ledger.privacy import matches

__all__ = ["KINDS", "Personal", "find_personal"]

KINDS = {
    "email": "an e-mail address",
    "iban": "an IBAN",
    "card": "a card number",
    "phone": "a telephone number",
}
"""Looked for in this order: what one kind has found, the next does not look at."""
_LONG = 12
_DIGIT = re.compile(r"\d")


class Personal(NamedTuple):
    """One value that was found."""

    kind: str
    hint: str
    """Its first and last characters, by which its owner finds it again."""


def find_personal(text: str) -> Iterator[Personal]:
    """What looks like personal data in a text; the patterns are those by which the ledger redacts.

    A sieve, no guarantee: names and addresses are not found, and a long number may be taken for a
    telephone's. Card numbers and IBANs count only with a right check digit.

    >>> list(find_personal("Mail jane.doe@example.com, or pay to DE89 3704 0044 0532 0130 00."))
    [Personal(kind='email', hint='ja…om'), Personal(kind='iban', hint='DE…00')]
    """
    with_digits = _DIGIT.search(text) is not None
    for kind in KINDS:
        if not ("@" in text if kind == "email" else with_digits):
            continue
        taken: list[re.Match[str]] = []
        for found in matches(text, kind):
            value = found.group().strip()
            if kind == "iban" and not _is_iban(value):
                continue
            taken.append(found)
            shown = 2 if len(value) >= _LONG else 1
            yield Personal(kind, f"{value[:shown]}…{value[-shown:]}")
        text = _without(text, taken)


def _without(text: str, taken: Sequence[re.Match[str]]) -> str:
    """The text with what was found struck out, in one go: a large text may hold a million addresses."""
    pieces, start = [], 0
    for found in taken:
        pieces += [text[start : found.start()], "x"]
        start = found.end()
    return "".join([*pieces, text[start:]]) if taken else text


def _is_iban(text: str) -> bool:
    """Whether the check digits of ISO 13616 hold (the number modulo 97 is 1)."""
    plain = text.replace(" ", "")
    digits = "".join(str(int(sign, 36)) for sign in plain[4:] + plain[:4])
    return int(digits) % 97 == 1
